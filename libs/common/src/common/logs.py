"""One JSON object a line on standard error, with the trace it belongs to; never bodies or secrets."""

import json
import logging
import sys
import time
from collections import Counter
from typing import Any, Final

import orjson

from common.telemetry import current_ids

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message", "taskName"}


class JsonFormatter(logging.Formatter):
    """A record with its `extra` fields as JSON; line breaks can't forge a second line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        ids = current_ids()
        if ids is not None:
            line["trace_id"], line["span_id"] = ids
        line.update({key: value for key, value in record.__dict__.items() if key not in _STANDARD})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:  # integers beyond 64 bits, half a character, names that are numbers
            return json.dumps(line, default=str)


_TOLD_APART: Final = 60
"""Characters: some libraries put values in themselves."""
_MOST_MESSAGES: Final = 500


class RateLimit(logging.Filter):
    """Lets each message of a logger through some times a second: Kafka's client repeats itself 20,000 times in 5 s while a broker is down.

    What it says besides, and says once, is not lost among the repetitions. Messages are told apart as they were before values were put in.
    """

    def __init__(self, per_second: float = 1.0) -> None:
        super().__init__()
        self._interval = 1 / per_second
        self._next: dict[tuple[str, str], float] = {}
        self._dropped: Counter[tuple[str, str]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        now, message = time.monotonic(), (record.name, str(record.msg)[:_TOLD_APART])
        if now < self._next.get(message, 0.0):
            self._dropped[message] += 1
            return False
        if self._dropped[message]:
            record.dropped = self._dropped[message]
        if len(self._next) > _MOST_MESSAGES:
            self._next.clear()
            self._dropped.clear()
        self._next[message] = now + self._interval
        del self._dropped[message]
        return True


def set_up(process: str, level: str = "INFO") -> None:
    """Log this process as JSON; `process` is such as `posts api`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    _let_through(root, level)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    handler.addFilter(_quiet_kafka())
    for name in ("httpx", "elastic_transport", "alembic"):  # the first logs whole addresses, which may hold one-time links
        _let_through(logging.getLogger(name), "WARNING")


def _let_through(logger: logging.Logger, level: str) -> None:
    """Set a level where it is another: setting it makes every logger of the process forget what it knew, in memory that forks share."""
    if logging.getLevelName(logger.level) != level:
        logger.setLevel(level)


def _quiet_kafka() -> logging.Filter:
    limit = RateLimit()

    class OnlyKafka(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            return not record.name.startswith("aiokafka") or (record.levelno >= logging.WARNING and limit.filter(record))

    return OnlyKafka()
