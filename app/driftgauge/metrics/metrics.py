"""Every Prometheus series, declared once: name, type, help, labels and the closed set of their values.

Counters and histograms are `Stored`: their numbers live in a State, one array for each, all children
at zero from the start. Gauges are `Reported`: read from a drift report when they are asked for, all
children of a family as one array. `exposition` writes the text. This module alone knows prometheus_client,
which chooses the format and says what there is to say of the process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar, Final, Literal

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from driftgauge.drift.bins import MISSING, UNSEEN, FloatArray, IntArray
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import JUDGED_ROWS, SEVERITIES, Status
from driftgauge.errors import DROPS, FAILURES, HANG_UPS, RECOVERIES, REJECTIONS, Reason
from driftgauge.metrics.text_format import Axis, Kind, head, histogram, labelled, sample, samples

Labels = tuple[str, ...]
Arrays = Mapping[str, npt.NDArray[Any]]
Numbers = FloatArray | float
"""Of a gauge's children: of the shape of its labels, in their order; NaN where there is nothing to say."""

BATCH_SIZES: Final = ("small", "medium", "large")
SOURCES: Final = ("predict",)
LATENCY_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SCORE_BUCKETS: Final = tuple(round(0.1 * step, 1) for step in range(1, 11))
INPUT_SIZE_BUCKETS: Final = (1.0, 2.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1_000.0, 5_000.0, 10_000.0)
STATS: Final = ("mean", "std", "min", "max", "p05", "p50", "p95")
FEATURE: Final = "feature_name"


@dataclass(frozen=True)
class Declared:
    """A series: its name, type and help, and its labels (those of the model come before them)."""

    name: str
    type: Kind
    help: str
    labels: Labels = ()


@dataclass(frozen=True)
class Stored(Declared):
    """A counter or histogram with all values of its labels."""

    type: Literal["counter", "histogram"]
    children: tuple[Labels, ...] = ((),)
    buckets: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """Numbers kept for each child: a count, or those of the buckets (the last is +Inf) and the sum."""
        return len(self.buckets) + 2 if self.type == "histogram" else 1


@dataclass(frozen=True)
class Reported:
    """A gauge read from a report; `labels` come after `model_name` and `model_version`."""

    name: str
    help: str
    labels: Labels
    values: Callable[[DriftReport], Numbers]
    type: ClassVar[Kind] = "gauge"


def each(values: Iterable[object]) -> tuple[Labels, ...]:
    """Return one child for each value of a single label."""
    return tuple((str(value),) for value in values)


# ---------------------------------------------------------------- what a monitor counts


def monitor_series(score_buckets: tuple[float, ...] = SCORE_BUCKETS) -> tuple[Stored, ...]:
    """Return the counters and histograms of one monitor."""
    return (
        PREDICTIONS,
        FAILED,
        REJECTED,
        LATENCY,
        Stored(
            SCORE, "histogram", "Scores of answered predictions, counted when they are made.", buckets=score_buckets
        ),
        INPUT_SIZE,
        BATCH_ROWS,
        RETRIED,
        OBSERVATIONS,
        DROPPED,
        CLAMPED,
        LATE,
        UNWEIGHED,
        RECOVERED,
    )


PREDICTIONS: Final = Stored(
    "model_predictions_total", "counter", "Rows predicted and answered, counted by the server when it answers."
)
FAILED: Final = Stored(
    "model_prediction_failures_total",
    "counter",
    "Accepted rows that the model failed on, counted by the server when it answers.",
    ("reason",),
    each(FAILURES),
)
REJECTED: Final = Stored(
    "model_predictions_rejected_total",
    "counter",
    "Requests to predict that were refused, counted by the server when it answers.",
    ("reason",),
    each(REJECTIONS),
)
LATENCY: Final = Stored(
    "model_prediction_latency_seconds",
    "histogram",
    "Time from a request's arrival until its rows are predicted, by its rows (small < 10, medium < 100, large).",
    ("batch_size_bucket",),
    each(BATCH_SIZES),
    LATENCY_BUCKETS,
)
SCORE: Final = "model_prediction_score"
INPUT_SIZE: Final = Stored(
    "model_input_size", "histogram", "Rows of each request that was answered.", buckets=INPUT_SIZE_BUCKETS
)
BATCH_ROWS: Final = Stored(
    "model_batch_rows",
    "histogram",
    "Rows that the model was given at once and that were answered: requests that wait are put together.",
    buckets=INPUT_SIZE_BUCKETS,
)
RETRIED: Final = Stored(
    "model_batch_retries_total",
    "counter",
    "Batches on which the model failed and which it was given again in halves, to find the request that is at fault.",
)
OBSERVATIONS: Final = Stored(
    "model_observations_total",
    "counter",
    "Rows that entered the windows, by where they came from.",
    ("source",),
    each(SOURCES),
)
DROPPED: Final = Stored(
    "model_observations_dropped_total", "counter", "Rows that monitoring lost, by why.", ("reason",), each(DROPS)
)
CLAMPED: Final = Stored(
    "model_observations_clamped_total",
    "counter",
    "Rows whose timestamp was not believed: they count with their arrival, in a replay with the latest event; by why.",
    ("reason",),
    each([Reason.AHEAD_OF_ARRIVAL]),
)


