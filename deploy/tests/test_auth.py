"""auth, end to end."""

import base64
import hashlib
import re
import secrets
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
from operating import operate, run
from pages import apart_from_tokens
from stack import Person, Stack, own_address, picture, wait_for

alone = pytest.mark.skipif(
    own_address() is None, reason="every test comes from the same address here, and would be throttled with this one"
)


def begin_early_in_a_window() -> None:
    """Tries are counted in fixed windows, which all begin at a quarter of an hour: wait for the next one if this is about to end."""
    left = 900 - time.time() % 900
    if left < 20:
        time.sleep(left)


def log_in(stack: Stack, name: str, password: str = "correct horse battery", **more: str) -> httpx.Client:
    """A browser without scripts that is logged in."""
    browser = httpx.Client(base_url=stack.url, timeout=20)
    answer = stack.submit(browser, "/login", "/login", identifier=name, password=password, **more)
    assert answer.status_code == 303, answer.text
    return browser


def test_a_newcomer_is_let_in_after_confirming_the_address(stack: Stack) -> None:
    person = stack.new_person("newcomer", confirmed=False)
    assert person.client.get("/api/v1/timelines/home").status_code == 403
    assert "confirmed" in person.client.get("/api/v1/accounts/verify_credentials").json()["error"]
    stack.confirm(person.name)
    assert person.get("/api/v1/accounts/verify_credentials")["username"] == person.name


def test_what_is_wrong_with_a_registration_is_told_field_by_field(stack: Stack) -> None:
    taken = stack.new_person("taken")
    _, token = stack.app_token()
    with stack.client(token) as client:
        answer = client.post(
            "/api/v1/accounts", json={"username": taken.name, "email": "nonsense", "password": "short", "agreement": False}
        )
    assert answer.status_code == 422
    details = {name: [problem["error"] for problem in problems] for name, problems in answer.json()["details"].items()}
    assert details == {"username": ["ERR_TAKEN"], "email": ["ERR_INVALID"], "password": ["ERR_TOO_SHORT"], "agreement": ["ERR_ACCEPTED"]}
    assert answer.json()["error"].startswith("Validation failed: ")


def test_passwords_are_kept_as_argon2id(stack: Stack) -> None:
    person = stack.new_person()
    with psycopg.connect(stack.database("auth")) as connection:
        row = connection.execute("SELECT password_hash FROM accounts WHERE username = %s", (person.name,)).fetchone()
    assert row is not None
    assert row[0].startswith("$argon2id$")


def test_logging_in_and_out_of_the_pages(stack: Stack) -> None:
    person = stack.new_person("walker")
    browser = log_in(stack, person.name)
    home = browser.get("/")
    assert f"@{person.name}" in home.text
    token = re.search(r'action="/logout"[^>]*><input type="hidden" name="csrf_token" value="([^"]+)"', home.text)
    assert token is not None
    assert browser.post("/logout", data={"csrf_token": token[1]}).status_code == 303
    assert f"@{person.name}" not in browser.get("/").text


def test_a_wrong_password_and_an_unknown_name_look_the_same(stack: Stack) -> None:
    person = stack.new_person()
    with httpx.Client(base_url=stack.url) as browser:
        wrong = stack.submit(browser, "/login", "/login", identifier=person.name, password="something else")
        unknown = stack.submit(browser, "/login", "/login", identifier="nobody_at_all", password="something else")
    assert wrong.status_code == unknown.status_code == 401
    assert "The name, address or password is wrong." in wrong.text
    assert apart_from_tokens(wrong).replace(person.name, "X") == apart_from_tokens(unknown).replace("nobody_at_all", "X")


