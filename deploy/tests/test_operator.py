"""The operator's command on a running stack: queues, dead letters, and read models that are filled anew beside live traffic."""

import asyncio
import json
import secrets
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer
from common.events import PostState
from operating import READ_MODEL, mailed, operate, run, seen, settled
from stack import Person, Stack, wait_for

pytestmark = pytest.mark.slow


def produce(stack: Stack, topic: str, *values: bytes | None, key: str = "1") -> None:
    async def whole() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=stack.kafka)
        await producer.start()
        for value in values:
            await producer.send_and_wait(topic, value, key=key.encode())
        await producer.stop()

    asyncio.run(whole())


@pytest.fixture
def talk(stack: Stack) -> tuple[Person, Person, list[str]]:
    """Two people with a thread, a boost, a favourite, a hashtag and a poll; the ids of the posts."""
    author, reader = stack.new_person("author"), stack.new_person("reader")
    reader.follow(author)
    first = author.write("first #operating", poll={"options": ["tea", "coffee"], "expires_in": 3600})["id"]
    reader.post(f"/api/v1/polls/{first}/votes", choices=[1])
    second = reader.write(f"@{author.name} second", in_reply_to_id=first)["id"]
    reader.post(f"/api/v1/statuses/{first}/reblog")
    reader.post(f"/api/v1/statuses/{first}/favourite")
    gone = author.write("never mind")["id"]
    assert author.client.delete(f"/api/v1/statuses/{gone}").status_code == 200
    private = author.write("for followers", visibility="private")["id"]
    wait_for(lambda: settled(stack), "everything to be read", 30)
    return author, reader, [first, second, private]


def test_a_lost_read_model_is_filled_anew_while_people_write_and_nobody_is_told_again(
    stack: Stack, talk: tuple[Person, Person, list[str]]
) -> None:
    author, reader, ids = talk
    writer, enough, written = stack.new_person("writer"), threading.Event(), []
    before, mails = seen(author, reader, ids), mailed(stack, writer)

    def write() -> None:
        while not enough.is_set():
            written.append(writer.write(f"live {len(written)}")["id"])
            enough.wait(0.02)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        wait_for(lambda: len(written) > 5, "the writer to begin")
        run(stack, "social", f"TRUNCATE {', '.join(READ_MODEL)}")
        assert "snapshots" in operate(stack, "rebuild", "social", "--force", "--yes")
    finally:
        enough.set()
        writing.join()
    assert seen(author, reader, ids) == before
    assert [writer.client.get(f"/api/v1/statuses/{an_id}").status_code for an_id in written] == [200] * len(written)
    assert writer.get("/api/v1/accounts/verify_credentials")["statuses_count"] == len(written)
    assert mailed(stack, writer) == mails
    wait_for(lambda: settled(stack), "everything to be read", 30)
    assert {line.split()[2] for line in operate(stack, "rebuild", "social").splitlines()} == {"0"}


def test_topics_that_hold_less_than_the_tables_take_nothing_away_unasked(stack: Stack) -> None:
    run(
        stack,
        "notify",
        "INSERT INTO people (account_id, version, username, state) SELECT n, 1, 'x', 'active' FROM generate_series(1, 5000) n",
    )
    try:
        assert "republish first" in operate(stack, "rebuild", "notify", code=1)
    finally:
        run(stack, "notify", "DELETE FROM people WHERE account_id <= 5000")


@pytest.mark.parametrize("service", ["posts", "notify", "translate"])
def test_what_was_right_differs_nowhere(stack: Stack, talk: tuple[Person, Person, list[str]], service: str) -> None:
    assert {line.split()[2] for line in operate(stack, "rebuild", service).splitlines()} == {"0"}


def test_the_search_index_is_replaced_while_people_search(stack: Stack) -> None:
    person, word = stack.new_person(), f"rebuilt{secrets.token_hex(4)}"
    status = person.write(f"about {word}")

    def found() -> list[str]:
        return [entry["id"] for entry in person.get("/api/v2/search", q=word, type="statuses")["statuses"]]

    wait_for(lambda: found() == [status["id"]], "the post to be found")
    assert "posts" in operate(stack, "rebuild", "search")
    assert found() == [status["id"]]
    later = person.write(f"again {word}")
    wait_for(lambda: set(found()) == {status["id"], later["id"]}, "the new index to be fed")


def test_states_told_again_change_nothing_and_mail_nobody(stack: Stack, talk: tuple[Person, Person, list[str]]) -> None:
    author, reader, ids = talk
    before, mails = seen(author, reader, ids), mailed(stack)
    said = operate(stack, "republish")
    assert "posts:" in said
    assert "auth:" in said
    wait_for(
        lambda: all(line.split()[1] == "0" for line in operate(stack, "outbox", "status").splitlines()[1:]), "the outboxes to drain", 30
    )
    wait_for(lambda: settled(stack), "everything to be read", 30)
    assert seen(author, reader, ids) == before
    assert mailed(stack) == mails


def test_dead_letters_are_listed_shown_digested_and_dropped(stack: Stack) -> None:
    person = stack.new_person()
    produce(stack, "posts.posts", b"{no json", key="7")
    wait_for(lambda: "posts.posts.dead.social" in operate(stack, "dlq", "list"), "the record to be buried", 30)
    (letter,) = [json.loads(line) for line in operate(stack, "dlq", "show", "posts.posts.dead.social").splitlines()]
    assert (letter["key"], letter["error"].split(":")[0], "body" in letter) == ("7", "Undecodable", False)
    assert letter["origin"].startswith("posts.posts/")
    assert "stopped at" in operate(stack, "dlq", "replay", "posts.posts.dead.social", code=1)
    for service in ("social", "search", "translate", "notify"):
        assert operate(stack, "dlq", "drop", f"posts.posts.dead.{service}", "--yes").strip() == "1 deleted"
    assert operate(stack, "dlq", "list").strip() == "no dead letters"

    now = datetime.now(UTC)
    post_id = int(person.write("neighbour")["id"]) + 1
    missed = PostState(
        post_id=post_id, version=1, author_id=int(person.id), author_username=person.name, created_at=now, html="<p>missed</p>"
    )
    produce(stack, "posts.posts.dead.social", missed.model_dump_json().encode(), key=str(post_id))
    assert operate(stack, "dlq", "replay", "posts.posts.dead.social").strip() == "1 of 1 digested"
    assert person.get(f"/api/v1/statuses/{post_id}")["content"] == "<p>missed</p>"
    assert operate(stack, "dlq", "list").strip() == "no dead letters"
    run(stack, "social", f"DELETE FROM snapshots WHERE post_id = {post_id}", f"DELETE FROM feed_entries WHERE post_id = {post_id}")
    run(stack, "social", f"UPDATE profile_counts SET statuses = statuses - 1 WHERE account_id = {person.id}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dlq", "show", "posts.posts"), "is no dead-letter topic"),
        (("rebuild", "auth"), "service is one of"),
        (("republish", "search"), "service is one of"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(stack: Stack, arguments: tuple[str, ...], said: str) -> None:
    assert said in " ".join(operate(stack, *arguments, code=2).split())


def test_a_setting_that_is_missing_is_named() -> None:
    command = [sys.executable, "-m", "microblog_operator", "outbox", "status"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={"PATH": "/usr/bin"})
    assert (done.returncode, done.stderr.strip()) == (1, "AUTH_DATABASE_URL isn't set")
