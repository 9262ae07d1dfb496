"""Requests that are traced: their spans begin before everything else, and learn what was answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Final, Generic, Protocol, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from driftgauge.edges.http.prediction_endpoint import Codec, DecodedRequest
from driftgauge.edges.http.request_metrics import HttpCounters
from driftgauge.models.bundle import BundleInfo

R = TypeVar("R", bound=DecodedRequest)

UNTRACED: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that only read: metrics, health checks and pages would be most of the traces."""


class RequestSpan(Protocol):
    """The span of one request."""

    @property
    def ids(self) -> tuple[str, str]:
        """The trace id and the span id."""

    def predicted(self, model_name: str, model_version: str, ids: Sequence[str]) -> None:
        """Say which model answers, and the ids of its predictions."""

    def answered(self, method: str, route: str, code: int, seconds: float) -> None:
        """Say what was answered, under the labels of its metrics."""

    def end(self) -> None:
        """End it."""


class RequestTracer(Protocol):
    """Begins spans."""

    def begin(self, scope: Scope) -> RequestSpan | None:
        """Return the span of a request; None if it is not traced."""


class GuardedSpan:
    """A span whose failures are recorded and fail no request."""

    __slots__ = ("_record", "_span")

    def __init__(self, span: RequestSpan, record: Callable[[Exception], None]) -> None:
        self._span = span
        self._record = record

    def predicted(self, model_name: str, model_version: str, ids: Sequence[str]) -> None:
        """Say which model answers, and the ids of its predictions."""
        try:
            self._span.predicted(model_name, model_version, ids)
        except Exception as error:
            self._record(error)

    def answered(self, method: str, route: str, code: int, seconds: float) -> None:
        """Say what was answered, under the labels of its metrics."""
        try:
            self._span.answered(method, route, code, seconds)
        except Exception as error:
            self._record(error)

    def end(self) -> None:
        """End it."""
        try:
            self._span.end()
        except Exception as error:
            self._record(error)


CURRENT: Final[ContextVar[GuardedSpan | None]] = ContextVar("request_span", default=None)
"""The span of the request that a task answers."""


class Traced:
    """ASGI middleware: traces requests that predict or change something."""

    def __init__(self, app: ASGIApp, tracer: RequestTracer, record: Callable[[Exception], None]) -> None:
        """`record` takes what fails of tracing itself."""
        self._app = app
        self._tracer = tracer
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the wrapped application does."""
        span = self._begin(scope) if scope["type"] == "http" and scope["method"] not in UNTRACED else None
        if span is None:
            await self._app(scope, receive, send)
            return
        trace_id, span_id = span.ids
        guarded = GuardedSpan(span, self._record)
        token = CURRENT.set(guarded)
        try:
            with bound_contextvars(trace_id=trace_id, span_id=span_id):
                await self._app(scope, receive, send)
        finally:
            CURRENT.reset(token)
            guarded.end()

    def _begin(self, scope: Scope) -> RequestSpan | None:
        try:
            return self._tracer.begin(scope)
        except Exception as error:
            self._record(error)
            return None


class TracedCounters(HttpCounters):
    """The server's own counters, which tell the span of each request what was counted."""

    def count(self, method: str, template: str | None, code: int, seconds: float) -> None:
        """Count one answer, and tell its span."""
        super().count(method, template, code, seconds)
        if (span := CURRENT.get()) is not None:
            own_method, route, _ = self._labels(method, template or "", str(code))
            span.answered(own_method, route, code, seconds)


class TracedCodec(Generic[R]):
    """A wire format that tells the span of each request which model answers, and the ids of its predictions."""

    def __init__(self, codec: Codec[R], info: BundleInfo) -> None:
        self.read = codec.read
        self.write = codec.write
        self.error = codec.error
        self._ids = codec.ids
        self._info = info

    def ids(self, request: R, arrival: float) -> Sequence[str]:
        """Return the ids of the rows' predictions, and tell the span."""
        ids = self._ids(request, arrival)
        if (span := CURRENT.get()) is not None:
            span.predicted(self._info.name, self._info.version, ids)
        return ids


def traced_codec(codec: Codec[R], info: BundleInfo, *, is_on: bool) -> Codec[R]:
    """Return a wire format that tells spans of predictions; the same one, at no cost, where nothing is traced."""
    return TracedCodec(codec, info) if is_on else codec
