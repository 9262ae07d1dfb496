"""`GET /performance`: how good predictions were, by the time at which they were made."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from driftgauge.common.quoting import shortened
from driftgauge.drift.performance.cohort_spans import SPANS, Span, span_around
from driftgauge.edges.formats.performance import history_json, performance_json
from driftgauge.edges.http.encodings import wants_gzip
from driftgauge.edges.http.errors import error_response
from driftgauge.edges.http.ground_truth import outcomes_of
from driftgauge.edges.http.monitoring import monitoring_of
from driftgauge.edges.http.queries import large_json, since_of
from driftgauge.errors import PredictionLogError, Reason, Refused

DEFAULT_SPAN: Final[Span] = "day"


async def performance(request: Request) -> Response:
    """Answer with the report on ground truth and its history by cohort; both are empty without a prediction log."""
    monitoring = monitoring_of(request)
    query = request.query_params
    model = monitoring.model(query.get("model"))
    span, since = _span(query.get("by")), since_of(query, monitoring.clock())
    segment = _segment(query.get("segment"), model.settings.performance_segments)
    small = wants_gzip(request.headers.get("accept-encoding"))
    truth = model.truth
    begin = -math.inf if since is None else span_around(since, span)[0]
    report = await model.latest_performance()
    try:
        cohorts = [] if truth is None else await truth.history(begin)
    except PredictionLogError:
        message = "the database of the prediction log cannot be read: see the server's log, and try again in a moment"
        return error_response(Reason.PREDICTION_LOG_NOT_READ, message)

    judged = {} if model.labels is None else model.labels.outcomes
    kinds = {
        name: (own.kind, judged[name].tau if name in judged else 1.0) for name, own in model.settings.outcomes.items()
    }

    def answer() -> Response:
        found: dict[str, Any] = {
            "model_name": model.model_name,
            "model_version": model.model_version,
            "performance": performance_json(report),
            "outcomes": outcomes_of(model),
            **history_json(cohorts, span, segment, kinds, 1.0 if report is None else report.tau),
        }
        return large_json(found, small=small)

    return await asyncio.get_running_loop().run_in_executor(monitoring.writing, answer)


def _span(text: str | None) -> Span:
    for own in SPANS:
        if own == (text or DEFAULT_SPAN):
            return own
    message = f"by: there is no span {shortened(str(text))!r}; give one of {', '.join(SPANS)}"
    raise Refused(Reason.UNKNOWN_WINDOW, message, {"field": "by"})


def _segment(name: str | None, known: Sequence[str]) -> str | None:
    if name is None or name in known:
        return name
    there = f"there is {', '.join(known)}" if known else "it is empty"
    message = f"segment: {shortened(name)!r} is not in the setting performance_segments; {there}"
    raise Refused(Reason.UNKNOWN_FEATURE, message, {"field": "segment"})
