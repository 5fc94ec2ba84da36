"""What takes more than one service: the same functions stand behind the API and behind the pages."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from common.addresses import profile_url, status_url, tag_url
from common.identity import Identity
from common.ids import time_of
from common.times import iso, now

from gateway.identity import GATEWAY, Identities
from gateway.services import Answer, Services, error, json_answer
from gateway.settings import Settings

_ROUNDS: Final = 3
"""How often a page of ids is filled up when the viewer may not see some of them."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: JSON of accounts, statuses and hashtags, highlights by status id, and whether full text was there to ask.

    Of posts also how many were found in all, and how many by facet and choice (if it was asked for that), words in them that are only spelled like
    what was asked, and whether there may be more after this page.
    """

    accounts: list[Any]
    statuses: list[Any]
    hashtags: list[Any]
    highlights: dict[str, str]
    complete: bool
    total: int
    facets: dict[str, dict[str, int]]
    alike: list[str]
    more: bool


class Backend:
    """Composed operations. Each gives an `Answer` as the API would send it, errors included."""

    def __init__(self, settings: Settings, public_url: str, services: Services, identities: Identities) -> None:
        self.settings = settings
        self.public_url = public_url
        self.services = services
        self.identities = identities

    async def create_status(self, identity: Identity, fields: Mapping[str, Any], idempotency_key: str | None, ip: str = "") -> Answer:
        """Publish: ask `social` about the post that is answered, write in `posts`, carry the event to `social`, answer what it renders."""
        sent, headers = dict(fields), {"idempotency-key": idempotency_key} if idempotency_key else {}
        reply_to = sent.get("in_reply_to_id")
        if reply_to:
            guarded = await self.guard(identity, str(reply_to))
            if not guarded.ok:
                return guarded
            parent = guarded.json()
            sent["in_reply_to_id"] = parent["post_id"]
            headers["x-microblog-reply-author"] = parent["author_id"]
        written = await self.services.call("posts", "POST", "/api/v1/statuses", identity=identity, json=sent, headers=headers)
        return await self._carry_post(identity, written) if written.ok else written

    async def edit_status(self, identity: Identity, status_id: str, fields: Mapping[str, Any]) -> Answer:
        """Edit, carried ahead like a new post."""
        written = await self.services.call("posts", "PUT", f"/api/v1/statuses/{status_id}", identity=identity, json=dict(fields))
        return await self._carry_post(identity, written) if written.ok else written

    async def delete_status(self, identity: Identity, status_id: str) -> Answer:
        """Delete; the answer is the status as it was, with its source, for those who delete to write it again."""
        before = await self.services.call("social", "GET", f"/api/v1/statuses/{status_id}", identity=identity)
        removed = await self.services.call("posts", "DELETE", f"/api/v1/statuses/{status_id}", identity=identity)
        if not removed.ok:
            return removed
        told = removed.json()
        await self.services.call("social", "POST", "/internal/carried/posts", identity=GATEWAY, json=told["event"])
        status: dict[str, Any] = (
            before.json() if before.ok else _minimal_status(identity, told["event"] | {"poll": told.get("poll")}, self.public_url)
        )
        return json_answer(status | {"text": told["text"], "spoiler_text": told["spoiler"], "media_attachments": told["media"]})

    async def history(self, identity: Identity, status_id: str) -> Answer:
        """What a post said over time; each entry with its author's account."""
        guarded = await self.guard(identity, status_id)
        if not guarded.ok:
            return guarded
        post_id, author_id = guarded.json()["post_id"], guarded.json()["author_id"]
        entries = await self.services.call("posts", "GET", f"/api/v1/statuses/{post_id}/history", identity=identity)
        if not entries.ok:
            return entries
        people = await self.render(identity, accounts=[author_id])
        account = people["accounts"].get(author_id)
        return json_answer([entry | {"account": account} for entry in entries.json()])

    async def register(self, identity: Identity, fields: Mapping[str, Any], ip: str) -> Answer:
        """Sign up through the API: the account is carried to `social`, the answer is its token."""
        made = await self.services.call("auth", "POST", "/api/v1/accounts", identity=identity, json=dict(fields), headers=forwarded(ip))
        if not made.ok:
            return made
        await self.carry_account(made.json()["event"])
        return json_answer(made.json()["token"])

    async def carry_account(self, event: Any) -> None:
        """Tell `social` of an account ahead of Kafka, which tells it again if this fails."""
        await self.services.call("social", "POST", "/internal/carried/accounts", identity=GATEWAY, json=event)

    async def guard(self, identity: Identity, status_id: str) -> Answer:
        """Which post an id means, if the viewer may see it: 404 otherwise."""
        if not (status_id.isascii() and status_id.isdigit()):
            return error(404, "Record not found")
        return await self.services.call("social", "GET", f"/internal/guard/{status_id}", identity=identity)

    async def render(
        self, identity: Identity, statuses: list[str] | None = None, accounts: list[str] | None = None, *, found: bool = False
    ) -> dict[str, Any]:
        """Statuses and accounts by id as the viewer sees them; what they may not see is absent, everything while `social` is away.

        What was `found` by its words is absent, too, if its author doesn't let everybody find it so.
        """
        if not statuses and not accounts:
            return {"statuses": {}, "accounts": {}}
        wanted: dict[str, Any] = {"statuses": list(dict.fromkeys(statuses or [])), "accounts": list(dict.fromkeys(accounts or []))}
        if found:
            wanted["found"] = True
        answer = await self.services.call("social", "POST", "/internal/render", identity=identity, json=wanted)
        rendered: dict[str, Any] = answer.json() if answer.ok else {"statuses": {}, "accounts": {}}
        return rendered

    async def translate(self, identity: Identity, status_id: str, language: str | None) -> Answer:
        """Translate what the viewer may see, at the version that they see."""
        guarded = await self.guard(identity, status_id)
        if not guarded.ok:
            return guarded
        post = guarded.json()
        path, version = f"/api/v1/statuses/{post['post_id']}/translate", {"x-microblog-version": str(post["version"])}
        return await self.services.call("translate", "POST", path, identity=identity, json={"lang": language}, headers=version)

    async def notifications(
        self, identity: Identity, params: list[tuple[str, str]], limit: int
    ) -> tuple[Answer, list[Any], list[str], bool]:
        """A page of notifications made whole: the answer of `notify` (for its errors), the entries, the ids paged over, whether there is more.

        Entries whose account or post the viewer may not see any more fall away, and the page is filled up.
        """
        entries: list[Any] = []
        ids: list[str] = []
        asked = [(name, value) for name, value in params if name != "limit"]
        for _ in range(_ROUNDS):
            answer = await self.services.call(
                "notify", "GET", "/internal/notifications", identity=identity, params=[*asked, ("limit", str(limit))]
            )
            if not answer.ok:
                return answer, [], [], False
            rows = answer.json()["notifications"]
            ids += [row["id"] for row in rows]
            entries += await self._whole(identity, rows)
            upwards = any(name == "min_id" for name, _ in asked)
            if len(rows) < limit or len(entries) >= limit or upwards:
                return answer, entries[:limit], ids, len(rows) == limit
            asked = [(name, value) for name, value in asked if name != "max_id"] + [("max_id", rows[-1]["id"])]
        return answer, entries[:limit], ids, True

    async def notification(self, identity: Identity, notification_id: str) -> Answer:
        """One notification made whole."""
        answer = await self.services.call("notify", "GET", f"/internal/notifications/{notification_id}", identity=identity)
        if not answer.ok:
            return answer
        whole = await self._whole(identity, [answer.json()])
        return json_answer(whole[0]) if whole else error(404, "Record not found")

    async def notification_about(self, identity: Identity, dedupe: str, since: datetime) -> Answer:
        """The notification that a notice led to, made whole; 404 while there is none."""
        params = {"dedupe": dedupe, "since": since.isoformat()}
        answer = await self.services.call("notify", "GET", "/internal/notification", identity=identity, params=params)
        if not answer.ok:
            return answer
        whole = await self._whole(identity, [answer.json()])
        return json_answer(whole[0]) if whole else error(410, "Record not found")

    async def search(
        self,
        identity: Identity,
        query: str,
        kind: str,
        limit: int,
        offset: int,
        extra: list[tuple[str, str]],
        narrowed: Sequence[tuple[str, str]] = (),
    ) -> Answer | Found:
        """Find people, posts and hashtags: exact and beginnings from `social`, full text with typos forgiven from `search`.

        What the viewer may not see is left out of a page, which isn't filled up: the next one begins at the offset after it.
        `narrowed` are parameters of `search` for posts: facets, order, exactness.
        """
        params = [("q", query), ("type", kind), ("limit", str(limit)), ("offset", str(offset)), *extra]
        bounds = [(name, value) for name, value in extra if name != "following" and value.isascii() and value.isdigit() and len(value) < 19]
        wants = {name: kind in ("", name) for name in ("accounts", "statuses", "hashtags")}
        exact, posts, people, tags = await asyncio.gather(
            self.services.call("social", "GET", "/internal/find", identity=identity, params=params),
            self._ask_search(identity, "posts", query, limit, offset, [*bounds, *narrowed]) if wants["statuses"] else _nothing(),
            self._ask_search(identity, "accounts", query, limit, offset, []) if wants["accounts"] else _nothing(),
            self._ask_search(identity, "hashtags", query, limit, offset, []) if wants["hashtags"] else _nothing(),
        )
        if not exact.ok:
            return exact
        found = exact.json()
        complete = posts.ok and people.ok and tags.ok
        if not complete and (kind == "statuses" or (not found["accounts"] and not found["hashtags"] and not found["statuses"])):
            return next(answer for answer in (posts, people, tags) if not answer.ok)
        told = posts.json() if posts.ok else {}
        hits = told.get("hits", [])
        fuzzy = [hit["account_id"] for hit in (people.json()["hits"] if people.ok else [])]
        known = {account["id"] for account in found["accounts"]}
        strangers = [an_id for an_id in fuzzy if an_id not in known]
        whole = await self.render(identity, [hit["post_id"] for hit in hits], strangers, found=True)
        seen = [hit for hit in hits if whole["statuses"].get(hit["post_id"], {}).get("version") == hit["version"]]
        names = {tag["name"] for tag in found["hashtags"]}
        more_tags = [_tag(hit["name"], self.public_url) for hit in (tags.json()["hits"] if tags.ok else []) if hit["name"] not in names]
        return Found(
            accounts=[*found["accounts"], *(whole["accounts"][i] for i in fuzzy if i in whole["accounts"])][:limit],
            statuses=[*found["statuses"], *(whole["statuses"][hit["post_id"]]["status"] for hit in seen)][:limit],
            hashtags=[*found["hashtags"], *more_tags][:limit],
            highlights={hit["post_id"]: hit["highlight"] for hit in seen if hit.get("highlight")},
            complete=complete,
            total=told.get("total", 0),
            facets=told.get("facets", {}),
            alike=told.get("alike", []),
            more=len(hits) == limit,
        )

    async def _ask_search(self, identity: Identity, what: str, query: str, limit: int, offset: int, extra: list[tuple[str, str]]) -> Answer:
        params = [("q", query), ("limit", str(limit)), ("offset", str(offset)), *extra]
        return await self.services.call("search", "GET", f"/internal/{what}", identity=identity, params=params)

    async def _carry_post(self, identity: Identity, written: Answer) -> Answer:
        """Hand a committed event to `social`; without it the author gets a minimal status, and Kafka brings the rest."""
        event = written.json()["event"]
        rendered = await self.services.call("social", "POST", "/internal/carried/posts", identity=GATEWAY, json=event)
        if rendered.ok and rendered.body != b"{}":
            return rendered
        return json_answer(_minimal_status(identity, event, self.public_url))

    async def _whole(self, identity: Identity, rows: list[Any]) -> list[Any]:
        posts = [row["status_id"] for row in rows if row["status_id"]]
        found = await self.render(identity, posts, [row["account_id"] for row in rows])
        whole = []
        for row in rows:
            account, status = found["accounts"].get(row["account_id"]), found["statuses"].get(row["status_id"] or "")
            if account is None or (row["status_id"] and status is None):
                continue
            entry = {"id": row["id"], "type": row["type"], "created_at": row["created_at"], "group_key": f"ungrouped-{row['id']}"}
            whole.append(entry | {"account": account} | ({"status": status["status"]} if status else {}))
        return whole


