"""PostgreSQL: SQLAlchemy for tables and writes, a psycopg pool for the hottest reads; both survive a restarted server."""

import asyncio
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from psycopg.errors import DataError as PsycopgDataError
from psycopg.errors import InterfaceError as PsycopgInterfaceError
from psycopg.errors import OperationalError as PsycopgOperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy import event
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as CheckoutTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from common import telemetry
from common.memory import give_back
from common.outbox import Waker, pending
from common.pools import Pools
from common.postgres import address
from common.statements import Connection

_SERVER_OPTIONS: Final = "-c statement_timeout=5000 -c idle_in_transaction_session_timeout=15000 -c lock_timeout=2000 -c timezone=UTC"

_BY_KEYS: Final = "-c plan_cache_mode=force_generic_plan " + " ".join(
    f"-c enable_{way}=off" for way in ("hashjoin", "mergejoin", "seqscan", "bitmapscan", "memoize", "material")
)
"""For pages: planned once, along indexes, in the order of the page. Left to itself the planner takes a range of unknown ends for one row
and sorts a whole feed for twenty entries: 2.4 ms instead of 0.25."""

_REST_SECONDS: Final = 60.0
_RECONNECT_SECONDS: Final = 5.0
"""Of trying to connect at ever longer intervals, until whoever asks next begins anew: a server that was away for long is noticed within two."""

_FEW: Final = 60
"""Transactions in as long: those of loops that look for work, for which one connection is enough."""

AWAY: Final = (OperationalError, InterfaceError, CheckoutTimeout, PsycopgOperationalError, PsycopgInterfaceError, PoolTimeout)
"""Errors that say that the database is away or too busy, not that the statement was wrong."""


NOT_STORABLE: Final = (DataError, PsycopgDataError)
"""Errors that say that a value fits no column, such as text with a null character: its sender's mistake."""


def is_away(error: BaseException) -> bool:
    """Whether the database, not the statement, is to blame."""
    return isinstance(error, AWAY) or (isinstance(error, DBAPIError) and error.connection_invalidated)


class Database:
    """One service's database: sessions for commands, pooled connections for hot queries."""

    def __init__(self, url: str, pool_size: int = 8) -> None:
        self.url = address(url)
        """For connections besides these, such as one that listens."""
        self.engine: AsyncEngine = create_async_engine(
            address(url, _SERVER_OPTIONS).replace("postgresql://", "postgresql+psycopg://", 1),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=5,
            pool_recycle=1800,
            pool_use_lifo=True,  # what a burst left idle stays idle, with its memory on the server's side unused
            connect_args={"application_name": "microblog"},
        )
        event.listen(self.engine.sync_engine, "checkout", _refuse_dead)
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self.waker = Waker(url)
        self._turns = asyncio.Semaphore(pool_size)
        self._transactions = 0
        self._resting: asyncio.Task[None] | None = None
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            address(url, f"{_SERVER_OPTIONS} {_BY_KEYS}"),
            connection_class=Connection,
            min_size=0,
            max_size=pool_size,
            open=False,
            timeout=5,
            max_lifetime=1800,
            max_idle=_REST_SECONDS,
            reconnect_timeout=_RECONNECT_SECONDS,
            kwargs={"autocommit": True, "prepare_threshold": 1},
            name="reads",
        )
        self.pools = Pools(self.engine, self._pool, self._turns)

    async def open(self) -> None:
        """Be ready to connect when somebody asks; works also while the server is away."""
        await self._pool.open(wait=False)
        if telemetry.enabled():
            self.pools.tell()
        self.waker.start()
        self._resting = asyncio.create_task(self._rest(), name="idle connections")

    async def close(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
            with suppress(asyncio.CancelledError):
                await self._resting
        await self.waker.stop()
        await self._pool.close()
        await self.engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session whose changes are committed at the end, or none of them; wakes the relay when events were added."""
        self._transactions += 1
        async with self.sessions() as session:
            async with session.begin():
                yield session
            if pending(session):
                self.waker.wake()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """An autocommitting psycopg connection whose statements are prepared on the server after their first use."""
        async with self._turns:  # the pool's own queue costs ten times as much as this one
            connection = await self._pool.getconn()
            try:
                yield connection
            finally:
                await self._pool.putconn(connection)

    @asynccontextmanager
    async def brief(self) -> AsyncIterator[Connection]:
        """The same connections, for the few hottest writes: each statement is a transaction of its own, or several are with `transaction()`."""
        async with self.reading() as connection:
            yield connection

    async def _rest(self) -> None:
        """Close the connections that a busier time needed: each holds some megabytes on the server's side."""
        rested = False
        while True:
            await asyncio.sleep(_REST_SECONDS)
            few, self._transactions = self._transactions < _FEW, 0
            if few and not rested:
                await self.engine.dispose()
                give_back()
            rested = few

    async def answers(self) -> str | None:
        """None when the database answers, else the reason why not."""
        try:
            async with self.reading() as connection:
                await connection.execute("SELECT 1")
        except Exception as error:
            return f"database: {type(error).__name__}"
        return None


def _refuse_dead(connection: Any, record: Any, proxy: Any) -> None:
    """Have the pool connect anew when the server has hung up.

    An idle connection has nothing to say, so one that is readable was closed. Looking costs microseconds, where asking the server
    (`pool_pre_ping`) costs a round trip for every transaction.
    """
    watched = select.poll()
    watched.register(connection.driver_connection.fileno(), select.POLLIN)
    if watched.poll(0):
        raise InvalidatePoolError
