"""Spans of requests: which are traced, what they say, and how they wait to be sent."""

from __future__ import annotations

import random
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import Span, SpanKind, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from driftgauge.metrics.facts import Exemplar
from driftgauge.metrics.series import LATENCY_BUCKETS
from driftgauge.telemetry.tally import Tally

SHOWN_IDS: Final = 32
"""Ids of predictions that a span names; a request may have thousands."""
SERVER_ERROR: Final = 500
SHOWN_PATH: Final = 1_024
"""Characters of a path that a span has: what waits to be sent stays small, whatever is asked."""
MOST_STATE: Final = 512
"""Longest `tracestate` that is kept, as much as W3C Trace Context asks for; a span may wait in a queue with it."""
METHODS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
OTHER: Final = "_OTHER"
"""Any other method, by the conventions."""
Headers = Iterable[tuple[bytes, bytes]]


class CountedExporter(SpanExporter):
    """Sends spans with another exporter, and counts what becomes of them; `most` may wait."""

    def __init__(
        self,
        inner: SpanExporter,
        tally: Tally,
        most: int,
        failed: Callable[[str | None], None],
        rejected: Callable[[], int],
    ) -> None:
        """`failed` is called with a signal's name after a failure, and with None after a success.

        `rejected` returns how many of the spans that were sent the collector has rejected.
        """
        self._inner: Final = inner
        self._tally: Final = tally
        self._most: Final = most
        self._failed: Final = failed
        self._rejected: Final = rejected
        self._waiting = 0
        self._sending = 0
        self._is_abandoned = False
        self._lock = threading.Lock()

    @property
    def has_room(self) -> bool:
        """Whether the next span that ends will wait to be sent; certain in the thread in which spans end."""
        return self._waiting < self._most and not self._is_abandoned

    def admit(self) -> bool:
        """Return whether there is room for a span, which then waits; one without room is counted."""
        with self._lock:
            if self._waiting < self._most:
                self._waiting += 1
                return True
        self._tally.add("traces", "dropped", 1)
        return False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans that have waited; once they are abandoned, they have been counted."""
        with self._lock:
            if self._is_abandoned:
                return SpanExportResult.FAILURE
            self._waiting -= len(spans)
            self._sending = len(spans)
        result = SpanExportResult.FAILURE
        try:
            result = self._inner.export(spans)
        finally:
            self._count(len(spans), is_sent=result is SpanExportResult.SUCCESS)
        return result

    def _count(self, spans: int, *, is_sent: bool) -> None:
        rejected = self._rejected()
        lost = min(rejected, spans) if is_sent else spans
        with self._lock:
            self._sending = 0
            if self._is_abandoned:
                return
            self._tally.add("traces", "sent", spans - lost)
            self._tally.add("traces", "failed", lost)
        self._failed("traces" if lost else None)

    def shutdown(self) -> None:
        """Stop, and stop waiting for another attempt."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what the inner exporter keeps."""
        return self._inner.force_flush(timeout_millis)

    def abandon(self) -> None:
        """Count waiting spans as dropped, and spans on their way as failed."""
        with self._lock:
            self._is_abandoned = True
            self._tally.add("traces", "dropped", self._waiting)
            self._tally.add("traces", "failed", self._sending)
            self._waiting = self._sending = 0


class BoundedProcessor(BatchSpanProcessor):
    """The SDK's queue and its thread, with a count of what has no room."""

    def __init__(self, exporter: CountedExporter, most: int) -> None:
        super().__init__(exporter, max_queue_size=most)
        self._counted: Final = exporter

    def on_end(self, span: ReadableSpan) -> None:
        """Let a span wait to be sent, if there is room."""
        if self._counted.admit():
            super().on_end(span)


