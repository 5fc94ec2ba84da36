"""What was spent of the day's budget, for whoever watches the service; looked at only where telemetry is on."""

import asyncio
from typing import Final

from common import telemetry
from common.db import Database
from common.telemetry import Values
from sqlalchemy import text

_EVERY: Final = 30.0
_SPENT: Final = text("SELECT characters, ahead FROM usage WHERE day = (now() AT TIME ZONE 'UTC')::date")


class Budget:
    """The day's budget of all replicas together, as of the last look."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most
        self._spent: tuple[int, int] | None = None
        name, unit = "microblog.translation.budget", "{character}"
        telemetry.gauge(f"{name}.used", unit, "characters that were sent today: when asked for, or ahead", self._used)
        telemetry.gauge(f"{name}.limit", unit, "characters that may be sent in a day", lambda: [(self._most, {})])

    async def watch(self) -> None:
        """Look twice a minute, for ever."""
        while True:
            if telemetry.enabled():
                async with self._database.sessions() as session:
                    row = (await session.execute(_SPENT)).first()
                self._spent = (row.characters, row.ahead) if row else (0, 0)
            await asyncio.sleep(_EVERY)

    def _used(self) -> Values:
        if self._spent is not None:
            characters, ahead = self._spent
            yield characters - ahead, {"reason": "asked"}
            yield ahead, {"reason": "ahead"}
