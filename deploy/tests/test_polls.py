"""Polls, end to end: asked, answered, changed and ended."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fakes.translator import FakeTranslator
from operating import run
from stack import Person, Stack, wait_for

TEA = {"options": ["tea", "coffee"], "expires_in": 3600}


def votes(poll: dict[str, list[dict[str, int | None]]]) -> list[int | None]:
    return [option["votes_count"] for option in poll["options"]]


def end(stack: Stack, poll_id: str) -> None:
    """Let a poll end now: five minutes are the least."""
    run(stack, "social", f"UPDATE polls SET expires_at = now() WHERE post_id = {poll_id}")


def told(person: Person) -> list[str]:
    """Which polls somebody was told the end of."""
    return [entry["status"]["id"] for entry in person.get("/api/v1/notifications", **{"types[]": "poll"})]


@pytest.fixture
def asked(stack: Stack) -> tuple[Person, Person, Person, str]:
    """Who asks, two who answer, and the poll."""
    author, one, other = (stack.new_person(name) for name in ("author", "one", "other"))
    return author, one, other, str(author.write("what will it be?", poll=TEA)["poll"]["id"])


def test_a_poll_is_answered_and_others_see_the_result_at_once(asked: tuple[Person, Person, Person, str]) -> None:
    author, one, other, poll_id = asked
    one.follow(author)
    assert votes(one.post(f"/api/v1/polls/{poll_id}/votes", choices=[0])) == [1, 0]
    other.post(f"/api/v1/polls/{poll_id}/votes", choices=["0"])
    for person, own in ((author, []), (one, [0]), (other, [0])):
        poll = person.get(f"/api/v1/polls/{poll_id}")
        assert (votes(poll), poll["voters_count"], poll["voted"], poll["own_votes"]) == ([2, 0], 2, True, own)
    assert one.get("/api/v1/timelines/home")[0]["poll"] == one.get(f"/api/v1/polls/{poll_id}")
    refused = one.client.post(f"/api/v1/polls/{poll_id}/votes", json={"choices": [1]})
    assert (refused.status_code, refused.json()["error"]) == (422, "Validation failed: You have already voted on this poll")


def test_fifty_clicks_at_once_are_one_vote(asked: tuple[Person, Person, Person, str]) -> None:
    author, one, _, poll_id = asked
    with ThreadPoolExecutor(20) as clicking:
        answers = list(clicking.map(lambda _: one.client.post(f"/api/v1/polls/{poll_id}/votes", data={"choices[]": "1"}), range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 49
    assert votes(author.get(f"/api/v1/polls/{poll_id}")) == [0, 1]


def test_an_edit_of_the_question_voids_the_votes_and_one_of_the_words_does_not(asked: tuple[Person, Person, Person, str]) -> None:
    author, one, _, poll_id = asked
    one.post(f"/api/v1/polls/{poll_id}/votes", choices=[0])

    def edit(**poll: object) -> None:
        assert author.client.put(f"/api/v1/statuses/{poll_id}", json={"status": "and now?", "poll": {**TEA, **poll}}).status_code == 200

    edit()
    assert votes(one.get(f"/api/v1/statuses/{poll_id}")["poll"]) == [1, 0]
    edit(options=["tea", "water"])
    poll = one.get(f"/api/v1/statuses/{poll_id}")["poll"]
    assert (votes(poll), poll["voted"]) == ([0, 0], False)
    history = one.get(f"/api/v1/statuses/{poll_id}/history")
    assert [[option["title"] for option in entry["poll"]["options"]] for entry in history][-2:] == [["tea", "coffee"], ["tea", "water"]]
    one.post(f"/api/v1/polls/{poll_id}/votes", choices=[1])
    gone = author.client.delete(f"/api/v1/statuses/{poll_id}").json()
    assert (gone["text"], votes(gone["poll"])) == ("and now?", [0, 1])
    assert one.client.get(f"/api/v1/polls/{poll_id}").status_code == 404


def test_when_it_ends_author_and_voters_are_told_once(stack: Stack, asked: tuple[Person, Person, Person, str]) -> None:
    author, one, other, poll_id = asked
    one.post(f"/api/v1/polls/{poll_id}/votes", choices=[0])
    end(stack, poll_id)
    for person in (author, one):
        wait_for(lambda person=person: told(person) == [poll_id], f"{person.name} to be told", 30)  # type: ignore[misc]
    refused = other.client.post(f"/api/v1/polls/{poll_id}/votes", json={"choices": [1]})
    assert (refused.status_code, refused.json()["error"]) == (422, "Validation failed: The poll has already ended")
    run(stack, "social", f"UPDATE polls SET told = false, told_up_to = 0 WHERE post_id = {poll_id}")  # a worker that forgot
    wait_for(lambda: run(stack, "social", f"SELECT 1 FROM polls WHERE post_id = {poll_id} AND told"), "the worker to tell again", 30)
    time.sleep(1)
    assert (told(author), told(one), told(other)) == ([poll_id], [poll_id], [])
    entry = author.get("/api/v1/notifications")[0]
    assert (entry["type"], entry["account"]["id"], entry["status"]["poll"]["expired"]) == ("poll", author.id, True)


def test_a_poll_is_found_by_its_options_and_translated(stack: Stack, translator: FakeTranslator) -> None:
    author, reader, word = stack.new_person("author"), stack.new_person("reader"), f"lantern{secrets.token_hex(3)}"
    status = author.write("which one?", language="de", poll=TEA | {"options": [word, "coffee"]})
    wait_for(lambda: [s["id"] for s in reader.get("/api/v2/search", q=word, type="statuses")["statuses"]] == [status["id"]], "the poll")
    translated = reader.post(f"/api/v1/statuses/{status['id']}/translate", lang="en")
    assert translated["poll"] == {"id": status["id"], "options": [{"title": f"[en] {word}"}, {"title": "[en] coffee"}]}
