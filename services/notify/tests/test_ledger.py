"""Every mail leaves exactly once, whatever the provider does."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from notify.mail import ledger
from notify.mail.providers import token_of

if TYPE_CHECKING:
    from .conftest import Office

pytestmark = pytest.mark.anyio

KEY = "follow:1:x"


async def test_a_mail_is_sent_once_with_everything_in_it(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender()
    assert await office.plan(ada)
    assert await sender.send_some() == 1
    assert await sender.send_some() == 0
    (sent,) = office.postmark.delivered
    assert (sent["To"], sent["Subject"], sent["MessageStream"]) == ("ada@example.org", "Bob follows you", "outbound")
    ((an_id,),) = (await office.rows("SELECT id FROM mails"),)
    assert sent["Metadata"] == {"dedupe-key": token_of(KEY), "mail": str(an_id[0])}
    headers = {header["Name"]: header["Value"] for header in sent["Headers"]}
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Unsubscribe"].startswith("<https://microblog.example/unsubscribe?token=")
    assert "Bob" in sent["TextBody"]
    assert await office.states() == {KEY: "sent"}


async def test_the_same_key_is_planned_once_however_often_it_is_asked_for(office: "Office") -> None:
    ada = office.register("ada")
    planned = await asyncio.gather(*(office.plan(ada) for _ in range(5)))
    assert sorted(planned) == [False, False, False, False, True]


@pytest.mark.parametrize(
    ("mode", "state", "reason"),
    [
        ("limited", "new", "status 429, code 429"),
        ("down", "new", "status 503, code 100"),
        ("inactive", "suppressed", "inactive recipient"),
        ("accept_then_garble", "unknown", "status 200, unreadable"),
        ("accept_then_cut", "unknown", "RemoteProtocolError"),
        ("bad_token", "new", "status 401, code 10"),
        ("accept_then_500", "unknown", "status 500"),
    ],
)
async def test_what_the_provider_answers_decides_what_becomes_of_a_mail(office: "Office", mode: str, state: str, reason: str) -> None:
    ada, sender = office.register("ada"), office.sender(unknown_wait=60)
    await office.plan(ada)
    office.postmark.mode = mode
    await sender.send_some()
    assert await office.rows("SELECT state, reason FROM mails") == [(state, reason)]
    calls = office.postmark.calls
    assert await sender.send_some() == 0  # nothing is due at once
    assert office.postmark.calls == calls


@pytest.mark.parametrize("mode", ["limited", "down", "bad_token"])
async def test_what_was_refused_for_now_is_sent_when_its_pause_is_over(office: "Office", mode: str) -> None:
    ada, sender = office.register("ada"), office.sender()
    await office.plan(ada)
    office.postmark.mode = mode
    await sender.send_some()
    office.postmark.mode = "ok"
    await office.make_due()
    await sender.send_some()
    assert (await office.states(), office.postmark.keys()) == ({KEY: "sent"}, [token_of(KEY)])


async def test_a_provider_that_refuses_us_altogether_shows_in_the_health_until_it_takes_a_mail(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender()
    await office.plan(ada)
    office.postmark.mode = "bad_token"
    await sender.send_some()
    assert await sender.problem() == "mail provider: status 401, code 10"
    office.postmark.mode = "ok"
    await office.make_due()
    await sender.send_some()
    assert await sender.problem() is None


async def test_pauses_grow_to_an_hour_and_never_end(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender()
    await office.plan(ada)
    office.postmark.mode = "down"
    pauses = []
    for _ in range(15):
        await sender.send_some()
        (row,) = await office.rows("SELECT state, extract(epoch FROM not_before - now())::float FROM mails")
        pauses.append(row[1])
        await office.make_due()
    assert pauses[:4] == [pytest.approx(wanted, abs=1.5) for wanted in (2, 4, 8, 16)]
    assert pauses[-4:] == [pytest.approx(3600, abs=1.5)] * 4
    office.postmark.mode = "ok"
    await sender.send_some()
    assert (await office.states(), len(office.postmark.delivered)) == ({KEY: "sent"}, 1)


async def test_an_address_of_the_api_that_is_wrong_fails_no_mail(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender(postmark_url=f"{office.environment['NOTIFY_POSTMARK_URL']}/nowhere")
    await office.plan(ada)
    await sender.send_some()
    assert (await office.states(), await sender.problem()) == ({KEY: "new"}, "mail provider: status 404, code None")


async def test_a_mail_that_cannot_be_written_fails_alone(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender()
    await office.plan(ada, "comment:1:a", "comment")
    await office.rows("UPDATE mails SET details = '{}'")
    await office.plan(ada)
    await sender.send_some()
    assert await office.states() == {"comment:1:a": "failed", KEY: "sent"}


async def test_a_mail_that_was_taken_before_the_line_broke_is_found_and_not_sent_again(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender()
    await office.plan(ada)
    office.postmark.mode = "accept_then_500"
    await sender.send_some()
    office.postmark.mode = "ok"
    assert await office.settle_unknown() == 1
    assert await sender.send_some() == 0
    assert (await office.states(), office.postmark.keys()) == ({KEY: "sent"}, [token_of(KEY)])
    assert await office.rows("SELECT message_id FROM mails") == [(office.postmark.delivered[0]["MessageID"],)]


async def test_a_mail_that_cannot_be_found_waits_for_its_grace_and_is_sent_then(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender()
    await office.plan(ada)
    office.postmark.mode = "accept_then_500"
    await sender.send_some()
    office.postmark.delivered.clear()  # it took nothing after all
    office.postmark.mode = "ok"
    await office.settle_unknown()
    assert await office.states() == {KEY: "unknown"}
    await office.settle_unknown(grace=0)
    await sender.send_some()
    assert (await office.states(), len(office.postmark.delivered)) == ({KEY: "sent"}, 1)


async def test_a_sender_that_died_after_the_provider_took_the_mail_sends_nothing_twice(office: "Office") -> None:
    ada, first, second = office.register("ada"), office.sender(), office.sender()
    await office.plan(ada)
    mails = await ledger.claim(office.database, 20)
    (message,) = await first._prepare(mails)
    assert await ledger.begin(office.database, mails) == {mails[0].id}
    await first._provider.send([message])  # type: ignore[list-item]
    assert await second.send_some() == 0  # claimed by the dead one
    await office.age_claims()
    await second.settle_unknown()
    assert (await second.send_some(), await office.states()) == (0, {KEY: "sent"})
    assert len(office.postmark.delivered) == 1


async def test_no_more_mails_are_claimed_than_asked_for_also_by_a_plan_for_hardly_any(office: "Office") -> None:
    ada = office.register("ada")
    await office.plan(ada, "follow:0:x")
    await office.rows("ANALYZE mails")
    for number in range(1, 6):
        await office.plan(ada, f"follow:{number}:x")
    assert [len(await ledger.claim(office.database, 2)) for _ in range(4)] == [2, 2, 2, 0]


async def test_a_sender_that_died_before_it_began_leaves_the_mail_to_others_at_once(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender(unknown_wait=60)
    await office.plan(ada)
    await ledger.claim(office.database, 20)
    await office.age_claims()
    await sender.settle_unknown()
    await sender.send_some()
    assert (await office.states(), len(office.postmark.delivered)) == ({KEY: "sent"}, 1)


async def test_a_sender_that_was_frozen_before_it_began_sends_nothing_when_it_wakes(
    office: "Office", monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, frozen, other = office.register("ada"), office.sender(), office.sender()
    await office.plan(ada)
    begin = ledger.begin

    async def sleep_first(*told: Any) -> set[int]:
        monkeypatch.setattr(ledger, "begin", begin)
        await office.age_claims()
        await other.settle_unknown()
        await other.send_some()
        return await begin(*told)

    monkeypatch.setattr(ledger, "begin", sleep_first)
    await frozen.send_some()
    assert (await office.states(), len(office.postmark.delivered)) == ({KEY: "sent"}, 1)


async def test_a_sender_that_was_frozen_while_it_began_asks_again(office: "Office", monkeypatch: pytest.MonkeyPatch) -> None:
    ada, frozen, other = office.register("ada"), office.sender(), office.sender(unknown_grace=0)
    await office.plan(ada)
    begin, clock = ledger.begin, [0.0]
    monkeypatch.setattr("notify.mail.sender.time.monotonic", lambda: clock[0])

    async def sleep_after(*told: Any) -> set[int]:
        monkeypatch.setattr(ledger, "begin", begin)
        held = await begin(*told)
        clock[0] += 700
        await office.age_claims()
        await other.settle_unknown()
        await other.send_some()
        return held

    monkeypatch.setattr(ledger, "begin", sleep_after)
    await frozen.send_some()
    assert (await office.states(), len(office.postmark.delivered)) == ({KEY: "sent"}, 1)


@pytest.mark.parametrize("mode", ["limited", "bad_token", "accept_then_500"])
async def test_a_sender_that_was_frozen_while_it_sent_overwrites_nothing(
    office: "Office", monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    ada, frozen, other = office.register("ada"), office.sender(), office.sender(unknown_grace=0)
    await office.plan(ada)
    settle = ledger.settle
    office.postmark.mode = mode

    async def sleep_first(*told: Any) -> int:
        monkeypatch.setattr(ledger, "settle", settle)
        office.postmark.mode = "ok"
        await office.age_claims()
        await other.settle_unknown()  # finds it, or gives it free
        await other.send_some()
        return await settle(*told)

    monkeypatch.setattr(ledger, "settle", sleep_first)
    await frozen.send_some()
    await office.make_due()
    await other.settle_unknown()
    await other.send_some()
    assert (await office.states(), len(office.postmark.delivered)) == ({KEY: "sent"}, 1)


async def test_looking_for_mails_holds_no_row_while_the_provider_thinks(office: "Office", monkeypatch: pytest.MonkeyPatch) -> None:
    ada, sender = office.register("ada"), office.sender()
    await office.plan(ada)
    office.postmark.mode = "accept_then_500"
    await sender.send_some()
    find, locked = sender._provider.find, []

    async def look(key: str) -> str | None:
        locked.append(await office.rows("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"))
        assert await office.rows("SELECT 1 FROM mails FOR UPDATE NOWAIT") == [(1,)]
        assert await ledger.uncertain(office.database, 20) == []  # nobody else looks for it meanwhile
        return await find(key)

    monkeypatch.setattr(sender._provider, "find", look)
    assert await sender.settle_unknown() == 1
    assert (await office.states(), locked) == ({KEY: "sent"}, [[(0,)]])


async def test_a_provider_that_cannot_be_asked_leaves_the_outcome_unknown(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender()
    await office.plan(ada)
    office.postmark.mode = "accept_then_500"
    await sender.send_some()
    office.postmark.token = "another"
    await office.settle_unknown(grace=0)
    await office.make_due()
    assert (await sender.send_some(), await office.states()) == (0, {KEY: "unknown"})


async def test_two_senders_at_once_share_the_work(office: "Office") -> None:
    ada, senders = office.register("ada"), [office.sender(), office.sender()]
    for number in range(60):
        await office.plan(ada, f"follow:1:{number}")

    async def send_all(sender: object) -> None:
        while await sender.send_some():  # type: ignore[attr-defined]
            pass

    for _ in range(3):  # on a busy machine somebody may answer too late, and the mail waits for another try
        await asyncio.gather(*map(send_all, senders))
        await office.make_due()
    assert sorted(office.postmark.keys()) == sorted(token_of(f"follow:1:{number}") for number in range(60))


async def test_while_auth_is_away_mails_wait(office: "Office") -> None:
    ada = office.register("ada")
    await office.plan(ada)
    await office.sender(auth_url="http://127.0.0.1:1").send_some()
    assert (await office.rows("SELECT state, reason FROM mails"), office.postmark.calls) == ([("new", "auth is away")], 0)
    await office.make_due()
    await office.sender().send_some()
    assert await office.states() == {KEY: "sent"}


async def test_who_no_longer_wants_mail_gets_none_that_was_planned_before(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender()
    await office.plan(ada)
    await office.rows(
        "INSERT INTO people (account_id, version, username, state, mail_follow) VALUES (:ada, 1, 'ada', 'active', false)", ada=ada
    )
    await sender.send_some()
    assert (await office.states(), office.postmark.calls) == ({KEY: "outdated"}, 0)


async def test_nobody_writes_to_somebody_who_is_not_there(office: "Office") -> None:
    sender = office.sender()
    await office.plan(12345)
    await sender.send_some()
    assert (await office.states(), office.postmark.calls) == ({KEY: "outdated"}, 0)


async def test_names_cannot_add_headers(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender()
    await office.plan(ada, actor="Bob\r\nBcc: everybody@example.org")
    await sender.send_some()
    assert office.postmark.delivered[0]["Subject"] == "Bob Bcc: everybody@example.org follows you"


async def test_what_waits_failed_or_is_in_doubt_is_counted(office: "Office") -> None:
    ada = office.register("ada")
    for number, state in enumerate(("new", "new", "failed", "sent", "unknown")):
        await office.plan(ada, f"follow:1:{number}")
        await office.rows("UPDATE mails SET state = :state WHERE dedupe_key = :key", state=state, key=f"follow:1:{number}")
    assert await ledger.count(office.database) == {"new": 2, "claimed": 0, "unknown": 1, "doubtful": 0, "failed": 1}
