"""When to leave a provider alone, and when to ask it again."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from translate.domain import ProviderFailed

_AFTER: Final = 5
_REST: Final = 30.0
_DAY: Final = 86_400.0


class Breaker:
    """Opens after some failures in a row, or for as long as the provider asks; then lets one call try first."""

    def __init__(self) -> None:
        self._until = 0.0
        self._failures = 0
        self._tripped = False
        self._probing = False

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around a call, which tells `succeeded`, `failed` or `open`; one that was cancelled tells nothing, and the next is the one that tries.

        Raises `ProviderFailed` with the seconds to wait where none may be made.
        """
        left = self._until - time.monotonic()
        if left > 0:
            raise ProviderFailed(retry_after=math.ceil(left))
        if self._probing:
            raise ProviderFailed(retry_after=1)
        probe = self._probing = self._tripped
        try:
            yield
        finally:
            if probe:
                self._probing = False

    def succeeded(self) -> None:
        self._failures = 0
        if time.monotonic() >= self._until:  # an answer from before it opened closes nothing
            self._tripped = False

    def failed(self) -> int:
        """Note a failure; return in how many seconds to ask again, at least one."""
        self._failures += 1
        if self._tripped or self._failures >= _AFTER:
            self.open(_REST)
        return max(1, math.ceil(self._until - time.monotonic()))

    def open(self, seconds: float) -> int:
        """Leave the provider alone for so long; never shorter than was decided before. Return the whole seconds."""
        self._until = max(self._until, time.monotonic() + seconds)
        self._tripped, self._failures = True, 0
        return max(1, math.ceil(self._until - time.monotonic()))


def seconds_of(retry_after: str) -> float | None:
    """What a `Retry-After` says (RFC 9110): seconds, or a date. At most a day; None where it says nothing that can be read."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after[:9]), _DAY)
    try:
        when = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):  # days and years of any size
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max((when - datetime.now(UTC)).total_seconds(), 0.0), _DAY)


def seconds_until_tomorrow() -> int:
    """Until quotas and budgets of a day begin anew, at midnight UTC."""
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(1, math.ceil((midnight - now).total_seconds()))
