"""The same of the pages: every route is asked for the same person's things by four visitors, the forms sent with tokens of their own.

The table must name each route of the pages, so that a new one can't be forgotten.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest
from gateway.web import _PAGES
from household import Household
from pages import PASSWORD
from stack import Stack

STRANGERS: Final = ("anonymous", "blocked", "other")
"""Somebody who isn't logged in, somebody whom the owner blocks, and somebody else."""
LOG_IN: Final = "log in"
"""What is answered where one must be logged in: the way there."""
Due = int | str


@dataclass(frozen=True)
class Visit:
    """One way to come: the address, what is sent, and what each visitor is answered.

    Text in braces is taken from what the owner has; `my_` things are the visitor's own.
    """

    path: str
    form: dict[str, Any] = field(default_factory=dict)
    owner: Due = 200
    other: Due = 200
    blocked: Due = 200
    anonymous: Due = LOG_IN

    def expected(self, role: str) -> Due:
        due: Due = getattr(self, role)
        return due


def own(path: str, **more: Any) -> Visit:
    """Whoever is logged in has one of their own there."""
    return Visit(path, **more)


def theirs(path: str, **more: Any) -> Visit:
    """The owner's; for others it isn't there."""
    return Visit(path, **{"other": 404, "blocked": 404, **more})


def open_to_all(path: str, **more: Any) -> Visit:
    """Shown without logging in, too."""
    return Visit(path, **{"anonymous": 200, **more})


def hidden_from_all(path: str, **more: Any) -> Visit:
    """The owner's, at an address that is shown without logging in when it is somebody's public post."""
    return theirs(path, **{"anonymous": 404, **more})


def sent(path: str, form: dict[str, Any] | None = None, **more: Any) -> Visit:
    """A form of one's own; pages follow."""
    return Visit(path, form or {}, **{"owner": 303, "other": 303, "blocked": 303, **more})


def sent_for_theirs(path: str, form: dict[str, Any] | None = None, **more: Any) -> Visit:
    """A form about what is the owner's."""
    return sent(path, form, **{"other": 404, "blocked": 404, **more})


def sent_by_all(path: str, status: int, form: dict[str, Any] | None = None) -> Visit:
    """A form that is answered alike whoever sends it."""
    return Visit(path, form or {}, **dict.fromkeys(("owner", "other", "blocked", "anonymous"), status))


OOB: Final = "urn:ietf:wg:oauth:2.0:oob"
ASKED: Final = "client_id={client_id}&redirect_uri=" + OOB + "&response_type=code&scope=push"
CONSENT: Final = {"client_id": "{client_id}", "redirect_uri": OOB, "response_type": "code", "scope": "push"}

