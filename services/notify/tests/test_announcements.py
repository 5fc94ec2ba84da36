"""Announcements reach everybody who takes such mail, once; preferences and one-click unsubscribe; what Postmark tells."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from notify import announcements
from notify.mail import ledger
from notify.mail.suppressions import address_hash
from notify.mail.unsubscribing import Unsubscribing

if TYPE_CHECKING:
    import httpx

    from .conftest import Office

from .conftest import SECRET, URL

pytestmark = pytest.mark.anyio


async def publish(office: "Office", text: str = "**Hello** all", **more: Any) -> "httpx.Response":
    headers = office.headers(1, **{"role": "admin", **more})
    return await office.client.post("/api/v1/admin/announcements", json={"text": text}, headers=headers)


async def test_an_announcement_is_shown_to_all_and_mailed_to_each_once_by_the_broadcast_stream(office: "Office") -> None:
    for name in ("ada", "bob", "cyd"):
        office.register(name)
    sender, addresses = office.sender(), office.addresses()
    shown = (await publish(office)).json()
    assert shown["content"] == "<p><strong>Hello</strong> all</p>"
    while await announcements.mail_chunk(office.database, addresses):
        pass
    while await sender.send_batch():
        pass
    assert (office.postmark.batches, office.postmark.calls) == ([3], 1)
    assert sorted(mail["To"] for mail in office.postmark.delivered) == [f"{name}@example.org" for name in ("ada", "bob", "cyd")]
    assert {(mail["MessageStream"], tuple(mail["Headers"])) for mail in office.postmark.delivered} == {("broadcast", ())}
    assert [entry["id"] for entry in (await office.client.get("/api/v1/announcements")).json()] == [shown["id"]]


async def test_an_announcer_that_dies_in_between_goes_on_where_it_stopped(office: "Office", monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        office.register(f"person{number}")
    monkeypatch.setattr(announcements, "_CHUNK", 2)
    await publish(office)
    addresses = office.addresses()
    assert await announcements.mail_chunk(office.database, addresses)
    assert len(await office.states()) == 2
    await office.rows("UPDATE announcements SET mailed_up_to = 0")  # the place was lost
    while await announcements.mail_chunk(office.database, addresses):
        pass
    assert len(await office.states()) == 5


async def test_two_announcers_at_once_plan_each_mail_once(office: "Office", monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        office.register(f"person{number}")
    monkeypatch.setattr(announcements, "_CHUNK", 2)
    await publish(office)
    while any(await asyncio.gather(*(announcements.mail_chunk(office.database, office.addresses()) for _ in range(2)))):
        pass
    assert (len(await office.states()), await office.rows("SELECT mailed_at IS NULL FROM announcements")) == (5, [(False,)])


@pytest.mark.parametrize(
    ("more", "status"), [({"role": "user"}, 403), ({"role": "moderator"}, 403), ({"scopes": frozenset({"read", "write"})}, 403)]
)
async def test_only_admins_announce(office: "Office", more: dict[str, Any], status: int) -> None:
    assert (await publish(office, **more)).status_code == status
    assert await office.rows("SELECT 1 FROM announcements") == []


@pytest.mark.parametrize(("text", "code"), [("  \n", "empty_announcement"), ("x" * 5001, "announcement_too_long")])
async def test_announcements_have_a_length(office: "Office", text: str, code: str) -> None:
    answer = await publish(office, text)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_withdrawn_announcement_is_shown_and_mailed_no_more(office: "Office") -> None:
    office.register("ada")
    made, addresses = (await publish(office)).json(), office.addresses()
    await announcements.mail_chunk(office.database, addresses)
    path = f"/api/v1/admin/announcements/{made['id']}"
    assert (await office.client.delete(path, headers=office.headers(1, role="user"))).status_code == 403
    assert (await office.client.delete(path, headers=office.headers(1, role="admin"))).status_code == 200
    await office.sender().send_batch()
    assert ((await office.client.get("/api/v1/announcements")).json(), office.postmark.calls) == ([], 0)
    assert (await office.client.delete(path, headers=office.headers(1, role="admin"))).status_code == 404


async def test_dismissing_is_ones_own(office: "Office") -> None:
    made = (await publish(office)).json()
    await office.client.post(f"/api/v1/announcements/{made['id']}/dismiss", headers=office.headers(2))
    assert [(await office.get("/api/v1/announcements", person))[0]["read"] for person in (2, 3)] == [True, False]
    assert (await office.client.post("/api/v1/announcements/99/dismiss", headers=office.headers(2))).status_code == 404


async def test_one_click_ends_one_kind_of_mail_without_logging_in(office: "Office") -> None:
    token = Unsubscribing(SECRET).link(URL, 7, "comment").split("token=")[1]
    answer = await office.client.post("/internal/unsubscribe", json={"token": token}, headers=office.identities.gateway("notify"))
    assert answer.status_code == 200, answer.text
    preferences = await office.get("/api/v1/microblog/mail_preferences", 7)
    assert preferences == {"follow": True, "comment": False, "announcement": True}


async def test_choosing_one_kind_of_mail_leaves_the_others_as_they_are(office: "Office") -> None:
    async def choose(**wanted: Any) -> Any:
        answer = await office.client.put("/api/v1/microblog/mail_preferences", json=wanted, headers=office.headers(7))
        return answer.json()

    assert await choose(comment=False) == {"follow": True, "comment": False, "announcement": True}
    assert await choose(follow=False) == {"follow": False, "comment": False, "announcement": True}
    assert await choose() == {"follow": False, "comment": False, "announcement": True}
    assert await choose(comment=True) == await office.get("/api/v1/microblog/mail_preferences", 7)


@pytest.mark.parametrize("token", ["", "x", "WzcsImNvbW1lbnQiXQ.forged", "WzcsImV2ZXJ5dGhpbmciXQ"])
async def test_a_link_that_is_not_ours_changes_nothing(office: "Office", token: str) -> None:
    other = Unsubscribing("another secret of at least 32 chars").link(URL, 7, "comment").split("token=")[1]
    for tried in (token, other):
        answer = await office.client.post("/internal/unsubscribe", json={"token": tried}, headers=office.identities.gateway("notify"))
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_link")
    assert await office.rows("SELECT 1 FROM people") == []


async def hook(office: "Office", told: Any, secret: str = "hook secret") -> "httpx.Response":
    content = told if isinstance(told, bytes) else json.dumps(told).encode()
    return await office.client.post("/webhooks/postmark", content=content, headers={"x-webhook-secret": secret})


BOUNCED = {"RecordType": "Bounce", "Type": "HardBounce", "Email": "Ada@Example.org", "Inactive": True}
CHANGED = {"RecordType": "SubscriptionChange", "Recipient": "ada@example.org", "SuppressSending": True}


@pytest.mark.parametrize(
    "told",
    [{"RecordType": "SpamComplaint", "Email": "ada@example.org"}, BOUNCED, {**CHANGED, "SuppressionReason": "HardBounce"}],
    ids=lambda told: told["RecordType"],
)
@pytest.mark.parametrize(("stream", "other"), [("outbound", "broadcast"), ("broadcast", "outbound")])
async def test_an_address_that_bounced_or_complained_gets_no_more_mail_by_that_stream_until_it_comes_back(
    office: "Office", told: dict[str, Any], stream: str, other: str
) -> None:
    ada, sender = office.register("ada"), office.sender()
    for _ in range(2):
        assert (await hook(office, told | {"MessageStream": stream})).status_code == 200
    await hook(office, CHANGED | {"SuppressSending": False, "MessageStream": other})

    async def mail(key: str) -> set[str]:
        await office.plan(ada, f"follow:{key}")
        await office.plan(ada, f"announcement:{key}", "announcement")
        office.postmark.delivered.clear()
        await sender.send_some()
        await sender.send_batch()
        return {mail["MessageStream"] for mail in office.postmark.delivered}

    assert await mail("1") == {other}
    await hook(office, CHANGED | {"SuppressSending": False, "MessageStream": stream})
    assert await mail("2") == {stream, other}


async def test_what_the_provider_refuses_as_inactive_is_not_tried_again_by_that_stream(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender()
    office.postmark.suppressed["outbound", "ada@example.org"] = "HardBounce"
    for number in (1, 2):
        await office.plan(ada, f"follow:{number}")
        await sender.send_some()
    await office.plan(ada, "announcement:1", "announcement")
    await sender.send_batch()
    assert await office.states() == {"follow:1": "suppressed", "follow:2": "suppressed", "announcement:1": "sent"}
    assert office.postmark.calls == 2


async def test_who_clicks_the_providers_link_sees_it_among_their_settings_and_may_change_their_mind(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender()
    await office.plan(ada, "announcement:1", "announcement")
    await sender.send_batch()
    (mail,) = office.postmark.delivered
    office.postmark.suppressed["broadcast", mail["To"]] = "ManualSuppression"
    clicked = {"SuppressSending": True, "SuppressionReason": "ManualSuppression", "Origin": "Recipient"}
    await hook(office, office.postmark.hook(mail, "SubscriptionChange", **clicked))
    assert await office.get("/api/v1/microblog/mail_preferences", ada) == {"follow": True, "comment": True, "announcement": False}
    await office.client.put("/api/v1/microblog/mail_preferences", json={"announcement": True}, headers=office.headers(ada))
    await office.plan(ada, "announcement:2", "announcement")
    for _ in range(2):
        await sender.send_batch()
        await office.make_due()
    assert (await office.states(), len(office.postmark.delivered)) == ({"announcement:1": "sent", "announcement:2": "sent"}, 2)


async def test_who_clicked_the_providers_link_unheard_stays_without_announcements(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender()
    office.postmark.suppressed["broadcast", "ada@example.org"] = "ManualSuppression"
    await office.reconcile()
    await office.plan(ada, "announcement:1", "announcement")
    await sender.send_batch()
    assert (await office.states(), office.postmark.calls) == ({"announcement:1": "suppressed"}, 0)


async def test_suppressions_that_no_webhook_told_are_learnt_from_the_providers_lists_and_those_that_ended_forgotten(
    office: "Office",
) -> None:
    office.postmark.suppressed["broadcast", "ada@example.org"] = "SpamComplaint"
    for address in ("bob@example.org", "cyd@example.org"):
        await hook(office, BOUNCED | {"Email": address, "MessageStream": "outbound"})
    await office.rows(
        "UPDATE suppressions SET created_at = now() - interval '1 day' WHERE address_hash = :bob", bob=address_hash("bob@example.org")
    )
    await office.reconcile()
    kept = await office.rows("SELECT address_hash, stream, reason FROM suppressions ORDER BY stream")
    assert kept == [
        (address_hash("ada@example.org"), "broadcast", "SpamComplaint"),
        (address_hash("cyd@example.org"), "outbound", "HardBounce"),  # minutes old: their list may not have it yet
    ]


@pytest.mark.parametrize("kind", ["Delivery", "Bounce"])
async def test_a_webhook_about_a_mail_settles_that_it_was_taken(office: "Office", kind: str) -> None:
    ada, sender = office.register("ada"), office.sender()
    await office.plan(ada)
    office.postmark.mode = "accept_then_500"
    await sender.send_some()
    assert await office.states() == {"follow:1:x": "unknown"}
    told = office.postmark.hook(office.postmark.delivered[0], kind)
    forged = told | {"Metadata": {**told["Metadata"], "dedupe-key": "0" * 32}}
    for one, state in ((forged, "unknown"), (told, "sent"), (told, "sent")):
        assert (await hook(office, one)).status_code == 200
        assert await office.states() == {"follow:1:x": state}
    assert await office.rows("SELECT message_id FROM mails") == [(told["MessageID"],)]


async def test_in_a_batch_each_mail_is_settled_by_itself(office: "Office") -> None:
    people, sender = [office.register(name) for name in ("ada", "bob", "cyd")], office.sender()
    office.postmark.suppressed["broadcast", "bob@example.org"] = "HardBounce"
    for person in people:
        await office.plan(person, f"announcement:1:{person}", "announcement")
    await office.rows("UPDATE mails SET details = '{}' WHERE account_id = :cyd", cyd=people[2])
    await sender.send_batch()
    assert [state for _, state in sorted((await office.states()).items())] == ["sent", "suppressed", "failed"]
    assert office.postmark.batches == [2]


async def test_a_batch_that_was_taken_before_the_line_broke_is_found_mail_by_mail(office: "Office") -> None:
    people, sender = [office.register(name) for name in ("ada", "bob", "cyd")], office.sender()
    for person in people:
        await office.plan(person, f"announcement:1:{person}", "announcement")
    office.postmark.mode = "accept_then_cut"
    await sender.send_batch()
    office.postmark.mode = "ok"
    await sender.settle_unknown()
    assert await sender.send_batch() == 0
    assert (set((await office.states()).values()), len(office.postmark.delivered)) == ({"sent"}, 3)


async def test_batches_hold_as_many_as_postmark_takes(office: "Office") -> None:
    ada, sender = office.register("ada"), office.sender()
    async with office.database.transaction() as session:
        for number in range(501):
            await ledger.plan(session, f"announcement:{number}", "announcement", ada, {"plain": "news"})
    while await sender.send_batch():
        pass
    assert (office.postmark.batches, office.postmark.calls, len(office.postmark.delivered)) == ([500], 2, 501)
    assert office.postmark.doubled() == set()


@pytest.mark.parametrize("secret", ["", "wrong"])
async def test_a_webhook_without_the_secret_is_refused(office: "Office", secret: str) -> None:
    assert (await hook(office, {"RecordType": "SpamComplaint", "Email": "ada@example.org"}, secret)).status_code == 401
    assert await office.rows("SELECT 1 FROM suppressions") == []


@pytest.mark.parametrize("told", [b"", b"no json", b"[]", b'{"RecordType": 5}', b'{"RecordType": "Bounce", "Email": 7, "Inactive": true}'])
async def test_nonsense_of_a_webhook_is_no_fault_of_ours(office: "Office", told: bytes) -> None:
    assert (await hook(office, told)).status_code < 500
