"""Metrics and spans as a collector receives them; in a process of its own, for OpenTelemetry is set up once in each."""

import subprocess
import sys
from typing import Any

import pytest
from fakes.server import serving
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_PROCESS = """
import asyncio, sys
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
telemetry.gauge("microblog.consumer.lag", "{record}", "lag", lambda: [(7, {"topic": "posts.posts"})])
telemetry.count_dead_letter("posts.posts")
print(telemetry.current_traceparent(), telemetry.enabled())
for provider in (metrics.get_meter_provider(), trace.get_tracer_provider()):
    getattr(provider, "force_flush", lambda: None)()
"""


TRACES = [f"{first}af7651916cd43dd8448eb211c80319c" for first in (0, 1)]


class Collector:
    """An OTLP receiver that keeps what it was sent."""

    def __init__(self) -> None:
        self.metrics: dict[str, Any] = {}
        self.spans: list[Span] = []
        self.resources: set[str] = set()

    def app(self) -> Starlette:
        return Starlette(
            routes=[Route("/v1/metrics", self._metrics, methods=["POST"]), Route("/v1/traces", self._traces, methods=["POST"])]
        )

    async def _metrics(self, request: Request) -> Response:
        for resource in ExportMetricsServiceRequest.FromString(await request.body()).resource_metrics:
            self.resources |= {pair.value.string_value for pair in resource.resource.attributes if pair.key == "service.name"}
            self.metrics |= {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}
        return Response()

    async def _traces(self, request: Request) -> Response:
        for resource in ExportTraceServiceRequest.FromString(await request.body()).resource_spans:
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        return Response()


def told(point: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value or str(pair.value.int_value) for pair in point.attributes}


@pytest.fixture(scope="module")
def collector() -> Collector:
    made = Collector()
    with serving(made.app()) as url:
        subprocess.run([sys.executable, "-c", _PROCESS, url], check=True, timeout=60)
    return made


def test_requests_are_told_by_route_and_status_never_by_path(collector: Collector) -> None:
    metric = collector.metrics["http.server.request.duration"]
    found = {(p["http.route"], p["http.response.status_code"]): n for p, n in ((told(p), p.count) for p in metric.histogram.data_points)}
    assert found == {("/things/{number}", "200"): 2, ("/things/{number}", "404"): 1, ("other", "404"): 1}
    assert metric.unit == "s"


def test_lag_and_dead_letters_are_told_by_topic(collector: Collector) -> None:
    (lag,) = collector.metrics["microblog.consumer.lag"].gauge.data_points
    (dead,) = collector.metrics["microblog.dead_letters"].sum.data_points
    assert (lag.as_int, told(lag)) == (7, {"topic": "posts.posts"})
    assert (dead.as_int, told(dead)) == (1, {"topic": "posts.posts"})


def test_spans_carry_the_name_of_the_process(collector: Collector) -> None:
    assert [span.name for span in collector.spans].count("inside") == 2  # FastAPI tells of its own steps besides
    assert collector.resources == {"microblog-posts-api"}


def test_work_for_one_belongs_to_its_trace_and_work_for_several_is_linked_to_theirs(collector: Collector) -> None:
    by_name = {span.name: span for span in collector.spans}
    one, several = by_name["one"], by_name["several"]
    assert (one.trace_id.hex(), one.parent_span_id.hex(), len(one.links)) == (TRACES[0], "b7ad6b7169203331", 0)
    assert [link.trace_id.hex() for link in several.links] == TRACES
    assert several.trace_id.hex() not in TRACES


def test_without_an_address_nothing_is_set_up() -> None:
    done = subprocess.run([sys.executable, "-c", _PROCESS, ""], check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout.split() == ["None", "False"]
