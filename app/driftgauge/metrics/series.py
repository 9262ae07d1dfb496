"""The counters and histograms of a model, and what describes it: type, help and labels.

Counters and histograms are `CounterSpec`: a State holds their numbers, one array each, and every child is
at zero from the start. This module imports no report, so that `state` can build its layout on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from driftgauge.errors import (
    DROPS,
    FAILURES,
    LOG_DROPS,
    RECOVERIES,
    REJECTIONS,
    REQUEST_CONSTRAINTS,
    SHADOW_DROPS,
    UNREADABLE,
    Reason,
)

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[str, ...]

BATCH_SIZES: Final = ("small", "medium", "large")
LIBRARY: Final = "library"
"""The source of rows that a program hands over itself."""
SHADOW: Final = "shadow"
"""The source of rows that a shadow version predicts beside the live one."""
INGEST: Final = "ingest"
"""The source of rows from the logs of other servers."""
SOURCES: Final = ("predict", LIBRARY, SHADOW, INGEST)
LATENCY_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SCORE_BUCKETS: Final = tuple(round(0.1 * step, 1) for step in range(1, 11))
INPUT_SIZE_BUCKETS: Final = (1.0, 2.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1_000.0, 5_000.0, 10_000.0)
FEATURE: Final = "feature_name"
MODEL_LABELS: Final = ("model_name", "model_version")


@dataclass(frozen=True)
class Declared:
    """A series: name, type, help and labels; the labels of the model come before them."""

    name: str
    type: Kind
    help: str
    labels: Labels = ()


@dataclass(frozen=True)
class CounterSpec(Declared):
    """A counter or histogram with all values of its labels."""

    type: Literal["counter", "histogram"]
    children: tuple[Labels, ...] = ((),)
    buckets: tuple[float, ...] = ()
    group_by: int = 0
    """Number of leading labels that form a group, whose children are all listed from its first count on.

    0 lists every child at zero from the start, as Prometheus recommends. A group that is rarely counted costs more
    series than its first increment is worth.
    """
    from_start: frozenset[Labels] = frozenset()
    """Groups that are listed at zero from the start."""
    of_shadows: bool = False
    """Whether only versions that run as a shadow list it."""
    of_ingestion: bool = False
    """Whether only models that other servers serve list it, and those whose records came in."""
    of_constraints: bool = False
    """Whether only models with constraints list it."""

    @property
    def width(self) -> int:
        """Numbers of each child: a count, or one for each bucket (the last is +Inf) and the sum."""
        return len(self.buckets) + 2 if self.type == "histogram" else 1


def each(values: Iterable[object]) -> tuple[Labels, ...]:
    """Return one child for each value of a single label."""
    return tuple((str(value),) for value in values)


# ---------------------------------------------------------------- what a monitor counts


def monitor_series(score_buckets: tuple[float, ...] = SCORE_BUCKETS) -> tuple[CounterSpec, ...]:
    """Return the counters and histograms of one monitor."""
    return (
        PREDICTIONS,
        FAILED,
        REJECTED,
        REQUEST_VIOLATIONS,
        REQUEST_ROWS_REFUSED,
        LATENCY,
        CounterSpec(SCORE, "histogram", "Scores of answered predictions.", buckets=score_buckets),
        INPUT_SIZE,
        BATCH_ROWS,
        RETRIED,
        OBSERVATIONS,
        DROPPED,
        TIMESTAMPS_REJECTED,
        LATE,
        RECOVERED,
        LABELS,
        LABEL_LAG,
        OUTCOMES,
        SHADOW_ROWS,
        SHADOW_DIFFERENCE,
        SHADOW_DROPPED,
        LOG_WRITTEN,
        LOG_DROPPED,
        LOG_LAG,
        INGESTED,
        INGEST_REFUSED,
        INGEST_EVENTS,
        INGEST_DEFERRED,
    )


PREDICTIONS: Final = CounterSpec("model_predictions_total", "counter", "Rows predicted and answered.")
FAILED: Final = CounterSpec(
    "model_prediction_failures_total",
    "counter",
    "Accepted rows on which the model failed, by reason.",
    ("reason",),
    each(FAILURES),
)
REJECTED: Final = CounterSpec(
    "model_predictions_rejected_total",
    "counter",
    "Prediction requests that were rejected, by reason.",
    ("reason",),
    each(REJECTIONS),
)
REQUEST_VIOLATIONS: Final = CounterSpec(
    "model_request_constraint_violations_total",
    "counter",
    "Rows that violate a constraint as they are sent: refused ones, and ones that lack a required column.",
    ("constraint",),
    each(REQUEST_CONSTRAINTS),
    of_constraints=True,
)
REQUEST_ROWS_REFUSED: Final = CounterSpec(
    "model_request_rows_refused_total",
    "counter",
    "Rows of requests that were refused because rows of them violate a constraint as they are sent.",
    of_constraints=True,
)
LATENCY: Final = CounterSpec(
    "model_prediction_latency_seconds",
    "histogram",
    "Time from a request's arrival until its rows are predicted, by size of the request (small below 10 rows, medium "
    "below 100, large).",
    ("batch_size_bucket",),
    each(BATCH_SIZES),
    LATENCY_BUCKETS,
)
SCORE: Final = "model_prediction_score"
INPUT_SIZE: Final = CounterSpec(
    "model_input_size", "histogram", "Rows in each answered prediction request.", buckets=INPUT_SIZE_BUCKETS
)
BATCH_ROWS: Final = CounterSpec(
    "model_batch_rows",
    "histogram",
    "Rows in each batch that the model predicted. Waiting requests share a batch.",
    buckets=INPUT_SIZE_BUCKETS,
)
RETRIED: Final = CounterSpec(
    "model_batch_retries_total",
    "counter",
    "Failed batches that were split and retried to find the request at fault.",
)
OBSERVATIONS: Final = CounterSpec(
    "model_observations_total",
    "counter",
    "Rows added to the windows, by source.",
    ("source",),
    each(SOURCES),
)
DROPPED: Final = CounterSpec(
    "model_observations_dropped_total",
    "counter",
    "Rows that monitoring lost, by reason: an error, a worker's full log, or damage to its file.",
    ("reason",),
    each(DROPS),
)
TIMESTAMPS_REJECTED: Final = CounterSpec(
    "model_timestamps_rejected_total",
    "counter",
    "Rows whose timestamp was rejected as implausible, by reason. They are dated by their arrival, or in a replay by "
    "the latest event.",
    ("reason",),
    each([Reason.AHEAD_OF_ARRIVAL]),
)
LATE: Final = CounterSpec(
    "model_observations_late_total",
    "counter",
    "Rows that arrived too late for every time window. Sliding windows and evidence contain them.",
)
RECOVERED: Final = CounterSpec(
    "model_state_recoveries_total",
    "counter",
    "States that a worker could not load unchanged at its start, by reason. The log says what was recovered.",
    ("reason",),
    each(RECOVERIES),
)
LABEL_RESULTS: Final = ("matched", "repeated", "corrected", "orphan", "not_sampled", "refused")
LABELS: Final = CounterSpec(
    "model_labels_total",
    "counter",
    "Labels of predictions that came in, by what became of them. One that waits for its prediction is counted once it "
    "is matched, or an orphan.",
    ("result",),
    each(LABEL_RESULTS),
)
LABEL_LAG: Final = CounterSpec(
    "model_label_lag_seconds",
    "histogram",
    "Time from a prediction until its label became known (`observed_at`, or its arrival), of matched labels.",
    buckets=(1.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0, 2_592_000.0),
)
OUTCOMES: Final = CounterSpec(
    "model_outcomes_total",
    "counter",
    "Business outcomes of predictions that came in, by what became of them.",
    ("result",),
    each(LABEL_RESULTS),
)
AGREED, DIFFERED = "agreed", "differed"
ABOVE, BELOW = "above", "below"
SHADOW_ROWS: Final = CounterSpec(
    "model_shadow_rows_total",
    "counter",
    "Rows that a shadow version predicted, by whether its prediction agreed with that of the live version.",
    ("outcome",),
    each((AGREED, DIFFERED)),
    of_shadows=True,
)
SHADOW_DIFFERENCE: Final = CounterSpec(
    "model_shadow_score_difference_total",
    "counter",
    "Sum of the differences between the scores of a shadow and of the live version, where the shadow's is above and "
    "where it is below.",
    ("direction",),
    each((ABOVE, BELOW)),
    of_shadows=True,
)
SHADOW_DROPPED: Final = CounterSpec(
    "model_shadow_rows_dropped_total",
    "counter",
    "Rows that a shadow version did not predict, by reason: its queue was full, it failed on them, or they lack one of "
    "its features.",
    ("reason",),
    each(SHADOW_DROPS),
    of_shadows=True,
)


LOG_WRITTEN: Final = CounterSpec(
    "model_prediction_log_written_total", "counter", "Predictions that were written to the prediction log."
)
LOG_DROPPED: Final = CounterSpec(
    "model_prediction_log_dropped_total",
    "counter",
    "Predictions that are not in the prediction log, by reason.",
    ("reason",),
    each(LOG_DROPS),
)
LOG_LAG: Final = CounterSpec(
    "model_prediction_log_lag_seconds",
    "histogram",
    "Time from the arrival of a prediction's request until it was in the prediction log.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)


TAKEN, DUPLICATE = "taken", "duplicate"
INGESTED: Final = CounterSpec(
    "model_ingest_rows_total",
    "counter",
    "Rows from the logs of other servers, by what became of them: taken, or a duplicate of a row that was taken "
    "before.",
    ("result",),
    each((TAKEN, DUPLICATE)),
    of_ingestion=True,
)
INGEST_REFUSED: Final = CounterSpec(
    "model_ingest_refused_records_total",
    "counter",
    "Records from the logs of other servers that cannot be read, by reason. GET /ingest/errors lists the last ones.",
    ("reason",),
    each(UNREADABLE),
    of_ingestion=True,
)
JOINED, EXPIRED, CROWDED_OUT = "joined", "expired", "dropped"
INGEST_EVENTS: Final = CounterSpec(
    "model_ingest_events_total",
    "counter",
    "Requests and responses from the logs of other servers, by what became of them: joined, expired because the other "
    "half did not come, or dropped because too many waited.",
    ("result",),
    each((JOINED, EXPIRED, CROWDED_OUT)),
    of_ingestion=True,
)
INGEST_DEFERRED: Final = CounterSpec(
    "model_ingest_deferred_total",
    "counter",
    "Requests with records from the logs of other servers that were asked to come again, by reason: their answer was "
    "429 or 503, and none of their rows was taken.",
    ("reason",),
    each((Reason.TOO_MANY_PENDING, Reason.INTAKE_FULL)),
    of_ingestion=True,
)


def score_buckets(edges: Sequence[float]) -> tuple[float, ...]:
    """Return the score histogram's buckets for a regression: the distinct inner edges of its bins."""
    return tuple(sorted({float(edge) for edge in edges if math.isfinite(edge)})) or SCORE_BUCKETS


# ---------------------------------------------------------------- bins and the model

BIN_ROWS: Final = "model_feature_bin_rows_total"
BINS: Final = Declared(
    BIN_ROWS,
    "counter",
    "Rows in each bin of the baseline since the state was created. They sum across replicas.",
    (FEATURE, "bin"),
)
REFERENCE_RATIO: Final = Declared(
    "model_feature_reference_ratio", "gauge", "Share of the reference's rows in each bin.", (FEATURE, "bin")
)
ABOUT_LABELS: Final = ("owner", "contact", "docs_url")
"""Fields of a model's `about` that are labels; empty where nothing is stated."""
INFO: Final = Declared(
    "model_info",
    "gauge",
    "The served model, its baseline, and whose it is where that is stated; always 1.",
    ("task", "baseline_hash", *ABOUT_LABELS),
)
AVAILABLE: Final = Declared(
    "model_available",
    "gauge",
    "Whether the server could load a model, 1 or 0; listed where there are several models.",
)
