import base64
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Doors

pytestmark = pytest.mark.anyio

VERIFIER = "a-verifier-of-at-least-forty-three-characters"


async def code_for(doors: "Doors", app: dict[str, Any], account_id: int, **more: Any) -> str:
    answer = await doors.authorize(account_id, app, **more)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["code"])


def pkce(doors: "Doors") -> dict[str, str]:
    return {"code_challenge": doors.challenge(VERIFIER), "code_challenge_method": "S256"}


async def test_an_app_registers_itself_as_clients_of_the_api_expect(doors: "Doors") -> None:
    fields = {"client_name": " Client ", "redirect_uris": [doors.callback, "urn:ietf:wg:oauth:2.0:oob"], "scopes": "read write:statuses"}
    made = (await doors.client.post("/api/v1/apps", json=fields)).json()
    assert (made["name"], made["scopes"], made["redirect_uris"]) == ("Client", ["read", "write:statuses"], fields["redirect_uris"])
    assert made["redirect_uri"] == "\n".join(fields["redirect_uris"])
    assert made["client_secret_expires_at"] == 0
    assert await doors.run("SELECT count(*) FROM apps WHERE strpos(to_jsonb(apps)::text, :secret) > 0", secret=made["client_secret"]) == 0


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"client_name": " "}, "Application name can't be blank"),
        ({"redirect_uris": ""}, "Redirect URI can't be blank"),
        ({"redirect_uris": "/callback"}, "Redirect URI must be an absolute URI."),
        ({"redirect_uris": "javascript:alert(1)"}, "Redirect URI must be an absolute URI."),
        ({"redirect_uris": "https://client.example/#fragment"}, "Redirect URI must be an absolute URI."),
        ({"website": "javascript:alert(1)"}, "Website is invalid"),
        ({"scopes": "read everything"}, "invalid_scope"),
    ],
)
async def test_a_bad_app_is_told_what_is_wrong(doors: "Doors", fields: dict[str, str], told: str) -> None:
    good = {"client_name": "Client", "redirect_uris": doors.callback, "scopes": "read"}
    answer = await doors.client.post("/api/v1/apps", data=good | fields)
    assert answer.status_code in (400, 422)
    assert told in answer.json()["error"]


async def test_a_code_is_traded_for_a_token_of_the_granted_scopes(doors: "Doors") -> None:
    account_id, app = await doors.register(), await doors.app("read write")
    granted = (await doors.authorize(account_id, app, scope="read write:statuses", state="a b&c", **pkce(doors))).json()
    assert granted["redirect_to"] == f"{doors.callback}?code={granted['code']}&state=a+b%26c"
    answer = (await doors.exchange(app, granted["code"], code_verifier=VERIFIER)).json()
    assert (answer["token_type"], answer["scope"]) == ("Bearer", "read write:statuses")
    assert isinstance(answer["created_at"], int)
    token = await doors.introspect(answer["access_token"])
    assert token is not None
    assert (token["kind"], token["account_id"], token["username"], token["scopes"]) == (
        "user",
        str(account_id),
        "ada",
        ["read", "write:statuses"],
    )
    assert (token["app_name"], token["session"], token["state"]) == ("Client", False, "unconfirmed")


async def test_a_code_without_an_address_to_go_to_is_shown(doors: "Doors") -> None:
    out_of_band = "urn:ietf:wg:oauth:2.0:oob"
    account_id, app = await doors.register(), await doors.app(redirect_uris=out_of_band)
    granted = (await doors.authorize(account_id, app, redirect_uri=out_of_band)).json()
    assert granted["redirect_to"] is None
    assert (await doors.exchange(app, granted["code"], redirect_uri=out_of_band)).status_code == 200


