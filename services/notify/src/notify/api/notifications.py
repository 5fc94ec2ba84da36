"""In-app notifications, as ids for the gateway to make whole; read markers."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from common.api import HIDDEN, ADatabase, PathId, Transaction, User, needs
from common.bodies import body, described
from common.errors import DomainError, NotFound
from common.identity import Identity
from common.ids import MAX_ID
from common.paging import PAGE_PARAMETERS, read_page
from common.times import iso
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

router = APIRouter(tags=["notifications"])

Reader = Annotated[Identity, Depends(needs("read:notifications"))]
Writer = Annotated[Identity, Depends(needs("write:notifications"))]
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class MarkerConflict(DomainError):
    """Conflict during update, please try again"""

    code = "marker_conflict"
    status = 409


class Marked(BaseModel):
    last_read_id: Annotated[int, Field(ge=0, le=MAX_ID)]


class NewMarkers(BaseModel):
    """`POST /api/v1/markers`."""

    model_config = ConfigDict(extra="ignore")

    home: Marked | None = None
    notifications: Marked | None = None


@router.get("/internal/notifications", **HIDDEN, openapi_extra=PAGE_PARAMETERS)
async def notifications(request: Request, caller: Reader, database: ADatabase) -> dict[str, Any]:
    """A page of one's own notifications, newest first; `types[]`, `exclude_types[]` and `account_id` choose."""
    page = read_page(request, 40, 80)
    query = request.query_params
    account = query.get("account_id", "")
    parameters = {
        "owner": caller.account_id,
        "below": page.below,
        "above": page.above,
        "limit": page.limit,
        "types": query.getlist("types[]") or None,
        "excluded": query.getlist("exclude_types[]"),
        "actor": int(account) if account.isascii() and account.isdigit() and len(account) < 19 else None,
    }
    order = "ASC" if page.upwards else "DESC"
    statement = f"""
        SELECT id, kind, created_at, actor_id, post_id FROM notifications
        WHERE account_id = %(owner)s AND NOT gone AND id < %(below)s AND id > %(above)s
          AND (%(types)s::text[] IS NULL OR kind = ANY(%(types)s)) AND kind <> ALL(%(excluded)s)
          AND (%(actor)s::bigint IS NULL OR actor_id = %(actor)s)
        ORDER BY id {order} LIMIT %(limit)s
    """
    async with database.reading() as connection:
        rows = await (await connection.execute(statement.encode(), parameters)).fetchall()
    if page.upwards:
        rows.reverse()
    return {"notifications": [_entry(row) for row in rows]}


@router.get("/internal/notifications/{notification_id}", **HIDDEN)
async def notification(notification_id: PathId, caller: Reader, database: ADatabase) -> dict[str, Any]:
    """One of one's own notifications; 404 for anybody else's."""
    statement = "SELECT id, kind, created_at, actor_id, post_id FROM notifications WHERE id = %s AND account_id = %s AND NOT gone"
    async with database.reading() as connection:
        row = await (await connection.execute(statement, (notification_id, caller.account_id))).fetchone()
    if row is None:
        raise NotFound
    return _entry(row)


@router.get("/internal/notification", **HIDDEN)
async def about(dedupe: str, caller: Reader, database: ADatabase, since: datetime = _EVER) -> dict[str, Any]:
    """The one of one's own notifications that a notice with this `dedupe` led to, if it is not from before `since`: what happened again has a
    new id. 404 while there is none."""
    statement = """
        SELECT id, kind, created_at, actor_id, post_id FROM notifications
        WHERE account_id = %s AND dedupe = %s AND created_at >= %s AND NOT gone
    """
    async with database.reading() as connection:
        row = await (await connection.execute(statement.encode(), (caller.account_id, dedupe, since))).fetchone()
    if row is None:
        raise NotFound
    return _entry(row)


@router.get("/api/v1/notifications/unread_count")
async def unread_count(caller: Reader, database: ADatabase) -> dict[str, int]:
    """How many came since the marker, at most 100."""
    statement = """
        SELECT count(*) FROM (
            SELECT 1 FROM notifications WHERE account_id = %(owner)s AND NOT gone
              AND id > coalesce((SELECT last_read_id FROM markers WHERE account_id = %(owner)s AND timeline = 'notifications'), 0)
            LIMIT 100
        ) newer
    """
    async with database.reading() as connection:
        row = await (await connection.execute(statement, {"owner": caller.account_id})).fetchone()
    return {"count": row[0] if row else 0}


@router.post("/api/v1/notifications/clear")
async def clear(caller: Writer, session: Transaction) -> dict[str, Any]:
    """Dismiss all of one's notifications."""
    await session.execute(text("UPDATE notifications SET gone = true WHERE account_id = :owner AND NOT gone"), {"owner": caller.account_id})
    return {}


@router.post("/api/v1/notifications/{notification_id}/dismiss")
async def dismiss(notification_id: PathId, caller: Writer, session: Transaction) -> dict[str, Any]:
    """Dismiss one of one's notifications; 404 for anybody else's."""
    gone = text("UPDATE notifications SET gone = true WHERE id = :id AND account_id = :owner RETURNING id")
    if (await session.execute(gone, {"id": notification_id, "owner": caller.account_id})).first() is None:
        raise NotFound
    return {}


@router.get("/api/v1/markers")
async def markers(request: Request, caller: User, session: Transaction) -> dict[str, Any]:
    """How far one has read, by `timeline[]` (home, notifications)."""
    wanted = [*request.query_params.getlist("timeline[]"), *request.query_params.getlist("timeline")]
    return await _markers(session, caller.account_id, wanted)


@router.post("/api/v1/markers", openapi_extra=described(NewMarkers))
async def mark(new: Annotated[NewMarkers, Depends(body(NewMarkers))], caller: User, session: Transaction) -> dict[str, Any]:
    """Remember how far one has read; 409 when another device was faster with a later place."""
    given = {"home": new.home, "notifications": new.notifications}
    changed = {name: marked for name, marked in given.items() if marked is not None}
    for name, marked in changed.items():
        statement = text("""
            INSERT INTO markers AS m (account_id, timeline, last_read_id, version) VALUES (:owner, :timeline, :id, 1)
            ON CONFLICT (account_id, timeline) DO UPDATE SET last_read_id = EXCLUDED.last_read_id, version = m.version + 1, updated_at = now()
                WHERE m.last_read_id <= EXCLUDED.last_read_id
            RETURNING version
        """)
        values = {"owner": caller.account_id, "timeline": name, "id": marked.last_read_id}
        if (await session.execute(statement, values)).first() is None:
            raise MarkerConflict
    return await _markers(session, caller.account_id, list(changed))


async def _markers(session: Transaction, owner: int, wanted: list[str]) -> dict[str, Any]:
    statement = text(
        "SELECT timeline, last_read_id, version, updated_at FROM markers WHERE account_id = :owner AND timeline = ANY(:wanted)"
    )
    rows = await session.execute(statement, {"owner": owner, "wanted": wanted})
    return {r.timeline: {"last_read_id": str(r.last_read_id), "version": r.version, "updated_at": iso(r.updated_at)} for r in rows}


def _entry(row: tuple[Any, ...]) -> dict[str, Any]:
    status_id = None if row[4] is None else str(row[4])
    return {"id": str(row[0]), "type": row[1], "created_at": iso(row[2]), "account_id": str(row[3]), "status_id": status_id}