LATE: Final = Stored(
    "model_observations_late_total",
    "counter",
    "Rows older, when they came, than the longest window reaches back: only windows of a number of rows hold them.",
)
UNWEIGHED: Final = Stored(
    "model_observations_evidence_skipped_total",
    "counter",
    "Rows that evidence by hour of the day could not weigh, too many between two evaluations; they are in all windows.",
)
RECOVERED: Final = Stored(
    "model_state_recoveries_total",
    "counter",
    "States that a worker found when it started and could not use as they were, by why: the log says what was saved.",
    ("reason",),
    each(RECOVERIES),
)


def score_buckets(edges: Sequence[float]) -> tuple[float, ...]:
    """Return the score histogram's buckets for a regression: the distinct inner edges of its bins."""
    return tuple(sorted({float(edge) for edge in edges if math.isfinite(edge)})) or SCORE_BUCKETS


# ---------------------------------------------------------------- what the server counts


def server_series(routes: Sequence[tuple[str, str, Sequence[int]]]) -> tuple[Stored, ...]:
    """Return the server's own series; `routes` are (method, handler, the codes that it answers)."""
    requests = tuple((method, handler, str(code)) for method, handler, codes in routes for code in (*codes, "other"))
    labels = ("method", "handler", "code")
    return (
        Stored(HTTP_REQUESTS, "counter", "Requests answered, by method, route and status code.", labels, requests),
        Stored(
            HTTP_DURATION,
            "histogram",
            "Time from a request's head to the end of its answer, by method, route and status code.",
            labels,
            requests,
            LATENCY_BUCKETS,
        ),
        CONNECTIONS_REFUSED,
    )


CONNECTIONS_REFUSED: Final = Stored(
    "http_connections_refused_total",
    "counter",
    "Connections that the server refused, or ended before their client did, by why; ordinary idle timeouts left out.",
    ("reason",),
    each(HANG_UPS),
)


# ---------------------------------------------------------------- what is known of each worker's process

SLOT: Final = "slot"
_CPU: Final = Declared("process_cpu_seconds_total", "counter", "CPU time that workers took, user and system.", (SLOT,))
_OF_PROCESS: Final = (
    ("process_virtual_memory_bytes", "Virtual memory of a worker."),
    ("process_resident_memory_bytes", "Resident memory of a worker; what workers share counts in each."),
    ("process_start_time_seconds", "Time at which a worker started."),
    ("process_open_fds", "File descriptors that a worker has open."),
    ("process_max_fds", "File descriptors that a worker may open."),
)
PROCESS: Final = (_CPU, *(Declared(name, "gauge", text, (SLOT,)) for name, text in _OF_PROCESS))
"""The names of prometheus_client. CPU time is that of all processes that a slot has had; the others are of the one
that runs."""
CPU: Final = 0
"""The place of CPU time among them."""
NO_SLOT: Final = "retired"
"""The label of slots that are no more: only their CPU time is left."""


def process_numbers() -> FloatArray:
    """Return what is known of this process, in the order of `PROCESS`; NaN where nobody knows."""
    found = {
        sample.name: sample.value for family in ProcessCollector(registry=None).collect() for sample in family.samples
    }
    return np.array([found.get(spec.name, math.nan) for spec in PROCESS])


HTTP_REQUESTS: Final = "http_requests_total"
HTTP_DURATION: Final = "http_request_duration_seconds"


# ---------------------------------------------------------------- what a report says


