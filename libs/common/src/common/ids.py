"""64-bit ids whose order is the order of time, unique across services without a word between them.

An id is 41 bits of milliseconds since 1970, 3 bits for the service that made it and 13 bits of a sequence. Clients get them as decimal strings.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import TextClause, text

SERVICE_TAGS: Final = {"auth": 0, "posts": 1, "social": 2, "search": 3, "notify": 4, "translate": 5}
MAX_ID: Final = (1 << 63) - 1
_TIME_SHIFT: Final = 16
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

NEW_ID: Final[TextClause] = text("microblog_id()")
"""Server default of every id column: the database's clock decides."""


def create_function(service: str) -> str:
    """Return the SQL that a service's first migration runs to have `microblog_id()`."""
    tag = SERVICE_TAGS[service]
    return f"""
        CREATE SEQUENCE microblog_ids AS bigint MINVALUE 0 MAXVALUE 8191 START 0 CYCLE CACHE 1;
        CREATE FUNCTION microblog_id() RETURNS bigint LANGUAGE sql VOLATILE AS $$
            SELECT (floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint << {_TIME_SHIFT}) | ({tag} << 13) | nextval('microblog_ids')
        $$;
    """


def time_of(an_id: int) -> datetime:
    """When the id was made, to the millisecond."""
    return datetime.fromtimestamp((an_id >> _TIME_SHIFT) / 1000, UTC)


def first_id_at(moment: datetime) -> int:
    """The smallest id that could have been made at that moment."""
    return (moment - _EPOCH) // timedelta(milliseconds=1) << _TIME_SHIFT
