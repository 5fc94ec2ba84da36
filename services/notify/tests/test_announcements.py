"""Announcements reach everybody who takes such mail, once; preferences and one-click unsubscribe; what Postmark tells."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from notify import announcements
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
    while await sender.send_some():
        pass
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
    await office.sender().send_some()
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


@pytest.mark.parametrize("token", ["", "x", "WzcsImNvbW1lbnQiXQ.forged", "WzcsImV2ZXJ5dGhpbmciXQ"])
async def test_a_link_that_is_not_ours_changes_nothing(office: "Office", token: str) -> None:
    other = Unsubscribing("another secret of at least 32 chars").link(URL, 7, "comment").split("token=")[1]
    for tried in (token, other):
        answer = await office.client.post("/internal/unsubscribe", json={"token": tried}, headers=office.identities.gateway("notify"))
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_link")
    assert await office.rows("SELECT 1 FROM people") == []


async def hook(office: "Office", told: Any, secret: str = "hook secret") -> "httpx.Response":
    content = told if isinstance(told, bytes) else json.dumps(told).encode()
    return await office.client.post("/webhooks/postmark", content=content, headers={"x-microblog-webhook": secret})


@pytest.mark.parametrize(
    "told",
    [
        {"RecordType": "SpamComplaint", "Email": "ada@example.org"},
        {"RecordType": "Bounce", "Email": "Ada@Example.org", "Inactive": True},
        {"RecordType": "SubscriptionChange", "Recipient": "ada@example.org", "SuppressSending": True},
    ],
    ids=lambda told: told["RecordType"],
)
async def test_an_address_that_bounced_or_complained_gets_no_more_mail_until_it_comes_back(office: "Office", told: dict[str, Any]) -> None:
    ada, sender = office.register("ada"), office.sender()
    for _ in range(2):
        assert (await hook(office, told)).status_code == 200
    await office.plan(ada)
    await sender.send_some()
    assert (await office.states(), office.postmark.calls) == ({"follow:1:x": "suppressed"}, 0)
    await hook(office, {"RecordType": "SubscriptionChange", "Recipient": "ada@example.org", "SuppressSending": False})
    await office.plan(ada, "follow:1:y")
    await sender.send_some()
    assert len(office.postmark.delivered) == 1


@pytest.mark.parametrize("secret", ["", "wrong"])
async def test_a_webhook_without_the_secret_is_refused(office: "Office", secret: str) -> None:
    assert (await hook(office, {"RecordType": "SpamComplaint", "Email": "ada@example.org"}, secret)).status_code == 401
    assert await office.rows("SELECT 1 FROM suppressions") == []


@pytest.mark.parametrize("told", [b"", b"no json", b"[]", b'{"RecordType": 5}', b'{"RecordType": "Bounce", "Email": 7, "Inactive": true}'])
async def test_nonsense_of_a_webhook_is_no_fault_of_ours(office: "Office", told: bytes) -> None:
    assert (await hook(office, told)).status_code < 500
