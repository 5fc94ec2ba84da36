"""Metrics and spans as a collector receives them; in a process of its own, for OpenTelemetry is set up once in each."""

import subprocess
import sys
from typing import Any

import pytest
from common import telemetry
from common.kafka import Consumers
from fakes.collector import FakeCollector
from fakes.server import serving

_PROCESS = """
import asyncio, sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
import httpx
from common import telemetry
from fastapi import FastAPI, HTTPException
from opentelemetry import metrics, trace

telemetry.set_up("posts-api", sys.argv[1] or None)
app = FastAPI()

@app.get("/things/{number}")
async def thing(number: int) -> int:
    if number == 3:
        raise HTTPException(404)
    with telemetry.span("inside"):
        return number

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"
with telemetry.span("one", parent=PARENT):
    pass
with telemetry.span("several", links=[PARENT, OTHER, None, "nonsense", OTHER]):
    pass

async def ask() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(telemetry.Measured(app)), base_url="http://x") as client:
        for path in ("/things/1", "/things/2", "/things/3", "/wp-login.php"):
            await client.get(path)

asyncio.run(ask())
for topic, lag in (("posts.posts", 7), ("social.notices", 0)):
    telemetry.gauge("microblog.consumer.lag", "{record}", "lag", lambda topic=topic, lag=lag: [(lag, {"topic": topic})])
telemetry.count_dead_letter("social.notices", 0)
telemetry.count_dead_letter("posts.posts")
telemetry.count_refusal(429, "api")
for error in (None, ValueError()):
    with suppress(ValueError), telemetry.timed(telemetry.span("handling"), {"messaging.destination.name": "posts.posts"}):
        if error:
            raise error
hours_ago, ahead = (datetime.now(UTC) - timedelta(hours=hours) for hours in (3, -1))
telemetry.tell_ages("posts.posts", [hours_ago.isoformat(), "", ahead.isoformat()])
print(telemetry.current_traceparent(), telemetry.enabled())
for provider in (metrics.get_meter_provider(), trace.get_tracer_provider()):
    getattr(provider, "force_flush", lambda: None)()
"""


TRACES = [f"{first}af7651916cd43dd8448eb211c80319c" for first in (0, 1)]


def told(point: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value or str(pair.value.int_value) for pair in point.attributes}


@pytest.fixture(scope="module")
def collector() -> FakeCollector:
    made = FakeCollector()
    with serving(made.app()) as url:
        subprocess.run([sys.executable, "-c", _PROCESS, url], check=True, timeout=60)
    return made


def test_requests_are_told_by_route_and_status_never_by_path(collector: FakeCollector) -> None:
    metric = collector.metrics["http.server.request.duration"]
    found = {(p["http.route"], p["http.response.status_code"]): n for p, n in ((told(p), p.count) for p in metric.histogram.data_points)}
    assert found == {("/things/{number}", "200"): 2, ("/things/{number}", "404"): 1, ("other", "404"): 1}
    assert metric.unit == "s"


def test_lag_and_dead_letters_are_told_by_topic(collector: FakeCollector) -> None:
    lag = {told(point)["topic"]: point.as_int for point in collector.metrics["microblog.consumer.lag"].gauge.data_points}
    dead = {told(point)["topic"]: point.as_int for point in collector.metrics["microblog.dead_letters"].sum.data_points}
    assert lag == {"posts.posts": 7, "social.notices": 0}
    assert dead == {"posts.posts": 1, "social.notices": 0}, "what is told for the first time as 1 is no increase"


def test_handling_is_timed_with_what_it_failed_of(collector: FakeCollector) -> None:
    points = collector.metrics["messaging.process.duration"].histogram.data_points
    topic = {"messaging.destination.name": "posts.posts"}
    assert [(told(point), point.count) for point in points] == [(topic, 1), (topic | {"error.type": "ValueError"}, 1)]


def test_the_age_of_an_event_is_told_and_never_less_than_nothing(collector: FakeCollector) -> None:
    (ages,) = collector.metrics["microblog.event.age"].histogram.data_points
    assert (told(ages), ages.count, ages.min) == ({"topic": "posts.posts"}, 2, 0)
    assert 3 * 3600 <= ages.max < 3 * 3600 + 60


def test_refusals_are_told_with_their_reason(collector: FakeCollector) -> None:
    (refused,) = collector.metrics["microblog.requests.refused"].sum.data_points
    assert (refused.as_int, told(refused)) == (1, {"http.response.status_code": "429", "reason": "api"})


def test_a_process_says_how_long_it_has_been_running(collector: FakeCollector) -> None:
    (uptime,) = collector.metrics["process.uptime"].gauge.data_points
    assert 0 < uptime.as_double < 60


def test_spans_carry_the_name_of_the_process(collector: FakeCollector) -> None:
    assert [span.name for _, span in collector.spans].count("inside") == 2  # FastAPI tells of its own steps besides
    assert collector.processes == {"microblog-posts-api"}


def test_work_for_one_belongs_to_its_trace_and_work_for_several_is_linked_to_theirs(collector: FakeCollector) -> None:
    by_name = {span.name: span for _, span in collector.spans}
    one, several = by_name["one"], by_name["several"]
    assert (one.trace_id.hex(), one.parent_span_id.hex(), len(one.links)) == (TRACES[0], "b7ad6b7169203331", 0)
    assert [link.trace_id.hex() for link in several.links] == TRACES
    assert several.trace_id.hex() not in TRACES


def test_without_an_address_nothing_surrounds_the_handling_of_a_record() -> None:
    assert Consumers("tests", "127.0.0.1:1", "tests-0")._span("posts.posts", None) is telemetry.NOTHING


def test_without_an_address_nothing_is_set_up() -> None:
    done = subprocess.run([sys.executable, "-c", _PROCESS, ""], check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout.split() == ["None", "False"]
