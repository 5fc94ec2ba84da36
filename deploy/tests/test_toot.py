"""The command line `toot`, as it is.

GPL: run as a program of its own in an environment of its own, never among our dependencies.
"""

import json
import os
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest
from apps import consent
from environments import environment
from pages import PASSWORD
from stack import Person, Stack, picture, wait_for

pytestmark = pytest.mark.slow


class Toot:
    """The command line with a configuration folder of its own."""

    def __init__(self, program: Path, stack: Stack, home: Path) -> None:
        self._program, self._stack = program, stack
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CONFIG_HOME": str(home), "LANG": "C.UTF-8"}

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run([self._program, *arguments], env=self._environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"toot {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))

    def fails(self, *arguments: str) -> str:
        done = subprocess.run([self._program, *arguments], env=self._environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode != 0
        return done.stdout + done.stderr

    def log_in(self, person: Person) -> str:
        """Answer its questions as somebody does who has a browser beside it."""
        asked = [self._program, "login", "--instance", self._stack.url]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(asked, env=self._environment, text=True, **pipes) as process:  # type: ignore[call-overload]
            url = next(line.strip() for line in process.stdout if line.startswith(self._stack.url))
            said, _ = process.communicate(f"n\n{consent(self._stack, person.name, url)}\n", timeout=60)
        assert process.returncode == 0, said
        return str(said)


@pytest.fixture
def toot(stack: Stack, tmp_path: Path) -> Toot:
    return Toot(environment("toot") / "toot", stack, tmp_path)


def test_toot_logs_in_with_a_code_and_says_who_is_there(stack: Stack, toot: Toot) -> None:
    person = stack.new_person("typist")
    assert "Successfully logged in" in toot.log_in(person)
    assert f"{person.name}@localhost:{stack.port} ACTIVE" in toot("auth")
    assert f"@{person.name}" in toot("whoami")
    assert toot.json("whoami")["id"] == person.id
    assert "Microblog" in toot("instance", stack.url)
    toot("logout", f"{person.name}@localhost:{stack.port}")
    assert "not logged in" in toot("auth")


def test_toot_cannot_log_in_with_a_password(stack: Stack, toot: Toot) -> None:
    person = stack.new_person()
    assert "Login failed" in toot.fails("login_cli", "-i", stack.url, "-e", f"{person.name}@people.example", "-p", PASSWORD)


def test_toot_writes_uploads_and_deletes(stack: Stack, toot: Toot, tmp_path: Path) -> None:
    person = stack.new_person("typist")
    toot.log_in(person)
    file = tmp_path / "teal.jpg"
    file.write_bytes(picture())
    assert toot.json("upload", str(file), "-d", "all teal")["description"] == "all teal"
    status = toot.json("post", "look **here**", "-m", str(file), "-d", "all teal", "-v", "unlisted", "-l", "en", "-p", "teal")
    assert (status["visibility"], status["language"], status["spoiler_text"]) == ("unlisted", "en", "teal")
    assert status["media_attachments"][0]["description"] == "all teal"
    answer = toot.json("post", "and more", "-r", status["id"])
    thread = toot("thread", status["id"])
    assert "look here" in thread
    assert "and more" in thread
    assert [s["id"] for s in toot.json("thread", status["id"])["descendants"]] == [answer["id"]]
    toot("delete", answer["id"])
    assert "Record not found" in toot.fails("status", answer["id"])
    assert "character limit of 5000 exceeded" in toot.fails("post", "x" * 5001)


def test_toot_reads_follows_and_finds(stack: Stack, toot: Toot) -> None:
    person, author, word = stack.new_person("typist"), stack.new_person("author"), f"lantern{secrets.token_hex(3)}"
    toot.log_in(person)
    assert "You are now following" in toot("follow", author.name)
    status = author.write(f"a {word} #{word}")
    wait_for(lambda: word in toot("timeline", "-1"), "the post at home")
    assert [s["id"] for s in toot.json("timelines", "home", "--no-pager")] == [status["id"]]
    for where in (("-p", "-l"), ("-t", word), ("-a", author.name)):
        assert word in toot("timeline", "-1", *where), where
    typo = word.replace("lantern", "lantren")
    wait_for(
        lambda: [s["id"] for s in toot.json("search", typo, "-t", "statuses")["statuses"]] == [status["id"]], "the post despite a typo"
    )
    assert author.name in toot("search", author.name)
    assert author.name in toot("following", person.name)
    assert person.name in toot("followers", author.name)
    for verb, undo in (("favourite", "unfavourite"), ("reblog", "unreblog"), ("bookmark", "unbookmark")):
        toot(verb, status["id"])
        toot(undo, status["id"])
    author.write(f"@{person.name} hello there")
    wait_for(lambda: "hello there" in toot("notifications"), "the mention")
    toot("unfollow", author.name)
    toot("block", author.name)
    assert author.name in toot("blocked")
    toot("unblock", author.name)
    toot("mute", author.name)
    assert author.name in toot("muted")


def test_toot_keeps_lists_and_follows_hashtags(stack: Stack, toot: Toot) -> None:
    person, author, word = stack.new_person("typist"), stack.new_person("author"), f"lantern{secrets.token_hex(3)}"
    toot.log_in(person)
    assert "You have no lists defined." in toot("lists", "list")
    assert 'List "people" created.' in toot("lists", "create", "people")
    assert toot.json("lists", "list")[0]["replies_policy"] == "none"
    assert "Added account" in toot("lists", "add", "people", author.name)
    assert author.name in toot("lists", "accounts", "people")
    status = author.write(f"a {word} #{word}")
    assert [s["id"] for s in toot.json("timelines", "list", "people", "--no-pager")] == [status["id"]]
    assert "Removed account" in toot("lists", "remove", "people", author.name)
    assert author.name not in toot("lists", "accounts", "people")
    assert "deleted" in toot("lists", "delete", "people")
    assert "You're not following any hashtags" in toot("tags", "followed")
    assert "You are now following" in toot("tags", "follow", f"#{word}")
    assert word in toot("tags", "followed")
    assert "Followed" in toot("tags", "info", word)
    assert [s["id"] for s in toot.json("timelines", "home", "--no-pager")] == [status["id"]]
    assert "no longer following" in toot("tags", "unfollow", word)
    assert toot.json("timelines", "home", "--no-pager") == []


def test_toot_changes_a_profile(stack: Stack, toot: Toot, tmp_path: Path) -> None:
    person = stack.new_person()
    toot.log_in(person)
    file = tmp_path / "red.jpg"
    file.write_bytes(picture("red"))
    toot("update-account", "--display-name", "Somebody Else", "--note", "I write", "--avatar", str(file), "--locked")
    account = person.get("/api/v1/accounts/verify_credentials")
    assert (account["display_name"], account["source"]["note"], account["locked"]) == ("Somebody Else", "I write", True)
    assert "Somebody Else" in toot("whois", person.name)


def test_toot_asks_and_answers(stack: Stack, toot: Toot) -> None:
    person, author = stack.new_person("typist"), stack.new_person("author")
    toot.log_in(person)
    options = [argument for title in ("foo", "bar", "baz") for argument in ("--poll-option", title)]
    status = toot.json("post", "answer me this", *options, "--poll-expires-in", "8h")
    assert status["poll"]["options"] == [{"title": title, "votes_count": 0} for title in ("foo", "bar", "baz")]
    author.post(f"/api/v1/polls/{status['poll']['id']}/votes", choices=[1])
    shown = toot("polls", "show", status["poll"]["id"])
    assert "100% (1)" in shown
    assert f"Poll {status['poll']['id']} · 1 votes" in shown
    several = toot.json("post", "and these?", *options, "--poll-multiple", "--poll-hide-totals")["poll"]
    assert (several["multiple"], several["options"][0]) == (True, {"title": "foo", "votes_count": None})

    poll = author.write("answer me that", poll={"options": ["foo", "bar", "baz"], "expires_in": 600})["poll"]["id"]
    assert "The chosen vote option does not exist" in toot.fails("polls", "vote", poll, "5")
    assert "You have already voted on this poll" in toot.fails("polls", "vote", poll, "0", "2")
    assert toot("polls", "vote", poll, "0").count("✓ Your vote") == 1
    assert "You have already voted on this poll" in toot.fails("polls", "vote", poll, "0")


def test_toot_features_hashtags(stack: Stack, toot: Toot) -> None:
    person, word = stack.new_person("typist"), f"kite{secrets.token_hex(3)}"
    toot.log_in(person)
    toot("tags", "feature", word)
    assert word in toot("tags", "featured")
    assert [tag["name"] for tag in person.get(f"/api/v1/accounts/{person.id}/featured_tags")] == [word]
    toot("tags", "unfeature", word)
    assert person.get("/api/v1/featured_tags") == []