async def test_a_code_that_comes_twice_ends_what_it_gave(doors: "Doors") -> None:
    app = await doors.app()
    code = await code_for(doors, app, await doors.register())
    token = (await doors.exchange(app, code)).json()["access_token"]
    token_id = (await doors.introspect(token) or {})["token_id"]
    again = await doors.exchange(app, code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert await doors.introspect(token) is None
    assert [event["token_ids"] for event in await doors.events("security.tokens_revoked")] == [[token_id]]


@pytest.mark.parametrize(
    "exchange",
    [
        {"code_verifier": "another-verifier-of-at-least-forty-three-chars"},
        {"code_verifier": ""},
        {"code_verifier": None},
        {"redirect_uri": "https://client.example/callback/"},
        {"redirect_uri": None},
        {"code": "unknown"},
    ],
    ids=str,
)
async def test_a_code_needs_its_verifier_and_its_redirect_address(doors: "Doors", exchange: dict[str, Any]) -> None:
    app = await doors.app()
    code = await code_for(doors, app, await doors.register(), **pkce(doors))
    refused = await doors.exchange(app, **{"code": code, "code_verifier": VERIFIER, **exchange})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert "error_description" in refused.json()
    assert (await doors.exchange(app, code, code_verifier=VERIFIER)).status_code == 200  # a wrong try takes nothing from the right one


async def test_a_verifier_proves_nothing_for_a_code_without_a_challenge(doors: "Doors") -> None:
    app = await doors.app()
    code = await code_for(doors, app, await doors.register())
    assert (await doors.exchange(app, code, code_verifier=VERIFIER)).json()["error"] == "invalid_grant"


async def test_a_client_without_a_secret_needs_a_challenge(doors: "Doors") -> None:
    account_id, app = await doors.register(), await doors.app()
    proven, bare = await code_for(doors, app, account_id, **pkce(doors)), await code_for(doors, app, account_id)
    assert (await doors.exchange(app, bare, client_secret=None)).json()["error"] == "invalid_client"
    assert (await doors.exchange(app, bare, client_secret=None, code_verifier=VERIFIER)).json()["error"] == "invalid_grant"
    assert (await doors.exchange(app, proven, client_secret="wrong", code_verifier=VERIFIER)).json()["error"] == "invalid_client"
    assert (await doors.exchange(app, proven, client_secret=None, code_verifier=VERIFIER)).status_code == 200


async def test_a_code_is_good_for_ten_minutes(doors: "Doors") -> None:
    account_id, app = await doors.register(), await doors.app()
    late, in_time = await code_for(doors, app, account_id), await code_for(doors, app, account_id)
    await doors.run("UPDATE grants SET created_at = now() - interval '10 minutes 1 second' WHERE id = (SELECT min(id) FROM grants)")
    await doors.run("UPDATE grants SET created_at = now() - interval '9 minutes' WHERE id = (SELECT max(id) FROM grants)")
    assert (await doors.exchange(app, late)).json()["error"] == "invalid_grant"
    assert (await doors.exchange(app, in_time)).status_code == 200


async def test_a_code_is_only_for_the_app_that_it_was_given_to(doors: "Doors") -> None:
    code = await code_for(doors, await doors.app(), await doors.register())
    assert (await doors.exchange(await doors.app(), code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"client_id": "unknown"}, "invalid_client"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_redirect_uri"),
        ({"scope": "read write"}, "invalid_scope"),
        ({"scope": "admin:read"}, "invalid_scope"),
        ({"scope": "read everything"}, "invalid_scope"),
        ({"code_challenge": "x", "code_challenge_method": "plain"}, "invalid_code_challenge_method"),
        ({"code_challenge": "x"}, "invalid_code_challenge_method"),
    ],
    ids=str,
)
async def test_nothing_is_granted_that_the_app_did_not_register_for(doors: "Doors", asked: dict[str, str], error: str) -> None:
    app = await doors.app("read")
    refused = await doors.authorize(await doors.register(), app, **asked)
    assert refused.json()["error"] == error
    if "code_challenge" not in asked:
        query = {"redirect_uri": doors.callback, "scope": "read"} | {k: v for k, v in asked.items() if k != "client_id"}
        page = await doors.client.get(
            f"/internal/apps/{asked.get('client_id', app['client_id'])}", params=query, headers=doors.identities.gateway("auth")
        )
        assert page.json()["error"] == error