def _columns(name: str, help: str, value: Callable[[WindowReport], FloatArray]) -> Reported:
    """Declare a gauge of every column in every window."""

    def values(report: DriftReport) -> FloatArray:
        return np.stack([value(window) for window in report.windows.values()], axis=1)

    return Reported(name, help, (FEATURE, "window"), values)


def _windows(name: str, help: str, value: Callable[[WindowReport], float | None]) -> Reported:
    """Declare a gauge of every window, or only of those of a kind: None for the others."""

    def values(report: DriftReport) -> FloatArray:
        return _optional(value(window) for window in report.windows.values())

    return Reported(name, help, ("window",), values)


def _optional(values: Iterable[float | None]) -> FloatArray:
    """Return numbers as an array, NaN for None."""
    return np.array(list(values), dtype=np.float64)


def _thresholds(report: DriftReport) -> FloatArray:
    """Return the effective thresholds; only count windows, which verdicts rest on, have any."""
    windows = report.windows.values()
    return np.stack([[window.thresholds[severity] for severity in SEVERITIES] for window in windows]).transpose(2, 0, 1)


def _limits(special: str, points: Callable[[Policy], tuple[float, float]]) -> Callable[[DriftReport], FloatArray]:
    """Return the limits of a special bin's ratio: so many points above the reference's own ratio."""

    def values(report: DriftReport) -> FloatArray:
        codes = report.baseline.special_codes[special]
        own = _reference_shares(report.baseline)[np.arange(len(codes)), codes]
        limits: FloatArray = np.where(codes < 0, np.nan, own)[:, None] + np.array(points(report.policy))
        return limits

    return values


def _reference_shares(baseline: Baseline) -> FloatArray:
    """Return the share of the reference's rows in each bin, shape [columns, K]."""
    shares: FloatArray = baseline.counts / baseline.counts.sum(axis=1, keepdims=True)
    return shares


def _feature_values(report: DriftReport) -> FloatArray:
    """Return the moments and quantiles of the main window, in the order of `STATS`."""
    sample = report.main.sample
    return np.stack([sample.mean, sample.std, sample.min, sample.max, *sample.quantiles], axis=1)


def _correlation_changes(report: DriftReport) -> FloatArray:
    return np.full(len(report.baseline.names), np.nan) if report.correlation is None else report.correlation.by_column


def _evidence_threshold(report: DriftReport) -> FloatArray:
    """Return the threshold of the columns that have a detector."""
    return np.where(np.isnan(report.evidence.values), np.nan, report.evidence.threshold_log10)


def _severity(severity: str | None) -> float:
    return 0.0 if severity is None else 1.0 + SEVERITIES.index(severity)


