"""What is kept, what is dropped, and what the day may cost."""

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from translate import commands, providers
from translate.domain import ProviderFailed

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio


async def until_asked(world: "World") -> None:
    async with asyncio.timeout(5):
        while not world.provider.calls:
            await asyncio.sleep(0.01)


# The cache


async def test_the_second_reader_costs_nothing_in_any_process(world: "World") -> None:
    post = await world.post(spoiler="careful")
    first = await world.read(post)
    assert await world.read(post) == first
    assert await (await world.serve()).read(post, reader={"account_id": 10}) == first
    assert world.provider.calls == 1


async def test_the_same_words_of_another_post_cost_nothing(world: "World") -> None:
    made = [await world.read(await world.post(author_id=author)) for author in (1, 2)]
    assert made[0] == made[1]
    assert world.provider.calls == 1


async def test_another_pair_of_languages_is_another_translation(world: "World") -> None:
    post, french = await world.post(), await world.post(language="fr")
    for turn in (post, french):
        await world.read(turn, "de")
        await world.read(turn, "es")
    assert world.provider.calls == 4


async def test_what_another_provider_made_is_not_given(stranger: "World") -> None:
    world = await stranger.serve()
    post = await world.post()
    await world.read(post)
    await world.value("UPDATE translations SET provider = 'another', translated = 'worse'")
    assert (await world.read(post))["content"] == "<p>[de] hello</p>"
    assert world.provider.calls == 2
    await world.serve(PROVIDER="none")
    assert (await world.ask(post)).status_code == 503


