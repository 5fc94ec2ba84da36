"""translate, end to end, against a provider that speaks Microsoft's contract."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fakes.translator import FakeTranslator
from microblog_local.plan import Plan, Ports, kept_secrets, read_settings
from operating import run
from pages import PASSWORD, Browse, words
from stack import Person, Stack, wait_for

_BUDGET = 100_000
_SPEND = """
    INSERT INTO usage AS u (day, characters) VALUES ((now() AT TIME ZONE 'UTC')::date, {0})
    ON CONFLICT (day) DO UPDATE SET characters = u.characters + {0}
"""


@pytest.fixture(autouse=True)
def _well(translator: FakeTranslator) -> Iterator[None]:
    yield
    translator.mode, translator.retry_after = "ok", ""


@pytest.fixture(scope="module")
def keyless(stack: Stack) -> Iterator[Stack]:
    """The same stack through a gateway of its own, behind which `translate` has no provider."""
    settings = read_settings(stack.data.parent / f"{stack.data.name}.env")
    processes = {one.name: one for one in Plan(Ports(stack.port), stack.data, settings).processes(kept_secrets(stack.data))}
    inner, door = stack.port + 25, stack.port + 26
    changed = {"GATEWAY_TRANSLATE_URL": f"http://127.0.0.1:{inner}", "MICROBLOG_REPLICA": "gateway-1"}
    with ExitStack() as running:
        for command, port, environment in (
            (
                ["common.serving", "translate.main:create_app"],
                inner,
                processes["translate api"].environment | {"TRANSLATE_PROVIDER": "none"},
            ),
            (["gateway.serving"], door, processes["gateway"].environment | changed),
        ):
            line = [sys.executable, "-m", *command, "--host", "127.0.0.1", "--port", str(port)]
            process = running.enter_context(subprocess.Popen(line, env={**os.environ, **environment}))
            running.callback(process.kill)
        for port in (inner, door):
            wait_for(lambda port=port: _answers(port), "a process without a key", 30)  # type: ignore[misc]
        yield replace(stack, port=door)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=3).status_code == 200
    except httpx.HTTPError:
        return False


def ask(reader: Person, status: Any, lang: str = "de") -> httpx.Response:
    return reader.client.post(f"/api/v1/statuses/{status['id']}/translate", json={"lang": lang})


def ask_on_page(stack: Stack, browser: httpx.Client, status: Any, **headers: str) -> httpx.Response:
    """Press the button under the post, as a browser without scripts does."""
    path = f"/@{status['account']['username']}/{status['id']}"
    hidden, target = stack.form(browser, path, f"{path}/translate#post-{status['id']}")
    return browser.post(target, data=hidden, headers=headers)


def test_a_post_is_translated_once_and_then_remembered(stack: Stack, translator: FakeTranslator) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    words = f"Good morning {secrets.token_hex(4)}"
    status = author.write(f"**{words}**", language="en")
    before = translator.calls
    for _ in range(2):
        made = reader.post(f"/api/v1/statuses/{status['id']}/translate", lang="de")
    assert made["content"] == f"<p><strong>[de] {words}</strong></p>"
    assert (made["language"], made["detected_source_language"], made["provider"]) == ("de", "en", "Microsoft")
    assert translator.calls == before + 1


def test_what_comes_back_is_sanitised_and_links_lead_where_they_led(stack: Stack, translator: FakeTranslator, browse: Browse) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    said = f"harmless {secrets.token_hex(4)} for @{author.name} #safe [here](https://example.com/here)"
    status = author.write(said, language="de", spoiler_text="careful")
    translator.mode = "hostile"
    made = ask(reader, status, "en").json()
    swapped = ask_on_page(stack, browse(reader), status, **{"X-Inline": "1"}).json()
    page = ask_on_page(stack, browse(reader), status)
    assert "harmless" in made["content"]
    assert swapped["content"] == made["content"] in page.text
    assert swapped["spoiler_text"] == made["spoiler_text"] == "[en] careful"
    for content in (made["content"], page.text):
        assert not [hostile for hostile in ("<script>", "alert(1)", "onclick", "evil.example") if hostile in content]
    for link in (f'href="{stack.url}/@{author.name}"', f'href="{stack.url}/tags/safe"', 'href="https://example.com/here"'):
        assert made["content"].count(link) == status["content"].count(link) == 1, link


def test_without_a_key_the_answer_and_the_page_say_so(keyless: Stack, translator: FakeTranslator) -> None:
    author, reader = keyless.new_person("author"), keyless.new_person("reader")
    status, before = author.write(f"bleibt lesbar {secrets.token_hex(4)}", language="de"), translator.calls
    refused = ask(reader, status, "en")
    assert (refused.status_code, refused.json()["error"]) == (503, "the translation service is not configured")
    assert "retry-after" not in refused.headers
    with keyless.client() as client:
        assert client.get("/api/v2/instance").json()["configuration"]["translation"] == {"enabled": False}
        assert client.get("/api/v1/instance/translation_languages").json() == {}
    with keyless.browser() as browser:
        assert keyless.submit(browser, "/login", "/login", identifier=reader.name, password=PASSWORD).status_code == 303
        page = words(ask_on_page(keyless, browser, status))
        swap = ask_on_page(keyless, browser, status, **{"X-Inline": "1"})
    assert "the translation service is not configured" in page
    assert "bleibt lesbar" in page
    assert (swap.status_code, swap.json()) == (503, {"error": "the translation service is not configured", "again": False})
    assert reader.get(f"/api/v1/statuses/{status['id']}")["content"] == status["content"]
    assert translator.calls == before


@pytest.mark.parametrize("mode", ["error", "broken"])
def test_a_provider_that_fails_is_told_and_the_original_stays(stack: Stack, translator: FakeTranslator, browse: Browse, mode: str) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    status = author.write(f"noch da {secrets.token_hex(4)}", language="de")
    translator.mode = mode
    failed = ask(reader, status, "fr")
    assert (failed.status_code, failed.json()["error"]) == (503, "the translation service failed")
    assert reader.get(f"/api/v1/statuses/{status['id']}")["content"] == status["content"]
    page = words(ask_on_page(stack, browse(reader), status))
    assert "the translation service failed" in page
    assert "noch da" in page
    translator.mode = "ok"
    assert "[en] noch da" in words(ask_on_page(stack, browse(reader), status))


def test_a_provider_that_names_a_time_is_left_alone_until_then(stack: Stack, translator: FakeTranslator) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    status = author.write(f"not now {secrets.token_hex(4)}", language="en")
    translator.mode, translator.retry_after = "limited", "2"
    first = ask(reader, status)
    translator.mode, calls = "ok", translator.calls
    second = ask(reader, status)
    for refused in (first, second):
        assert (refused.status_code, refused.json()["error"]) == (503, "the translation service failed")
        assert int(refused.headers["retry-after"]) in (1, 2)
    assert translator.calls == calls
    wait_for(lambda: ask(reader, status).status_code == 200, "the provider to be asked again", 5)
    assert translator.calls == calls + 1


def test_a_budget_that_is_spent_is_told_and_costs_no_more(stack: Stack, translator: FakeTranslator, browse: Browse) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    kept, new = (author.write(f"{said} {secrets.token_hex(4)}", language="de") for said in ("bekannt", "unbekannt"))
    assert ask(reader, kept, "en").status_code == 200
    run(stack, "translate", _SPEND.format(_BUDGET))
    calls = translator.calls
    try:
        refused, page, known = ask(reader, new, "en"), ask_on_page(stack, browse(reader), new), ask(reader, kept, "en")
    finally:
        run(stack, "translate", _SPEND.format(-_BUDGET))
    assert (refused.status_code, refused.json()["code"]) == (503, "translation_budget_spent")
    assert refused.json()["error"] == "the translation service failed: today's budget is used up"
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert "the translation service failed: today's budget is used up" in words(page)
    assert "unbekannt" in words(page)
    assert (known.status_code, translator.calls) == (200, calls)
    assert ask(reader, new, "en").status_code == 200


def test_an_edit_makes_a_translation_stale_and_private_posts_have_none(stack: Stack) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    status = author.write(f"old words {secrets.token_hex(4)}", language="en")
    reader.post(f"/api/v1/statuses/{status['id']}/translate", lang="de")
    fresh = f"new words {secrets.token_hex(4)}"
    author.client.put(f"/api/v1/statuses/{status['id']}", json={"status": fresh, "language": "en"})

    def translated() -> bool:
        answer = reader.client.post(f"/api/v1/statuses/{status['id']}/translate", json={"lang": "de"})
        assert "old words" not in answer.text
        return answer.status_code == 200 and fresh in answer.json()["content"]

    wait_for(translated, "the translation of the new words")
    private = author.write(f"@{reader.name} between us", visibility="direct", language="en")
    wait_for(
        lambda: reader.client.post(f"/api/v1/statuses/{private['id']}/translate", json={"lang": "de"}).status_code == 403,
        "a private post to be refused",
    )


def test_new_posts_are_translated_ahead_for_readers_who_asked_before(stack: Stack, translator: FakeTranslator) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    first = author.write(f"first {secrets.token_hex(4)}", language="en")
    reader.post(f"/api/v1/statuses/{first['id']}/translate", lang="it")
    words = f"second {secrets.token_hex(4)}"
    author.write(words, language="en")
    wait_for(lambda: any(words in text for text in translator.seen), "the next post to be translated before anybody asks")
