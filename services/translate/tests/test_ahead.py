"""Translating before anybody asks, into what an author's readers asked for lately."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from translate import ahead

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio


async def wished(world: "World", *languages: str) -> None:
    """A reader has asked for something of author 1."""
    post = await world.post()
    for language in languages:
        await world.read(post, language)


async def test_a_new_post_is_ready_in_the_languages_that_readers_asked_for(world: "World") -> None:
    await wished(world, "de", "fr")
    post = await world.post("<p>news</p>")
    await world.translate_ahead()
    assert {target for target, words in await world.kept() if "news" in words} == {"de", "fr"}
    asked = world.provider.calls
    assert (await world.read(post))["content"] == "<p>[de] news</p>"
    assert world.provider.calls == asked


async def test_an_edit_is_made_ready_again(world: "World") -> None:
    await wished(world, "de")
    post = await world.post("<p>news</p>")
    await world.translate_ahead()
    await world.edit(post, html="<p>better</p>")
    await world.translate_ahead()
    assert [words for _, words in await world.kept()] == ["<p>[de] better</p>", "<p>[de] hello</p>"]


@pytest.mark.parametrize(
    "post",
    [{"author_id": 2}, {"language": "de"}, {"visibility": "private"}, {"visibility": "direct"}, {"deleted": True, "html": ""}],
    ids=str,
)
async def test_nothing_is_planned_that_nobody_would_ask_for(world: "World", post: dict[str, Any]) -> None:
    await wished(world, "de")
    await world.post(**{"html": "<p>news</p>", **post})
    assert await world.value("SELECT count(*) FROM jobs") == 0


async def test_a_wish_is_forgotten_after_two_weeks_unless_it_is_renewed(world: "World") -> None:
    await wished(world, "de", "fr")
    await world.value("UPDATE wishes SET asked_at = now() - interval '15 days'")
    await wished(world, "fr")
    await world.post("<p>news</p>")
    assert await world.value("SELECT string_agg(target, ',') FROM jobs") == "fr"
    before = await world.value("SELECT max(asked_at) FROM wishes")
    await world.translate_ahead()
    assert await world.value("SELECT max(asked_at) FROM wishes") == before


async def test_a_language_that_nobody_can_translate_to_is_not_wished_for(world: "World") -> None:
    assert (await world.ask(await world.post(), "ceb")).status_code == 422
    await world.post("<p>news</p>")
    assert await world.value("SELECT count(*) FROM jobs") == 0


async def test_half_of_the_budget_is_left_to_those_who_ask(stranger: "World") -> None:
    world = await stranger.serve(DAILY_BUDGET=48)
    await wished(world, "de")
    posts = [await world.post(f"<p>word{number}</p>") for number in range(4)]
    await world.translate_ahead()
    assert (world.provider.characters, await world.value("SELECT ahead FROM usage")) == (36, 24)
    assert [(await world.ask(post)).status_code for post in posts] == [200, 200, 200, 503]
    assert world.provider.characters == 48


async def test_what_is_gone_before_its_turn_is_not_sent(world: "World") -> None:
    await wished(world, "de")
    deleted, hidden = await world.post("<p>news</p>"), await world.post("<p>more</p>")
    await world.delete(deleted)
    await world.edit(hidden, visibility="private")
    await world.translate_ahead()
    assert await world.value("SELECT count(*) FROM jobs") == 0
    assert world.provider.calls == 1


async def test_what_a_provider_fails_at_is_tried_again_in_a_minute_and_for_a_day(world: "World") -> None:
    await wished(world, "de")
    await world.post("<p>news</p>")
    await world.post("<p>more</p>")
    world.provider.mode = "error"
    await world.translate_ahead()
    assert await world.value("SELECT count(*) FROM jobs WHERE not_before > now() + interval '50 seconds'") == 1
    world.provider.mode = "ok"
    await world.translate_ahead()
    assert [words for _, words in await world.kept()] == ["<p>[de] hello</p>", "<p>[de] more</p>"]
    await world.value("UPDATE jobs SET not_before = now()")
    await world.translate_ahead()
    assert await world.value("SELECT count(*) FROM jobs") == 0
    assert "<p>[de] news</p>" in [words for _, words in await world.kept()]
    await world.post("<p>old</p>")
    await world.value("UPDATE jobs SET added_at = now() - interval '25 hours'")
    world.provider.mode = "error"
    await world.translate_ahead()
    assert await world.value("SELECT count(*) FROM jobs") == 0


async def test_a_job_outlives_the_process_that_took_it(world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
    await wished(world, "de")
    post = await world.post("<p>news</p>")

    async def die(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(world.app.state.translations, "translate", die)
        with pytest.raises(asyncio.CancelledError):
            await ahead.one_job(world.database, world.app.state.translations)
    assert not await ahead.one_job(world.database, world.app.state.translations)
    await world.value("UPDATE jobs SET not_before = now()")
    await world.edit(post, html="<p>better</p>")
    await world.translate_ahead()
    assert "<p>[de] better</p>" in [words for _, words in await world.kept()]
    assert await world.value("SELECT count(*) FROM jobs") == 0


async def test_what_is_planned_anew_while_it_is_translated_is_translated_again(world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
    await wished(world, "de")
    post = await world.post("<p>news</p>")
    translate = world.app.state.translations.translate

    async def edited_meanwhile(*given: Any, **more: Any) -> Any:
        made = await translate(*given, **more)
        patched.undo()
        await world.edit(post, html="<p>better</p>")
        return made

    with monkeypatch.context() as patched:
        patched.setattr(world.app.state.translations, "translate", edited_meanwhile)
        await world.translate_ahead()
    assert "<p>[de] better</p>" in [words for _, words in await world.kept()]


async def test_two_workers_share_the_jobs(world: "World") -> None:
    await wished(world, "de")
    for number in range(6):
        await world.post(f"<p>word{number}</p>")
    await asyncio.gather(world.translate_ahead(), world.translate_ahead())
    assert sorted(world.provider.seen) == ["<p>hello</p>", *(f"<p>word{number}</p>" for number in range(6))]


async def test_the_worker_is_woken_by_what_is_planned(world: "World") -> None:
    await wished(world, "de")
    working = asyncio.ensure_future(ahead.worker(world.database, world.app.state.translations)())
    listening = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN jobs' AND datname = current_database()"
    try:
        async with asyncio.timeout(10):
            while not await world.value(listening):
                await asyncio.sleep(0.02)
            await world.consume((await world.post("<p>news</p>")).model_copy(update={"version": 2, "html": "<p>better</p>"}))
            while "<p>better</p>" not in world.provider.seen:
                await asyncio.sleep(0.02)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_one_job_is_taken_at_a_time_also_by_a_plan_for_hardly_any(world: "World") -> None:
    await wished(world, "de")
    await world.post("<p>word</p>")
    await world.value("ANALYZE jobs")
    for number in range(6):
        await world.post(f"<p>word{number}</p>")
    async with world.database.transaction() as session:
        assert len((await session.execute(ahead._TAKE)).all()) == 1