def test_remembered_sessions_outlive_the_browser(stack: Stack) -> None:
    person = stack.new_person()
    with httpx.Client(base_url=stack.url) as browser:
        kept = stack.submit(browser, "/login", "/login", identifier=person.name, password="correct horse battery", remember="y")
    with httpx.Client(base_url=stack.url) as browser:
        short = stack.submit(browser, "/login", "/login", identifier=person.name, password="correct horse battery")
    cookie = next(value for value in kept.headers.get_list("set-cookie") if value.startswith("session="))
    assert "Max-Age=2592000" in cookie
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert all("Max-Age" not in value for value in short.headers.get_list("set-cookie") if value.startswith("session="))


def test_a_forgotten_password_is_reset_by_mail_and_ends_all_sessions(stack: Stack) -> None:
    person = stack.new_person("forgetful")
    old = log_in(stack, person.name)
    with httpx.Client(base_url=stack.url) as browser:
        known = stack.submit(browser, "/reset", email=f"{person.name}@people.example")
        stranger = stack.submit(browser, "/reset", email="nobody@people.example")
        assert apart_from_tokens(known) == apart_from_tokens(stranger)
        link = stack.mailed_link(f"{person.name}@people.example", "/reset/use?")
        path = link[link.index("/reset/use?") :]
        assert stack.submit(browser, path, "/reset/use", password="an entirely new one").status_code == 303
        again = stack.submit(browser, path, "/reset/use", password="and yet another")
        assert "no longer valid" in again.text
    wait_for(lambda: f"@{person.name}" not in old.get("/").text, "the old session to end")
    wait_for(lambda: person.client.get("/api/v1/timelines/home").status_code == 401, "the old token to end")
    assert log_in(stack, person.name, "an entirely new one").get("/").status_code == 200


def test_a_link_to_reset_is_good_for_half_an_hour(stack: Stack) -> None:
    person = stack.new_person("late")
    with stack.browser() as browser:
        assert stack.submit(browser, "/reset", email=f"{person.name}@people.example").status_code == 200
        link = stack.mailed_link(f"{person.name}@people.example", "/reset/use?")
        mine = f"account_id = {person.id} AND kind = 'reset'"
        assert run(stack, "auth", f"SELECT round(extract(epoch FROM expires_at - created_at)) FROM requests WHERE {mine}") == [(1800,)]
        run(stack, "auth", f"UPDATE requests SET expires_at = now() WHERE {mine}")
        late = stack.submit(browser, link[link.index("/reset/use?") :], "/reset/use", password="an entirely new one")
        assert (late.status_code, "no longer valid" in late.text) == (422, True)
    log_in(stack, person.name).close()


