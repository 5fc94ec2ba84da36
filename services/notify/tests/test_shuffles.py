"""Notices, people and posts in any order, some several times, end in what each of them once and in order ends in."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import pytest
from common.db import Database
from common.events import ANY_KIND, AccountState, Event, NoticeTrigger, PostState, SecurityEvent
from common.testing.shuffling import Telling, in_any_order
from notify import projections
from sqlalchemy import text

pytestmark = pytest.mark.anyio

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_ada, _bob, _cyd, _dan = 1, 2, 3, 4


def notice(minute: int, kind: str, actor: int, told: int = _ada, post: int | None = None, **more: Any) -> NoticeTrigger:
    """Named as `social` names them."""
    who = {"account_id": told, "actor_id": actor, "actor_username": f"person{actor}", "actor_name": f"Person {actor}"}
    about = {"dedupe": f"{kind}:{actor}:{post or 0}", "kind": kind, "post_id": post, "happened_at": _NOON + timedelta(minutes=minute)}
    return NoticeTrigger(**who, **about, **more)


def post(post_id: int, version: int, **more: Any) -> PostState:
    return PostState(post_id=post_id, version=version, author_id=_ada, created_at=_NOON, **more)


def account(account_id: int, version: int, **more: Any) -> AccountState:
    return AccountState(**{"account_id": account_id, "version": version, "username": f"person{account_id}", "created_at": _NOON, **more})


STORY: Sequence[Event] = (
    # Bob follows, thinks better of it, and of that; he favours a post by mistake, and edits one twice that Ada boosted.
    notice(0, "follow", _bob),
    notice(1, "follow", _bob, retracted=True),
    notice(2, "follow", _bob),
    notice(3, "favourite", _bob, post=7),
    notice(4, "favourite", _bob, post=7, retracted=True),
    notice(5, "update", _bob, post=8),
    notice(6, "update", _bob, post=8),
    # Dan answers, is blocked, and comes back. What he does to others stays.
    notice(7, "mention", _dan, post=9, is_reply=True, excerpt="well"),
    notice(8, "follow", _dan, told=_bob),
    notice(9, ANY_KIND, _dan, retracted=True),
    notice(10, "mention", _dan, post=10, is_reply=True, excerpt="sorry"),
    # An answer is deleted, and so is a post that Bob had boosted.
    notice(11, "mention", _bob, post=12, is_reply=True, excerpt="gone soon"),
    post(12, 2, deleted=True),
    notice(12, "reblog", _bob, post=7),
    post(7, 3, deleted=True),
    notice(13, "reblog", _bob, post=7, retracted=True),
    # Cyd comes and goes.
    account(_cyd, 1, state="unconfirmed"),
    notice(14, "follow", _cyd),
    notice(15, "follow", _ada, told=_cyd),
    account(_cyd, 2, deleted=True, state="disabled"),
    notice(16, "follow", _cyd, retracted=True),
    # This mail somebody waits for.
    SecurityEvent(kind="confirmation_requested", account_id=_ada, request_id=21, happened_at=_NOON),
)

_STANDS = {
    (_ada, "follow:2:0", 2),
    (_ada, "update:2:8", 6),
    (_ada, "mention:4:10", 10),
    (_bob, "follow:4:0", 8),
}
_MAILS_WANTED = {"follow:1:follow:2:0", "follow:2:follow:4:0", "comment:1:mention:4:10", "confirmation:21"}
_MAILS_IN_TIME = {"comment:1:mention:4:9", "comment:1:mention:2:12", "follow:1:follow:3:0", "follow:3:follow:1:0"}
"""Of what was undone before anybody heard of it no mail is sent; who hears of it first sends one."""


async def told(database: Database, telling: Telling) -> Mapping[str, list[tuple[Any, ...]]]:
    """What is shown, which mails were planned, and who is known; nothing of it stays."""
    async with database.sessions() as session:
        for batch in telling:
            for kind, events in groupby((STORY[place] for place in batch), key=type):
                if kind is PostState:
                    deleted = [event.post_id for event in events if isinstance(event, PostState) and event.deleted]
                    await projections.forget_posts(session, deleted)
                    continue
                for event in events:
                    match event:
                        case NoticeTrigger():
                            await projections.apply_notice(session, event)
                        case SecurityEvent():
                            await projections.apply_security(session, event)
                        case AccountState():
                            await projections.apply_account(session, event)
        statements = {
            "shown": "SELECT account_id, dedupe, created_at FROM notifications WHERE NOT gone",
            "mails": "SELECT dedupe_key, account_id, state FROM mails",
            "people": "SELECT account_id, version, username, state FROM people ORDER BY 1",
            "kept of Cyd": f"SELECT dedupe FROM notifications WHERE {_cyd} IN (account_id, actor_id)",
        }
        return {name: [tuple(row) for row in await session.execute(text(statement))] for name, statement in statements.items()}


@in_any_order(len(STORY))
async def test_any_order_ends_in_the_same(database: Database, telling: Telling) -> None:
    end = await told(database, telling)
    shown = [(account_id, dedupe, (at - _NOON) // timedelta(minutes=1)) for account_id, dedupe, at in end["shown"]]
    assert sorted(shown) == sorted(_STANDS)
    assert end["people"] == [(_cyd, 2, "", "disabled")]
    assert end["kept of Cyd"] == []
    mails = {key for key, _, _ in end["mails"]}
    assert _MAILS_WANTED <= mails <= _MAILS_WANTED | _MAILS_IN_TIME
    assert {key: state for key, account_id, state in end["mails"] if account_id == _cyd or key in _MAILS_WANTED} == {
        **dict.fromkeys(_MAILS_WANTED, "new"),
        **dict.fromkeys(mails & {"follow:3:follow:1:0"}, "outdated"),
    }


async def test_in_order_every_mail_is_planned(database: Database) -> None:
    end = await told(database, [[*range(len(STORY))]])
    assert {key for key, _, _ in end["mails"]} == _MAILS_WANTED | _MAILS_IN_TIME
