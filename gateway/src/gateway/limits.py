"""How often a person or an address may call; counted by this replica, told in the headers that clients know."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from common.times import iso
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

_LIMITS: Final[dict[str, RateLimitItem]] = {
    "api": RateLimitItemPerMinute(300, 5),
    "media": RateLimitItemPerMinute(30, 30),
    "delete": RateLimitItemPerMinute(30, 30),
    "files": RateLimitItemPerMinute(3000, 5),
    "pages": RateLimitItemPerMinute(600, 5),
    "streams": RateLimitItemPerMinute(300, 5),
    "strangers": RateLimitItemPerMinute(300, 5),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call may go on, and the headers that tell where its caller stands."""

    allowed: bool
    headers: dict[str, str]
    seconds: int = 0


_FREE: Final = Verdict(True, {})


class TooOften(Exception):
    """No call is left before the time that `verdict` tells."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self.verdict = verdict


class Limits:
    """300 calls in 5 minutes for each person or address, fewer for uploads and deletions."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def count(self, name: str, subject: str) -> Verdict:
        """Count a call of the subject against a limit."""
        item = _LIMITS.get(name)
        if item is None or not self._enabled:
            return _FREE
        return self._verdict(item, name, subject, self._limiter.hit(item, name, subject))

    def demand(self, name: str, subject: str) -> None:
        """Raise `TooOften` if the subject has no call left; counts nothing."""
        item = _LIMITS[name]
        if self._enabled and not self._limiter.test(item, name, subject):
            raise TooOften(self._verdict(item, name, subject, allowed=False))

    def _verdict(self, item: RateLimitItem, name: str, subject: str, allowed: bool) -> Verdict:
        stats = self._limiter.get_window_stats(item, name, subject)
        reset = datetime.fromtimestamp(stats.reset_time, UTC)
        headers = {
            "x-ratelimit-limit": str(item.amount),
            "x-ratelimit-remaining": str(stats.remaining),
            "x-ratelimit-reset": iso(reset),
        }
        return Verdict(allowed, headers, max(1, int(stats.reset_time - datetime.now(UTC).timestamp())))
