"""Look-ups of filters as the API shows them; whose they are is part of every question."""

from typing import Any, Final

from common.errors import NotFound
from common.statements import Connection
from common.times import iso

_FILTERS: Final = """
    SELECT id, title, contexts, ends_at, action FROM filters
    WHERE account_id = %(owner)s AND (%(filter)s::bigint IS NULL OR id = %(filter)s) ORDER BY id
"""
_KEYWORDS: Final = """
    SELECT k.filter_id, k.id, k.keyword, k.whole_word FROM filters f JOIN filter_keywords k ON k.filter_id = f.id
    WHERE f.account_id = %(owner)s AND (%(filter)s::bigint IS NULL OR f.id = %(filter)s) AND (%(id)s::bigint IS NULL OR k.id = %(id)s)
    ORDER BY k.id
"""
_POSTS: Final = """
    SELECT n.filter_id, n.id, n.post_id FROM filters f JOIN filter_statuses n ON n.filter_id = f.id
    WHERE f.account_id = %(owner)s AND (%(filter)s::bigint IS NULL OR f.id = %(filter)s) AND (%(id)s::bigint IS NULL OR n.id = %(id)s)
    ORDER BY n.id
"""
_SINGLE: Final = """
    SELECT k.id, k.keyword, f.contexts, k.whole_word, f.ends_at, f.action FROM filters f JOIN filter_keywords k ON k.filter_id = f.id
    WHERE f.account_id = %(owner)s AND (%(id)s::bigint IS NULL OR k.id = %(id)s) ORDER BY k.id
"""

Connection = Connection


async def filters(connection: Connection, owner: int, filter_id: int | None = None) -> list[dict[str, Any]]:
    """All filters of somebody, or the one with this id: a list of Filter."""
    asked = {"owner": owner, "filter": filter_id, "id": None}
    found = {
        an_id: {
            "id": str(an_id),
            "title": title,
            "context": contexts,
            "expires_at": iso(ends_at) if ends_at else None,
            "filter_action": action,
            "keywords": [],
            "statuses": [],
        }
        for an_id, title, contexts, ends_at, action in await _rows(connection, _FILTERS, asked)
    }
    for name, statement, shown in (("keywords", _KEYWORDS, _keyword), ("statuses", _POSTS, _status)):
        for row in await _rows(connection, statement, asked):
            if row[0] in found:
                found[row[0]][name].append(shown(row))
    return list(found.values())


async def one(connection: Connection, owner: int, filter_id: int) -> dict[str, Any]:
    """A Filter; raises `NotFound`."""
    return _only(await filters(connection, owner, filter_id))


async def keywords(connection: Connection, owner: int, filter_id: int) -> list[dict[str, Any]]:
    """The keywords of a filter: a list of FilterKeyword; raises `NotFound`."""
    kept: list[dict[str, Any]] = (await one(connection, owner, filter_id))["keywords"]
    return kept


async def keyword(connection: Connection, owner: int, keyword_id: int) -> dict[str, Any]:
    """A FilterKeyword; raises `NotFound`."""
    return _only([_keyword(row) for row in await _rows(connection, _KEYWORDS, {"owner": owner, "filter": None, "id": keyword_id})])


async def statuses(connection: Connection, owner: int, filter_id: int) -> list[dict[str, Any]]:
    """The posts of a filter: a list of FilterStatus; raises `NotFound`."""
    kept: list[dict[str, Any]] = (await one(connection, owner, filter_id))["statuses"]
    return kept


async def status(connection: Connection, owner: int, filter_status_id: int) -> dict[str, Any]:
    """A FilterStatus; raises `NotFound`."""
    return _only([_status(row) for row in await _rows(connection, _POSTS, {"owner": owner, "filter": None, "id": filter_status_id})])


async def singles(connection: Connection, owner: int, keyword_id: int | None = None) -> list[dict[str, Any]]:
    """All keywords of somebody as filters of the API's first version, or the one with this id: a list of V1::Filter."""
    return [
        {
            "id": str(an_id),
            "phrase": phrase,
            "context": contexts,
            "whole_word": whole_word,
            "expires_at": iso(ends_at) if ends_at else None,
            "irreversible": action == "hide",
        }
        for an_id, phrase, contexts, whole_word, ends_at, action in await _rows(connection, _SINGLE, {"owner": owner, "id": keyword_id})
    ]


async def single(connection: Connection, owner: int, keyword_id: int) -> dict[str, Any]:
    """A V1::Filter; raises `NotFound`."""
    return _only(await singles(connection, owner, keyword_id))


async def _rows(connection: Connection, statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    return list(await (await connection.execute(statement.encode(), parameters)).fetchall())


def _only(found: list[dict[str, Any]]) -> dict[str, Any]:
    if not found:
        raise NotFound
    return found[0]


def _keyword(row: tuple[Any, ...]) -> dict[str, Any]:
    return {"id": str(row[1]), "keyword": row[2], "whole_word": row[3]}


def _status(row: tuple[Any, ...]) -> dict[str, Any]:
    return {"id": str(row[1]), "status_id": str(row[2])}
