"""Nobody sees or changes what isn't theirs: every operation of the OpenAPI document is asked for the same person's things by five callers."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from household import TAG, Household
from pages import PASSWORD
from stack import Stack, wait_for

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "gateway/src/gateway/openapi.json"
PART: Final = re.compile(r"\{\w+\}")
STRANGERS: Final = ("anonymous", "narrow", "blocked", "other")
"""A call without a token, the owner's own token that was granted `push` alone, somebody whom the owner blocks, and somebody else."""


@dataclass(frozen=True)
class Case:
    """One way to ask: what stands for the path's variable, what is sent, and which status each caller is given.

    Text in braces is taken from what the owner has; `my_` things are the caller's own.
    """

    of: str = ""
    body: dict[str, Any] | None = None
    query: dict[str, Any] = field(default_factory=dict)
    owner: int = 200
    other: int = 200
    blocked: int = 200
    anonymous: int = 401
    narrow: int = 403
    owner_body: dict[str, Any] | None = None
    """What the owner sends where it isn't the same."""

    def expected(self, role: str) -> int:
        return int(getattr(self, role))


def own(of: str = "", body: dict[str, Any] | None = None, **more: Any) -> Case:
    """Everybody with the scope has one of their own there."""
    return Case(of, body, **more)


def thing(of: str, body: dict[str, Any] | None = None, **more: Any) -> Case:
    """The owner's; for others it isn't there."""
    return Case(of, body, **{"other": 404, "blocked": 404, **more})


def told_to_all(of: str = "", body: dict[str, Any] | None = None, **more: Any) -> Case:
    """Open to the world, and to a token whatever it was granted."""
    return Case(of, body, **{"anonymous": 200, "narrow": 200, **more})


def read_by_all(of: str = "", **more: Any) -> Case:
    """Open to the world, but a token reads it as its owner, and must be allowed to."""
    return Case(of, **{"anonymous": 200, **more})


def hidden_from_all(of: str, **more: Any) -> Case:
    """The owner's, where posts and people of everybody are asked for, without a token, too."""
    return thing(of, **{"anonymous": 404, **more})


def to_person(*, owner: int, other: int = 200, blocked: int = 200) -> list[Case]:
    """Something that is done to a person: the owner (who can't do it to themselves)."""
    return [Case("owner_id", owner=owner, other=other, blocked=blocked)]


STATUS: Final = {"status": "in between"}
FILTER: Final = {"title": "mine", "context": ["home"]}

