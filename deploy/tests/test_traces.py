"""One trace from what a client sends to all that becomes of it, as a collector of OpenTelemetry receives it."""

from collections.abc import Iterator
from typing import Any

import pytest
from fakes.server import serving
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from stack import start, wait_for
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

pytestmark = pytest.mark.slow

SETTINGS = {"AUTH_ARGON2_MEMORY_KIB": "64", "AUTH_ARGON2_TIME": "1", "GATEWAY_RATE_LIMITS": "false"}
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Collector:
    """An OTLP receiver that keeps which process did what within one trace."""

    def __init__(self) -> None:
        self.told: set[tuple[str, str]] = set()

    def app(self) -> Starlette:
        routes = [Route("/v1/traces", self._traces, methods=["POST"]), Route("/v1/metrics", self._metrics, methods=["POST"])]
        return Starlette(routes=routes)

    async def _traces(self, request: Request) -> Response:
        for resource in ExportTraceServiceRequest.FromString(await request.body()).resource_spans:
            process = next(pair.value.string_value for pair in resource.resource.attributes if pair.key == "service.name")
            spans = [span for scope in resource.scope_spans for span in scope.spans]
            self.told |= {(process.removeprefix("microblog-"), span.name) for span in spans if span.trace_id.hex() == TRACE}
        return Response()

    async def _metrics(self, _: Request) -> Response:
        return Response()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    made = Collector()
    with serving(made.app()) as url:
        yield made, url


def test_a_trace_goes_from_a_reply_to_the_feed_that_it_is_in_and_the_mail_that_tells_of_it(
    collector: tuple[Collector, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    seen, endpoint = collector
    folder = tmp_path_factory.mktemp("traces")
    folder.chmod(0o755)
    stack = start(folder / "data", {**SETTINGS, "MICROBLOG_OTLP_ENDPOINT": endpoint})
    try:
        asker, answerer = stack.new_person("asker"), stack.new_person("answerer")
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
        wait_for(lambda: way <= seen.told, "the whole trace", 30)
    finally:
        assert stack.stop() == 0
