"""What PostgreSQL does to answer the hottest reads: every statement that the service itself sends, its time, and its plan.

Statements are taken from the service's own functions as these run, and explained as the service has them executed: prepared, with one plan
for all values, on connections with its settings.
"""

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from common.db import Database
from common.paging import Page
from common.statements import Connection, Row, Statement
from psycopg import AsyncConnection
from social.conversations import queries as conversations
from social.featured_tags import queries as featured_tags
from social.feeds import queries
from social.graph import queries as graph
from social.posts import queries as posts
from social.profiles import queries as profiles
from social.rendering import statuses
from social.rendering.stored import Stored
from social.suggestions import queries as suggestions
from social.tags import queries as tags

_NEWEST: Final = Page(20)

Read = Callable[[Any], Awaitable[Any]]


@dataclass
class Plan:
    """What one statement did, as `EXPLAIN (ANALYZE, BUFFERS)` tells: milliseconds, rows that were touched by table, and how they were reached."""

    milliseconds: float
    buffers: int
    touched: dict[str, int] = field(default_factory=dict)
    ways: dict[str, set[str]] = field(default_factory=dict)

    def line(self) -> str:
        tables = ", ".join(f"{table} {rows} ({'/'.join(sorted(self.ways[table]))})" for table, rows in self.touched.items())
        return f"{self.milliseconds:.2f} ms, {self.buffers} pages; {tables}"


class _Recording:
    """A connection that remembers what it was asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.asked: list[tuple[str, dict[str, Any] | tuple[Any, ...]]] = []

    async def execute(self, statement: Any, parameters: Any = ()) -> Any:
        self.asked.append((statement.decode() if isinstance(statement, bytes) else statement, parameters))
        return await self._connection.execute(statement, parameters)

    async def rows(self, statement: Statement, values: dict[str, Any]) -> list[Row]:
        self.asked.append((statement.text, values))
        return await self._connection.rows(statement, values)


@dataclass(frozen=True)
class Subjects:
    """Whose feed is read, whose posts, which post, which hashtags, which list of the viewer's, and whom else."""

    viewer: int
    author: int
    post: int
    tags: tuple[str, str, str]
    list_id: int
    others: list[int]


def reads(stored: Stored, about: Subjects) -> dict[str, Read]:
    """Every hot read by what people call it."""
    deep = Page(20, max_id=about.post)
    return {
        "home feed": lambda c: queries.home(c, stored, about.viewer, _NEWEST, pulled=False),
        "home feed, with pulled authors": lambda c: queries.home(c, stored, about.viewer, _NEWEST),
        "home feed, further down": lambda c: queries.home(c, stored, about.viewer, deep),
        "an account's posts": lambda c: queries.account(c, stored, about.author, about.viewer, _NEWEST),
        "an account's posts, without replies": lambda c: queries.account(
            c, stored, about.author, about.viewer, _NEWEST, exclude_replies=True, exclude_reblogs=True
        ),
        "public feed": lambda c: queries.public(c, stored, about.viewer, _NEWEST),
        "a hashtag": lambda c: queries.tag(c, stored, about.tags[0], about.viewer, _NEWEST),
        "any of three hashtags": lambda c: queries.tag(c, stored, about.tags[0], about.viewer, _NEWEST, or_any=about.tags[1:]),
        "a hashtag without two others": lambda c: queries.tag(c, stored, about.tags[0], about.viewer, _NEWEST, none=about.tags[1:]),
        "a list of five hundred": lambda c: queries.listed(c, stored, about.list_id, "list", about.viewer, _NEWEST),
        "favourites": lambda c: queries.kept(c, stored, "favourites", about.viewer, _NEWEST),
        "conversations": lambda c: conversations.page(c, stored, about.viewer, _NEWEST),
        "how many conversations are unread": lambda c: conversations.unread(c, about.viewer),
        "one post": lambda c: statuses.by_ids(c, stored, [about.post], about.viewer),
        "twenty posts by id": lambda c: statuses.by_ids(c, stored, [about.post] * 20, about.viewer),
        "a thread": lambda c: posts.thread(c, about.post, anonymous=False),
        "a profile": lambda c: profiles.one(c, about.author, about.viewer),
        "followers of somebody": lambda c: graph.people(c, "followers", about.author, about.viewer, _NEWEST),
        "whom somebody follows": lambda c: graph.people(c, "own following", about.viewer, about.viewer, _NEWEST),
        "people by the beginning of a name": lambda c: profiles.search(c, "person_1", about.viewer, host="localhost", limit=20),
        "hashtags by their beginning": lambda c: tags.beginning(c, about.tags[0][:2], 20, 0),
        "suggestions of three people": lambda c: suggestions.suggestions(c, about.viewer, [], 3),
        "the directory, active people": lambda c: profiles.directory(c, "active", about.viewer, 40, 0),
        "the directory, new people": lambda c: profiles.directory(c, "new", about.viewer, 40, 0),
        "familiar followers of ten people": lambda c: graph.familiar_followers(c, about.viewer, about.others[:10]),
        "featured hashtags": lambda c: featured_tags.featured(c, about.author, about.viewer),
        "relations to forty people": lambda c: graph.relationships(c, about.viewer, about.others[:40]),
    }


async def measure(database: Database, read: Read, times: int = 200) -> tuple[float, float, list[Plan]]:
    """Median and 99th percentile in ms of a whole read, rendering included, and the plans of its statements."""
    async with database.reading() as connection:
        recording = _Recording(connection)
        await read(recording)
        taken = []
        for _ in range(times):
            began = time.perf_counter()
            await read(connection)
            taken.append((time.perf_counter() - began) * 1000)
        taken.sort()
        plans = [await explain(connection, statement, parameters) for statement, parameters in recording.asked]
    return taken[len(taken) // 2] if taken else 0.0, taken[int(len(taken) * 0.99)] if taken else 0.0, plans


async def explain(connection: AsyncConnection[Any], statement: str, parameters: dict[str, Any] | tuple[Any, ...]) -> Plan:
    """Run a statement as a prepared one and tell what it did."""
    values: list[Any] = []
    if isinstance(parameters, dict):
        names: list[str] = []

        def number(match: "re.Match[str]") -> str:
            if match[1] not in names:
                names.append(match[1])
                values.append(parameters[match[1]])
            return f"${names.index(match[1]) + 1}"

        prepared = re.sub(r"%\((\w+)\)s", number, statement)
    else:
        values = list(parameters)
        count = iter(range(1, len(values) + 1))
        prepared = re.sub(r"%s", lambda _: f"${next(count)}", statement)
    literals = ", ".join(_literal(value) for value in values)
    await connection.execute(f"PREPARE explained AS {prepared}".encode())
    try:
        given = f"({literals})" if values else ""
        answer = await connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE explained{given}".encode())
        row = await answer.fetchone()
    finally:
        await connection.execute(b"DEALLOCATE explained")
    whole = row[0][0]  # type: ignore[index]
    top = whole["Plan"]
    plan = Plan(whole["Execution Time"], top["Shared Hit Blocks"] + top["Shared Read Blocks"])
    nodes = [top]
    for node in nodes:
        nodes.extend(node.get("Plans", []))
        table = node.get("Relation Name")
        if table is not None and node["Actual Loops"]:
            rows = round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
            plan.touched[table] = plan.touched.get(table, 0) + rows
            plan.ways.setdefault(table, set()).add(node["Node Type"])
    return plan


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, list):
        return "'{" + ",".join(str(one) for one in value) + "}'"
    return "'" + str(value).replace("'", "''") + "'"
