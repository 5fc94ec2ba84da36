"""A collector of OpenTelemetry that keeps what it is sent (OTLP over HTTP, https://opentelemetry.io/docs/specs/otlp/)."""

from collections import defaultdict

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class FakeCollector:
    """Metrics as they were told last, by name; their attributes' names; spans with the process that they are from."""

    def __init__(self) -> None:
        self.metrics: dict[str, Metric] = {}
        self.attributes: defaultdict[str, set[str]] = defaultdict(set)
        self.spans: list[tuple[str, Span]] = []
        self.processes: set[str] = set()

    def app(self) -> Starlette:
        routes = [Route("/v1/metrics", self._metrics, methods=["POST"]), Route("/v1/traces", self._traces, methods=["POST"])]
        return Starlette(routes=routes)

    async def _metrics(self, request: Request) -> Response:
        for told in ExportMetricsServiceRequest.FromString(await request.body()).resource_metrics:
            self.processes.add(_process(told.resource))
            for metric in (metric for scope in told.scope_metrics for metric in scope.metrics):
                self.metrics[metric.name] = metric
                points = getattr(metric, metric.WhichOneof("data") or "gauge").data_points
                self.attributes[metric.name] |= {pair.key for point in points for pair in point.attributes}
        return Response()

    async def _traces(self, request: Request) -> Response:
        for told in ExportTraceServiceRequest.FromString(await request.body()).resource_spans:
            process = _process(told.resource)
            self.spans += [(process, span) for scope in told.scope_spans for span in scope.spans]
        return Response()


def _process(resource: Resource) -> str:
    return str(next(pair.value.string_value for pair in resource.attributes if pair.key == "service.name"))