def forwarded(ip: str) -> dict[str, str]:
    """The client's address, for those who throttle by it."""
    return {"x-forwarded-for": ip} if ip else {}


async def _nothing() -> Answer:
    return json_answer({"hits": []})


def _tag(name: str, public_url: str) -> dict[str, Any]:
    return {"name": name, "url": tag_url(public_url, name), "history": [], "following": False}


def _minimal_status(identity: Identity, event: Mapping[str, Any], public_url: str) -> dict[str, Any]:
    """A status with every key that clients need, made without `social`."""
    post_id, name = str(event["post_id"]), identity.name
    address, profile = status_url(public_url, name, int(post_id)), profile_url(public_url, name)
    avatar = f"{public_url}/media/profiles/default/avatar-{identity.account_id % 24}.png"
    header = f"{public_url}/media/profiles/default/header-{identity.account_id % 24}.png"
    created = iso(time_of(int(post_id)))
    return {
        "id": post_id,
        "created_at": created,
        "uri": address,
        "url": address,
        "in_reply_to_id": str(event["reply_to_id"]) if event.get("reply_to_id") else None,
        "in_reply_to_account_id": str(event["reply_to_account_id"]) if event.get("reply_to_account_id") else None,
        "sensitive": event["sensitive"],
        "spoiler_text": event["spoiler"],
        "visibility": event["visibility"],
        "language": event["language"],
        "edited_at": None,
        "content": event["html"],
        "reblog": None,
        "application": None,
        "media_attachments": [
            {
                "id": str(media["media_id"]),
                "type": media["kind"],
                "url": media["url"],
                "preview_url": media["preview_url"],
                "remote_url": None,
                "meta": {},
                "description": media["description"],
                "blurhash": media["blurhash"],
            }
            for media in event["media"]
        ],
        "mentions": [],
        "tags": [{"name": tag["name"], "url": tag_url(public_url, tag["name"])} for tag in event["tags"]],
        "emojis": [],
        "card": None,
        "poll": _minimal_poll(post_id, event["poll"]) if event.get("poll") else None,
        "replies_count": 0,
        "reblogs_count": 0,
        "favourites_count": 0,
        "quotes_count": 0,
        "favourited": False,
        "reblogged": False,
        "bookmarked": False,
        "muted": False,
        "pinned": False,
        "filtered": [],
        "account": {
            "id": str(identity.account_id),
            "username": name,
            "acct": name,
            "display_name": name,
            "locked": False,
            "bot": False,
            "discoverable": True,
            "group": False,
            "created_at": f"{time_of(identity.account_id):%Y-%m-%d}T00:00:00.000Z",
            "note": "",
            "url": profile,
            "uri": profile,
            "avatar": avatar,
            "avatar_static": avatar,
            "header": header,
            "header_static": header,
            "emojis": [],
            "roles": [],
            "fields": [],
            "statuses_count": 0,
            "followers_count": 0,
            "following_count": 0,
            "last_status_at": None,
        },
    }


def _minimal_poll(post_id: str, poll: Mapping[str, Any]) -> dict[str, Any]:
    """A poll as its author sees it while nobody knows of any votes."""
    ends = datetime.fromisoformat(poll["expires_at"])
    return {
        "id": post_id,
        "expires_at": iso(ends),
        "expired": ends <= now(),
        "multiple": poll["multiple"],
        "votes_count": 0,
        "voters_count": 0,
        "options": [{"title": title, "votes_count": None if poll["hide_totals"] else 0} for title in poll["options"]],
        "emojis": [],
        "voted": True,
        "own_votes": [],
    }
