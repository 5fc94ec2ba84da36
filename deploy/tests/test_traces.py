"""One trace from what a client sends to all that becomes of it, and the metrics of a whole stack, as a collector of OpenTelemetry receives them."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import composed
import pytest
from fakes.collector import FakeCollector
from fakes.server import serving
from prometheus import asked, expressions, series
from stack import Stack, start, wait_for

pytestmark = pytest.mark.slow

SETTINGS = {"AUTH_ARGON2_MEMORY_KIB": "64", "AUTH_ARGON2_TIME": "1", "GATEWAY_RATE_LIMITS": "false"}
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def traced(collector: FakeCollector, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack that tells the collector everything."""
    if composed.wanted():
        yield request.getfixturevalue("stack")
        return
    folder = tmp_path_factory.mktemp("traces")
    folder.chmod(0o755)
    with serving(collector.app()) as endpoint:
        own = start(folder / "data", {**SETTINGS, "MICROBLOG_OTLP_ENDPOINT": endpoint})
        try:
            yield own
        finally:
            assert own.stop() == 0


def test_a_trace_goes_from_a_reply_to_the_feed_that_it_is_in_and_the_mail_that_tells_of_it(traced: Stack, collector: FakeCollector) -> None:
    asker, answerer = traced.new_person("asker"), traced.new_person("answerer")
    asker.follow(answerer)
    asked = asker.write("who knows?")
    new: dict[str, Any] = {"status": f"@{asker.name} everybody does", "in_reply_to_id": asked["id"]}
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    told = answerer.client.post("/api/v1/statuses", json=new, headers=headers).raise_for_status().json()
    assert asker.get("/api/v1/timelines/home")[0]["id"] == told["id"]
    way = {
        ("gateway", "POST /api/v1/statuses"),
        ("posts-api", "POST /api/v1/statuses"),
        ("social-api", "POST /internal/carried/posts"),
        ("notify-worker", "process social.notices"),
        ("notify-worker", "send mail"),
    }
    with suppress(AssertionError):
        wait_for(lambda: way <= _steps(collector), "the whole trace", 30)
    assert way <= _steps(collector)
    wait_for(lambda: _wanted() <= _series(collector), "all metrics", 60)


def _wanted() -> set[str]:
    """What dashboard and alerts ask for, but for what is told only of refusals."""
    return {name for _, expression, _ in expressions() for name, _ in asked(expression).series} - {"microblog_requests_refused_total"}


def _series(collector: FakeCollector) -> set[str]:
    return {name for metric in list(collector.metrics.values()) for name in series(metric, set())}


def _steps(collector: FakeCollector) -> set[tuple[str, str]]:
    """Which process did what within the trace."""
    return {(process.removeprefix("microblog-"), span.name) for process, span in list(collector.spans) if span.trace_id.hex() == TRACE}
