"""Moments as clients of the Mastodon API expect them."""

from datetime import UTC, datetime


def iso(moment: datetime) -> str:
    """UTC with milliseconds and a Z, such as `2026-01-01T00:00:00.000Z`: some clients parse nothing else."""
    return f"{moment.astimezone(UTC).isoformat(timespec='milliseconds')[:-6]}Z"


def now() -> datetime:
    return datetime.now(UTC)