CASES: Final[dict[str, list[Case]]] = {
    # who the server is
    "GET /.well-known/host-meta": [told_to_all()],
    "GET /.well-known/nodeinfo": [told_to_all()],
    "GET /.well-known/oauth-authorization-server": [told_to_all()],
    "GET /.well-known/webfinger": [told_to_all(query={"resource": "acct:{owner_name}@{host}"}, blocked=404)],
    "GET /nodeinfo/2.0": [told_to_all()],
    "GET /api/openapi.json": [told_to_all()],
    "GET /api/v1/custom_emojis": [told_to_all()],
    "GET /api/v1/instance": [told_to_all()],
    "GET /api/v2/instance": [told_to_all()],
    "GET /api/v1/instance/rules": [told_to_all()],
    "GET /api/v1/instance/translation_languages": [told_to_all()],
    # auth
    "POST /api/v1/apps": [told_to_all(body={"client_name": "an app", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob"})],
    "GET /api/v1/apps/verify_credentials": [own(narrow=200)],
    "POST /api/v1/accounts": [own(owner=401, other=401, blocked=401)],
    "POST /api/v1/emails/confirmations": [own(narrow=200)],
    "POST /oauth/token": [
        told_to_all(
            body={"grant_type": "authorization_code", "code": "{code}", "redirect_uri": "urn:ietf:wg:oauth:2.0:oob", "{strange_app}": ""},
            owner_body={"grant_type": "authorization_code", "code": "{code}", "redirect_uri": "urn:ietf:wg:oauth:2.0:oob", "{app}": ""},
            **dict.fromkeys(STRANGERS, 400),
        ),
    ],
    "POST /oauth/revoke": [
        told_to_all(
            body={"token": "{spare_token}", "{strange_app}": ""},
            owner_body={"token": "{spare_token}", "{app}": ""},
            **dict.fromkeys(STRANGERS, 403),
        ),
        told_to_all(body={"token": "{spare_token}"}, owner_body={"token": "{spare_token}", "{app}": ""}, **dict.fromkeys(STRANGERS, 403)),
    ],
    # posts
    "POST /api/v1/statuses": [
        own(body=STATUS),
        own(body=STATUS | {"media_ids": ["{loose_media}"]}, other=422, blocked=422),
        thing("", body=STATUS | {"in_reply_to_id": "{private}"}),
        thing("", body=STATUS | {"in_reply_to_id": "{direct}"}),
    ],
    "PUT /api/v1/statuses/{id}": [
        thing("public", STATUS),
        thing("private", STATUS),
        own("my_post", STATUS | {"media_ids": ["{media}"]}, other=422, blocked=422),
        own(
            "my_post",
            STATUS | {"media_ids": ["{media}"], "media_attributes": [{"id": "{media}", "description": "x"}]},
            **{"other": 404, "blocked": 404},
        ),
    ],
    "DELETE /api/v1/statuses/{id}": [thing("public"), thing("private"), thing("direct")],
    "GET /api/v1/statuses/{id}/source": [thing("public"), thing("private"), thing("direct")],
    "GET /api/v1/statuses/{id}/history": [hidden_from_all("private"), hidden_from_all("direct")],
    "POST /api/v1/statuses/{id}/translate": [thing("private", owner=403), thing("direct", owner=403)],
    "POST /api/v1/media": [own(owner=422, other=422, blocked=422)],
    "POST /api/v2/media": [own(owner=422, other=422, blocked=422)],
    "GET /api/v1/media/{id}": [thing("media")],
    "PUT /api/v1/media/{id}": [thing("spare_media", {"description": "not what it shows"})],
    "DELETE /api/v1/media/{id}": [thing("spare_media")],
    # oneself
    "GET /api/v1/accounts/verify_credentials": [own()],
    "PATCH /api/v1/accounts/update_credentials": [own(body={"note": "somebody"})],
    "DELETE /api/v1/profile/{kind}": [own("avatar_kind"), own("header_kind")],
    "GET /api/v1/preferences": [own()],
    "GET /api/v1/microblog/mail_preferences": [own()],
    "PUT /api/v1/microblog/mail_preferences": [own(body={"follow": True})],
    "GET /api/v1/markers": [own(query={"timeline[]": ["home", "notifications"]})],
    "POST /api/v1/markers": [own(body={"home": {"last_read_id": "{private}"}})],
    # people
    "GET /api/v1/accounts": [read_by_all(query={"id[]": "{owner_id}"})],
    "GET /api/v1/accounts/lookup": [read_by_all(query={"acct": "{owner_name}"}, blocked=404)],
    "GET /api/v1/accounts/search": [read_by_all(query={"q": "{owner_name}"})],
    "GET /api/v1/accounts/relationships": [own(query={"id[]": ["{friend_id}", "{owner_id}"]})],
    "GET /api/v1/accounts/familiar_followers": [own(query={"id[]": ["{friend_id}", "{owner_id}"]})],
    "GET /api/v1/accounts/{id}": [read_by_all("owner_id", blocked=404)],
    "GET /api/v1/accounts/{id}/statuses": [
        read_by_all("owner_id", blocked=404),
        read_by_all("owner_id", query={"pinned": "true"}, blocked=404),
        read_by_all("owner_id", query={"tagged": TAG}, blocked=404),
    ],
    "GET /api/v1/accounts/{id}/followers": [read_by_all("owner_id", blocked=404)],
    "GET /api/v1/accounts/{id}/following": [read_by_all("owner_id", blocked=404)],
    "GET /api/v1/accounts/{id}/endorsements": [read_by_all("owner_id", blocked=404)],
    "GET /api/v1/accounts/{id}/featured_tags": [told_to_all("owner_id", blocked=404)],
    "GET /api/v1/accounts/{id}/lists": [own("friend_id")],
    "POST /api/v1/accounts/{id}/follow": to_person(owner=403, blocked=403),
    "POST /api/v1/accounts/{id}/unfollow": to_person(owner=403),
    "POST /api/v1/accounts/{id}/remove_from_followers": [*to_person(owner=403), own("friend_id")],
    "POST /api/v1/accounts/{id}/mute": to_person(owner=403),
    "POST /api/v1/accounts/{id}/unmute": [*to_person(owner=200), own("muted_id")],
    "POST /api/v1/accounts/{id}/note": [Case("owner_id", {"comment": "a neighbour"}), own("friend_id", {"comment": "a neighbour"})],
    "POST /api/v1/accounts/{id}/endorse": to_person(owner=403, other=422, blocked=422),
    "POST /api/v1/accounts/{id}/unendorse": [*to_person(owner=200), own("friend_id")],
    "POST /api/v1/accounts/{id}/pin": to_person(owner=403, other=422, blocked=422),
    "POST /api/v1/accounts/{id}/unpin": [*to_person(owner=200), own("friend_id")],
    "GET /api/v1/follow_requests": [own()],
    "POST /api/v1/follow_requests/{id}/authorize": [thing("asker_id")],
    "POST /api/v1/follow_requests/{id}/reject": [thing("asker_id", owner=404)],
    "GET /api/v1/blocks": [own()],
    "GET /api/v1/mutes": [own()],
    "GET /api/v1/endorsements": [own()],
    "GET /api/v1/suggestions": [own()],
    "GET /api/v2/suggestions": [own()],
    "DELETE /api/v1/suggestions/{id}": [own("owner_id")],
    "GET /api/v1/directory": [told_to_all(query={"limit": 80})],
    "GET /api/v1/featured_tags": [own()],
    "POST /api/v1/featured_tags": [own(body={"name": "{my_name}"})],
    "DELETE /api/v1/featured_tags/{id}": [thing("featured_tag")],
    "GET /api/v1/featured_tags/suggestions": [own()],
    # feeds
    "GET /api/v1/timelines/home": [own(query={"limit": 40})],
    "GET /api/v1/timelines/public": [read_by_all(query={"limit": 40})],
    "GET /api/v1/timelines/tag/{name}": [read_by_all("tag", query={"limit": 40})],
    "GET /api/v1/timelines/list/{id}": [thing("list")],
    "GET /api/v1/favourites": [own()],
    "GET /api/v1/bookmarks": [own()],
    "GET /api/v1/conversations": [own()],
    "POST /api/v1/conversations/{id}/read": [thing("conversation")],
    "POST /api/v1/conversations/{id}/unread": [thing("conversation")],
    "DELETE /api/v1/conversations/{id}": [thing("conversation")],
    "GET /api/v2/search": [
        read_by_all(query={"q": "{word}"}),
        read_by_all(query={"q": "{host}/@{owner_name}/{private}", "resolve": "true"}),
    ],
    # lists
    "GET /api/v1/lists": [own()],
    "POST /api/v1/lists": [own(body={"title": "mine"})],
    "GET /api/v1/lists/{id}": [thing("list")],
    "PUT /api/v1/lists/{id}": [thing("list", {"title": "taken over"})],
    "DELETE /api/v1/lists/{id}": [thing("list")],
    "GET /api/v1/lists/{id}/accounts": [thing("list")],
    "POST /api/v1/lists/{id}/accounts": [thing("list", {"account_ids": ["{asker_id}"]})],
    "DELETE /api/v1/lists/{id}/accounts": [thing("list", {"account_ids": ["{friend_id}"]})],
    # a post
    "GET /api/v1/statuses": [read_by_all(query={"id[]": ["{private}", "{direct}", "{public}", "{boost}"]})],
    "GET /api/v1/statuses/{id}": [hidden_from_all("private"), hidden_from_all("direct"), hidden_from_all("boost")],
    "GET /api/v1/statuses/{id}/context": [
        hidden_from_all("private"),
        hidden_from_all("direct"),
        read_by_all("public", blocked=404),
    ],
    "GET /api/v1/statuses/{id}/favourited_by": [hidden_from_all("private"), hidden_from_all("direct")],
    "GET /api/v1/statuses/{id}/reblogged_by": [hidden_from_all("private"), hidden_from_all("direct")],
    "GET /api/v1/polls/{id}": [hidden_from_all("poll")],
    "POST /api/v1/polls/{id}/votes": [thing("poll", {"choices": [0]}, owner=422)],
    **{
        f"POST /api/v1/statuses/{{id}}/{verb}": [thing("private"), thing("direct", owner=owner)]
        for verb, owner in {
            **dict.fromkeys(("favourite", "bookmark", "mute", "unmute", "unpin", "unfavourite", "unbookmark", "unreblog"), 200),
            **{"reblog": 422, "pin": 422},
        }.items()
    },
    # filters
    "GET /api/v1/filters": [own()],
    "POST /api/v1/filters": [own(body={"phrase": "mine", "context": ["home"]})],
    "GET /api/v1/filters/{id}": [thing("keyword")],
    "PUT /api/v1/filters/{id}": [thing("keyword", {"phrase": "another", "context": ["public"]})],
    "DELETE /api/v1/filters/{id}": [thing("other_keyword")],
    "GET /api/v2/filters": [own()],
    "POST /api/v2/filters": [own(body=FILTER)],
    "GET /api/v2/filters/{id}": [thing("filter")],
    "PUT /api/v2/filters/{id}": [
        thing("filter", {"title": "another"}),
        own("my_filter", FILTER | {"keywords_attributes": [{"id": "{keyword}", "_destroy": True}]}, other=404, blocked=404, owner=404),
    ],
    "DELETE /api/v2/filters/{id}": [thing("filter")],
    "GET /api/v2/filters/{id}/keywords": [thing("filter")],
    "POST /api/v2/filters/{id}/keywords": [thing("filter", {"keyword": "another"})],
    "GET /api/v2/filters/keywords/{id}": [thing("keyword")],
    "PUT /api/v2/filters/keywords/{id}": [thing("keyword", {"keyword": "another"})],
    "DELETE /api/v2/filters/keywords/{id}": [thing("keyword")],
    "GET /api/v2/filters/{id}/statuses": [thing("filter")],
    "POST /api/v2/filters/{id}/statuses": [
        thing("filter", {"status_id": "{public}"}),
        own("my_filter", {"status_id": "{private}"}, other=422, blocked=422),
    ],
    "GET /api/v2/filters/statuses/{id}": [thing("filter_status")],
    "DELETE /api/v2/filters/statuses/{id}": [thing("filter_status")],
    # hashtags
    "GET /api/v1/tags/{name}": [told_to_all("tag")],
    "GET /api/v1/followed_tags": [own()],
    **{f"POST /api/v1/tags/{{name}}/{verb}": [own("tag")] for verb in ("follow", "unfollow", "feature", "unfeature")},
    # what one is told
    "GET /api/v1/notifications": [own(query={"limit": 80})],
    "GET /api/v1/notifications/unread_count": [own()],
    "GET /api/v1/notifications/{id}": [thing("notification")],
    "POST /api/v1/notifications/{id}/dismiss": [thing("notification")],
    "POST /api/v1/notifications/clear": [own()],
    "GET /api/v1/announcements": [told_to_all()],
    "POST /api/v1/announcements/{id}/dismiss": [own("nothing", owner=404, other=404, blocked=404)],
    "POST /api/v1/admin/announcements": [own(body={"text": "from nobody"}, owner=403, other=403, blocked=403)],
    "DELETE /api/v1/admin/announcements/{id}": [own("nothing", owner=403, other=403, blocked=403)],
    "POST /webhooks/postmark": [told_to_all(body={"RecordType": "Bounce"}, **dict.fromkeys((*STRANGERS, "owner"), 401))],
    # last, since they end what the others ask for
    "POST /api/v1/accounts/{id}/block": to_person(owner=403),
    "POST /api/v1/accounts/{id}/unblock": [*to_person(owner=200), own("blocked_id")],
}


def operations() -> set[str]:
    """What the committed document names."""
    paths = json.loads(DOCUMENT.read_text("utf-8"))["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


@dataclass
class Walk:
    """What each caller was answered, by operation, and what the owner had before and after the strangers called."""

    answers: dict[str, list[tuple[str, int, httpx.Response]]]
    """By caller: the operation, the status that is due, and the answer."""
    word: str
    before: dict[str, Any]
    after: dict[str, Any]

    def surprises(self, role: str) -> dict[str, str]:
        """Where somebody was answered otherwise than they should be."""
        return {what: f"{answer.status_code}: {answer.text[:300]}" for what, due, answer in self.answers[role] if answer.status_code != due}


@pytest.fixture(scope="module")
def walk(stack: Stack) -> Walk:
    """The owner calls last, reading first and deleting last, so that everything is there as long as it is asked for."""
    household = Household(stack)
    before = household.belongings()
    answers = {role: call_all(household, role) for role in STRANGERS}
    after = household.belongings()
    return Walk({**answers, "owner": call_all(household, "owner")}, household.word, before, after)


def call_all(household: Household, role: str) -> list[tuple[str, int, httpx.Response]]:
    clients = {
        "owner": household.owner.client,
        "narrow": household.narrow,
        "blocked": household.blocked.client,
        "other": household.other.client,
    }
    household.stands_for(role)
    order = {"GET": 0, "POST": 1, "PUT": 1, "PATCH": 1, "DELETE": 2}
    found = []
    with household.stack.client() as nobody:
        for operation in sorted(CASES, key=lambda named: (order[named.split()[0]], -named.count("/"))):
            for case in CASES[operation]:
                answer = call(household, clients.get(role, nobody), operation, case, role)
                found.append((f"{operation} of {case.of or 'oneself'} {case.body or ''}".rstrip(), case.expected(role), answer))
    return found


def call(household: Household, client: httpx.Client, operation: str, case: Case, role: str) -> httpx.Response:
    method, template = operation.split()
    path = PART.sub(household.values[case.of], template) if case.of else template
    body = case.owner_body if role == "owner" and case.owner_body is not None else case.body
    return client.request(method, path, params=household.filled(case.query), json=None if body is None else household.filled(body))


def test_every_operation_of_the_document_is_asked_for() -> None:
    assert sorted(operations() ^ CASES.keys()) == []


@pytest.mark.parametrize("role", [*STRANGERS, "owner"])
def test_everybody_is_answered_as_they_may(walk: Walk, role: str) -> None:
    assert walk.surprises(role) == {}


@pytest.mark.parametrize("role", STRANGERS)
def test_nobody_reads_what_is_not_theirs(walk: Walk, role: str) -> None:
    asked_for = {what for what, _, answer in walk.answers[role] if walk.word in answer.text}
    assert asked_for == set()


@pytest.mark.parametrize("role", STRANGERS)
def test_refusals_are_told_as_clients_expect_them(walk: Walk, role: str) -> None:
    refused = [(what, answer) for what, _, answer in walk.answers[role] if answer.status_code >= 400]
    assert len(refused) > 40
    assert [what for what, answer in refused if not isinstance(answer.json().get("error"), str)] == []


def test_nobody_changes_what_is_not_theirs(walk: Walk) -> None:
    assert walk.after == walk.before
    assert walk.word in json.dumps(walk.before["posts"])


def test_nobody_ends_the_session_of_somebody_else(stack: Stack) -> None:
    owner, other = stack.new_person("owner"), stack.new_person("other")
    with stack.browser() as browser, stack.browser() as elsewhere, stack.browser() as stranger:
        for visitor, person in ((browser, owner), (elsewhere, owner), (stranger, other)):
            assert stack.submit(visitor, "/login", "/login", identifier=person.name, password=PASSWORD).status_code == 303
        fields, target = stack.form(elsewhere, "/settings", "/settings/devices")
        token = stack.form(stranger, "/settings", "/settings/mail")[0]["csrf_token"]
        assert stranger.post(target, data={**fields, "csrf_token": token}).status_code == 303  # as if there were none
        assert f"@{owner.name}" in browser.get("/").text
        assert elsewhere.post(target, data=fields).status_code == 303
        wait_for(lambda: f"@{owner.name}" not in browser.get("/").text, "the session to end for its owner")