class RequestSpan:
    """The span of one request."""

    __slots__ = ("_clock", "_exporter", "_found", "_method", "_span", "_tally")

    def __init__(
        self, span: Span, method: str, exporter: CountedExporter, tally: Tally, clock: Callable[[], float]
    ) -> None:
        self._span = span
        self._method = method
        self._exporter = exporter
        self._tally = tally
        self._clock = clock
        self._found: tuple[tuple[str, str], int, Exemplar] | None = None

    @property
    def ids(self) -> tuple[str, str]:
        """The trace id and the span id, in hexadecimal digits."""
        context = self._span.get_span_context()
        return f"{context.trace_id:032x}", f"{context.span_id:016x}"

    def predicted(self, model_name: str, model_version: str, ids: Sequence[str]) -> None:
        """Say which model answers, and the ids of its predictions, one for each row."""
        attributes: dict[str, Any] = {
            "driftgauge.model.name": model_name,
            "driftgauge.model.version": model_version,
            "driftgauge.prediction.rows": len(ids),
        }
        if ids:
            attributes["driftgauge.prediction.id"] = ids[0]
        if len(ids) > 1:
            attributes["driftgauge.prediction.ids"] = tuple(ids[:SHOWN_IDS])
        self._span.set_attributes(attributes)

    def answered(self, method: str, route: str, code: int, seconds: float) -> None:
        """Say what was answered; it is an exemplar of its bucket of the histogram of requests once it has ended."""
        self._span.update_name(f"{_named(self._method)} {route}")
        self._span.set_attributes({"http.route": route, "http.response.status_code": code})
        if code >= SERVER_ERROR:
            self._span.set_attribute("error.type", str(code))
            self._span.set_status(StatusCode.ERROR)
        trace_id, span_id = self.ids
        found = Exemplar(trace_id, span_id, seconds, self._clock())
        self._found = (method, route), bisect_left(LATENCY_BUCKETS, seconds), found

    def end(self) -> None:
        """End it; it is sent later, or dropped, and then no exemplar leads to it."""
        is_sent = self._exporter.has_room
        self._span.end()
        if is_sent and self._found is not None:
            self._tally.note(*self._found)


class RequestTracer:
    """Begins spans: of all requests whose callers trace them, and of a share of the other requests."""

    def __init__(
        self,
        exporter: CountedExporter,
        resource: Resource,
        version: str,
        ratio: float,
        most: int,
        tally: Tally,
        clock: Callable[[], float],
    ) -> None:
        self._provider = TracerProvider(ParentBased(ALWAYS_ON), resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BoundedProcessor(exporter, most))
        self._tracer = self._provider.get_tracer("driftgauge", version)
        self._context = TraceContextTextMapPropagator()
        self._exporter: Final = exporter
        self._ratio: Final = ratio
        self._tally: Final = tally
        self._clock: Final = clock

    def begin(self, scope: Mapping[str, Any]) -> RequestSpan | None:
        """Return the span of a request; None if it is not traced."""
        parent = self._parent(scope["headers"])
        if parent is None and random.random() >= self._ratio:  # noqa: S311 - a sample, no secret
            return None
        method: str = scope["method"] if scope["method"] in METHODS else OTHER
        span = self._tracer.start_span(_named(method), parent or Context(), SpanKind.SERVER, _attributes(scope, method))
        if not span.is_recording():
            return None
        return RequestSpan(span, method, self._exporter, self._tally, self._clock)

    def _parent(self, headers: Headers) -> Context | None:
        """Return the caller's trace (W3C Trace Context); None without a valid one."""
        found = [value for name, value in headers if name == b"traceparent"]
        if len(found) != 1:
            return None
        state = b",".join(value for name, value in headers if name == b"tracestate")
        carrier = {
            "traceparent": found[0].decode("latin-1"),
            "tracestate": state.decode("latin-1") if len(state) <= MOST_STATE else "",
        }
        context = self._context.extract(carrier, Context())
        return context if get_current_span(context).get_span_context().is_valid else None

    def close(self, seconds: float) -> None:
        """Send waiting spans for at most this time; the rest is counted as dropped."""
        ending = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        ending.start()
        ending.join(seconds)
        if ending.is_alive():
            self._exporter.shutdown()
        self._exporter.abandon()


def _named(method: str) -> str:
    """Return how a span's name begins."""
    return "HTTP" if method == OTHER else method


def _attributes(scope: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Return what is known of a request before it is answered, by the conventions for HTTP servers."""
    attributes: dict[str, Any] = {
        "http.request.method": method,
        "url.path": scope["path"][:SHOWN_PATH],
        "url.scheme": scope.get("scheme", "http"),
        "network.protocol.version": scope.get("http_version", "1.1"),
    }
    server = scope.get("server")
    if server:
        attributes["server.address"] = server[0]
        if server[1] is not None:
            attributes["server.port"] = server[1]
    return attributes