async def test_many_who_ask_at_once_wait_for_one_call(world: "World") -> None:
    post = await world.post()
    world.provider.mode, world.provider.delay = "slow", 0.2
    answers = await asyncio.gather(*(world.read(post) for _ in range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert world.provider.calls == 1


async def test_many_who_ask_for_the_same_words_of_several_posts_wait_for_one_call(world: "World") -> None:
    posts = [await world.post() for _ in range(3)]
    world.provider.mode, world.provider.delay = "slow", 0.2
    await asyncio.gather(*(world.read(post) for post in posts))
    assert world.provider.calls == 1


async def two_processes(world: "World") -> list["commands.Translations"]:
    """Both with an engine of their own."""
    first = world.app.state.translations
    await world.serve()
    assert first._database.engine is not world.app.state.translations._database.engine
    return [first, world.app.state.translations]


async def test_two_processes_that_are_asked_at_once_pay_once(world: "World") -> None:
    processes, post = await two_processes(world), await world.post(spoiler="careful")
    world.provider.mode, world.provider.delay = "slow", 0.3
    one, two = await asyncio.gather(*(process.translate(post.post_id, None, "de") for process in processes))
    assert (one, one.content, one.spoiler) == (two, "<p>[de] hello</p>", "[de] careful")
    assert (world.provider.calls, await world.value("SELECT count(*) FROM claims")) == (1, 0)


async def test_posts_that_share_some_words_wait_for_them_only(world: "World") -> None:
    processes = await two_processes(world)
    posts = [await world.post(spoiler=spoiler) for spoiler in ("careful", "spiders")]
    world.provider.mode, world.provider.delay = "slow", 0.2
    made = await asyncio.gather(*(process.translate(post.post_id, None, "de") for process, post in zip(processes, posts, strict=True)))
    assert [one.spoiler for one in made] == ["[de] careful", "[de] spiders"]
    assert sorted(world.provider.seen) == ["<p>hello</p>", "careful", "spiders"]
    assert world.provider.characters == await world.value("SELECT characters FROM usage")


async def test_whoever_waited_for_a_call_that_failed_begins_none_that_nobody_would_wait_for(
    world: "World", monkeypatch: pytest.MonkeyPatch
) -> None:
    assert commands._PATIENCE < commands._LATEST
    assert commands._LATEST + providers._PATIENCE < 10, "the gateway waits for ten seconds"
    assert providers._PATIENCE < commands._LEASE
    monkeypatch.setattr(commands, "_LATEST", 0.2)
    monkeypatch.setattr(providers, "_PATIENCE", 0.5)
    processes, post = await two_processes(world), await world.post()
    world.provider.mode, world.provider.delay = "slow", 1.0
    answers = await asyncio.gather(
        *(process.translate(post.post_id, None, "de") for process in processes for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(answer, ProviderFailed) for answer in answers)
    assert (world.provider.calls, await world.value("SELECT count(*) FROM claims")) == (1, 0)
    world.provider.mode = "ok"
    assert (await processes[1].translate(post.post_id, None, "de")).content == "<p>[de] hello</p>"


async def test_a_claim_of_a_process_that_ended_holds_for_a_moment(world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_LATEST", 0.3)
    post = await world.post()
    await world.read(post)
    await world.value(
        "INSERT INTO claims SELECT text_hash, source, target, provider, gen_random_uuid(), now() + interval '10 seconds' FROM translations"
    )
    await world.read(post)
    await world.value("DELETE FROM translations")
    answer = await world.ask(post)
    assert (answer.status_code, answer.headers["retry-after"], world.provider.calls) == (503, "1", 1)
    await world.value("UPDATE claims SET until = now()")
    await world.read(post)
    assert await world.value("SELECT count(*) FROM claims") == 0


async def test_a_call_that_was_cancelled_counts_and_keeps_nobody_out(world: "World") -> None:
    post = await world.post()
    world.provider.mode, world.provider.delay = "slow", 0.5
    asked = asyncio.create_task(world.app.state.translations.translate(post.post_id, None, "de"))
    await until_asked(world)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    world.provider.mode = "ok"
    await world.read(post)
    assert await world.value("SELECT characters FROM usage") == 24
    assert await world.value("SELECT count(*) FROM claims") == 0


# What an edit makes stale


async def test_an_edit_drops_what_is_stale_and_nothing_else(world: "World") -> None:
    post = await world.post(spoiler="careful", media=[world.picture(7, "a cat")])
    await world.read(post)
    edited = await world.edit(post, html="<p>better</p>")
    assert await world.kept() == [("de", "[de] a cat"), ("de", "[de] careful")]
    world.provider.seen.clear()
    assert (await world.read(edited, version=2))["content"] == "<p>[de] better</p>"
    assert world.provider.seen == ["<p>better</p>"]
    assert (await world.ask(edited, version=1)).status_code == 404


@pytest.mark.parametrize(
    "change",
    [{"visibility": "private"}, {"visibility": "direct"}, {"deleted": True, "html": "", "spoiler": "", "media": []}],
    ids=["private", "direct", "deleted"],
)
async def test_what_is_hidden_or_deleted_leaves_nothing_behind(world: "World", change: dict[str, Any]) -> None:
    post = await world.post(spoiler="careful", media=[world.picture(7, "a cat")])
    await world.read(post)
    await world.edit(post, **change)
    assert await world.kept() == []
    assert await world.value("SELECT html || spoiler || descriptions::text FROM sources") == "{}"
    assert await world.value("SELECT count(*) FROM uses") == 0
    assert (await world.ask(post)).status_code in (403, 404)
    assert world.provider.calls == 1


async def test_events_twice_and_late_change_nothing(world: "World") -> None:
    first = await world.post()
    second = first.model_copy(update={"version": 2, "html": "<p>better</p>"})
    await world.consume(second, second)
    await world.read(second, version=2)
    await world.consume(first, second)
    assert await world.apply(first, second) == [False, False]
    assert await world.kept() == [("de", "<p>[de] better</p>")]
    gone = second.model_copy(update={"version": 3, "deleted": True, "html": ""})
    await world.consume(gone, second, first, gone)
    assert (await world.ask(second)).status_code == 404


async def test_words_that_another_post_still_uses_are_kept(world: "World") -> None:
    one, two = await world.post(), await world.post()
    await world.read(two)
    await world.read(one)
    await world.delete(one)
    await world.read(two)
    assert world.provider.calls == 1


async def test_words_are_kept_for_whoever_found_them_in_the_cache(world: "World") -> None:
    one, two = await world.post(), await world.post()
    await world.read(one)
    await world.read(two)
    await world.delete(one)
    await world.read(two)
    assert world.provider.calls == 1
    await world.delete(two)
    assert await world.kept() == []


@pytest.mark.parametrize(
    "change", [{"html": "<p>better</p>"}, {"visibility": "private"}, {"deleted": True, "html": ""}], ids=["edited", "hidden", "deleted"]
)
async def test_what_became_stale_while_the_provider_worked_is_not_kept(world: "World", change: dict[str, Any]) -> None:
    post = await world.post()
    world.provider.mode, world.provider.delay = "slow", 0.3
    asked = asyncio.create_task(world.ask(post))
    await until_asked(world)
    await world.edit(post, **change)
    await asked
    assert await world.kept() == []


# The budget: "<p>hello</p>" costs 12


async def test_a_budget_that_is_used_up_asks_nobody_but_gives_what_is_kept(stranger: "World") -> None:
    world = await stranger.serve(DAILY_BUDGET=24)
    one, two, three = await world.post(), await world.post("<p>salut</p>"), await world.post("<p>grand</p>")
    await world.read(one)
    await world.read(two)
    answer = await world.ask(three)
    assert (answer.status_code, answer.json()) == (
        503,
        {"error": "the translation service failed: today's budget is used up", "code": "translation_budget_spent"},
    )
    await world.read(one)
    assert (world.provider.calls, world.provider.characters) == (2, 24)
    assert 0 < int(answer.headers["retry-after"]) <= 86_400
    await world.value("UPDATE usage SET day = day - 1")
    await world.read(three)


async def test_the_budget_is_kept_by_calls_at_once(stranger: "World") -> None:
    world = await stranger.serve(DAILY_BUDGET=40, POOL_SIZE=8)
    posts = [await world.post(f"<p>word{number}</p>") for number in range(8)]
    world.provider.mode, world.provider.delay = "slow", 0.3
    answers = await asyncio.gather(*(world.ask(post) for post in posts))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [503] * 5
    assert world.provider.characters == 36
    assert await world.value("SELECT characters FROM usage") == 36


async def test_the_budget_counts_what_is_sent(stranger: "World") -> None:
    world = await stranger.serve(DAILY_BUDGET=40)
    assert (await world.ask(await world.post("<p><code>x</code></p>"))).status_code == 503
    assert world.provider.characters == 0


@pytest.mark.parametrize("mode", ["slow", "broken"])
async def test_the_budget_counts_calls_whose_answer_was_lost(stranger: "World", mode: str) -> None:
    world = await stranger.serve(DAILY_BUDGET=24)
    world.provider.mode, world.provider.delay = mode, 1.0
    world.app.state.translator._client.timeout = httpx.Timeout(0.2)  # seven else
    post = await world.post()
    for _ in range(4):
        assert (await world.ask(post)).status_code == 503
    assert world.provider.characters == 24


@pytest.mark.parametrize("mode", ["error", "limited"])
async def test_a_call_that_was_refused_costs_nothing(stranger: "World", mode: str) -> None:
    world = await stranger.serve(DAILY_BUDGET=12)
    post = await world.post()
    world.provider.mode = mode
    assert (await world.ask(post)).status_code == 503
    world.provider.mode = "ok"
    await (await world.serve()).read(post)