VISITS: Final[dict[str, list[Visit]]] = {
    # feeds
    "GET /": [open_to_all("/")],
    "GET /public": [open_to_all("/public")],
    "GET /tags/{name}": [open_to_all("/tags/{tag}")],
    "GET /search": [
        open_to_all("/search?q={tag}"),
        open_to_all("/search?q={owner_name}"),
        open_to_all("/search?q=http://{host}/@{owner_name}/{private}"),
    ],
    "GET /people": [open_to_all("/people")],
    "GET /bookmarks": [own("/bookmarks")],
    "GET /favourites": [own("/favourites")],
    "GET /notifications": [own("/notifications")],
    "GET /announcements": [open_to_all("/announcements")],
    "GET /about": [open_to_all("/about")],
    "GET /api/docs": [open_to_all("/api/docs")],
    # a person
    "GET /@{username}": [open_to_all("/@{owner_name}", blocked=404)],
    "GET /@{username}/tagged/{tag}": [open_to_all("/@{owner_name}/tagged/{tag}", blocked=404)],
    "GET /@{username}/{part}": [
        *(open_to_all(f"/@{{owner_name}}/{part}", blocked=404) for part in ("with_replies", "media", "followers", "following")),
        own("/@{owner_name}/lists", blocked=404),
        own("/@{friend_name}/lists"),
        open_to_all("/@{owner_name}/{public}", blocked=404),
        *(hidden_from_all(f"/@{{owner_name}}/{{{name}}}") for name in ("private", "direct", "poll", "boost")),
        hidden_from_all("/@{my_name}/{private}"),
    ],
    "GET /@{username}/{id}/history": [
        open_to_all("/@{owner_name}/{public}/history", blocked=404),
        *(hidden_from_all(f"/@{{owner_name}}/{{{name}}}/history") for name in ("private", "direct", "poll")),
    ],
    "POST /@{username}/{id}/translate": [
        own("/@{owner_name}/{public}/translate", blocked=404),
        *(theirs(f"/@{{owner_name}}/{{{name}}}/translate") for name in ("private", "direct")),
    ],
    # posts
    "GET /write": [own("/write")],
    "POST /posts": [
        sent("/posts", {"status": "in between"}),
        sent_for_theirs("/posts", {"status": "in between", "in_reply_to_id": "{private}"}),
        sent_for_theirs("/posts", {"status": "in between", "in_reply_to_id": "{direct}"}),
        sent("/posts", {"status": "in between", "media": "{loose_media}", "description-{loose_media}": "else"}, other=422, blocked=422),
    ],
    "GET /posts/{id}/edit": [theirs(f"/posts/{{{name}}}/edit") for name in ("public", "private", "direct", "poll")],
    "POST /posts/{id}/edit": [sent_for_theirs(f"/posts/{{{name}}}/edit", {"status": "mine now"}) for name in ("public", "private")],
    "POST /posts/{id}/vote": [sent_for_theirs("/posts/{poll}/vote", {"choices": "0", "next": "/"})],
    "POST /posts/{id}/{verb}": [
        *(
            sent_for_theirs(f"/posts/{{private}}/{verb}")
            for verb in ("favourite", "unfavourite", "bookmark", "unbookmark", "mute", "unmute")
        ),
        sent_for_theirs("/posts/{private}/unpin"),
        sent_for_theirs("/posts/{direct}/bookmark"),
        sent("/posts/{public}/pin", other=422, blocked=404),
        sent_for_theirs("/posts/{public}/nothing", owner=404),
    ],
    # lists and hashtags
    "GET /lists": [own("/lists")],
    "POST /lists": [sent("/lists", {"title": "mine", "replies_policy": "list"})],
    "GET /lists/{id}": [theirs("/lists/{list}")],
    "GET /lists/{id}/edit": [theirs("/lists/{list}/edit")],
    "POST /lists/{id}/edit": [sent_for_theirs("/lists/{list}/edit", {"title": "taken over", "replies_policy": "list"})],
    "POST /lists/{id}/members": [
        sent_for_theirs("/lists/{list}/members", {"account_id": "{friend_id}", "decision": "remove"}),
        sent_for_theirs("/lists/{list}/members", {"account_id": "{friend_id}", "decision": "add"}),
    ],
    "POST /tags/{name}/{verb}": [sent("/tags/{tag}/follow"), sent("/tags/{tag}/unfollow")],
    # messages
    "GET /messages": [own("/messages"), own("/messages?to={owner_name}")],
    "GET /messages/{id}": [theirs("/messages/{conversation}")],
    # oneself
    "GET /settings": [own("/settings")],
    "GET /settings/profile": [own("/settings/profile")],
    "POST /settings/profile": [sent("/settings/profile", {"display_name": "somebody", "note": "else", "locked": "y"})],
    "GET /settings/hashtags": [own("/settings/hashtags")],
    "POST /settings/hashtags": [sent_for_theirs("/settings/hashtags", {"remove": "{featured_tag}"})],
    "POST /settings/look": [sent("/settings/look", {"language": "en", "look": "dark", "density": ""})],
    "POST /settings/mail": [sent("/settings/mail", {"comment": "y"})],
    "GET /settings/filters": [own("/settings/filters")],
    "POST /settings/filters": [
        sent("/settings/filters", {"title": "mine", "words": "tea", "home": "y", "filter_action": "warn", "ends": ""})
    ],
    "GET /settings/filters/{id}": [theirs("/settings/filters/{filter}")],
    "POST /settings/filters/{id}": [
        sent_for_theirs("/settings/filters/{filter}", {"title": "taken", "words": "x", "home": "y", "filter_action": "warn", "ends": ""})
    ],
    "POST /settings/password": [
        sent("/settings/password", {"current": "a guess", "new": "another horse"}, **dict.fromkeys(("owner", *STRANGERS[1:]), 422))
    ],
    "POST /settings/devices": [sent("/settings/devices", {"id": "1"})],
    "GET /settings/delete": [own("/settings/delete")],
    "POST /settings/delete": [sent("/settings/delete", {"current": "a guess"}, **dict.fromkeys(("owner", *STRANGERS[1:]), 422))],
    "POST /suggestions/{id}/dismiss": [sent("/suggestions/{friend_id}/dismiss")],
    "GET /follow_requests": [own("/follow_requests")],
    "POST /follow_requests": [
        sent_for_theirs("/follow_requests", {"id": "{asker_id}", "decision": "authorize"}),
        sent_for_theirs("/follow_requests", {"id": "{asker_id}", "decision": "reject"}, owner=404),
    ],
    "POST /language": [sent("/language", {"language": "en"}, anonymous=303)],
    "POST /notifications/dismiss": [sent("/notifications/dismiss", {"id": "{notification}"})],
    "POST /notifications/clear": [sent("/notifications/clear")],
    "POST /announcements/{id}/{verb}": [
        *(sent(f"/announcements/1/{verb}", owner=404, other=404, blocked=404) for verb in ("dismiss", "nothing")),
        sent("/announcements/1/withdraw", owner=403, other=403, blocked=403),
    ],
    "POST /announcements": [sent_by_all("/announcements", 403, {"text": "from nobody"})],
    "POST /confirm/resend": [sent("/confirm/resend")],
    # credentials
    "GET /register": [open_to_all("/register")],
    "POST /register": [sent_by_all("/register", 422)],
    "GET /login": [open_to_all("/login")],
    "POST /login": [sent_by_all("/login", 401, {"identifier": "{owner_name}", "password": "a guess"})],
    "GET /reset": [open_to_all("/reset")],
    "POST /reset": [sent_by_all("/reset", 200, {"email": "nobody@people.example"})],
    "GET /reset/use": [open_to_all("/reset/use?token=nonsense")],
    "POST /reset/use": [sent_by_all("/reset/use", 422, {"link": "nonsense", "password": "another horse"})],
    "GET /confirm": [open_to_all("/confirm?token=nonsense")],
    "POST /confirm": [sent_by_all("/confirm", 422, {"link": "nonsense"})],
    "GET /unsubscribe": [open_to_all("/unsubscribe?token=nonsense")],
    "POST /unsubscribe": [sent_by_all("/unsubscribe?token=nonsense", 422)],
    "GET /oauth/authorize": [own(f"/oauth/authorize?{ASKED}")],
    "GET /oauth/authorize/": [own(f"/oauth/authorize/?{ASKED}")],
    "POST /oauth/authorize": [own("/oauth/authorize", form={**CONSENT, "decision": "approve"})],
    "POST /oauth/authorize/": [sent("/oauth/authorize/", {**CONSENT, "decision": "deny"})],
    # last, since they end what the others ask for
    "POST /messages/{id}/{verb}": [
        sent_for_theirs("/messages/{conversation}/unread"),
        sent_for_theirs("/messages/{conversation}/remove"),
    ],
    "POST /settings/filters/{id}/delete": [sent_for_theirs("/settings/filters/{filter}/delete")],
    "GET /lists/{id}/delete": [theirs("/lists/{list}/delete")],
    "POST /lists/{id}/delete": [sent_for_theirs("/lists/{list}/delete")],
    "GET /posts/{id}/delete": [theirs(f"/posts/{{{name}}}/delete") for name in ("public", "private", "direct")],
    "POST /posts/{id}/delete": [sent_for_theirs(f"/posts/{{{name}}}/delete") for name in ("public", "private", "direct")],
    "POST /@{username}/{verb}": [
        *(sent(f"/@{{owner_name}}/{verb}", owner=403, blocked=404) for verb in ("follow", "unfollow", "mute")),
        sent("/@{owner_name}/unmute", blocked=404),
        sent("/@{owner_name}/remove_from_followers", owner=403, blocked=404),
        sent("/@{friend_name}/unendorse"),
        sent("/@{owner_name}/block", owner=403, blocked=404),
    ],
    "POST /logout": [sent("/logout", anonymous=303)],
}