REPORTED: Final = (
    _columns(
        "model_feature_psi", "Population stability index of the window against the baseline.", lambda w: w.psi.psi
    ),
    _columns(
        "model_feature_psi_debiased",
        "PSI less what chance alone makes of it: what is compared with the threshold.",
        lambda w: w.psi.debiased,
    ),
    _columns("model_feature_psi_noise", "PSI to expect of this window by chance alone.", lambda w: w.psi.noise),
    Reported(
        "model_feature_psi_threshold",
        "Debiased PSI from which drift is big: the setting, or the reference's own variation where that is larger.",
        (FEATURE, "window", "severity"),
        _thresholds,
    ),
    _columns(
        "model_feature_psi_expected_max",
        "Largest debiased PSI that windows of this size reach within the reference itself.",
        lambda w: w.expected_range,
    ),
    _columns("model_feature_missing_ratio", "Share of the window's rows without a value.", lambda w: w.shares.missing),
    Reported(
        "model_feature_missing_ratio_threshold",
        "Missing ratio from which it is an alert: the reference's own and the points of the setting.",
        (FEATURE, "severity"),
        _limits(MISSING, lambda policy: policy.missing_thresholds),
    ),
    _columns(
        "model_feature_unseen_ratio",
        "Share of the window's rows with a value or category that the reference does not have.",
        lambda w: w.shares.unseen,
    ),
    Reported(
        "model_feature_unseen_ratio_threshold",
        "Unseen ratio from which it is an alert: the one to expect and the points of the setting.",
        (FEATURE, "severity"),
        _limits(UNSEEN, lambda policy: policy.unseen_thresholds),
    ),
    _columns(
        "model_feature_out_of_range_ratio",
        "Share of the window's rows outside the reference's range.",
        lambda w: w.shares.out_of_range,
    ),
    _columns(
        "model_feature_value_rows",
        "Rows of the window that have a number in the column: KS, Wasserstein and the mean come from them.",
        lambda w: np.where(w.sample.rows > 0, w.sample.rows, np.nan),
    ),
    _columns(
        "model_feature_ks_statistic",
        "Largest distance of the window's cumulative distribution from the reference's (Kolmogorov-Smirnov).",
        lambda w: w.sample.ks_statistic,
    ),
    _columns(
        "model_feature_wasserstein_ratio",
        "Area between the two cumulative distributions, in standard deviations of the reference.",
        lambda w: w.sample.wasserstein_ratio,
    ),
    _columns(
        "model_feature_js_distance",
        "Jensen-Shannon distance of the window's bins from the reference's: 0 the same, 1 nothing in common.",
        lambda w: w.js_distance,
    ),
    _columns(
        "model_feature_mean_shift_ratio",
        "Mean of the window less the reference's, in standard deviations of the reference.",
        lambda w: w.sample.mean_shift,
    ),
    _columns(
        "model_feature_chi_squared_ratio",
        "Pearson's statistic of the window's bins against the reference's, by its degrees of freedom: 1 by chance.",
        lambda w: w.significance.chi_squared / w.significance.degrees,
    ),
    _columns(
        "model_feature_drift_pvalue",
        "Chance of bins at least as unlike the reference's with nothing changed, if rows are independent.",
        lambda w: w.significance.p_value,
    ),
    Reported(
        "model_feature_correlation_change_z",
        "Largest change of the column's correlation with another one, in standard errors (main window); "
        "the pair that changed most are the two columns at the top.",
        (FEATURE,),
        _correlation_changes,
    ),
    Reported(
        "model_correlation_change_z",
        "Largest change of any two columns' correlation, in standard errors (main window); for people, no verdict.",
        (),
        lambda report: math.nan if report.correlation is None else abs(report.correlation.z),
    ),
    Reported(
        "model_feature_value",
        "Statistics of a column's finite values in the main window.",
        (FEATURE, "stat"),
        _feature_values,
    ),
    Reported(
        "model_feature_reference_mean",
        "Mean of a column in the reference.",
        (FEATURE,),
        lambda report: report.baseline.numbers("mean"),
    ),
    Reported(
        "model_feature_reference_std",
        "Population standard deviation of a column in the reference.",
        (FEATURE,),
        lambda report: report.baseline.numbers("std"),
    ),
    Reported(
        "model_feature_evidence_log10",
        "Decimal logarithm of the evidence that a column's rows do not come from the reference; 0 is none.",
        (FEATURE,),
        lambda report: report.evidence.log10,
    ),
    Reported(
        "model_feature_evidence_threshold_log10",
        "Decimal logarithm of the evidence from which a column's drift is real: the budget for false alarms.",
        (FEATURE,),
        _evidence_threshold,
    ),
    Reported(
        "model_feature_autocorrelation_rows",
        "Consecutive rows that tell as much as one independent row, as the reference's times say; absent without.",
        (FEATURE,),
        lambda report: _optional(column.tau for column in report.baseline.columns),
    ),
    Reported(
        "model_feature_drift_severity",
        "Verdict on a column: 0 none, 1 warning, 2 critical.",
        (FEATURE,),
        lambda report: _optional(_severity(verdict.severity) for verdict in report.verdicts),
    ),
    Reported(
        "model_feature_drift_since_timestamp_seconds",
        "When a column's present drift began, by the monitor's clock; absent while there is none.",
        (FEATURE,),
        lambda report: _optional(verdict.since for verdict in report.verdicts),
    ),
    Reported(
        "model_drift_severity",
        "Verdict on the model: 0 none, 1 warning, 2 critical.",
        (),
        lambda report: _severity(report.severity),
    ),
    Reported("model_drifted_features", "Features whose drift is detected.", (), lambda report: len(report.drifted)),
    Reported(
        "model_evaluated_features",
        "Columns that have enough rows for a verdict.",
        (),
        lambda report: sum(verdict.status is not Status.INSUFFICIENT_DATA for verdict in report.verdicts),
    ),
    _windows("model_window_rows", "Rows in the window.", lambda window: window.rows),
    _windows(
        "model_window_capacity_rows", "Rows that the window holds when it is full.", lambda window: window.capacity
    ),
    _windows(
        "model_window_required_rows",
        "Rows from which on the window says how big a drift is (10 for each bin of a column, where that is more).",
        lambda window: None if window.capacity is None else JUDGED_ROWS,
    ),
    _windows("model_window_span_seconds", "Time that a window of time reaches back.", lambda window: window.seconds),
    Reported(
        "model_window_max_age_seconds",
        "Time after which a row is too old for the windows of a number of rows.",
        (),
        lambda report: report.policy.max_age_seconds,
    ),
)