@pytest.mark.parametrize(
    ("registered", "asked", "granted"),
    [
        ("read write", "read", "read"),
        ("read write", "", "read"),
        ("read write", "write:statuses read:accounts write:statuses", "write:statuses read:accounts"),
        ("read:accounts", "read", None),
        ("write:statuses", "write:media", None),
        ("read", "write", None),
        ("read", "admin:read", None),
        ("read", "nonsense", None),
    ],
)
async def test_an_apps_own_token_is_never_wider_than_the_app(doors: "Doors", registered: str, asked: str, granted: str | None) -> None:
    answer = await doors.token(await doors.app(registered), "client_credentials", scope=asked)
    if granted is None:
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
        return
    token = await doors.introspect(answer.json()["access_token"])
    assert token is not None
    assert (answer.json()["scope"], token["kind"], token["account_id"], token["scopes"]) == (granted, "app", "0", granted.split())


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"client_id": "unknown"}, 401, "invalid_client"),
        ({"grant_type": "password", "username": "ada", "password": "correct horse battery"}, 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, 400, "unsupported_grant_type"),
    ],
    ids=str,
)
async def test_token_requests_are_refused_in_the_words_of_the_specification(
    doors: "Doors", change: dict[str, Any], status: int, error: str
) -> None:
    await doors.register()
    fields = {"grant_type": "client_credentials", **change}
    answer = await doors.token(await doors.app(), **fields)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_a_client_may_say_who_it_is_by_http_basic(doors: "Doors") -> None:
    app = await doors.app()
    for secret, status in ((app["client_secret"], 200), ("wrong", 401)):
        basic = base64.b64encode(f"{app['client_id']}:{secret}".encode()).decode()
        answer = await doors.client.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, headers={"authorization": f"Basic {basic}"}
        )
        assert answer.status_code == status
    broken = await doors.client.post("/oauth/token", data={"grant_type": "client_credentials"}, headers={"authorization": "Basic ?"})
    assert broken.json()["error"] == "invalid_client"


@pytest.mark.parametrize("settings", [{"AUTH_PASSWORD_GRANT": "true"}])
async def test_a_password_is_traded_for_a_token_only_where_the_operator_allows_it(doors: "Doors") -> None:
    await doors.register()
    app = await doors.app("read")
    for name in ("ada", "ada@example.org"):
        assert (await doors.token(app, "password", username=name, password=doors.password, scope="read")).status_code == 200
    wrong = await doors.token(app, "password", username="ada", password="wrong")
    unknown = await doors.token(app, "password", username="nobody", password="wrong")
    assert wrong.json() == unknown.json()
    assert wrong.json()["error"] == "invalid_grant"
    assert (await doors.token(app, "password", username="ada", password=doors.password, scope="write")).json()["error"] == "invalid_scope"


async def test_a_revoked_token_is_void_and_revoking_again_is_fine(doors: "Doors") -> None:
    account_id, app = await doors.register(), await doors.app()
    token = (await doors.exchange(app, await code_for(doors, app, account_id))).json()["access_token"]
    client = {"client_id": app["client_id"], "client_secret": app["client_secret"]}
    for a_token in (token, token, "unknown"):
        answer = await doors.client.post("/oauth/revoke", data=client | {"token": a_token})
        assert (answer.status_code, answer.json()) == (200, {})
    assert await doors.introspect(token) is None
    (event,) = await doors.events("security.tokens_revoked")
    assert event["account_id"] == account_id


async def test_nobody_revokes_anothers_token_or_a_web_session(doors: "Doors") -> None:
    await doors.register()
    app, other = await doors.app(), await doors.app()
    token = (await doors.token(app, "client_credentials")).json()["access_token"]
    session = (await doors.log_in()).json()["session"]
    for client in (other, app | {"client_secret": "wrong"}, {"client_id": "unknown", "client_secret": "x"}):
        fields = {"client_id": client["client_id"], "client_secret": client["client_secret"], "token": token}
        refused = await doors.client.post("/oauth/revoke", data=fields)
        assert (refused.status_code, refused.json()["error"]) == (403, "unauthorized_client")
    fields = {"client_id": app["client_id"], "client_secret": app["client_secret"], "token": session}
    await doors.client.post("/oauth/revoke", data=fields)
    assert await doors.introspect(token)
    assert await doors.introspect(session)


async def test_an_app_learns_which_one_it_is(doors: "Doors") -> None:
    caller = doors.identities.headers("auth", 0, "", kind="app", app_name="Client", scopes=frozenset({"read"}))
    assert (await doors.client.get("/api/v1/apps/verify_credentials", headers=caller)).json()["name"] == "Client"
    assert (await doors.client.get("/api/v1/apps/verify_credentials")).status_code == 401
