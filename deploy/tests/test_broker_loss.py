"""A broker that comes back with nothing: what people see stays, and the topics are filled again so that read models can be."""

import shutil
from pathlib import Path

import pytest
from operating import READ_MODEL, operate, run, seen, settled
from stack import Person, start, wait_for

pytestmark = pytest.mark.slow

_SETTINGS = {"AUTH_ARGON2_MEMORY_KIB": "64", "AUTH_ARGON2_TIME": "1", "GATEWAY_RATE_LIMITS": "false"}


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("loss")
    made.chmod(0o755)
    return made / "data"


def found(person: Person, word: str) -> list[str]:
    return sorted(entry["id"] for entry in person.get("/api/v2/search", q=word, type="statuses")["statuses"])


def test_a_broker_that_lost_everything_is_filled_again(folder: Path) -> None:
    first = start(folder, _SETTINGS)
    try:
        author, reader = first.new_person("author"), first.new_person("reader")
        reader.follow(author)
        ids = [author.write(f"lighthouse {number} #operating @{reader.name}")["id"] for number in range(3)]
        wait_for(lambda: settled(first), "everything to be read", 30)
        wait_for(lambda: found(reader, "lighthouse") == sorted(ids), "the posts to be found")
        before = [entry["id"] for entry in reader.get("/api/v1/notifications")]
    finally:
        assert first.stop() == 0
    shutil.rmtree(folder / "kafka")
    second = start(folder, _SETTINGS, port=first.port)
    try:
        assert [entry["id"] for entry in reader.get("/api/v1/timelines/home")][:3] == ids[::-1]
        late = author.write(f"lighthouse late #operating @{reader.name}")["id"]
        wait_for(lambda: found(reader, "lighthouse") == sorted([*ids, late]), "the new post to be found", 30)
        wait_for(lambda: len(reader.get("/api/v1/notifications")) == len(before) + 1, "the mention to be told", 30)

        operate(second, "republish")
        wait_for(lambda: all(line.split()[1] == "0" for line in operate(second, "outbox", "status").splitlines()[1:]), "the outboxes", 30)
        wait_for(lambda: settled(second), "everything to be read again", 30)
        whole = seen(author, reader, [*ids, late])
        assert len(reader.get("/api/v1/notifications")) == len(before) + 1, "somebody was told again"
        run(second, "social", f"TRUNCATE {', '.join(READ_MODEL)}")
        operate(second, "rebuild", "all", "--force", "--yes")
        assert seen(author, reader, [*ids, late]) == whole
        assert found(reader, "lighthouse") == sorted([*ids, late])
    finally:
        assert second.stop() == 0