@dataclass
class Walk:
    """What each visitor was answered, by route and address, and what the owner had before and after the strangers came."""

    answers: dict[str, list[tuple[str, Due, httpx.Response]]]
    word: str
    before: dict[str, Any]
    after: dict[str, Any]


@pytest.fixture(scope="module")
def walk(stack: Stack) -> Walk:
    """The owner comes last, so that everything is there as long as it is asked for."""
    household = Household(stack)
    household.values |= {"client_id": household.apps["app"]["client_id"], "friend_name": household.friend.name}
    before = household.belongings()
    answers = {role: visit_all(household, role) for role in STRANGERS}
    after = household.belongings()
    return Walk({**answers, "owner": visit_all(household, "owner")}, household.word, before, after)


def visit_all(household: Household, role: str) -> list[tuple[str, Due, httpx.Response]]:
    household.stands_for(role)
    stack, found = household.stack, list[tuple[str, Due, httpx.Response]]()
    with stack.browser() as browser:
        if role != "anonymous":
            name = household.values["my_name"]
            assert stack.submit(browser, "/login", "/login", identifier=name, password=PASSWORD).status_code == 303
        token = {"csrf_token": stack.form(browser, "/login", "/login")[0]["csrf_token"]}
        for route, visits in VISITS.items():
            for visit in visits:
                path = household.filled(visit.path)
                form = {household.filled(field): household.filled(value) for field, value in visit.form.items()}
                answer = browser.get(path) if route.startswith("GET ") else browser.post(path, data=token | form)
                found.append((f"{route}: {visit.path} {visit.form or ''}".rstrip(), visit.expected(role), answer))
    return found


