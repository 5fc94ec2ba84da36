"""What readers are answered, whatever the provider does."""

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from common.events import PollState
from common.testing.plugin import free_port
from fakes.server import serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio

NOT_CONFIGURED = {"error": "the translation service is not configured", "code": "translation_not_configured"}
FAILED = {"error": "the translation service failed", "code": "translation_failed"}
UNSUPPORTED = {"error": "Validation failed: this language isn't supported", "code": "unsupported_language"}


async def test_a_post_is_translated_with_its_warning_and_its_captions(world: "World") -> None:
    pictures = [world.picture(7, "Tom & Jerry"), world.picture(8, "")]
    post = await world.post("<p>hello <code>x = 1</code></p>", spoiler="1 < 2", media=pictures)
    assert await world.read(post, version=1) == {
        "content": "<p>[de] hello <code>x = 1</code></p>",
        "spoiler_text": "[de] 1 < 2",
        "language": "de",
        "detected_source_language": "en",
        "provider": "Microsoft",
        "media_attachments": [{"id": "7", "description": "[de] Tom & Jerry"}],
        "poll": None,
    }
    assert world.provider.calls == 1
    assert world.provider.seen[0] == '<p>hello <code id="k0" class="notranslate">x = 1</code></p>'


async def test_a_poll_is_translated_answer_by_answer(world: "World") -> None:
    poll = PollState(options=["tea & milk", "coffee"], expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    post = await world.post(poll=poll)
    wanted = {"id": str(post.post_id), "options": [{"title": "[de] tea & milk"}, {"title": "[de] coffee"}]}
    assert (await world.read(post))["poll"] == (await world.read(post))["poll"] == wanted
    assert world.provider.calls == 1
    edited = await world.edit(post, poll=poll.model_copy(update={"options": ["tea & milk", "water"], "revision": 2}))
    assert [option["title"] for option in (await world.read(edited))["poll"]["options"]] == ["[de] tea & milk", "[de] water"]
    assert world.provider.seen[-1] == "water"
    assert "[de] coffee" not in dict(await world.kept()).values()


async def test_without_a_language_it_is_the_readers_own(world: "World") -> None:
    post = await world.post()
    assert (await world.read(post, None, reader={"locale": "fr"}))["language"] == "fr"
    assert (await world.read(post, "", reader={"locale": "fr"}))["language"] == "fr"
    same = await world.ask(post, None)
    assert (same.status_code, same.json()["code"]) == (403, "same_language")


async def test_a_post_of_no_known_language_is_in_the_one_that_was_detected(world: "World") -> None:
    post = await world.post(language=None)
    assert [(await world.read(post))["detected_source_language"] for _ in range(2)] == ["en", "en"]
    assert world.provider.calls == 1


async def test_a_post_without_words_costs_nothing(world: "World") -> None:
    assert (await world.read(await world.post("")))["content"] == ""
    assert world.provider.calls == 0


async def test_without_a_provider_it_says_so(stranger: "World") -> None:
    world = await stranger.serve(PROVIDER="none")
    answer = await world.ask(await world.post())
    assert (answer.status_code, answer.json()) == (503, NOT_CONFIGURED)
    assert "retry-after" not in answer.headers
    assert (await world.client.get("/api/v1/instance/translation_languages")).json() == {}
    assert (await world.client.get("/internal/instance")).json()["configuration"]["translation"]["enabled"] is False
    assert world.provider.calls == 0


@pytest.mark.parametrize(
    ("mode", "wait"),
    [*((mode, 1) for mode in ("wrong key", "unreachable", "error", "slow", "broken")), ("limited", 30), ("away", 20), ("quota", 86_400)],
)
async def test_whatever_the_provider_does_wrong_the_answer_says_that_it_failed(stranger: "World", mode: str, wait: int) -> None:
    key = "another-key" if mode == "wrong key" else stranger.provider.key
    address = f"http://127.0.0.1:{free_port()}" if mode == "unreachable" else stranger.address
    world = await stranger.serve(MICROSOFT_KEY=key, MICROSOFT_ENDPOINT=address)
    world.provider.mode, world.provider.delay, world.provider.retry_after = mode, 1.0, "20" if mode == "away" else ""
    world.app.state.translator._client.timeout = httpx.Timeout(0.2)  # seven else
    answer = await world.ask(await world.post())
    assert (answer.status_code, answer.json()) == (503, FAILED)
    told = int(answer.headers["retry-after"])
    assert 0 < told <= wait if mode == "quota" else told == wait
    assert await world.kept() == []


@pytest.mark.parametrize(("mode", "most"), [("quota", 1), ("limited", 1), ("error", 5), ("broken", 5)])
async def test_a_provider_that_fails_is_left_alone_for_a_while(world: "World", mode: str, most: int) -> None:
    post = await world.post()
    world.provider.mode = mode
    answers = [await world.ask(post) for _ in range(8)]
    world.provider.mode = "ok"
    answers.append(await world.ask(post))
    assert {(answer.status_code, answer.json()["error"]) for answer in answers} == {(503, FAILED["error"])}
    assert world.provider.calls == most


async def test_a_failure_now_and_then_closes_nothing(world: "World") -> None:
    post = await world.post()
    for turn in range(3):
        world.provider.mode = "error"
        for _ in range(3):
            assert (await world.ask(post)).status_code == 503
        world.provider.mode = "ok"
        await world.read(await world.post(f"<p>number {turn}</p>"))


async def test_a_language_that_nobody_can_translate_to_is_the_readers_mistake(world: "World") -> None:
    post = await world.post()
    for wanted in ["ceb"] * 6 + ["english", "x"]:
        answer = await world.ask(post, wanted)
        assert (answer.status_code, answer.json()) == (422, UNSUPPORTED), wanted
    await world.read(post)


async def test_a_post_in_a_language_that_nobody_can_translate_is_said_to_be(world: "World") -> None:
    answer = await world.ask(await world.post(language="ceb"))
    assert (answer.status_code, answer.json()) == (
        403,
        {"error": "The language that this post is in can't be translated", "code": "unsupported_source_language"},
    )
    await world.read(await world.post(language="zh"))


async def test_chinese_is_translated_by_its_script_whoever_asks(world: "World") -> None:
    post = await world.post()
    assert [(await world.read(post, code))["language"] for code in ("zh", "zh-CN", "zh-Hans")] == ["zh-Hans"] * 3
    assert world.provider.calls == 1
    assert (await world.read(post, "zh-TW"))["language"] == "zh-Hant"


async def test_what_a_hostile_provider_sends_is_made_harmless(world: "World") -> None:
    world.provider.mode = "hostile"
    post = await world.post()
    for _ in range(2):
        content = (await world.read(post))["content"]
        assert "[de]" in content
        assert not re.search(r"script|alert|onclick", content)
    assert not any("script" in words for _, words in await world.kept())


@pytest.mark.parametrize(("mode", "words"), [("ok", "if a<b and c>d"), ("ok", "a &lt; in HTML"), ("hostile", "careful")])
async def test_warnings_and_captions_stay_plain_words(world: "World", mode: str, words: str) -> None:
    world.provider.mode = mode
    made = await world.read(await world.post(spoiler=words, media=[world.picture(7, f"{words}!")]))
    assert (made["spoiler_text"], made["media_attachments"][0]["description"]) == (f"[de] {words}", f"[de] {words}!")


# Who may


@pytest.mark.parametrize("visibility", ["private", "direct"])
async def test_words_for_few_are_neither_kept_nor_sent(world: "World", visibility: str) -> None:
    post = await world.post(visibility=visibility, spoiler="secret", media=[world.picture(7, "secret")])
    answer = await world.ask(post)
    assert (answer.status_code, answer.json()["code"]) == (403, "cannot_translate")
    assert await world.value("SELECT html || spoiler || descriptions::text FROM sources") == "{}"
    assert world.provider.calls == 0


async def test_what_isnt_there_is_not_found_and_the_provider_is_not_asked(world: "World") -> None:
    post = await world.post()
    gone = await world.post()
    await world.delete(gone)
    answers = [await world.ask(gone), await world.ask(999), await world.ask(post, version=2), await world.ask(gone, version=1)]
    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [(404, "Record not found")] * 4
    assert world.provider.calls == 0


async def test_only_people_with_the_scope_may_ask(world: "World") -> None:
    post = await world.post()
    assert (await world.client.post(f"/api/v1/statuses/{post.post_id}/translate", json={"lang": "de"})).status_code == 401
    assert (await world.ask(post, reader={"kind": "app", "account_id": 0})).status_code == 401
    assert (await world.ask(post, reader={"scopes": frozenset({"write"})})).status_code == 403
    assert world.provider.calls == 0


async def test_a_version_that_is_on_its_way_is_waited_for(world: "World") -> None:
    post = await world.post()
    asked = asyncio.create_task(world.ask(post, version=2))
    await world.edit(post, html="<p>better</p>")
    answer = await asked
    assert (answer.status_code, answer.json()["content"]) == (200, "<p>[de] better</p>")


# Languages


async def test_every_language_that_the_provider_knows_goes_into_every_other(world: "World") -> None:
    told = (await world.client.get("/api/v1/instance/translation_languages")).json()
    assert set(told) == {"und", *told["und"], "zh", "no", "nn", "sr", "sh", "tl"}
    assert "de" in told["en"]
    assert all(source not in targets for source, targets in told.items())
    assert "zh-Hans" not in told["zh"] + told["zh-Hant"]
    assert (await world.client.get("/internal/instance")).json()["configuration"]["translation"]["enabled"] is True


def no_list(raw: str) -> Any:
    return pytest.param(200, raw)


@pytest.mark.parametrize(
    ("status", "raw"), [(500, "{}"), (200, "<html>"), (200, "{}"), no_list("[]"), no_list("null"), no_list('{"translation": null}')]
)
async def test_a_provider_that_cant_tell_its_languages_has_none(stranger: "World", status: int, raw: str) -> None:
    async def languages(request: Request) -> Response:
        return Response(raw, status, media_type="application/json")

    with serving(Starlette(routes=[Route("/languages", languages)])) as address:
        world = await stranger.serve(MICROSOFT_ENDPOINT=address)
        answer = await world.client.get("/api/v1/instance/translation_languages")
    assert (answer.status_code, answer.json()) == (200, {})


@pytest.mark.parametrize("mode", ["ok", "hostile"])
async def test_whom_a_post_names_and_where_it_links_stays_whatever_the_provider_makes_of_it(world: "World", mode: str) -> None:
    mention = '<span class="h-card"><a href="https://m.example/@ada" class="u-url mention">@<span>ada</span></a></span>'
    link = '<a href="https://x.example" rel="nofollow ugc noopener noreferrer">'
    world.provider.mode = mode
    post = await world.post(f"<p>{mention} look {link}here</a></p>", spoiler="for @ada")
    for _ in range(2):
        made = await world.read(post)
        assert f"{mention} [de] look {link}[de] here</a>" in made["content"]
        assert made["content"].count("href") == 2
        assert made["spoiler_text"].endswith("for @ada")
