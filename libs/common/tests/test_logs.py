"""Logs that machines read: one object a line whatever happens, with its trace, without secrets."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from common import logs, telemetry
from common.logs import JsonFormatter, RateLimit
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext
from pydantic import SecretStr


@pytest.fixture(autouse=True)
def same_logging_afterwards() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, "uvicorn", "uvicorn.error", "httpx", "elastic_transport", "alembic")]
    before = [(logger, logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    yield
    for logger, level, handlers, propagate in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


def record(message: str = "said", *arguments: Any, name: str = "common.test", level: int = logging.INFO, **extra: Any) -> logging.LogRecord:
    return logging.getLogger(name).makeRecord(name, level, "file.py", 1, message, arguments, None, extra=extra)


def line_of(made: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter("posts api").format(made)
    assert "\n" not in line
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_a_line_has_time_level_process_message_and_facts() -> None:
    line = line_of(record("%s of %s", 1, 2, post_id=7))
    assert line.pop("time").endswith("Z")
    assert line == {"level": "INFO", "process": "posts api", "logger": "common.test", "message": "1 of 2", "post_id": 7}


def test_a_line_break_from_outside_forges_no_second_line() -> None:
    assert line_of(record('x\n{"level": "ERROR"}\r\u2028', reason="a\nb"))["reason"] == "a\nb"


def test_an_exception_stays_on_its_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        made = record()
        made.exc_info = sys.exc_info()
    assert "ValueError: two" in line_of(made)["exception"]


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, b"\xff", ValueError("x"), float("nan"), SecretStr("canary")], ids=lambda value: type(value).__name__
)
def test_whatever_is_logged_becomes_a_line(value: Any) -> None:
    assert "canary" not in json.dumps(line_of(record(value=value)))


@pytest.mark.parametrize("value", [1 << 70, "\ud800", {1: 2}], ids=["large number", "half a character", "number as a name"])
def test_what_json_libraries_refuse_becomes_a_line_too(value: Any) -> None:
    assert line_of(record(value=value))["message"] == "said"


def test_a_line_of_a_trace_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_enabled", True)
    with trace.use_span(NonRecordingSpan(SpanContext(0xABC, 0xDEF, is_remote=False))):
        line = line_of(record())
    assert (line["trace_id"], line["span_id"]) == (f"{0xABC:032x}", f"{0xDEF:016x}")
    assert "trace_id" not in line_of(record())


def test_addresses_with_one_time_links_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("notify worker")
    logging.getLogger("httpx").info("HTTP Request: GET https://auth/confirm?token=canary")
    logging.getLogger("common.kafka").info("heard")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "heard"


def test_kafkas_client_is_heard_once_a_second_and_nobody_else_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("notify worker")
    for _ in range(100):
        logging.getLogger("aiokafka.client").error("no connection")
        logging.getLogger("aiokafka.client").info("chatter")
        logging.getLogger("common.relay").info("ours")
    messages = [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]
    assert messages.count("ours") == 100
    assert messages.count("no connection") in (1, 2)
    assert "chatter" not in messages


def test_a_limit_tells_how_much_it_kept_back() -> None:
    limit = RateLimit(per_second=0.001)
    assert [limit.filter(record()) for _ in range(4)] == [True, False, False, False]
    limit._next.clear()
    made = record()
    assert limit.filter(made)
    assert line_of(made)["dropped"] == 3


def test_a_limit_keeps_nothing_back_that_is_said_for_the_first_time() -> None:
    limit = RateLimit(per_second=0.001)
    said = [
        ("aiokafka", "no connection to %s"),
        ("aiokafka", "no connection to %s"),
        ("aiokafka", "out of the group"),
        ("other", "no connection to %s"),
    ]
    passed = [limit.filter(logging.LogRecord(name, logging.ERROR, "", 0, message, ("x",), None)) for name, message in said]
    assert passed == [True, False, True, True]


def test_setting_up_twice_doubles_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("posts api")
    logs.set_up("posts api", "WARNING")
    logging.getLogger("common.test").warning("once")
    logging.getLogger("common.test").info("below the level")
    assert len(capsys.readouterr().err.splitlines()) == 1
