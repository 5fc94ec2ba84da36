"""Registering, confirming, changing and resetting."""

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

if TYPE_CHECKING:
    from .conftest import Doors

pytestmark = pytest.mark.anyio

NEW_PASSWORD = "another staple entirely"


async def everything_stored(doors: "Doors") -> str:
    """All that lies in the database, as text."""
    async with doors.database.sessions() as session:
        names = (await session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))).all()
        rows = [str((await session.scalars(text(f'SELECT to_jsonb(t)::text FROM "{name}" t'))).all()) for name in names]
        bodies = (await session.scalars(text("SELECT body FROM outbox"))).all()
    return "\n".join(rows) + str(bodies)


async def test_a_registration_is_committed_with_its_events(doors: "Doors") -> None:
    account_id = await doors.register("Ada", locale="de-AT")
    account, mail = await doors.events()
    told = {name: account[name] for name in ("type", "account_id", "version", "username", "state", "role", "locale", "deleted")}
    assert told == {
        "type": "account.registered",
        "account_id": account_id,
        "version": 1,
        "username": "ada",
        "state": "unconfirmed",
        "role": "user",
        "locale": "de",
        "deleted": False,
    }
    assert (mail["type"], mail["kind"], mail["account_id"]) == ("security.confirmation_requested", "confirmation_requested", account_id)


async def test_neither_passwords_nor_sessions_nor_links_are_stored_and_no_address_leaves(doors: "Doors") -> None:
    await doors.register()
    session = (await doors.log_in()).json()["session"]
    link = await doors.link("confirmation_requested")
    stored = await everything_stored(doors)
    assert "ada@example.org" in stored
    assert not [secret for secret in (doors.password, session, link, link.split(".")[1]) if secret in stored]
    assert "@" not in str(await doors.events())


async def test_a_refused_registration_names_every_field_and_leaves_nothing(doors: "Doors") -> None:
    answer = await doors.internal("registrations", username="Ada L", email="ada", password="short", agreement=False)
    assert answer.status_code == 422
    assert answer.json()["details"] == {
        "username": [{"error": "ERR_INVALID", "description": "is invalid"}],
        "email": [{"error": "ERR_INVALID", "description": "is invalid"}],
        "password": [{"error": "ERR_TOO_SHORT", "description": "is too short (minimum is 8 characters)"}],
        "agreement": [{"error": "ERR_ACCEPTED", "description": "must be accepted"}],
    }
    assert answer.json()["error"].startswith("Validation failed: Username is invalid, E-mail is invalid, Password is too short")
    assert await doors.events() == []
    assert await doors.run("SELECT count(*) FROM accounts") == 0


async def test_names_and_addresses_are_taken_whatever_their_case(doors: "Doors") -> None:
    await doors.register("ada")
    answer = await doors.internal("registrations", username="ADA", email="Ada@Example.ORG", password=doors.password, agreement=True)
    assert {name: found[0]["error"] for name, found in answer.json()["details"].items()} == {"username": "ERR_TAKEN", "email": "ERR_TAKEN"}


async def test_of_many_who_want_a_name_at_the_same_time_one_gets_it(doors: "Doors") -> None:
    async def sign_up(number: int) -> int:
        fields = {"username": "ada", "email": f"{number}@example.org", "password": doors.password, "agreement": True}
        return (await doors.internal("registrations", **fields)).status_code

    assert sorted(await asyncio.gather(*(sign_up(n) for n in range(8)))) == [200] + [422] * 7
    assert len(await doors.events("account.registered")) == 1


@pytest.mark.parametrize("settings", [{"AUTH_REGISTRATIONS": "false"}])
async def test_closed_doors_say_so(doors: "Doors") -> None:
    answer = await doors.internal("registrations", username="ada", email="ada@example.org", password=doors.password, agreement=True)
    assert (answer.status_code, answer.json()["code"]) == (403, "registrations_closed")
    told = (await doors.client.get("/internal/instance")).json()
    assert told["registrations"]["enabled"] is False


@pytest.mark.parametrize("settings", [{"AUTH_CONFIRM_EMAIL": "false"}])
async def test_without_confirmation_an_account_is_active_at_once(doors: "Doors") -> None:
    await doors.register()
    (event,) = await doors.events()
    assert event["state"] == "active"


async def test_an_app_registers_people_for_itself_and_its_own_scopes(doors: "Doors") -> None:
    token = (await doors.token(await doors.app("read write:accounts"), "client_credentials", scope="write:accounts")).json()["access_token"]
    app = await doors.introspect(token)
    assert app is not None
    fields = {"username": "ada", "email": "ada@example.org", "password": doors.password, "agreement": "true", "locale": "en"}
    caller = doors.identities.headers("auth", 0, "", kind="app", token_id=app["token_id"], scopes=frozenset(app["scopes"]))
    answer = (await doors.client.post("/api/v1/accounts", data=fields, headers=caller)).json()
    assert answer["event"]["username"] == "ada"
    made = await doors.introspect(answer["token"]["access_token"])
    assert made is not None
    assert (made["kind"], made["username"], made["scopes"], made["state"]) == ("user", "ada", ["write:accounts"], "unconfirmed")


