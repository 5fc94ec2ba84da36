"""Backing up a stack that people use, and giving the backup to an empty one: it answers as the first did, and nobody is mailed again."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from microblog_local.plan import Plan, Ports, kept_secrets
from microblog_operator.backups.manifest import LEFT_OUT
from operating import operate, seen, settled, unsent
from stack import Person, Stack, picture, start, wait_for

from conftest import FAST

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
WORD = "keepsake"


@dataclass
class BackedUp:
    """A stack that has ended, what it answered, and its backup."""

    stack: Stack
    folder: Path
    said: str
    refused: str
    """What the operator's command said when it was to restore below running services."""
    author: Person
    reader: Person
    ids: list[str]
    answers: list[object]
    writer: Person
    certain: list[str]
    """Posts of the writer that were answered before the backup began; others followed while it was made."""


@dataclass
class Writing:
    """Somebody who goes on writing."""

    person: Person
    ids: list[str] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)

    def write(self) -> None:
        while not self.enough.is_set():
            self.ids.append(self.person.write(f"live {len(self.ids)}")["id"])
            self.enough.wait(0.02)


def answers(author: Person, reader: Person, ids: list[str]) -> list[object]:
    """All that both are shown, pictures included."""
    shown = author.get(f"/api/v1/statuses/{ids[0]}")
    found = [entry["id"] for entry in reader.get("/api/v2/search", q=WORD, type="statuses")["statuses"]]
    files = [author.client.get(shown["media_attachments"][0][size]).content for size in ("url", "preview_url")]
    faces = [reader.client.get(reader.get(f"/api/v1/accounts/{author.id}")["avatar"]).content]
    follows = reader.get("/api/v1/accounts/relationships", **{"id[]": author.id})
    return [*seen(author, reader, ids), found, files, faces, follows, reader.get("/api/v1/bookmarks"), reader.get("/api/v1/lists")]


def community(stack: Stack) -> tuple[Person, Person, list[str]]:
    """Two people with a thread, a picture, a poll, and what one does with another's posts."""
    author, reader = stack.new_person("author"), stack.new_person("reader")
    assert author.client.patch("/api/v1/accounts/update_credentials", files={"avatar": ("a.jpg", picture("navy"))}).status_code == 200
    media = author.client.post("/api/v2/media", files={"file": ("p.jpg", picture())}, data={"description": "teal"}).json()
    reader.follow(author)
    first = author.write(f"a {WORD} #operating", media_ids=[media["id"]])["id"]
    poll = author.write("which? #operating", poll={"options": ["tea", "coffee"], "expires_in": 3600})
    reader.post(f"/api/v1/polls/{poll['poll']['id']}/votes", choices=[1])
    second = reader.write(f"@{author.name} second", in_reply_to_id=first)["id"]
    for action in ("favourite", "reblog", "bookmark"):
        reader.post(f"/api/v1/statuses/{first}/{action}")
    reader.post("/api/v1/lists", title="near")
    private = author.write("for followers", visibility="private")["id"]
    wait_for(lambda: settled(stack) and unsent(stack) == 0, "everything to be read", 30)
    wait_for(lambda: reader.get("/api/v2/search", q=WORD, type="statuses")["statuses"], "the post to be found", 30)
    return author, reader, [first, second, poll["id"], private]


def operators_settings(stack: Stack) -> dict[str, str]:
    return {**os.environ, **Plan(Ports(stack.port), stack.data, {}).operators_settings(kept_secrets(stack.data))}


@pytest.fixture(scope="module")
def backed_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackedUp]:
    base = tmp_path_factory.mktemp("backup")
    base.chmod(0o755)
    stack = start(base / "first", FAST)
    try:
        author, reader, ids = community(stack)
        before = answers(author, reader, ids)
        writing = Writing(stack.new_person("writer"))
        thread = threading.Thread(target=writing.write)
        thread.start()
        try:
            wait_for(lambda: len(writing.ids) > 5, "the writer to begin")
            certain = list(writing.ids)
            said = operate(stack, "backup", str(base / "kept"))
        finally:
            writing.enough.set()
            thread.join()
        command = [sys.executable, "-m", "microblog_operator", "restore", str(base / "kept"), "--force", "--yes"]
        refused = subprocess.run(command, env=operators_settings(stack), capture_output=True, text=True, timeout=60, check=False)
        assert refused.returncode == 1
        assert answers(author, reader, ids) == before
    finally:
        stack.stop()
    yield BackedUp(stack, base / "kept", said, refused.stderr, author, reader, ids, before, writing.person, certain)
    shutil.rmtree(base / "kept")


def beside(stack: Stack, name: str) -> Stack:
    """Another stack at the same port, which isn't there yet: tokens and addresses stay what they were."""
    return Stack(stack.port, stack.data.with_name(name), process=None)  # type: ignore[arg-type]


