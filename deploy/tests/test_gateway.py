"""The gateway's door, end to end: what it lets in, what it says when it doesn't, and what it tells of the server."""

import gzip
import json
import os
import re
import secrets
import signal
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

import composed
import httpx
import pytest
from common.identity import HEADER, Identity, Signer, generate_key
from gateway.routes import ROUTES
from stack import Person, Stack, wait_for

HOME = "/api/v1/timelines/home"
PARAMETER = re.compile(r"{\w+}")


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and sentence of an error; fails unless it is in the form that clients of the Mastodon API read."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    told = answer.json()["error"]
    assert isinstance(told, str)
    return answer.status_code, told


def in_chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 65_536 + 1):
        yield b"x" * 65_536


@pytest.mark.parametrize("path", [HOME, "/api/v1/nonsense", "/oauth/token", "/media/posts/x.png", "/.well-known/nodeinfo"])
def test_browsers_may_call_from_any_page(stack: Stack, path: str) -> None:
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}
    with stack.client() as client:
        allowed = client.options(path, headers=asked)
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == "*"
        assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(allowed.headers["access-control-allow-methods"].split(", "))
        assert {"Authorization", "Content-Type", "Idempotency-Key"} <= set(allowed.headers["access-control-allow-headers"].split(", "))
        assert int(allowed.headers["access-control-max-age"]) >= 600
        assert "access-control-allow-credentials" not in allowed.headers
        answer = client.get(path, headers={"Origin": "https://app.example"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert {"Link", "X-RateLimit-Remaining", "X-Request-Id"} <= set(answer.headers["access-control-expose-headers"].split(", "))


def test_pages_are_not_for_other_origins(stack: Stack) -> None:
    with stack.client() as client:
        assert "access-control-allow-origin" not in client.get("/login", headers={"Origin": "https://app.example"}).headers


def test_errors_are_what_clients_expect(stack: Stack) -> None:
    person = stack.new_person()
    with stack.client() as nobody, stack.client("nonsense") as stranger, stack.client(stack.app_token()[1]) as app:
        assert refusal(nobody.get(HOME)) == (401, "The access token is invalid")
        assert refusal(stranger.get("/api/v1/timelines/public")) == (401, "The access token is invalid")
        assert refusal(app.get(HOME)) == (422, "This method requires an authenticated user")
        assert refusal(nobody.get("/api/v1/nothing/here")) == (404, "Record not found")
        assert refusal(nobody.get("/api/v1/statuses/abc")) == (404, "Record not found")
        assert refusal(nobody.get(f"/api/v1/statuses/{2**70}")) == (404, "Record not found")
        wrong = nobody.delete(HOME)
        assert refusal(wrong) == (405, "Method not allowed")
        assert wrong.headers["allow"] == "GET"
        assert refusal(nobody.get("/api/v1/statuses/1", params={"x": "y" * 8_000})) == (414, "The address is too long")
    assert refusal(person.client.post("/api/v1/admin/announcements", json={"text": "x"}))[0] == 403
    assert refusal(person.client.post("/api/v1/statuses", json={"status": " "})) == (422, "Validation failed: Text can't be blank")


@pytest.mark.parametrize("path", ["/api/v1/statuses", "/api/v1/markers", "/api/v1/apps", "/oauth/token"])
@pytest.mark.parametrize("body", [b'{"status": ', b"[1, 2]", b"\xff\xfe", b"[" * 5_000])
def test_what_is_no_json_object_is_refused_in_words(stack: Stack, path: str, body: bytes) -> None:
    person = stack.new_person()
    answer = person.client.post(path, content=body, headers={"Content-Type": "application/json"})
    status, told = refusal(answer)
    assert status in (400, 422)
    assert "JSON" in told or path == "/oauth/token"


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(stack: Stack) -> None:
    person = stack.new_person()
    kind = {"Content-Type": "application/json"}
    assert refusal(person.client.post("/api/v1/statuses", content=b"x" * 1_100_000, headers=kind)) == (413, "The request is too large")
    assert refusal(person.client.post("/api/v1/statuses", content=in_chunks(1_100_000), headers=kind)) == (413, "The request is too large")
    assert person.write("still here")["content"] == "<p>still here</p>"


def test_identities_come_from_tokens_and_never_from_headers(stack: Stack) -> None:
    victim, attacker = stack.new_person("victim"), stack.new_person("attacker")
    private = victim.write("for followers", visibility="private")
    kept = json.loads((stack.data / "secrets.json").read_text())
    identity = Identity(kind="user", account_id=int(victim.id), name=victim.name, scopes=frozenset({"read", "write"}))
    for key in (generate_key("gateway")[0], kept["gateway_key"]["private"]):
        for name in (HEADER, HEADER.upper(), HEADER.replace("-", "_")):
            forged = {name: Signer(key).sign(identity, "social"), "X-Microblog-Reply-Author": victim.id}
            with stack.client() as nobody:
                assert refusal(nobody.get(HOME, headers=forged))[0] == 401
                assert refusal(nobody.get(f"/api/v1/statuses/{private['id']}", headers=forged))[0] == 404
            assert attacker.client.get("/api/v1/accounts/verify_credentials", headers=forged).json()["id"] == attacker.id
            assert attacker.client.get(f"/api/v1/statuses/{private['id']}", headers=forged).status_code == 404


def test_what_only_the_gateway_may_ask_of_services_is_not_there_for_others(stack: Stack) -> None:
    person = stack.new_person()
    for path in ("/internal/introspect", "/internal/render", "/internal/carried/posts", "/internal/instance"):
        assert person.client.get(path).status_code == 404
        assert person.client.post(path, json={"token": person.token}).status_code == 404
    assert person.client.get("/api/../internal/instance").status_code == 404
    assert person.client.get("/api/v1/accounts/..%2f..%2f..%2finternal%2finstance").status_code == 404
    assert person.client.get("/media/posts/..%2f..%2finternal%2finstance").status_code == 404


def test_a_session_opens_pages_and_never_the_api(stack: Stack) -> None:
    person = stack.new_person()
    with stack.browser() as browser:
        stack.submit(browser, "/login", "/login", identifier=person.name, password="correct horse battery")
        assert f"@{person.name}" in browser.get("/").text
        assert refusal(browser.get(HOME)) == (401, "The access token is invalid")
        assert refusal(browser.post("/api/v1/statuses", json={"status": "forged"}))[0] == 401
        session = browser.cookies["session"]
        assert refusal(browser.get(HOME, headers={"Authorization": f"Bearer {session}"}))[0] == 401
    with httpx.Client(base_url=stack.url, cookies={"session": person.token}) as browser:
        assert browser.get("/settings").status_code == 303


def test_who_is_no_trusted_proxy_does_not_say_where_a_call_comes_from(stack: Stack) -> None:
    person = stack.new_person()
    lies = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Real-IP": "6.6.6.6",
        "Forwarded": "for=6.6.6.6;host=evil.example",
        "X-Forwarded-Host": "evil.example",
    }
    with stack.browser(**lies) as browser:
        stack.submit(browser, "/login", "/login", identifier=person.name, password="correct horse battery")
        settings = browser.get("/settings").text
        assert re.search(r"\b(127|10|172|192\.168)\.\d+\.\d+", settings), "loopback, or the containers' network"
        assert "6.6.6.6" not in settings
        assert "evil.example" not in browser.get("/").text
        link = browser.get("/api/v1/timelines/public", params={"limit": 1}).headers.get("link", "")
    assert "evil.example" not in link


def test_readiness_names_what_is_not_ready_and_the_process_itself_stays_well(stack: Stack) -> None:
    with stack.client() as client:
        assert client.get("/health/ready").json() == {"ready": True, "waiting": {}}
        worker = stack.processes()["translate worker"]
        os.kill(worker, signal.SIGSTOP)
        try:
            waiting = wait_for(lambda: client.get("/health/ready").json()["waiting"], "something that isn't ready")
            assert list(waiting) == ["translate worker"]
            assert waiting["translate worker"]
            assert client.get("/health/ready").status_code == 503
            for path in ("/health/live", "/health/self"):
                assert client.get(path).json() == {"name": "gateway", "ready": True, "reasons": []}
        finally:
            os.kill(worker, signal.SIGCONT)
        wait_for(lambda: client.get("/health/ready").status_code == 200, "the stack to be ready again")


def test_answers_are_named_compressed_and_not_kept_by_anybody_else(stack: Stack) -> None:
    person = stack.new_person()
    for number in range(3):
        person.write(f"a post of some length, number {number}")
    path = f"/api/v1/accounts/{person.id}/statuses"
    first, second = (person.client.get(path, headers={"Accept-Encoding": "gzip"}) for _ in range(2))
    assert first.headers["content-encoding"] == "gzip"
    assert len(first.json()) == 3
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.headers["cache-control"] == "private, no-store"
    assert {"Authorization", "Accept-Encoding"} <= set(first.headers["vary"].split(", "))
    with person.client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as raw:
        assert len(json.loads(gzip.decompress(b"".join(raw.iter_raw())))) == 3
    assert "content-encoding" not in person.client.get(path, headers={"Accept-Encoding": "identity"}).headers


def test_a_head_request_is_answered_like_a_get_without_the_body(stack: Stack) -> None:
    with stack.client() as client:
        for path in ("/api/v1/timelines/public", "/api/v2/instance", stack.new_person().account["avatar"]):
            got, head = (client.request(method, path, headers={"Accept-Encoding": "identity"}) for method in ("GET", "HEAD"))
            assert (head.status_code, head.content) == (got.status_code, b"") == (200, b"")
            assert head.headers["content-length"] == str(len(got.content))


def test_what_a_client_encoded_arrives_as_it_was_sent(stack: Stack) -> None:
    person, tag = stack.new_person(), f"größe{secrets.token_hex(3)}"
    status = person.write(f"#{tag}")
    assert person.get(f"/api/v1/tags/{tag}")["name"] == tag
    page = person.client.get(f"/api/v1/timelines/tag/{tag}")
    assert page.status_code == 200
    assert [entry["id"] for entry in page.json()] == [status["id"]]
    assert page.headers["link"].isascii()
    assert person.get("/api/v1/accounts/lookup", acct=f"@{person.name}@localhost:{stack.port}")["id"] == person.id


def test_the_server_describes_itself_in_every_form_that_clients_know(stack: Stack) -> None:
    with stack.client() as client:
        new, old = client.get("/api/v2/instance").json(), client.get("/api/v1/instance").json()
        assert new["domain"] == old["uri"] == f"localhost:{stack.port}"
        assert new["configuration"] == old["configuration"]
        assert new["configuration"]["statuses"]["max_characters"] == 5000
        assert new["configuration"]["translation"] == {"enabled": not composed.wanted()}
        assert new["configuration"]["media_attachments"]["image_size_limit"] == 16 * 2**20
        assert (new["registrations"]["enabled"], old["registrations"]) == (True, True)
        assert re.match(r"\d+\.\d+\.\d+ \(compatible; Microblog ", new["version"])
        assert set(old["stats"]) == {"user_count", "status_count", "domain_count"}
        assert client.get(new["thumbnail"]["url"]).headers["content-type"] == "image/png"
        assert client.get("/api/v1/instance/rules").json() == client.get("/api/v1/custom_emojis").json() == []
        languages = client.get("/api/v1/instance/translation_languages").json()
        assert ("de" in languages.get("en", [])) is not composed.wanted()  # where nobody translates
        link = client.get("/.well-known/nodeinfo").json()["links"][0]["href"]
        node = client.get(link).json()
        assert (node["version"], node["software"]["name"], node["openRegistrations"]) == ("2.0", "microblog", True)


def test_people_are_found_by_webfinger(stack: Stack) -> None:
    person = stack.new_person()
    with stack.client() as client:
        described = ElementTree.fromstring(client.get("/.well-known/host-meta").content)
        template = described[0].attrib["template"]
        told = client.get(template.replace("{uri}", f"acct:{person.name}@localhost:{stack.port}"))
        assert told.headers["content-type"].startswith("application/jrd+json")
        assert told.json()["links"][0]["href"] == f"{stack.url}/@{person.name}"
        assert client.get(template.replace("{uri}", f"acct:{person.name}@elsewhere.example")).status_code == 404
        assert client.get(template.replace("{uri}", f"acct:nobody@localhost:{stack.port}")).status_code == 404


def test_pictures_can_be_shown_anywhere_and_do_nothing(stack: Stack) -> None:
    person: Person = stack.new_person()
    with stack.client() as client:
        for kind in ("avatar", "avatar_static", "header", "header_static"):
            served = client.get(person.account[kind])
            assert served.headers["content-type"].startswith("image/"), kind
            assert served.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in served.headers["content-security-policy"]
            assert served.headers["access-control-allow-origin"] == "*"
            assert "public" in served.headers["cache-control"]


def test_the_merged_document_names_every_way_in_and_no_other(stack: Stack) -> None:
    with stack.client() as client:
        document = client.get("/api/openapi.json").json()
    told = {(method.upper(), PARAMETER.sub("{}", path)) for path, methods in document["paths"].items() for method in methods}
    ways = {(route.method, PARAMETER.sub("{}", route.template)) for route in ROUTES if route.limit not in ("none", "files")}
    assert sorted(ways - told) == []
    assert sorted(told - ways) == []


def test_people_can_read_what_the_api_is_on_a_page(stack: Stack) -> None:
    with stack.client() as client:
        page = client.get("/api/docs")
        document = client.get("/api/openapi.json").json()
    assert page.status_code == 200
    assert [path for path in document["paths"] if path not in page.text] == []


def test_the_merged_document_keeps_openapis_rules_on_ids_and_references(stack: Stack) -> None:
    with stack.client() as client:
        document = client.get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.")
    operations = [told for methods in document["paths"].values() for told in methods.values()]
    ids = Counter(told["operationId"] for told in operations if "operationId" in told)
    assert [name for name, times in ids.items() if times > 1] == []
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert sorted(references - set(document["components"]["schemas"])) == []


def test_no_two_paths_of_the_merged_document_differ_only_in_the_names_of_their_parameters(stack: Stack) -> None:
    """OpenAPI 3.1, section 4.8.8.2, takes such paths for the same one."""
    with stack.client() as client:
        document = client.get("/api/openapi.json").json()
    shapes = Counter(PARAMETER.sub("{}", path) for path in document["paths"])
    assert [shape for shape, times in shapes.items() if times > 1] == []
