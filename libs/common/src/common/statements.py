"""The hottest statements, spoken to PostgreSQL with less in between.

psycopg's `execute` finds out anew each time what it is given: types of the values, whether the statement is prepared, what to wait for. That
costs three times what it costs to fetch and decode a page of a feed (0.14 ms against 0.05). A `Statement` is written down beforehand and
keeps its place on each connection, so a call is one message out and one back, on psycopg's own connection and by its wrapper of
libpq (https://www.psycopg.org/psycopg3/docs/api/pq.html). Results are decoded by psycopg, from PostgreSQL's binary format.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import count
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor, abc
from psycopg.adapt import Transformer
from psycopg.errors import DataError, OperationalError, error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

Value = None | bool | int | float | str | bytes | date | UUID | Sequence[int] | Sequence[str]
"""What a place may be given: `bytes` for bytea, anything else goes in its textual form, sequences as arrays."""
Row = tuple[Any, ...]

BEHIND_ALL: Final = "\U0010ffff"
"""Behind every other character: what begins so is `x ~>=~ beginning AND x ~<~ beginning || BEHIND_ALL`, which goes along an index of
`text_pattern_ops`, as `LIKE` doesn't in a prepared statement (https://www.postgresql.org/docs/18/indexes-opclass.html)."""

_PLACE: Final = re.compile(r"%\((\w+)\)s")
_NUMBERS: Final = count()
_FINE: Final = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)


class Statement:
    """A statement with places `%(name)s`.

    PostgreSQL infers what each place takes, so a place that could take anything says so: `%(name)s::text`.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._names = list(dict.fromkeys(_PLACE.findall(text)))
        self.numbered = _PLACE.sub(lambda place: f"${self._names.index(place[1]) + 1}", text).encode()
        self.name = b"microblog_%d" % next(_NUMBERS)

    def given(self, values: Mapping[str, Any]) -> tuple[list[bytes | None], list[Format]]:
        """What is sent for the places, each value a `Value`, and in which formats; more values than there are places do no harm."""
        sent = [_encoded(values[name]) for name in self._names]
        return [value for value, _ in sent], [form for _, form in sent]


BEGIN: Final = Statement("BEGIN")
COMMIT: Final = Statement("COMMIT")
ROLLBACK: Final = Statement("ROLLBACK")


class _BinaryCursor(AsyncCursor[Any]):
    """Takes results in PostgreSQL's binary format: stored JSON comes as it lies there, not as twice as many hexadecimal digits."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.format = Format.BINARY


class Connection(AsyncConnection[Row]):
    """A psycopg connection that knows statements beforehand."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.cursor_factory = _BinaryCursor
        self._decoders: dict[Statement, abc.Transformer] = {}

    async def rows(self, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        """All rows of a statement's result. Raises what psycopg raises."""
        if statement not in self._decoders:
            return (await self.together((statement, values)))[0]
        asked, (sent, formats) = self.pgconn, statement.given(values)
        try:
            asked.send_query_prepared(statement.name, sent, formats, Format.BINARY)
            await _flushed(asked)
            result = await _result(asked)
            await _result(asked)  # none: that was all
        except BaseException:
            asked.finish()  # the rest of this answer must not be taken for another's
            raise
        return self._decoded(statement, result)

    async def together(self, *calls: tuple[Statement, Mapping[str, Any]]) -> list[list[Row]]:
        """All rows of several statements that travel in one round trip, and are one transaction if none of them begins or ends one.

        Raises what psycopg raises for the first that fails; no other is carried out then, and the connection is closed.
        """
        asked, given = self.pgconn, [(statement, *statement.given(values)) for statement, values in calls]
        new = {statement for statement, _ in calls} - self._decoders.keys()
        found = []
        try:
            asked.enter_pipeline_mode()
            for statement in new:
                asked.send_prepare(statement.name, statement.numbered)
            for statement, sent, formats in given:
                asked.send_query_prepared(statement.name, sent, formats, Format.BINARY)
            asked.pipeline_sync()
            await _flushed(asked)
            for statement in new:
                _checked(await _result(asked))
                await _result(asked)
                self._decoders[statement] = Transformer(self)
            for statement, _, _ in given:
                found.append(self._decoded(statement, await _result(asked)))
                await _result(asked)
            await _result(asked)  # that the pipeline ends here
            asked.exit_pipeline_mode()
        except BaseException:
            asked.finish()
            raise
        return found

    def _decoded(self, statement: Statement, result: PGresult | None) -> list[Row]:
        fine, decoder = _checked(result), self._decoders[statement]
        decoder.set_pgresult(fine)
        return decoder.load_rows(0, fine.ntuples, tuple)


def _encoded(value: Value) -> tuple[bytes | None, Format]:
    if value is None or isinstance(value, bytes):
        return value, Format.BINARY
    return _text(value).encode(), Format.TEXT


def _text(value: Any) -> str:
    if isinstance(value, str):
        if "\0" in value:  # libpq would take what stands before it for the whole
            raise DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        return value
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, int | float | UUID):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    return "{" + ",".join(_element(_text(one)) for one in value) + "}"


def _element(text: str) -> str:
    """An element of an array (PostgreSQL's documentation, "Array Value Input")."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _checked(result: PGresult | None) -> PGresult:
    if result is None:
        raise OperationalError("the server's answer ended too early")
    if result.status not in _FINE:
        raise error_from_result(result)
    return result


async def _flushed(asked: PGconn) -> None:
    """Return when all is sent. What is answered meanwhile is taken in, or both sides could wait for each other (libpq, "PQflush")."""
    while asked.flush():
        await _ready(asked, sending=True)
        asked.consume_input()


async def _result(asked: PGconn) -> PGresult | None:
    """The next result, None where the results of a statement end."""
    while asked.is_busy():
        await _ready(asked)
        asked.consume_input()
    return asked.get_result()


async def _ready(asked: PGconn, *, sending: bool = False) -> None:
    """Return when there is something to read or, if there is something to send, room for it."""
    loop, socket = asyncio.get_running_loop(), asked.socket
    turn: asyncio.Future[None] = loop.create_future()
    loop.add_reader(socket, _wake, turn)
    if sending:
        loop.add_writer(socket, _wake, turn)
    try:
        await turn
    finally:
        loop.remove_reader(socket)
        if sending:
            loop.remove_writer(socket)


def _wake(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_result(None)