BIN_ROWS: Final = "model_feature_bin_rows_total"
BINS: Final = Declared(
    BIN_ROWS, "counter", "Rows counted in each of the baseline's bins since the state began.", (FEATURE, "bin")
)
REFERENCE_RATIO: Final = Declared(
    "model_feature_reference_ratio", "gauge", "Share of the reference's rows in each bin.", (FEATURE, "bin")
)
INFO: Final = Declared(
    "model_info",
    "gauge",
    "The model that is served and the baseline it is compared with; always 1.",
    ("task", "baseline_hash"),
)


@dataclass(frozen=True)
class Stated:
    """A gauge of the monitor itself, whatever its report says."""

    name: str
    help: str
    labels: Labels
    values: Callable[[MonitorFacts], Numbers]
    of_monitoring: bool = True
    """Whether it says something only while there is monitoring."""
    type: ClassVar[Kind] = "gauge"


STATED: Final = (
    Stated(
        "model_evaluation_timestamp_seconds",
        "Time of the last evaluation, by the server's clock.",
        (),
        lambda facts: facts.evaluated_at,
    ),
    Stated(
        "model_evaluation_age_threshold_seconds",
        "Time since the last evaluation from which on its verdict is stale.",
        (),
        lambda facts: facts.limits.evaluation_age_seconds,
    ),
    Stated(
        "model_evaluation_duration_seconds",
        "CPU time of the last evaluation.",
        (),
        lambda facts: facts.evaluation_seconds,
    ),
    Stated(
        "model_prediction_latency_threshold_seconds",
        "Time that the 95th percentile of a prediction's latency may take before it is an alert.",
        ("severity",),
        lambda facts: np.array(facts.limits.latency_seconds),
        of_monitoring=False,
    ),
    Stated(
        "model_state_persistent",
        "1 while windows and counters are kept in files, 0 while a restart of the worker that answers would lose them.",
        (),
        lambda facts: facts.persistent,
        of_monitoring=False,
    ),
    Stated(
        "model_monitoring_healthy",
        "1 while monitoring works, 0 while it has a problem (see /drift/status).",
        (),
        lambda facts: facts.healthy,
    ),
)
ERROR_BUDGET: Final = "http_requests_error_budget_ratio"
BUDGET: Final = Declared(
    ERROR_BUDGET, "gauge", "Share of predict requests, by either route, that may fail by the server's fault."
)


# ---------------------------------------------------------------- rendering


@dataclass(frozen=True)
class Limits:
    """What is too slow and too old; see the settings of similar names."""

    latency_seconds: tuple[float, float]
    """For warning and critical."""
    evaluation_age_seconds: float


@dataclass(frozen=True)
class MonitorFacts:
    """All that the exposition says of one monitor."""

    model_name: str
    model_version: str
    task: str
    series: tuple[Stored, ...]
    arrays: Arrays
    baseline: Baseline
    report: DriftReport | None
    """None where monitoring is switched off: then the exposition has counters and the latency's threshold alone."""
    bin_rows: IntArray | None
    """Shape [columns, K]; None where monitoring is switched off."""
    evaluated_at: float
    """By the server's clock, seconds since 1970."""
    evaluation_seconds: float
    """CPU time of the last evaluation."""
    healthy: bool
    persistent: bool
    """Whether state is kept in files."""
    limits: Limits


@dataclass(frozen=True)
class WorkerFacts:
    """What the exposition says of one worker."""

    slot: str
    """Its number, or `NO_SLOT`."""
    process: FloatArray
    """In the order of `PROCESS`."""
    lives: bool


@dataclass(frozen=True)
class ServerFacts:
    """All that the exposition says of the server itself."""

    series: Sequence[Stored]
    arrays: Arrays
    error_budget_ratio: float
    workers: Sequence[WorkerFacts] = ()


@dataclass(frozen=True)
class Exposed:
    """How much of many columns is exposed; see the settings `metrics_…` of these names."""

    bin_rows: bool = True
    """Whether the rows of every bin are, with the reference's share that they are compared with."""
    top_features: int | None = None
    """How many features gauges list, worst first; None is all. Predictions are always listed."""


