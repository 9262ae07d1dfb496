"""Every counter and histogram, and the names of all other series: type, help and labels.

Counters and histograms are `CounterSpec`: a State holds their numbers, one array each, and every child is
at zero from the start. This module imports no report, so that `state` can build its layout on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from driftgauge.errors import (
    DENIALS,
    DROPS,
    FAILURES,
    HANG_UPS,
    LIMITED,
    LOG_DROPS,
    RECOVERIES,
    REJECTIONS,
    SHADOW_DROPS,
    Reason,
)

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[str, ...]

BATCH_SIZES: Final = ("small", "medium", "large")
LIBRARY: Final = "library"
"""The source of rows that a program hands over itself."""
SHADOW: Final = "shadow"
"""The source of rows that a shadow version predicts beside the live one."""
SOURCES: Final = ("predict", LIBRARY, SHADOW)
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


def score_buckets(edges: Sequence[float]) -> tuple[float, ...]:
    """Return the score histogram's buckets for a regression: the distinct inner edges of its bins."""
    return tuple(sorted({float(edge) for edge in edges if math.isfinite(edge)})) or SCORE_BUCKETS


# ---------------------------------------------------------------- what the server counts


Route = tuple[str, str, Sequence[int]]
"""Method, handler, and the status codes that it answers."""


def server_series(routes: Sequence[Route], from_start: Iterable[Labels] = ()) -> tuple[CounterSpec, ...]:
    """Return the server's own series; `from_start` are the (method, handler) that are listed before a first request."""
    requests = tuple((method, handler, str(code)) for method, handler, codes in routes for code in (*codes, "other"))
    at_zero = frozenset(from_start)
    return (
        CounterSpec(
            HTTP_REQUESTS,
            "counter",
            "Requests answered, by method, route and status code.",
            ("method", "handler", "code"),
            requests,
            group_by=2,
            from_start=at_zero,
        ),
        CounterSpec(
            HTTP_DURATION,
            "histogram",
            "Time from a request's head to the end of its answer, by method and route.",
            ("method", "handler"),
            tuple((method, handler) for method, handler, _ in routes),
            LATENCY_BUCKETS,
            group_by=2,
            from_start=at_zero,
        ),
        CONNECTIONS_REFUSED,
        REQUESTS_DENIED,
        REQUESTS_LIMITED,
    )


HTTP_REQUESTS: Final = "http_requests_total"
HTTP_DURATION: Final = "http_request_duration_seconds"
CONNECTIONS_REFUSED: Final = CounterSpec(
    "http_connections_refused_total",
    "counter",
    "Connections that the server refused or closed before the client did, by reason. Idle timeouts are not counted.",
    ("reason",),
    each(HANG_UPS),
)
REQUESTS_DENIED: Final = CounterSpec(
    "http_requests_denied_total",
    "counter",
    "Requests that were refused because they had no token, an unknown one, or one without the scope, by reason.",
    ("reason",),
    each(DENIALS),
)
REQUESTS_LIMITED: Final = CounterSpec(
    "http_requests_limited_total",
    "counter",
    "Requests that were answered 429, because their caller sends too many or holds its share of the queue, by reason.",
    ("reason",),
    each(LIMITED),
)


# ---------------------------------------------------------------- what is known of each worker's process

SLOT: Final = "slot"
_CPU: Final = Declared("process_cpu_seconds_total", "counter", "CPU time of the workers, user and system.", (SLOT,))
_OF_PROCESS: Final = (
    ("process_virtual_memory_bytes", "Virtual memory of a worker."),
    (
        "process_resident_memory_bytes",
        "Resident memory of a worker. Memory that workers share counts for each of them.",
    ),
    ("process_start_time_seconds", "Time at which a worker started."),
    ("process_open_fds", "Open file descriptors of a worker."),
    ("process_max_fds", "Limit on the open file descriptors of a worker."),
)
PROCESS: Final = (_CPU, *(Declared(name, "gauge", text, (SLOT,)) for name, text in _OF_PROCESS))
"""Named as in prometheus_client. CPU time sums all processes that a slot has had; the others are of the running
one."""
CPU: Final = 0
"""The position of CPU time among them."""
NO_SLOT: Final = "retired"
"""The label of removed slots, of which only CPU time remains."""

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
ERROR_BUDGET: Final = "http_requests_error_budget_ratio"
BUDGET: Final = Declared(
    ERROR_BUDGET, "gauge", "Share of prediction requests that may fail because of the server: the error budget."
)
CALLER_LIMITS: Final = (
    Declared(
        "http_caller_requests_per_second_limit",
        "gauge",
        "Average number of requests per second that one caller may send to a worker; absent without a limit.",
    ),
    Declared(
        "http_caller_concurrent_requests_limit",
        "gauge",
        "Requests of one caller that a worker answers at once; absent without a limit.",
    ),
    Declared(
        "http_caller_queue_share_limit_ratio",
        "gauge",
        "Share of a model's queue that one caller may hold; absent without a limit.",
    ),
)
"""In the order of `ServerFacts.caller_limits`."""
LOG_GAUGES: Final = (
    Declared(
        "prediction_log_queued_rows",
        "gauge",
        "Predictions that wait to be written to the prediction log, in the worker that answers the scrape.",
    ),
    Declared("prediction_log_queue_limit_rows", "gauge", "Predictions that may wait in a worker; more are dropped."),
    Declared("prediction_log_bytes", "gauge", "Size of the prediction log at the last look, once a minute."),
    Declared("prediction_log_limit_bytes", "gauge", "Size from which the oldest predictions are deleted."),
    Declared(
        "prediction_log_disk_free_bytes",
        "gauge",
        "Free space of the disk that holds the prediction log; absent for PostgreSQL.",
    ),
    Declared(
        "prediction_log_disk_free_threshold_bytes",
        "gauge",
        "Free space below which an alert is raised. At half of it predictions are no longer logged.",
    ),
)
"""In the order of `ServerFacts.prediction_log`."""
