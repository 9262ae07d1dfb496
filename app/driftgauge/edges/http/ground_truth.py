"""Labels and business outcomes of a model, as `GET /drift/status`, `GET /performance` and the page say them."""

from __future__ import annotations

from typing import Any

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.performance.cohort import Cohort
from driftgauge.drift.performance.outcomes import OutcomeParts
from driftgauge.edges.formats.outcomes import outcomes_json
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.edges.web.cohorts import PAST_SECONDS
from driftgauge.edges.web.facts import Labels
from driftgauge.errors import PredictionLogError
from driftgauge.metrics.facts import MonitorFacts
from driftgauge.metrics.series import LABEL_LAG, LABELS, CounterSpec


def outcomes_of(model: ModelMonitoring) -> dict[str, Any]:
    """Return the business outcomes of a model; empty without some in the settings."""
    return outcomes_json({} if model.labels is None else model.labels.outcomes, outcome_parts(model))


def outcome_parts(model: ModelMonitoring) -> OutcomeParts:
    """Return the sums of business outcomes by segment."""
    return {} if model.performance is None else model.performance.outcomes


def labels_of(facts: MonitorFacts) -> Labels | None:
    """Return what came in as labels; None without a prediction log."""
    if facts.labels is None:
        return None
    lags, seconds = facts.arrays[LABEL_LAG.name][0, :-1].sum(), facts.arrays[LABEL_LAG.name][0, -1]
    return Labels(
        results=counts_of(facts, LABELS),
        waiting=facts.labels.waiting,
        mean_lag_seconds=float(seconds / lags) if lags else float("nan"),
        last_received=facts.labels.last_received,
    )


def labels_json(labels: Labels | None) -> dict[str, Any] | None:
    """Return what came in as labels; None without a prediction log. Unknown numbers are NaN."""
    if labels is None:
        return None
    last = labels.last_received
    return {
        "results": labels.results,
        "waiting": labels.waiting,
        "mean_lag_seconds": labels.mean_lag_seconds,
        "last_received_at": None if last is None else rfc3339(last),
    }


def counts_of(facts: MonitorFacts, counter: CounterSpec) -> dict[str, int]:
    """Return a counter of a model by its only label."""
    numbers = facts.arrays[counter.name].reshape(-1).tolist()
    return {result: int(number) for (result,), number in zip(counter.children, numbers, strict=True)}


async def cohorts_of(model: ModelMonitoring) -> list[Cohort]:
    """Return the cohorts that the page shows; none while the database cannot be read."""
    performance, truth = model.performance, model.truth
    if performance is None or truth is None:
        return []
    try:
        return await truth.history(performance.matured_until - PAST_SECONDS)
    except PredictionLogError:  # the next evaluation of ground truth fails too and says so
        return []