EVERYTHING: Final = Exposed()
COLUMNS_AT_ONCE: Final = 64
"""Columns whose bins are written at once: some tenths of a millisecond."""


def render(
    accept: str, monitors: Sequence[MonitorFacts], server: ServerFacts, exposed: Exposed = EVERYTHING
) -> tuple[bytes, str]:
    """Return the exposition and its content type, in the format that `accept` asks for."""
    pieces, content_type = written(accept, monitors, server, exposed)
    return b"".join(pieces), content_type


def written(
    accept: str, monitors: Sequence[MonitorFacts], server: ServerFacts, exposed: Exposed = EVERYTHING
) -> tuple[Iterator[bytes], str]:
    """Return what `render` does in pieces, each written when it is asked for, in some tenths of a millisecond."""
    platform, content_type = _platform(accept)
    openmetrics = content_type.startswith("application/openmetrics-text")
    end = b"# EOF\n" if openmetrics else b""
    members = [_MonitorSeries(facts, exposed) for facts in monitors]
    families = chain(_server_families(server, openmetrics), _model_families(members, openmetrics))
    return chain([platform.removesuffix(end)], (text.encode() for text in families), [end]), content_type


def _platform(accept: str) -> tuple[bytes, str]:
    """Return what prometheus_client says of the interpreter, and the content type that it chooses."""
    try:
        encoder, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is no number
        encoder, content_type = choose_encoder("")
    if content_type.endswith(("escaping=dots", "escaping=values")):
        # These rewrite names that need it, and some of ours that do not: as they stand they are valid anywhere.
        encoder, content_type = choose_encoder(content_type.rpartition(";")[0])
    registry = CollectorRegistry(auto_describe=False)
    PlatformCollector(registry=registry)
    return encoder(registry), content_type


_MODEL: Final = ("model_name", "model_version")


@dataclass(frozen=True)
class _MonitorSeries:
    """A monitor's part of the `model_*` families; the labels of its columns are written once for all of them."""

    facts: MonitorFacts
    exposed: Exposed

    @property
    def base(self) -> Mapping[str, str]:
        """The labels of all that is said of a model."""
        return {"model_name": self.facts.model_name, "model_version": self.facts.model_version}

    @cached_property
    def places(self) -> IntArray:
        """Of the columns that gauges list, in the baseline's order."""
        names, top = self.facts.baseline.names, self.exposed.top_features
        if top is None or self.facts.report is None:
            return np.arange(len(names))
        features = [place for place in self.facts.report.worst_first if names[place] not in RESERVED]
        predictions = [place for place, name in enumerate(names) if name in RESERVED]
        return np.array(sorted(features[:top] + predictions), dtype=np.int64)

    @cached_property
    def axes(self) -> Mapping[str, Axis]:
        """The labels of gauges with all their values."""
        names, report = self.facts.baseline.names, self.facts.report
        values: Mapping[str, Iterable[str]] = {
            FEATURE: [names[place] for place in self.places.tolist()],
            "window": report.windows if report else (),
            "severity": SEVERITIES,
            "stat": STATS,
        }
        return {label: Axis.of(label, known) for label, known in values.items()}

    def gauge(self, spec: Reported | Stated, numbers: Numbers) -> Iterator[str]:
        """Yield a gauge's children."""
        values = np.asarray(numbers, dtype=np.float64)
        listed = values[self.places] if FEATURE in spec.labels else values
        return samples(spec.name, labelled(self.base), [self.axes[label] for label in spec.labels], listed)

    def binned(self, spec: Declared, numbers: npt.NDArray[Any]) -> Iterator[str]:
        """Yield a number of every bin of every column, some columns at a time; they have shape [columns, K]."""
        baseline, base = self.facts.baseline, labelled(self.base)
        for first in range(0, len(baseline.names), COLUMNS_AT_ONCE):
            part = slice(first, first + COLUMNS_AT_ONCE)
            own = [Axis.of("bin", bins.names) for bins in baseline.bins[part]]
            known = np.arange(baseline.binner.width) < np.array([len(axis.texts) for axis in own])[:, None]
            axis = Axis.of(FEATURE, baseline.names[part]).with_each(own)
            yield from samples(spec.name, base, [axis], numbers[part][known].astype(np.float64))


