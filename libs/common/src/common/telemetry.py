"""OpenTelemetry traces through HTTP and Kafka, and metrics; off unless an OTLP address is set, and then nothing is measured."""

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, Final

from opentelemetry import context, metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_tracer: Final = trace.get_tracer("microblog")
_enabled = False

NOTHING: Final[AbstractContextManager[None]] = nullcontext()
"""What surrounds work where telemetry is off; one object for all."""

_METRICS_EVERY_MS: Final = 15_000
_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_AGES: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)

Values = Iterable[tuple[float, dict[str, str]]]
"""Numbers with their attributes, as of now."""

_reads: Final[dict[str, list[Callable[[], Values]]]] = {}

_meter: Final = metrics.get_meter("microblog")
_durations: Final = _meter.create_histogram(
    "http.server.request.duration", "s", "how long requests took", explicit_bucket_boundaries_advisory=_SECONDS
)
_process_durations: Final = _meter.create_histogram(
    "messaging.process.duration",
    "s",
    "how long handling a record took, or several of them together",
    explicit_bucket_boundaries_advisory=_SECONDS,
)
_event_ages: Final = _meter.create_histogram(
    "microblog.event.age", "s", "how long before the end of its handling an event had happened", explicit_bucket_boundaries_advisory=_AGES
)
_dead_letters: Final = _meter.create_counter("microblog.dead_letters", "{record}", "records that could not be digested")
_refused: Final = _meter.create_counter("microblog.requests.refused", "{request}", "requests that the gateway refused before any work")


def set_up(process: str, endpoint: str | None) -> None:
    """Send spans and metrics of this process to the OTLP endpoint (HTTP); does nothing without one."""
    global _enabled
    if endpoint is None or _enabled:
        return
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    base = endpoint.rstrip("/")
    resource = Resource.create({"service.name": f"microblog-{process}", "service.instance.id": f"{socket.gethostname()}-{os.getpid()}"})
    spans = TracerProvider(resource=resource)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{base}/v1/traces")))
    trace.set_tracer_provider(spans)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{base}/v1/metrics"), export_interval_millis=_METRICS_EVERY_MS)
    metrics.set_meter_provider(MeterProvider(metric_readers=[reader], resource=resource))
    began = time.monotonic()
    gauge("process.uptime", "s", "how long the process has been running", lambda: [(time.monotonic() - began, {})])
    _enabled = True


def enabled() -> bool:
    return _enabled


def span(
    name: str, kind: SpanKind = SpanKind.INTERNAL, parent: str | None = None, links: Iterable[str | None] = (), **attributes: Any
) -> AbstractContextManager[None]:
    """A span around some work; `parent` is a W3C traceparent that came with a request or an event.

    Work for several of them at once belongs to no trace of theirs, and has `links` to each.
    """
    return _span(name, kind, parent, links, attributes) if _enabled else NOTHING


@contextmanager
def _span(name: str, kind: SpanKind, parent: str | None, links: Iterable[str | None], attributes: dict[str, Any]) -> Iterator[None]:
    token = context.attach(extract({"traceparent": parent})) if parent else None
    try:
        linked = [Link(context) for context in map(_context_of, dict.fromkeys(links)) if context.is_valid]
        with _tracer.start_as_current_span(name, kind=kind, attributes=attributes, links=linked, record_exception=False) as current:
            try:
                yield
            except Exception as error:
                current.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise
    finally:
        if token is not None:
            context.detach(token)


def _context_of(traceparent: str | None) -> SpanContext:
    return trace.get_current_span(extract({"traceparent": traceparent or ""}, Context())).get_span_context()


def current_traceparent() -> str | None:
    """The W3C traceparent of the current span, to send along."""
    if not _enabled:
        return None
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get("traceparent")


def current_ids() -> tuple[str, str] | None:
    """Trace and span id in hexadecimal, for log lines."""
    if not _enabled:
        return None
    current = trace.get_current_span().get_span_context()
    return (f"{current.trace_id:032x}", f"{current.span_id:016x}") if current.is_valid else None


def gauge(name: str, unit: str, description: str, read: Callable[[], Values]) -> None:
    """A metric that is read whenever metrics are sent, and costs nothing otherwise. `read` runs in a thread of its own."""
    if _first(name, read):
        _meter.create_observable_gauge(name, [_observing(name)], unit, description)


def level(name: str, unit: str, description: str, read: Callable[[], Values]) -> None:
    """The same of what makes sense summed up over processes, such as connections."""
    if _first(name, read):
        _meter.create_observable_up_down_counter(name, [_observing(name)], unit, description)


def _first(name: str, read: Callable[[], Values]) -> bool:
    """Whether the metric is new: OpenTelemetry silently leaves out what is registered a second time under a name, so all are read by the first."""
    _reads.setdefault(name, []).append(read)
    return len(_reads[name]) == 1


def _observing(name: str) -> Callable[[CallbackOptions], list[Observation]]:
    return lambda _: [Observation(value, attributes) for read in _reads[name] for value, attributes in read()]


@contextmanager
def timed(work: AbstractContextManager[None], attributes: dict[str, str]) -> Iterator[None]:
    """Tell how long a consumer's work took (semantic conventions of OpenTelemetry for messaging); only where telemetry is on."""
    began, failed = time.perf_counter(), {}
    try:
        with work:
            yield
    except Exception as error:
        failed = {"error.type": type(error).__name__}
        raise
    finally:
        _process_durations.record(time.perf_counter() - began, attributes | failed)


def tell_ages(topic: str, happened: Iterable[str]) -> None:
    """Events of the topic were handled that had happened at these times (RFC 3339); only where telemetry is on."""
    now = datetime.now(UTC)
    for moment in filter(None, happened):
        _event_ages.record(max(0.0, (now - datetime.fromisoformat(moment)).total_seconds()), {"topic": topic})


def count_dead_letter(topic: str, count: int = 1) -> None:
    """A record of the topic was put aside. A count of 0 says that there are none yet: else the first one would look as if it had always been."""
    _dead_letters.add(count, {"topic": topic})


def count_refusal(status: int, reason: str) -> None:
    """The gateway refused a request: 503 with what was full, or 429 with the limit that was reached."""
    if _enabled:
        _refused.add(1, {"http.response.status_code": status, "reason": reason})


class Measured:
    """Tells how long each request took, by method, route and status (semantic conventions of OpenTelemetry for HTTP servers)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _enabled:
            await self._app(scope, receive, send)
            return
        status, began = 500, time.perf_counter()

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            attributes = {"http.request.method": scope["method"], "http.response.status_code": status, "http.route": _route(scope)}
            _durations.record(time.perf_counter() - began, attributes)


def _route(scope: Scope) -> str:
    """The template of the path that was asked for: paths themselves hold ids and would make a series each."""
    return str(scope.get("route_path") or getattr(scope.get("route"), "path", "") or "other")