def test_an_empty_stack_answers_as_the_first_did_and_mails_nobody(backed_up: BackedUp) -> None:
    kept = backed_up
    empty = beside(kept.stack, "second")
    assert "Start the services" in operate(empty, "restore", str(kept.folder))
    stack = start(empty.data, FAST, port=empty.port)
    try:
        wait_for(lambda: unsent(stack) == 0 and settled(stack), "everything to be told and read", 60)
        assert "social" in operate(stack, "rebuild", "all")
        wait_for(lambda: kept.reader.get("/api/v2/search", q=WORD, type="statuses")["statuses"], "the post to be found", 30)
        assert answers(kept.author, kept.reader, kept.ids) == kept.answers
        written = [entry["id"] for entry in kept.writer.pages(f"/api/v1/accounts/{kept.writer.id}/statuses")]
        assert set(kept.certain) <= set(written)
        assert kept.writer.get("/api/v1/accounts/verify_credentials")["statuses_count"] == len(written)
        assert list(stack.mail_folder.glob("*.eml")) == []
        assert operate(stack, "dlq", "list").strip() == "no dead letters"
        kept.author.write("life goes on")
        newcomer = stack.new_person("newcomer")
        newcomer.follow(kept.author)
    finally:
        stack.stop()
    assert (stack.data / "demo-loaded").exists(), "the next start must not load the demo community among people"


def test_a_stack_that_holds_anything_keeps_it_until_told_otherwise(backed_up: BackedUp) -> None:
    kept = backed_up
    stack = start(kept.stack.data, FAST, port=kept.stack.port)
    try:
        later = kept.author.write(f"a later {WORD}")["id"]
        assert "make stop first" in operate(stack, "restore", str(kept.folder), code=1)
    finally:
        stack.stop()
    said = operate(stack, "restore", str(kept.folder), code=1)
    assert "auth.accounts" in said
    assert "records in Kafka" in said
    assert "--force" in said
    operate(stack, "restore", str(kept.folder), "--force", "--yes")
    stack = start(kept.stack.data, FAST, port=kept.stack.port)
    try:
        wait_for(lambda: unsent(stack) == 0 and settled(stack), "everything to be told and read", 60)
        operate(stack, "rebuild", "all")
        assert answers(kept.author, kept.reader, kept.ids) == kept.answers
        assert kept.author.client.get(f"/api/v1/statuses/{later}").status_code == 404
    finally:
        stack.stop()


def test_nothing_is_restored_below_services_that_run(backed_up: BackedUp) -> None:
    assert "stop the services first" in backed_up.refused


def test_a_backup_is_for_its_owner_only_says_what_it_is_and_holds_no_secret(backed_up: BackedUp) -> None:
    folder = backed_up.folder
    assert [path for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077] == []
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["databases"]) == {"auth", "posts", "social", "notify", "translate"}
    assert manifest["media"]["posts"] >= 2
    assert manifest["left_out"] == list(LEFT_OUT)
    assert all(name in backed_up.said for name in LEFT_OUT)
    secrets = json.loads((backed_up.stack.data / "secrets.json").read_text())
    words = [
        *secrets["databases"].values(),
        secrets["auth_secret"],
        secrets["cookie_secret"],
        json.loads(secrets["gateway_key"]["private"])["d"],
    ]
    held = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".dump")
    assert [word for word in words if word.encode() in held] == []
    checked = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "no finished backup"),
        (lambda folder: (folder / "databases/auth.dump").unlink(), "auth.dump is missing"),
        (lambda folder: next((folder / "media/posts").rglob("*.jpg")).write_bytes(b"?"), "is missing, or not what was backed up"),
        (lambda folder: (folder / "SHA256SUMS").write_text(""), "not what the manifest says"),
        (lambda folder: newer(folder / "manifest.json"), "a newer version made it"),
    ],
    ids=["unfinished", "a dump is missing", "a picture is another", "no sums", "newer"],
)
def test_a_damaged_backup_is_refused_before_anything_is_touched(backed_up: BackedUp, tmp_path: Path, damage: Any, said: str) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(backed_up.folder, folder)
    damage(folder)
    command = [sys.executable, "-m", "microblog_operator", "restore", str(folder), "--force", "--yes"]
    done = subprocess.run(command, env=operators_settings(backed_up.stack), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert said in done.stderr, "its databases are not even asked: they are away"


def newer(file: Path) -> None:
    manifest = json.loads(file.read_text())
    manifest["databases"]["posts"]["revision"] = "9999"
    file.write_text(json.dumps(manifest))


def test_a_folder_that_holds_anything_is_not_written_into(backed_up: BackedUp, tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    command = [sys.executable, "-m", "microblog_operator", "backup", str(tmp_path)]
    done = subprocess.run(command, env=operators_settings(backed_up.stack), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "a backup needs a folder of its own" in done.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
