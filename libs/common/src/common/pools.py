"""How the connections to the database are used: looked at when metrics are sent, so that taking one costs what it did."""

import asyncio
from typing import Any, Final

from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncEngine

from common import telemetry
from common.telemetry import Values

_NAME: Final = "db.client.connection.pool.name"
_STATE: Final = "db.client.connection.state"


class Pools:
    """Both pools of a database, `writes` and `reads`; at `turns` readers wait.

    Names are those of OpenTelemetry (https://opentelemetry.io/docs/specs/semconv/database/database-metrics/).
    """

    def __init__(self, engine: AsyncEngine, reads: AsyncConnectionPool[Any], turns: asyncio.Semaphore) -> None:
        self._engine = engine
        self._reads = reads
        self._turns = turns

    def tell(self) -> None:
        """Have them told with the other metrics."""
        name = "db.client.connection"
        telemetry.level(f"{name}.count", "{connection}", "connections, by pool and state", self.connections)
        telemetry.level(f"{name}.max", "{connection}", "connections that a pool may have", self.most)
        telemetry.level(f"{name}.pending_requests", "{request}", "who waits for a connection", self.waiting)

    def connections(self) -> Values:
        """How many there are of each pool, by what they do."""
        idle, used, _ = self._writes()
        told = self._reads.get_stats()
        taken = (
            self._reads.max_size - self._turns._value - told.get("requests_waiting", 0)
        )  # the pool counts those that are being made, too
        yield idle, {_NAME: "writes", _STATE: "idle"}
        yield used, {_NAME: "writes", _STATE: "used"}
        yield told["pool_available"], {_NAME: "reads", _STATE: "idle"}
        yield taken, {_NAME: "reads", _STATE: "used"}

    def most(self) -> Values:
        """How many there may be."""
        return [(self._reads.max_size, {_NAME: name}) for name in ("writes", "reads")]  # `Database` gives both the same size

    def waiting(self) -> Values:
        """How many want one and get none yet."""
        yield self._writes()[2], {_NAME: "writes"}
        yield len(self._turns._waiters or ()) + self._reads.get_stats().get("requests_waiting", 0), {_NAME: "reads"}

    def _writes(self) -> tuple[int, int, int]:
        """Idle and used connections of SQLAlchemy's pool, and who waits for one, which it doesn't tell by itself."""
        pool: Any = self._engine.pool  # another one after `dispose`
        queue = vars(pool._pool).get("_queue")  # made by the first who needs it, and that must not be a thread beside the event loop
        return (0, 0, 0) if queue is None else (pool.checkedin(), pool.checkedout(), len(queue._getters))
