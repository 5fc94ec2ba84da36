"""What holds for every page: tokens, headers, no foreign or inline code, labels, errors that are pages."""

import re
from html import escape, unescape

import pytest
from pages import INLINE, PASSWORD, Browse
from stack import Stack, picture, wait_for


def test_forms_without_the_token_of_this_visitor_are_refused(stack: Stack, browse: Browse) -> None:
    person, other = stack.new_person(), stack.new_person("other")
    browser = browse(person)
    own, _ = stack.form(browser, "/", "/posts")
    foreign, _ = stack.form(browse(other), "/", "/posts")
    anonymous, _ = stack.form(browse(), "/login", "/login")
    for token in ({}, {"csrf_token": ""}, foreign, anonymous, {"csrf_token": own["csrf_token"][:-1]}):
        for path, fields in (
            ("/posts", {"status": "forged"}),
            ("/logout", {}),
            ("/settings/mail", {"follow": "y"}),
            ("/settings/profile", {"display_name": "forged"}),
            (f"/@{other.name}/follow", {}),
            ("/follow_requests", {"id": "1"}),
            ("/language", {"language": "de"}),
            ("/oauth/authorize", {"decision": "approve"}),
        ):
            assert browser.post(path, data={**token, **fields}).status_code == 403, path
    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
    ):
        assert browser.post("/posts", data={**own, "status": "forged"}, headers=headers).status_code == 403
    assert person.get(f"/api/v1/accounts/{person.id}/statuses") == []
    assert browser.post("/posts", data={**own, "status": "mine"}, headers={"Origin": stack.url}).status_code == 303


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/%0d%0aX: y\r\nX: y",
        "http:evil.example",
    ],
)
def test_nobody_is_sent_to_another_site(stack: Stack, browse: Browse, target: str) -> None:
    person = stack.new_person()
    with stack.browser() as browser:
        assert target not in unescape(browser.get("/login", params={"next": target}).text)
        answer = stack.submit(browser, "/login", "/login", identifier=person.name, password=PASSWORD, next=target)
        assert answer.headers["location"] == "/"
        for action in ("/posts", "/language"):
            answer = stack.submit(browser, "/", action, status="x", language="en", next=target)
            assert answer.headers["location"] == "/"


def test_what_people_type_is_never_markup(stack: Stack, browse: Browse) -> None:
    person, hostile = stack.new_person("hostile"), "<script>alert(1)</script>"
    person.client.patch(
        "/api/v1/accounts/update_credentials", json={"display_name": hostile, "note": f"{hostile}<img src=x onerror=alert(1)>"}
    )
    status = person.write(f"{hostile} <img src=x onerror=alert(1)> [x](javascript:alert(1))", spoiler_text=f'"{hostile}')
    media = person.client.post(
        "/api/v2/media", files={"file": ("a.jpg", picture(), "image/jpeg")}, data={"description": f'"{hostile}'}
    ).json()
    person.write(f"pictured {hostile}", media_ids=[media["id"]])
    reader = stack.new_person("reader")
    reader.follow(person)
    person.write(f"@{reader.name} {hostile}")
    browser = browse(reader)
    wait_for(lambda: escape(hostile) in browser.get("/notifications").text, "the notification")
    for path in (
        "/",
        "/public",
        f"/@{person.name}",
        f"/@{person.name}/media",
        f"/@{person.name}/{status['id']}",
        "/notifications",
        f"/@{reader.name}/following",
    ):
        text = browser.get(path).text
        assert "alert(1)" in text or path.startswith(f"/@{reader.name}"), path
        assert "<script>" not in text, path
        assert "<img src=x" not in text, path
        assert 'href="javascript' not in text, path
        assert not INLINE.search(text), path


@pytest.mark.parametrize("path", ["/", "/login", "/public", "/api/docs", "/nowhere", "/settings", "/static/0/site.css"])
def test_every_page_carries_the_headers_that_keep_it_safe(stack: Stack, browse: Browse, path: str) -> None:
    headers = browse().get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    if path.startswith("/static/"):
        assert "immutable" in headers["cache-control"]
        return
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["form-action"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "private, no-store"
    assert all("HttpOnly" in cookie and "samesite=lax" in cookie.lower() for cookie in headers.get_list("set-cookie"))


def test_pages_use_nothing_from_elsewhere_and_no_inline_code(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    person.write("hello")
    browser = browse(person)
    for path in (
        "/",
        f"/@{person.name}",
        "/settings",
        "/settings/profile",
        "/settings/hashtags",
        "/people",
        "/search?q=x",
        "/notifications",
        "/announcements",
        "/about",
        "/api/docs",
    ):
        page = browser.get(path)
        assert page.status_code == 200, path
        assert not re.search(r"<style|<script(?![^>]*\ssrc=)", page.text), path
        assert not INLINE.search(page.text), path
        for address in re.findall(r'<(?:script|img|link)[^>]*\s(?:src|href)="([^"]+)"', page.text):
            assert address.startswith(("/static/", f"{stack.url}/media/")), address
            assert browser.get(address).status_code == 200, address


def test_every_form_field_has_a_label_and_every_picture_a_description(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    browser = browse(person)
    for path in ("/", "/settings", "/settings/profile", "/settings/hashtags", "/people", "/search", "/login", "/register", "/reset"):
        text = browser.get(path).text
        labelled = set(re.findall(r'<label[^>]*\sfor="([^"]+)"', text))
        fields = re.findall(r'<(?:input|textarea|select)(?![^>]*type="hidden")[^>]*>', text)
        unnamed = [f for f in fields if "aria-label=" not in f and not labelled & set(re.findall(r'\sid="([^"]+)"', f))]
        assert unnamed == [], path
        assert [image for image in re.findall(r"<img[^>]*>", text) if "alt=" not in image] == [], path
        ids = re.findall(r'\sid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), path


def test_what_is_not_there_or_not_well_is_said_on_a_page_in_the_readers_language(stack: Stack, browse: Browse) -> None:
    browser = browse(**{"Accept-Language": "de"})
    for path in ("/nowhere", "/@nobody_at_all", "/@nobody_at_all/123", f"/@x/{2**70}", "/tags/" + "x" * 300):
        page = browser.get(path)
        assert page.status_code in (200, 404) if path.startswith("/tags/") else page.status_code == 404, path
        assert '<html lang="de" ' in page.text