async def test_nobody_but_an_app_that_may_registers_through_the_api(doors: "Doors") -> None:
    fields = {"username": "ada", "email": "ada@example.org", "password": doors.password, "agreement": True}
    reader = doors.identities.headers("auth", 0, "", kind="app", scopes=frozenset({"read"}))
    assert (await doors.client.post("/api/v1/accounts", json=fields, headers=doors.person(1))).status_code == 401
    assert (await doors.client.post("/api/v1/accounts", json=fields)).status_code == 401
    assert (await doors.client.post("/api/v1/accounts", json=fields, headers=reader)).status_code == 403
    assert await doors.events() == []


async def test_an_address_is_confirmed_once_however_often_the_link_is_clicked(doors: "Doors") -> None:
    await doors.register()
    link = await doors.link("confirmation_requested")
    first, second = [await doors.internal("confirmations/use", token=link) for _ in range(2)]
    assert first.json() == second.json()
    assert (first.json()["event"]["state"], first.json()["event"]["version"]) == ("active", 2)
    assert [event["type"] for event in await doors.events("account.")] == ["account.registered", "account.confirmed"]


async def test_a_link_opens_only_what_it_was_made_for(doors: "Doors") -> None:
    await doors.register()
    confirmation = await doors.link("confirmation_requested")
    await doors.internal("resets", email="ada@example.org")
    reset = await doors.link("reset_requested")
    for answer in (
        await doors.internal("confirmations/use", token=reset),
        await doors.internal("resets/use", token=confirmation, password=NEW_PASSWORD),
        await doors.internal("confirmations/use", token=f"{confirmation[:-1]}_"),
        await doors.internal("confirmations/use", token=f"{reset.split('.')[0]}.{confirmation.split('.')[1]}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "outdated_link")


async def test_an_expired_link_is_void_and_its_mail_is_not_sent(doors: "Doors") -> None:
    await doors.register()
    link = await doors.link("confirmation_requested")
    request_id = (await doors.events("security."))[-1]["request_id"]
    await doors.run("UPDATE requests SET expires_at = now() - interval '1 second'")
    assert (await doors.internal("confirmations/use", token=link)).status_code == 422
    assert (await doors.internal("mail", request_id=request_id)).status_code == 404


async def test_a_confirmation_is_mailed_again_only_while_it_is_needed(doors: "Doors") -> None:
    account_id = await doors.register()
    ask = {"url": "/api/v1/emails/confirmations", "headers": doors.person(account_id)}
    assert (await doors.client.post(**ask)).status_code == 200
    assert len(await doors.events("security.confirmation_requested")) == 2
    await doors.internal("confirmations/use", token=await doors.link("confirmation_requested"))
    assert (await doors.client.post(**ask)).status_code == 200
    assert len(await doors.events("security.confirmation_requested")) == 2
    assert (await doors.internal("mail", request_id=(await doors.events("security.confirmation"))[0]["request_id"])).status_code == 404


async def test_asking_for_a_reset_tells_nobody_whether_the_address_is_known(doors: "Doors") -> None:
    await doors.register()
    known, unknown = [await doors.internal("resets", email=f"{name}@example.org") for name in ("ada", "nobody")]
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json()) == (202, {})
    assert len(await doors.events("security.reset_requested")) == 1


async def test_a_reset_link_sets_one_password_and_ends_every_session(doors: "Doors") -> None:
    account_id = await doors.register()
    session = (await doors.log_in()).json()["session"]
    token = (await doors.exchange(app := await doors.app(), (await doors.authorize(account_id, app)).json()["code"])).json()["access_token"]
    await doors.internal("resets", email="ADA@example.org")
    link = await doors.link("reset_requested")
    assert (await doors.internal("resets/use", token=link, password=NEW_PASSWORD)).status_code == 200
    assert (await doors.introspect(session), await doors.introspect(token)) == (None, None)
    assert ((await doors.log_in()).status_code, (await doors.log_in(password=NEW_PASSWORD)).status_code) == (401, 200)
    assert (await doors.internal("resets/use", token=link, password="a third password")).status_code == 422
    (revoked,) = await doors.events("security.tokens_revoked")
    assert revoked["account_id"] == account_id
    assert len(revoked["token_ids"]) == 3


async def test_a_reset_link_that_lies_beside_a_used_one_is_void(doors: "Doors") -> None:
    await doors.register()
    links = []
    for _ in range(2):
        await doors.internal("resets", email="ada@example.org")
        links.append(await doors.link("reset_requested"))
    assert [(await doors.internal("resets/use", token=link, password=NEW_PASSWORD)).status_code for link in links] == [200, 422]


async def test_a_reset_link_used_many_times_at_once_works_once(doors: "Doors") -> None:
    await doors.register()
    await doors.internal("resets", email="ada@example.org")
    link = await doors.link("reset_requested")
    answers = await asyncio.gather(*(doors.internal("resets/use", token=link, password=f"{NEW_PASSWORD} {n}") for n in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 422, 422]


async def test_a_refused_password_leaves_the_reset_link_good(doors: "Doors") -> None:
    await doors.register()
    await doors.internal("resets", email="ada@example.org")
    link = await doors.link("reset_requested")
    refused = await doors.internal("resets/use", token=link, password="password")
    assert refused.json()["details"] == {"password": [{"error": "ERR_BLOCKED", "description": "is too easy to guess"}]}
    assert (await doors.internal("resets/use", token=link, password=NEW_PASSWORD)).status_code == 200


async def test_a_reset_proves_the_address(doors: "Doors") -> None:
    await doors.register()
    await doors.internal("resets", email="ada@example.org")
    await doors.internal("resets/use", token=await doors.link("reset_requested"), password=NEW_PASSWORD)
    assert (await doors.log_in(password=NEW_PASSWORD)).json()["state"] == "active"
    assert (await doors.events("account."))[-1]["type"] == "account.confirmed"


async def test_a_code_that_was_not_traded_before_a_reset_gives_nothing_after_it(doors: "Doors") -> None:
    account_id, app = await doors.register(), await doors.app()
    code = (await doors.authorize(account_id, app)).json()["code"]
    await doors.internal("resets", email="ada@example.org")
    await doors.internal("resets/use", token=await doors.link("reset_requested"), password=NEW_PASSWORD)
    assert (await doors.exchange(app, code)).json()["error"] == "invalid_grant"


async def test_a_new_password_needs_the_old_one_and_ends_all_other_sessions(doors: "Doors") -> None:
    account_id = await doors.register()
    here, elsewhere = [(await doors.log_in()).json()["session"] for _ in range(2)]
    token_id = (await doors.introspect(here) or {})["token_id"]
    change = {"url": "/internal/passwords", "headers": doors.person(account_id, token_id)}
    wrong = await doors.client.post(**change, json={"current": "wrong", "new": NEW_PASSWORD})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "wrong_credentials")
    assert (await doors.client.post(**change, json={"current": doors.password, "new": "short"})).status_code == 422
    assert await doors.introspect(elsewhere)
    assert (await doors.client.post(**change, json={"current": doors.password, "new": NEW_PASSWORD})).status_code == 200
    assert await doors.introspect(here)
    assert await doors.introspect(elsewhere) is None
    notice = (await doors.events("security."))[-1]
    mail = (await doors.internal("mail", request_id=notice["request_id"])).json()
    assert (notice["kind"], mail["address"], mail["link"]) == ("password_changed", "ada@example.org", None)


async def test_a_change_of_language_is_announced_once(doors: "Doors") -> None:
    account_id = await doors.register()
    for _ in range(2):
        answer = await doors.client.post("/internal/locale", json={"locale": "fr"}, headers=doors.person(account_id))
        assert answer.status_code == 200
    (changed,) = await doors.events("account.locale_changed")
    assert (changed["locale"], changed["version"]) == ("fr", 2)
    refused = await doors.client.post("/internal/locale", json={"locale": "french"}, headers=doors.person(account_id))
    assert refused.status_code == 422


async def test_many_wrong_links_at_the_same_time_are_all_told_so(doors: "Doors") -> None:
    await doors.register()
    link = await doors.link("confirmation_requested")
    answers = await asyncio.gather(*(doors.internal("confirmations/use", token=f"{link}{n}") for n in range(8)))
    assert {answer.status_code for answer in answers} == {422}


async def test_a_deleted_account_leaves_its_name_and_nothing_else(doors: "Doors") -> None:
    ada = await doors.register()
    session = (await doors.log_in()).json()["session"]
    await doors.internal("resets", email="ada@example.org")
    link = await doors.link("reset_requested")
    wrong = await doors.client.post("/internal/deletions", json={"password": "something else"}, headers=doors.person(ada))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "The current password is wrong")
    assert (await doors.introspect(session)) is not None
    gone = await doors.client.post("/internal/deletions", json={"password": doors.password}, headers=doors.person(ada))
    told = gone.json()["event"]
    assert (told["deleted"], told["state"], told["username"]) == (True, "disabled", f"deleted_{ada}")
    assert [event["type"] for event in await doors.events("account.deleted")] == ["account.deleted"]
    assert await doors.introspect(session) is None
    assert (await doors.log_in()).status_code == (await doors.log_in("ada@example.org")).status_code == 401
    assert (await doors.internal("resets/use", token=link, password="an entirely new one")).status_code == 422
    assert await doors.run("SELECT count(*) FROM accounts WHERE email || password_hash <> ''") == 0
    assert await doors.run("SELECT count(*) FROM tokens WHERE ip IS NOT NULL OR user_agent IS NOT NULL") == 0
    again = {"username": "ada", "email": "ada@example.org", "password": doors.password, "agreement": True}
    refused = await doors.internal("registrations", **again)
    assert {name: [problem["error"] for problem in problems] for name, problems in refused.json()["details"].items()} == {
        "username": ["ERR_TAKEN"]
    }
    assert (await doors.internal("registrations", **again | {"username": "ada_again"})).status_code == 200
    assert (await doors.client.post("/internal/deletions", json={"password": doors.password}, headers=doors.person(ada))).status_code == 404
