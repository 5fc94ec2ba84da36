"""Moments as clients of the Mastodon API expect them."""

from datetime import UTC, datetime


def iso(moment: datetime) -> str:
    """UTC with milliseconds and a Z, such as `2026-01-01T00:00:00.000Z`: some clients parse nothing else."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def now() -> datetime:
    return datetime.now(UTC)
