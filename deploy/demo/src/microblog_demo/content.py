"""The community as data: who there is, and what they say."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from html import unescape
from importlib.resources import files
from typing import Final

_LINE: Final = re.compile(r"(?P<depth>>*)\s*(?P<name>[a-z0-9_]+): (?P<text>.+)")
_NOTE: Final = re.compile(r"\s*\[(?P<kind>pic|cw|quiet|followers|poll\+?)(?:\s+(?P<value>[^\]]*))?\]\s*$")
_TAG: Final = re.compile(r"<[^>]+>")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody; `hue` (0 to 359) colours their pictures."""

    username: str
    name: str
    language: str
    bio: str
    hue: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to draw, and what it shows in words."""

    kind: str
    description: str


@dataclass(frozen=True, slots=True)
class Poll:
    """What somebody asks; `multiple` lets people choose several answers."""

    options: tuple[str, ...]
    multiple: bool


@dataclass(frozen=True, slots=True)
class Post:
    """What somebody says; `key` is its place in the file, `parent` the key of what it answers."""

    key: int
    author: str
    text: str
    parent: int | None
    picture: Picture | None = None
    poll: Poll | None = None
    warning: str = ""
    visibility: str = "public"


@dataclass(frozen=True, slots=True)
class Community:
    """People by name, and what they say in order. A part of one holds everybody whom its posts speak of, and conversations from their beginning."""

    people: dict[str, Person]
    posts: list[Post]


def community() -> Community:
    """All of it."""
    return Community(people(), posts())


def letters(text: str, *, html: bool = False) -> str:
    """What of a text is the same in Markdown and in the HTML made of it: everybody's posts differ in it."""
    return "".join(filter(str.isalpha, unescape(_TAG.sub("", text)) if html else text))


@cache
def people() -> dict[str, Person]:
    """Everybody, by name."""
    document = tomllib.loads(files("microblog_demo").joinpath("people.toml").read_text("utf-8"))
    return {name: Person(name, entry["name"], entry["language"], entry["bio"], entry["hue"]) for name, entry in document.items()}


@cache
def posts() -> list[Post]:
    """Everything that is said, in order; raises `ValueError` with the line that can't be read."""
    found: list[Post] = []
    last_at: dict[int, Post] = {}
    lines = files("microblog_demo").joinpath("conversations.txt").read_text("utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None or match["name"] not in people():
            raise ValueError(f"conversations.txt, line {number}: expected `name: text` of somebody in people.toml")
        depth = len(match["depth"])
        parent = last_at[depth - 1].key if depth else None
        post = _post(number, match["name"], match["text"], parent)
        last_at[depth] = post
        found.append(post)
    return found


def _post(key: int, author: str, text: str, parent: int | None) -> Post:
    picture, poll, warning, visibility = None, None, "", "public"
    while note := _NOTE.search(text):
        text = text[: note.start()]
        value = note["value"] or ""
        if note["kind"] == "pic":
            kind, _, description = value.partition("|")
            picture = Picture(kind.strip(), description.strip())
        elif note["kind"].startswith("poll"):
            poll = Poll(tuple(option.strip() for option in value.split("|")), multiple=note["kind"] == "poll+")
        elif note["kind"] == "cw":
            warning = value
        else:
            visibility = {"quiet": "unlisted", "followers": "private"}[note["kind"]]
    return Post(key, author, text.replace("\\n", "\n").strip(), parent, picture, poll, warning, visibility)