def test_nothing_that_opens_an_account_can_be_read_in_the_database(stack: Stack) -> None:
    person, (app, token) = stack.new_person("careful"), stack.app_token()
    with stack.browser() as browser:
        stack.submit(browser, "/login", "/login", identifier=person.name, password="correct horse battery")
        stack.submit(browser, "/reset", email=f"{person.name}@people.example")
        session = browser.cookies["session"]
    link = stack.mailed_link(f"{person.name}@people.example", "/reset/use?")
    opening = [person.token, token, app["client_secret"], session, parse_qs(urlsplit(link).query)["token"][0], "correct horse battery"]
    tables = [name for (name,) in run(stack, "auth", "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    kept = " ".join(str(row) for table in tables for (row,) in run(stack, "auth", f"SELECT to_jsonb(t)::text FROM {table} t"))
    assert person.name in kept
    assert [secret for secret in opening if secret in kept or secret.encode().hex() in kept] == []


def test_the_code_flow_with_pkce_gives_a_token_once(stack: Stack) -> None:
    person, verifier = stack.new_person("coder"), secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    redirect = "https://client.example/back"
    with stack.client() as client:
        app = client.post("/api/v1/apps", json={"client_name": "An app", "redirect_uris": [redirect], "scopes": "read write"}).json()
        browser = log_in(stack, person.name)
        asked = f"client_id={app['client_id']}&redirect_uri={redirect}&scope=read&state=s1&response_type=code"
        page = f"/oauth/authorize/?{asked}&code_challenge={challenge}&code_challenge_method=S256"
        assert "An app" in browser.get(page).text
        granted = stack.submit(browser, page, "/oauth/authorize", decision="approve")
        query = parse_qs(urlsplit(granted.headers["location"]).query)
        assert granted.headers["location"].startswith(redirect)
        assert query["state"] == ["s1"]
        exchange = {"grant_type": "authorization_code", "code": query["code"][0], "redirect_uri": redirect, "client_id": app["client_id"]}
        assert client.post("/oauth/token", data={**exchange, "code_verifier": "x" * 50}).json()["error"] == "invalid_grant"
        token = client.post("/oauth/token", data={**exchange, "code_verifier": verifier}).json()
        assert (token["token_type"], token["scope"]) == ("Bearer", "read")
        assert isinstance(token["created_at"], int)
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        assert client.get("/api/v1/accounts/verify_credentials", headers=bearer).json()["username"] == person.name
        outside = client.post("/api/v1/statuses", json={"status": "x"}, headers=bearer)
        assert (outside.status_code, outside.json()["error"]) == (403, "This action is outside the authorized scopes")
        assert client.post("/oauth/token", data={**exchange, "code_verifier": verifier}).status_code == 400
        wait_for(
            lambda: client.get("/api/v1/accounts/verify_credentials", headers=bearer).status_code == 401, "a reused code to end its token"
        )


def test_an_unregistered_redirect_is_never_followed(stack: Stack) -> None:
    app, _ = stack.app_token()
    browser = log_in(stack, stack.new_person().name)
    answer = browser.get(f"/oauth/authorize?client_id={app['client_id']}&redirect_uri=https://evil.example/&response_type=code&scope=read")
    assert answer.status_code == 400
    assert "location" not in answer.headers


def test_revoked_tokens_stop_at_once_and_unknown_ones_are_fine(stack: Stack) -> None:
    app, token = stack.app_token()
    with stack.client() as client:
        named = {"client_id": app["client_id"], "client_secret": app["client_secret"]}
        bearer = {"Authorization": f"Bearer {token}"}
        assert client.get("/api/v1/apps/verify_credentials", headers=bearer).status_code == 200
        assert client.post("/oauth/revoke", data={**named, "token": token}).status_code == 200
        assert client.get("/api/v1/apps/verify_credentials", headers=bearer).status_code == 401
        assert client.post("/oauth/revoke", data={**named, "token": "nonsense"}).json() == {}


def test_clients_discover_what_they_need(stack: Stack) -> None:
    with stack.client() as client:
        told = client.get("/.well-known/oauth-authorization-server").json()
        assert told["token_endpoint"] == f"{stack.url}/oauth/token"
        assert told["code_challenge_methods_supported"] == ["S256"]
        assert "password" not in told["grant_types_supported"]


def test_apps_take_nobodys_password_unless_a_setting_says_so(stack: Stack) -> None:
    person, (app, _) = stack.new_person(), stack.app_token()
    asked = {"grant_type": "password", "username": person.name, "password": "correct horse battery"}
    with stack.client() as client:
        refused = client.post("/oauth/token", data={**asked, "client_id": app["client_id"], "client_secret": app["client_secret"]})
    assert (refused.status_code, refused.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.usefixtures("throttled")
def test_guessing_passwords_is_throttled(stack: Stack) -> None:
    person = stack.new_person("guessed")
    begin_early_in_a_window()
    with httpx.Client(base_url=stack.url, timeout=20) as browser:
        statuses = [stack.submit(browser, "/login", "/login", identifier=person.name, password=f"guess {n}").status_code for n in range(11)]
    assert statuses == [401] * 10 + [429]


@pytest.mark.usefixtures("throttled")
def test_guessing_a_password_from_within_is_throttled_too(stack: Stack) -> None:
    browser = log_in(stack, stack.new_person("lent").name)
    begin_early_in_a_window()
    for number in range(10):
        guess = {"current": f"guess {number}"}
        changed = stack.submit(browser, "/settings", "/settings/password", **guess, new="an entirely new one")
        assert "The current password is wrong" in changed.text
    for path, more in (("/settings/password", {"new": "an entirely new one"}), ("/settings/delete", {})):
        page = "/settings" if more else path
        assert "Too many requests" in stack.submit(browser, page, path, current="correct horse battery", **more).text
    assert browser.get("/settings").status_code == 200


@pytest.mark.usefixtures("throttled")
def test_mails_are_sent_a_few_times_only(stack: Stack) -> None:
    waiting = stack.new_person("waiting", confirmed=False)
    begin_early_in_a_window()
    assert [waiting.client.post("/api/v1/emails/confirmations").status_code for _ in range(6)] == [200] * 5 + [429]
    with stack.browser() as browser:
        asked = [stack.submit(browser, "/reset", email=f"{waiting.name}@people.example").status_code for _ in range(6)]
    assert asked == [200] * 5 + [429]


@alone
@pytest.mark.usefixtures("throttled")
def test_guessing_links_is_throttled(stack: Stack) -> None:
    begin_early_in_a_window()
    with stack.browser() as browser:
        hidden, _ = stack.form(browser, "/reset/use?token=1.x", "/reset/use")
        guess = {"csrf_token": hidden["csrf_token"], "link": "1.guess", "password": "an entirely new one"}
        guesses = [browser.post(path, data=guess).status_code for path in ("/reset/use", "/confirm") * 15]
        assert guesses == [422] * 30
        assert [browser.post(path, data=guess).status_code for path in ("/reset/use", "/confirm")] == [429, 429]


@alone
@pytest.mark.usefixtures("throttled")
def test_guessing_the_secrets_of_apps_is_throttled_and_so_is_making_apps(stack: Stack) -> None:
    app, token = stack.app_token()
    guess = {"grant_type": "client_credentials", "client_id": app["client_id"], "client_secret": "a guess", "token": token}
    begin_early_in_a_window()
    with stack.browser() as client:  # from an address of its own
        statuses = [client.post("/oauth/token", data=guess).status_code for _ in range(300)]
        assert statuses == [401] * 300
        refused = client.post("/oauth/token", data=guess)
        assert (refused.status_code, refused.json()["error"]) == (429, "Too many requests")
        assert client.post("/oauth/revoke", data=guess).status_code == 429
        new = {"client_name": "one of many", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob"}
        assert [client.post("/api/v1/apps", json=new).status_code for _ in range(101)] == [200] * 100 + [429]


def test_the_first_admin_is_made_on_the_command_line(stack: Stack) -> None:
    name = f"boss_{secrets.token_hex(3)}"
    made = operate(stack, "accounts", "create-account", "--username", name, "--email", f"{name}@people.example", "--role", "admin")
    password = made.rsplit("password: ", 1)[1].strip()
    browser = log_in(stack, name, password)
    assert "<textarea" in browser.get("/announcements").text


def live(stack: Stack) -> tuple[Person, Person, str, str]:
    """Somebody with a post in every service, and a friend who knows them; the word of the post, and its id."""
    leaver, friend = stack.new_person("leaver"), stack.new_person("friend")
    word = f"farewell{secrets.token_hex(4)}"
    leaver.follow(friend)
    friend.follow(leaver)
    media = leaver.client.post("/api/v2/media", files={"file": ("p.jpg", picture())}, data={"description": word}).json()["id"]
    post = leaver.write(f"{word} @{friend.name}", media_ids=[media])["id"]
    leaver.write(f"@{friend.name} {word}", visibility="direct")
    own = friend.write("still here")["id"]
    leaver.post(f"/api/v1/statuses/{own}/favourite")
    leaver.post("/api/v1/lists", title=word)
    wait_for(lambda: friend.get("/api/v2/search", q=word, type="statuses")["statuses"], "the post by its word")
    wait_for(lambda: len(friend.get("/api/v1/notifications", account_id=leaver.id)) == 4, "what the friend is told")
    assert friend.get(f"/api/v1/statuses/{own}")["favourites_count"] == 1
    return leaver, friend, word, post


def gone_everywhere(stack: Stack, leaver: Person, friend: Person, word: str, post: str) -> None:
    def nothing_left() -> bool:
        answers = [
            friend.client.get(f"/api/v1/statuses/{post}").status_code == 404,
            friend.client.get(f"/api/v1/accounts/{leaver.id}").status_code == 404,
            friend.get("/api/v2/search", q=word) | {"highlights": {}} == {"accounts": [], "statuses": [], "hashtags": [], "highlights": {}},
            friend.get("/api/v1/accounts/search", q=leaver.name) == [],
            friend.get("/api/v1/notifications", account_id=leaver.id) == [],
            friend.get("/api/v1/conversations") == [] or word not in str(friend.get("/api/v1/conversations")),
        ]
        return all(answers)

    wait_for(nothing_left, "everything to be gone")
    me = friend.get("/api/v1/accounts/verify_credentials")
    assert (me["followers_count"], me["following_count"]) == (0, 0)
    assert [entry["favourites_count"] for entry in friend.get(f"/api/v1/accounts/{friend.id}/statuses")] == [0]
    only = f"account_id = {leaver.id}"
    kept = {
        "auth": (f"SELECT email, password_hash FROM accounts WHERE id = {leaver.id}", ("", "")),
        "posts": (f"SELECT count(*) FROM posts WHERE author_id = {leaver.id} AND deleted_at IS NULL", (0,)),
        "social": (f"SELECT display_name, note_source FROM profiles WHERE {only}", ("", "")),
        "notify": (f"SELECT username FROM people WHERE {only}", ("",)),
        "translate": (f"SELECT count(*) FROM sources WHERE author_id = {leaver.id} AND html <> ''", (0,)),
    }
    for service, (question, emptied) in kept.items():  # each hears of it in its own time
        wait_for(lambda s=service, q=question, e=emptied: run(stack, s, q) == [e] or None, f"{service} to have emptied what it kept")  # type: ignore[misc]


def test_somebody_deletes_their_account_and_it_is_gone_in_every_service(stack: Stack) -> None:
    leaver, friend, word, post = live(stack)
    browser, elsewhere = log_in(stack, leaver.name), log_in(stack, leaver.name)
    wrong = stack.submit(browser, "/settings/delete", "/settings/delete", current="something else")
    assert (wrong.status_code, "The current password is wrong" in wrong.text) == (422, True)
    assert leaver.get("/api/v1/accounts/verify_credentials")["id"] == leaver.id
    answer = stack.submit(browser, "/settings/delete", "/settings/delete", current="correct horse battery")
    assert answer.status_code == 303, answer.text
    assert "Your account is deleted." in browser.get("/").text
    assert leaver.client.get("/api/v1/accounts/verify_credentials").status_code == 401
    assert f"@{leaver.name}" not in elsewhere.get("/").text
    assert friend.client.get(f"/api/v1/accounts/{leaver.id}").status_code == 404
    again = stack.submit(browser, "/login", "/login", identifier=leaver.name, password="correct horse battery")
    assert again.status_code == 401
    gone_everywhere(stack, leaver, friend, word, post)


def test_an_operator_deletes_an_account(stack: Stack) -> None:
    leaver, friend, word, post = live(stack)
    assert f"{leaver.name} is deleted" in operate(stack, "accounts", "delete-account", leaver.name, "--yes")
    wait_for(lambda: leaver.client.get("/api/v1/accounts/verify_credentials").status_code == 401, "the token to end")
    gone_everywhere(stack, leaver, friend, word, post)
