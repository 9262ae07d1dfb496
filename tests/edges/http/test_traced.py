from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest
import structlog
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.edges.http.infer import InferV2
from driftgauge.edges.http.predict import PredictJson
from driftgauge.edges.http.request_metrics import HttpCounters, http_series
from driftgauge.edges.http.traced import CURRENT, GuardedSpan, Traced, TracedCounters, traced_codec
from driftgauge.errors import Reason
from driftgauge.main import compose
from starlette.types import Message, Receive, Scope, Send

from tests.edges.formats.test_features import info
from tests.examples import Example, quiet
from tests.monitors import counters_of

ROUTES = [("POST", "/predict", (200,))]


class Span:
    """Keeps what it is told, or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        self.said: list[Any] = []
        self._fails = fails

    ids = ("ab" * 16, "cd" * 8)

    def _say(self, *what: Any) -> None:
        if self._fails:
            raise ValueError("no span")
        self.said.append(what)

    def predicted(self, model_name: str, model_version: str, ids: Sequence[str]) -> None:
        self._say(model_name, model_version, ids)

    def answered(self, method: str, route: str, code: int, seconds: float) -> None:
        self._say(method, route, code, seconds)

    def end(self) -> None:
        self._say("end")


class Tracer:
    """Traces all requests with one span, or fails."""

    def __init__(self, span: Span | None) -> None:
        self.span = span
        self.asked = 0

    def begin(self, scope: Scope) -> Span | None:
        self.asked += 1
        if scope["path"] == "/broken":
            raise ValueError("no tracer")
        return self.span


class Application:
    """Sees the span and the log context of each request."""

    def __init__(self, counters: TracedCounters, *, fails: bool = False) -> None:
        self.counters = counters
        self.logged: list[Mapping[str, Any]] = []
        self.fails = fails

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.logged.append(structlog.contextvars.get_contextvars())
        if (span := CURRENT.get()) is not None:
            span.predicted("coin", "1", ["one"])
        self.counters.count("POST", "/predict", 200, 0.25)
        if self.fails:
            raise RuntimeError("no answer")


async def _nothing(message: Message | None = None) -> Any:
    return None


def ask(
    tracer: Tracer, *, fails: bool = False, kind: str = "http", method: str = "POST", path: str = "/predict"
) -> tuple[Application, list[Exception]]:
    errors: list[Exception] = []
    app = Application(TracedCounters(ROUTES, counters_of(http_series(ROUTES))), fails=fails)
    scope = {"type": kind, "method": method, "path": path, "headers": []}
    asyncio.run(Traced(app, tracer, errors.append)(scope, _nothing, _nothing))
    return app, errors


def test_a_span_learns_what_was_predicted_and_counted_and_log_lines_name_it() -> None:
    span = Span()
    app, errors = ask(Tracer(span))
    assert span.said == [("coin", "1", ["one"]), ("POST", "/predict", 200, 0.25), ("end",)]
    assert app.logged == [{"trace_id": "ab" * 16, "span_id": "cd" * 8}]
    assert structlog.contextvars.get_contextvars() == {}
    assert CURRENT.get() is None
    assert errors == []


def test_a_request_that_is_not_traced_is_answered_as_without_tracing() -> None:
    app, errors = ask(Tracer(None))
    assert app.logged == [{}]
    assert errors == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_requests_that_only_read_are_not_traced(method: str) -> None:
    tracer = Tracer(Span())
    ask(tracer, method=method)
    assert tracer.asked == 0


def test_what_is_no_request_is_not_traced() -> None:
    tracer = Tracer(Span())
    ask(tracer, kind="lifespan")
    assert tracer.asked == 0


def test_a_span_or_a_tracer_that_fails_fails_no_request() -> None:
    app, errors = ask(Tracer(Span(fails=True)))
    assert len(app.logged) == 1
    assert [str(error) for error in errors] == ["no span"] * 3
    app, errors = ask(Tracer(Span()), path="/broken")
    assert len(app.logged) == 1
    assert [str(error) for error in errors] == ["no tracer"]


def test_the_span_of_a_request_that_fails_ends_too() -> None:
    span = Span()
    with pytest.raises(RuntimeError, match="no answer"):
        ask(Tracer(span), fails=True)
    assert span.said[-1] == ("end",)
    assert CURRENT.get() is None


def test_an_answer_of_no_known_route_is_told_under_the_labels_of_its_metrics() -> None:
    span, errors = Span(), list[Exception]()
    token = CURRENT.set(GuardedSpan(span, errors.append))
    try:
        TracedCounters(ROUTES, counters_of(http_series(ROUTES))).count("POST", "/elsewhere", 404, 0.5)
    finally:
        CURRENT.reset(token)
    assert span.said == [("other", "unmatched", 404, 0.5)]


ROW = {"features": {"size": 1.5, "shape": "round", "flag": True}, "prediction_id": "mine"}


def test_a_span_learns_the_ids_of_predictions_and_their_model() -> None:
    codec, span, errors = PredictJson(FeatureDecoder(info()), info(), 10), Span(), list[Exception]()
    traced = traced_codec(codec, info(), is_on=True)
    request = traced.read(orjson.dumps(ROW))
    assert traced.ids(request, 1.0) == ["mine"]
    assert span.said == []
    token = CURRENT.set(GuardedSpan(span, errors.append))
    try:
        assert traced.ids(request, 1.0) == ["mine"]
    finally:
        CURRENT.reset(token)
    assert (span.said, errors) == ([(info().name, info().version, ["mine"])], [])
    assert traced.error(Reason.NOT_JSON, "no JSON", {}) == codec.error(Reason.NOT_JSON, "no JSON", {})


def test_without_a_collector_no_request_passes_through_code_of_tracing(binary: Example) -> None:
    codec = PredictJson(FeatureDecoder(info()), info(), 10)
    assert traced_codec(codec, info(), is_on=False) is codec
    context = compose(quiet(), binary.bundle, lambda: 1000.0)
    (model,) = context.models.all_live
    assert model.predict_label is not None
    assert type(model.predict.codec) is type(model.predict_label.codec) is PredictJson
    assert type(model.infer.codec) is InferV2
    assert type(context.http) is HttpCounters