def outcome(answer: httpx.Response) -> Due:
    """The status, or that one has to log in first."""
    return LOG_IN if answer.status_code == 303 and answer.headers["location"].startswith("/login?next=") else answer.status_code


def test_every_route_of_the_pages_is_visited() -> None:
    routes = {f"{method} {path}" for path, _, methods in _PAGES for method in methods}
    assert sorted(routes ^ VISITS.keys()) == []


@pytest.mark.parametrize("role", [*STRANGERS, "owner"])
def test_every_visitor_is_answered_as_they_may(walk: Walk, role: str) -> None:
    surprises = {what: (outcome(answer), due) for what, due, answer in walk.answers[role] if outcome(answer) != due}
    assert surprises == {}


@pytest.mark.parametrize("role", STRANGERS)
def test_no_page_shows_what_is_not_theirs(walk: Walk, role: str) -> None:
    assert {what for what, _, answer in walk.answers[role] if walk.word in answer.text} == set()


@pytest.mark.parametrize("role", STRANGERS)
def test_pages_that_refuse_are_pages(walk: Walk, role: str) -> None:
    refused = [(what, answer) for what, _, answer in walk.answers[role] if answer.status_code >= 400]
    assert len(refused) > 10
    assert [what for what, answer in refused if "<main" not in answer.text] == []


def test_no_form_changes_what_is_not_theirs(walk: Walk) -> None:
    assert walk.after == walk.before


def test_the_owner_sees_what_strangers_do_not(walk: Walk) -> None:
    """Else the walk would look for a word that is nowhere."""
    seen = {what.split(": ")[1] for what, _, answer in walk.answers["owner"] if walk.word in answer.text}
    shown = {
        "/",
        "/lists",
        "/lists/{list}",
        "/@{owner_name}/{private}",
        "/messages/{conversation}",
        "/posts/{private}/edit",
        "/settings/filters/{filter}",
    }
    assert sorted(shown - seen) == []