def _server_families(server: ServerFacts, openmetrics: bool) -> Iterator[str]:
    """Yield the server's own families."""
    for place, process in enumerate(PROCESS):
        numbers = [(w.slot, float(w.process[place])) for w in server.workers if w.lives or place == CPU]
        known = [sample(process.name, labelled({SLOT: slot}), n) for slot, n in numbers if not math.isnan(n)]
        yield from _family(process, openmetrics, [known] if known else [])
    for spec in server.series:
        yield from _family(spec, openmetrics, [_stored(spec, {}, server.arrays)])
    yield from _family(BUDGET, openmetrics, [[sample(BUDGET.name, "", server.error_budget_ratio)]])


def _model_families(members: Sequence[_MonitorSeries], openmetrics: bool) -> Iterator[str]:
    """Yield the `model_*` families, the children of all monitors under one name."""
    watched = [(member, report) for member in members if (report := member.facts.report)]
    yield from _family(INFO, openmetrics, [_info(member) for member in members])
    for same in zip(*(member.facts.series for member in members), strict=True):
        parts = [_stored(spec, m.base, m.facts.arrays) for spec, m in zip(same, members, strict=True)]
        yield from _family(same[0], openmetrics, parts)
    yield from _bin_families([member for member, _ in watched], openmetrics)
    for reported in REPORTED:
        yield from _family(
            reported, openmetrics, [member.gauge(reported, reported.values(report)) for member, report in watched]
        )
    for stated in STATED:
        known = [member for member in members if member.facts.report or not stated.of_monitoring]
        yield from _family(stated, openmetrics, [member.gauge(stated, stated.values(member.facts)) for member in known])


def _bin_families(members: Sequence[_MonitorSeries], openmetrics: bool) -> Iterator[str]:
    """Yield the two families that a fleet's PSI is made of: either both are exposed or none."""
    known = [(m, m.facts.bin_rows) for m in members if m.exposed.bin_rows]
    counted = [(member, rows) for member, rows in known if rows is not None]
    yield from _family(BINS, openmetrics, [member.binned(BINS, rows) for member, rows in counted])
    shares = [member.binned(REFERENCE_RATIO, _reference_shares(member.facts.baseline)) for member, _ in counted]
    yield from _family(REFERENCE_RATIO, openmetrics, shares)


def _family(spec: Declared | Reported | Stated, openmetrics: bool, parts: Sequence[Iterable[str]]) -> Iterator[str]:
    """Yield a family of which every monitor has a part; nothing where none has."""
    if parts:
        yield head(spec.name, spec.type, spec.help, openmetrics=openmetrics)
        yield from chain.from_iterable(parts)


def _info(member: _MonitorSeries) -> Iterator[str]:
    facts = member.facts
    yield sample(INFO.name, labelled({**member.base, "task": facts.task, "baseline_hash": facts.baseline.hash}), 1.0)


def _stored(spec: Stored, base: Mapping[str, str], arrays: Arrays) -> Iterator[str]:
    children = [labelled({**base, **dict(zip(spec.labels, child, strict=True))}) for child in spec.children]
    if spec.type == "counter":
        counts = arrays[spec.name][:, 0].tolist()
        yield from (sample(spec.name, labels, count) for labels, count in zip(children, counts, strict=True))
        return
    bounds = Axis.of("le", [*(repr(float(bound)) for bound in spec.buckets), "+Inf"])
    for labels, row in zip(children, arrays[spec.name], strict=True):
        # With a bound below zero the sum could fall, which a counter must not.
        total = float(row[-1]) if spec.buckets[0] >= 0 else None
        yield histogram(spec.name, labels, bounds, np.cumsum(row[:-1]).tolist(), total)


# ---------------------------------------------------------------- for the docs


def catalogue() -> list[tuple[str, str, str, str]]:
    """Return (name, type, labels, help) of every series but prometheus_client's own."""
    of_model: tuple[Declared | Reported | Stated, ...]
    of_model = (INFO, *monitor_series(), BINS, REFERENCE_RATIO, *REPORTED, *STATED)
    listed = [(spec.name, spec.type, (*_MODEL, *spec.labels), spec.help) for spec in of_model]
    listed += [(spec.name, spec.type, spec.labels, spec.help) for spec in (*server_series(()), *PROCESS, BUDGET)]
    return [(name, kind, ", ".join(labels), text) for name, kind, labels, text in sorted(listed)]
