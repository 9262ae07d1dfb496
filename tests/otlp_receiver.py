"""A collector for tests: takes OTLP over HTTP and over gRPC, built on the service stubs of opentelemetry-proto."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Attributes = Mapping[str, Any]
REQUESTS: Mapping[str, tuple[Any, Any]] = {
    "/v1/metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
    "/v1/traces": (ExportTraceServiceRequest, ExportTraceServiceResponse),
}


class Point(NamedTuple):
    """A data point: of a histogram the value is its count."""

    name: str
    unit: str
    kind: str
    attributes: Attributes
    value: float
    raw: Any


class ReceivedSpan(NamedTuple):
    """A span."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: Attributes
    raw: Any


class Collector:
    """What was received, in the order in which it came."""

    def __init__(self) -> None:
        self.metrics: list[ExportMetricsServiceRequest] = []
        self.traces: list[ExportTraceServiceRequest] = []
        self.headers: list[Mapping[str, str]] = []
        self.lock = threading.Lock()

    def take(self, request: Any, headers: Mapping[str, str]) -> None:
        """Keep a request."""
        with self.lock:
            own: list[Any] = self.metrics if isinstance(request, ExportMetricsServiceRequest) else self.traces
            own.append(request)
            self.headers.append(headers)

    @property
    def resources(self) -> list[Attributes]:
        """The resource of each request."""
        with self.lock:
            found = [own.resource_metrics[0].resource for own in self.metrics]
            found += [own.resource_spans[0].resource for own in self.traces]
        return [attributes_of(own.attributes) for own in found]

    @property
    def points(self) -> list[Point]:
        """All points of all requests."""
        with self.lock:
            requests = list(self.metrics)
        return [own for request in requests for own in points_of(request)]

    @property
    def spans(self) -> list[ReceivedSpan]:
        """All spans of all requests."""
        with self.lock:
            requests = list(self.traces)
        found = [
            span for request in requests for own in request.resource_spans for s in own.scope_spans for span in s.spans
        ]
        return [
            ReceivedSpan(
                own.name,
                own.trace_id.hex(),
                own.span_id.hex(),
                own.parent_span_id.hex(),
                attributes_of(own.attributes),
                own,
            )
            for own in found
        ]


def points_of(request: ExportMetricsServiceRequest) -> Iterator[Point]:
    """Yield the points of a request."""
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = str(metric.WhichOneof("data"))
                for own in getattr(metric, kind).data_points:
                    value = float(own.count) if kind == "histogram" else own.as_double
                    yield Point(metric.name, metric.unit, kind, attributes_of(own.attributes), value, own)


def attributes_of(pairs: Any) -> Attributes:
    """Return attributes by name."""
    found: list[KeyValue] = list(pairs)
    return {own.key: _value(own.value) for own in found}


def _value(value: AnyValue) -> Any:
    kind = str(value.WhichOneof("value"))
    found = getattr(value, kind)
    return [_value(own) for own in found.values] if kind == "array_value" else found


@contextmanager
def over_http(port: int = 0, collector: Collector | None = None) -> Iterator[tuple[str, Collector]]:
    """Give the address of a collector that takes OTLP over HTTP; connections end with it, as those of a program do."""
    received = collector or Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            read, answer = REQUESTS[self.path]
            request = read()
            request.ParseFromString(body)
            received.take(request, {name.lower(): value for name, value in self.headers.items()})
            content = answer().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def over_grpc(answer: Any = None) -> Iterator[tuple[str, Collector]]:
    """Give the address of a collector that takes OTLP over gRPC, and answers metrics so if an answer is given."""
    received = Collector()

    def keep(request: Any, context: grpc.ServicerContext) -> None:
        received.take(request, {str(key): str(value) for key, value in context.invocation_metadata()})

    class Metrics(MetricsServiceServicer):
        def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
            keep(request, context)
            return answer or ExportMetricsServiceResponse()

    class Traces(TraceServiceServicer):
        def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
            keep(request, context)
            return ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    add_MetricsServiceServicer_to_server(Metrics(), server)  # type: ignore[no-untyped-call]
    add_TraceServiceServicer_to_server(Traces(), server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}", received
    finally:
        server.stop(None).wait()
