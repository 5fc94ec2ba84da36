"""Notices become notifications once, whatever their order; everybody has their own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from common.events import ANY_KIND, AccountState, PostState
from common.ids import MAX_ID
from notify import projections
from sqlalchemy.ext.asyncio import AsyncSession

if TYPE_CHECKING:
    from .conftest import Office

from .conftest import NOON

pytestmark = pytest.mark.anyio


def post_gone(post_id: int) -> PostState:
    return PostState(post_id=post_id, version=2, deleted=True, author_id=1, created_at=NOON)


def account_gone(account_id: int) -> AccountState:
    return AccountState(account_id=account_id, version=9, username="gone", created_at=NOON, deleted=True, state="disabled")


async def test_a_notice_is_shown_once_however_often_it_comes(office: "Office") -> None:
    await office.consume(*[office.notice()] * 3)
    assert await office.shown() == [("follow", 2)]
    assert await office.states() == {"follow:1:follow:2:0": "new"}


async def test_what_was_taken_back_is_gone_and_comes_again_when_it_is_done_again_without_a_second_mail(office: "Office") -> None:
    await office.consume(office.notice(0), office.notice(1, retracted=True))
    assert await office.shown() == []
    await office.consume(office.notice(0))  # the first one, late
    assert await office.shown() == []
    await office.consume(office.notice(2))
    assert await office.shown() == [("follow", 2)]
    assert len(await office.states()) == 1


async def test_what_happens_again_stands_on_top_and_counts_as_unread_and_the_same_notice_again_does_not(office: "Office") -> None:
    edits = [office.notice(minute, dedupe="update:2:7", kind="update", post_id=7) for minute in (0, 2)]
    between = office.notice(1)
    await office.consume(edits[0], between)
    newest = (await office.get("/internal/notifications"))["notifications"][0]["id"]
    body = {"notifications": {"last_read_id": newest}}
    assert (await office.client.post("/api/v1/markers", json=body, headers=office.headers(1))).status_code == 200
    await office.consume(edits[0], between)
    assert await office.get("/api/v1/notifications/unread_count") == {"count": 0}
    await office.consume(edits[1])
    for _ in range(2):
        assert (await office.shown(), await office.get("/api/v1/notifications/unread_count")) == (
            [("update", 2), ("follow", 2)],
            {"count": 1},
        )
        await office.consume(edits[0], between, edits[1])


async def test_a_stream_that_asks_for_what_just_happened_is_not_told_what_happened_before(office: "Office") -> None:
    edits = [office.notice(minute, dedupe="update:2:7", kind="update", post_id=7) for minute in (0, 2)]
    asked = {"dedupe": "update:2:7", "since": edits[1].happened_at.isoformat()}
    for edit, status in zip(edits, (404, 200), strict=True):
        await office.consume(edit)
        assert (await office.client.get("/internal/notification", params=asked, headers=office.headers(1))).status_code == status


async def test_a_dismissed_notification_stays_away_when_its_notice_comes_again(office: "Office") -> None:
    await office.consume(office.notice())
    ((an_id,),) = await office.rows("SELECT id FROM notifications")
    await office.client.post(f"/api/v1/notifications/{an_id}/dismiss", headers=office.headers(1))
    await office.consume(office.notice())
    assert (await office.shown(), await office.get("/api/v1/notifications/unread_count")) == ([], {"count": 0})
    await office.consume(office.notice(1, retracted=True), office.notice(2))
    assert await office.shown() == [("follow", 2)]


async def test_a_retraction_that_comes_late_takes_back_nothing_newer(office: "Office") -> None:
    await office.consume(office.notice(0), office.notice(2), office.notice(1, retracted=True))
    assert await office.shown() == [("follow", 2)]


@pytest.mark.parametrize("taken", [{}, {"dedupe": "any:2:0", "kind": ANY_KIND}], ids=["one", "all"])
async def test_a_notice_that_is_heard_of_after_it_was_taken_back_is_not_told(office: "Office", taken: dict[str, str]) -> None:
    retraction = office.notice(1, retracted=True, **taken)
    await office.consume(retraction, office.notice(0), retraction)
    assert (await office.shown(), await office.get("/api/v1/notifications/unread_count")) == ([], {"count": 0})
    assert await office.states() == {}
    await office.consume(office.notice(2))
    assert (await office.shown(), await office.states()) == ([("follow", 2)], {"follow:1:follow:2:0": "new"})


async def test_all_that_somebody_gave_cause_for_is_taken_back_at_once_and_nothing_of_others_or_of_later(office: "Office") -> None:
    given = [office.notice(0), office.notice(1, dedupe="favourite:2:7", kind="favourite", post_id=7)]
    others = office.notice(1, dedupe="follow:3:0", actor_id=3)
    taken = office.notice(2, dedupe="any:2:0", kind=ANY_KIND, retracted=True)
    await office.consume(*given, others, taken, *given)  # the last ones again, as when a journal is replayed
    assert await office.shown() == [("follow", 3)]
    await office.consume(office.notice(3), taken)
    assert sorted(await office.shown()) == [("follow", 2), ("follow", 3)]


async def test_mails_are_planned_for_followers_and_comments_only(office: "Office") -> None:
    await office.consume(
        office.notice(dedupe="favourite:2:7", kind="favourite", post_id=7),
        office.notice(dedupe="mention:2:8", kind="mention", post_id=8, excerpt="hi"),
        office.notice(dedupe="mention:2:9", kind="mention", post_id=9, is_reply=True, excerpt="hi"),
        office.notice(),
    )
    assert sorted(await office.states()) == ["comment:1:mention:2:9", "follow:1:follow:2:0"]


async def test_notifications_of_a_deleted_post_go_with_it(office: "Office") -> None:
    await office.consume(office.notice(dedupe="favourite:2:7", kind="favourite", post_id=7), office.notice(), post_gone(7))
    assert await office.shown() == [("follow", 2)]


async def test_what_a_deleted_account_did_and_was_told_is_gone(office: "Office") -> None:
    await office.consume(office.notice(), office.notice(account_id=3), office.notice(account_id=2, actor_id=1, dedupe="follow:1:0"))
    await office.consume(AccountState(account_id=2, version=9, username="bob", created_at=NOON, deleted=True, state="disabled"))
    assert [await office.shown(person) for person in (1, 2, 3)] == [[], [], []]
    assert await office.rows("SELECT username FROM people") == [("",)]


@pytest.mark.parametrize("first", [True, False], ids=["again", "late"])
async def test_of_what_is_gone_nothing_is_told_however_late_or_often(office: "Office", first: bool) -> None:
    notices = [
        office.notice(dedupe="favourite:2:7", kind="favourite", post_id=7),
        office.notice(actor_id=3, dedupe="follow:3:0"),
        office.notice(account_id=3),
    ]
    gone = AccountState(account_id=3, version=9, username="cyd", created_at=NOON, deleted=True, state="disabled")
    await office.consume(*(notices if first else []), post_gone(7), gone, *notices)
    assert [await office.get("/api/v1/notifications/unread_count", person) for person in (1, 3)] == [{"count": 0}] * 2
    assert await office.rows("SELECT 1 FROM notifications") == []


@pytest.mark.parametrize("first", ["told", "gone"])
@pytest.mark.parametrize("gone", [post_gone(7), account_gone(2)], ids=["post", "account"])
async def test_of_what_goes_while_it_is_told_nothing_stays(office: "Office", first: str, gone: PostState | AccountState) -> None:
    told = office.notice(dedupe="favourite:2:7", kind="favourite", post_id=7)
    begun = asyncio.Event()

    async def tell(session: AsyncSession) -> None:
        await projections.apply_notice(session, told)

    async def forget(session: AsyncSession) -> None:
        if isinstance(gone, AccountState):
            await projections.apply_account(session, gone)
        else:
            await projections.forget_posts(session, [gone.post_id])

    async def slowly(change: Callable[[AsyncSession], Awaitable[None]]) -> None:
        async with office.database.transaction() as session:
            await change(session)
            begun.set()
            await asyncio.sleep(0.2)  # the other one has begun by then

    async def meanwhile(change: Callable[[AsyncSession], Awaitable[None]]) -> None:
        await begun.wait()
        async with office.database.transaction() as session:
            await change(session)

    await asyncio.gather(*((slowly(tell), meanwhile(forget)) if first == "told" else (slowly(forget), meanwhile(tell))))
    assert await office.rows("SELECT 1 FROM notifications") == []


async def test_an_older_state_of_an_account_changes_nothing(office: "Office") -> None:
    for version, name in ((2, "new"), (1, "old")):
        await office.consume(AccountState(account_id=5, version=version, username=name, created_at=NOON))
    assert await office.rows("SELECT username, version FROM people") == [("new", 2)]


async def test_everybody_sees_and_dismisses_their_own_only(office: "Office") -> None:
    await office.consume(office.notice())
    ((an_id,),) = await office.rows("SELECT id FROM notifications")
    assert await office.shown(3) == []
    assert (await office.client.get(f"/internal/notifications/{an_id}", headers=office.headers(3))).status_code == 404
    assert (await office.client.post(f"/api/v1/notifications/{an_id}/dismiss", headers=office.headers(3))).status_code == 404
    assert (await office.get(f"/internal/notifications/{an_id}"))["type"] == "follow"
    assert (await office.client.post(f"/api/v1/notifications/{an_id}/dismiss", headers=office.headers(1))).status_code == 200
    assert await office.shown() == []


async def test_kinds_are_chosen_and_left_out(office: "Office") -> None:
    for number, kind in enumerate(("follow", "favourite", "reblog")):
        await office.consume(office.notice(number, dedupe=f"{kind}:2:{number}", kind=kind, actor_id=number + 2))
    assert await office.shown(query="?types[]=follow&types[]=reblog") == [("reblog", 4), ("follow", 2)]
    assert await office.shown(query="?exclude_types[]=follow") == [("reblog", 4), ("favourite", 3)]
    assert await office.shown(query="?account_id=3") == [("favourite", 3)]


async def test_the_end_of_a_poll_is_told_to_its_author_as_their_own_doing_and_mailed_to_nobody(office: "Office") -> None:
    ended = office.notice(dedupe="poll:1:7:1767268800", kind="poll", actor_id=1, actor_username="ada", actor_name="Ada", post_id=7)
    await office.consume(ended, ended, ended.model_copy(update={"account_id": 3}))
    assert (await office.shown(1), await office.shown(3)) == ([("poll", 1)], [("poll", 1)])
    assert await office.states() == {}
    await office.consume(ended.model_copy(update={"dedupe": "poll:1:7:1767272400", "happened_at": NOON}))
    assert len(await office.shown(1, query="?types[]=poll")) == 2


async def test_pages_lead_both_ways(office: "Office") -> None:
    for number in range(5):
        await office.consume(office.notice(number, dedupe=f"follow:{number}:0", actor_id=number))
    ids = [row[0] for row in await office.rows("SELECT id FROM notifications ORDER BY id")]
    assert [actor for _, actor in await office.shown(query="?limit=2")] == [4, 3]
    assert [actor for _, actor in await office.shown(query=f"?limit=2&max_id={ids[2]}")] == [1, 0]
    assert [actor for _, actor in await office.shown(query=f"?limit=2&min_id={ids[0]}")] == [2, 1]


async def test_unread_are_those_behind_the_marker_and_markers_move_forward_only(office: "Office") -> None:
    for number in range(3):
        await office.consume(office.notice(number, dedupe=f"follow:{number}:0", actor_id=number))
    ids = [row[0] for row in await office.rows("SELECT id FROM notifications ORDER BY id")]

    async def mark(an_id: int) -> int:
        body = {"notifications": {"last_read_id": str(an_id)}}
        return (await office.client.post("/api/v1/markers", json=body, headers=office.headers(1))).status_code

    assert (await office.get("/api/v1/notifications/unread_count")) == {"count": 3}
    assert (await mark(ids[1]), await mark(ids[0]), await mark(ids[1])) == (200, 409, 200)
    assert (await office.get("/api/v1/notifications/unread_count")) == {"count": 1}
    marker = (await office.get("/api/v1/markers?timeline[]=notifications"))["notifications"]
    assert (marker["last_read_id"], marker["version"]) == (str(ids[1]), 2)
    assert await mark(MAX_ID + 1) == 422


@pytest.mark.parametrize("path", ["/internal/notifications", "/api/v1/notifications/unread_count", "/api/v1/markers"])
async def test_strangers_have_no_notifications(office: "Office", path: str) -> None:
    assert (await office.client.get(path)).status_code == 401


async def test_a_token_without_the_scope_reads_nothing(office: "Office") -> None:
    narrow = office.headers(1, scopes=frozenset({"read:statuses"}))
    assert (await office.client.get("/internal/notifications", headers=narrow)).status_code == 403


async def test_clearing_takes_ones_own_and_leaves_the_others(office: "Office") -> None:
    await office.consume(office.notice(), office.notice(account_id=3))
    assert (await office.client.post("/api/v1/notifications/clear", headers=office.headers(1))).status_code == 200
    assert (await office.shown(1), await office.shown(3)) == ([], [("follow", 2)])
