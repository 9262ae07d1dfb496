"""Every Prometheus series, declared once: name, type, help, labels and the closed set of their values.

Counters and histograms are `Stored`: their numbers live in a State, one array for each, all children
at zero from the start. Gauges are `Reported`: read from a drift report when they are asked for.
This module alone knows prometheus_client.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder

from app.drift.bins import MISSING, UNSEEN, FloatArray
from app.drift.comparison import WindowReport
from app.drift.policy import Policy
from app.drift.report import DriftReport
from app.drift.verdict import JUDGED_ROWS, SEVERITIES, Status
from app.errors import DROPS, FAILURES, REJECTIONS, Reason

Labels = tuple[str, ...]
Arrays = Mapping[str, npt.NDArray[Any]]
Children = Iterable[tuple[Labels, float]]
"""The label values and the number of each child of a gauge."""

BATCH_SIZES: Final = ("small", "medium", "large")
SOURCES: Final = ("predict",)
LATENCY_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SCORE_BUCKETS: Final = tuple(round(0.1 * step, 1) for step in range(1, 11))
INPUT_SIZE_BUCKETS: Final = (1.0, 2.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1_000.0, 5_000.0, 10_000.0)


@dataclass(frozen=True)
class Stored:
    """A counter or histogram: its name and help, its labels and all their values."""

    name: str
    type: Literal["counter", "histogram"]
    help: str
    labels: Labels = ()
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
    values: Callable[[DriftReport], Children]


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
        OBSERVATIONS,
        DROPPED,
        CLAMPED,
        LATE,
        UNWEIGHED,
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
    "model_observations_unweighed_total",
    "counter",
    "Rows that evidence by hour of the day could not weigh, too many between two evaluations; they are in all windows.",
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
    )


HTTP_REQUESTS: Final = "http_requests_total"
HTTP_DURATION: Final = "http_request_duration_seconds"


# ---------------------------------------------------------------- what a report says


def _columns(name: str, help: str, value: Callable[[WindowReport], FloatArray], *more: str) -> Reported:
    """Declare a gauge of every column in every window; columns without a number are left out."""

    def values(report: DriftReport) -> Iterator[tuple[Labels, float]]:
        for window in report.windows.values():
            for column, number in zip(report.baseline.names, value(window).tolist(), strict=True):
                if not math.isnan(number):
                    yield (column, window.name), float(number)

    return Reported(name, help, ("feature_name", "window", *more), values)


def _thresholds(report: DriftReport) -> Iterator[tuple[Labels, float]]:
    for window in _counted(report):
        for severity in SEVERITIES:
            for column, number in zip(report.baseline.names, window.thresholds[severity].tolist(), strict=True):
                yield (column, window.name, severity), number


def _counted(report: DriftReport) -> list[WindowReport]:
    """Return the count windows, which verdicts rest on."""
    return [window for window in report.windows.values() if window.capacity is not None]


def _limits(special: str, points: Callable[[Policy], tuple[float, float]]) -> Callable[[DriftReport], Children]:
    """Return the limits of a special bin's ratio: so many points above the reference's own ratio."""

    def values(report: DriftReport) -> Iterator[tuple[Labels, float]]:
        for column, code in zip(report.baseline.columns, report.baseline.special_codes[special].tolist(), strict=True):
            if code < 0:
                continue
            own = column.counts[code] / sum(column.counts)
            for severity, more in zip(SEVERITIES, points(report.policy), strict=True):
                yield (column.name, severity), own + more

    return values


def _feature_values(report: DriftReport) -> Iterator[tuple[Labels, float]]:
    moments = report.main.sample
    stats = {"mean": moments.mean, "std": moments.std, "min": moments.min, "max": moments.max}
    stats |= dict(zip(("p05", "p50", "p95"), moments.quantiles, strict=True))
    for stat, numbers in stats.items():
        for column, number in zip(report.baseline.names, numbers.tolist(), strict=True):
            if not math.isnan(number):
                yield (column, stat), number


def _reference(moment: Literal["mean", "std"]) -> Callable[[DriftReport], Iterator[tuple[Labels, float]]]:
    def values(report: DriftReport) -> Iterator[tuple[Labels, float]]:
        for column in report.baseline.columns:
            number = getattr(column, moment)
            if not math.isnan(number):
                yield (column.name,), number

    return values


def _reference_ratios(report: DriftReport) -> Iterator[tuple[Labels, float]]:
    for column in report.baseline.columns:
        total = sum(column.counts)
        for name, count in zip(column.bins.names, column.counts, strict=True):
            yield (column.name, name), count / total


def _correlation_changes(report: DriftReport) -> Iterator[tuple[Labels, float]]:
    if report.correlation is None:
        return
    for column, number in zip(report.baseline.names, report.correlation.by_column.tolist(), strict=True):
        if not math.isnan(number):
            yield (column,), number


def _evidence(value: Callable[[DriftReport], FloatArray]) -> Callable[[DriftReport], Children]:
    """Return the numbers of the columns that have a detector."""

    def values(report: DriftReport) -> Iterator[tuple[Labels, float]]:
        watched = ~np.isnan(report.evidence.values)
        for column, number, known in zip(report.baseline.names, value(report).tolist(), watched.tolist(), strict=True):
            if known:
                yield (column,), number

    return values


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
        ("feature_name", "window", "severity"),
        _thresholds,
    ),
    _columns(
        "model_feature_psi_natural_variation",
        "Largest debiased PSI that windows of this size reach within the reference itself.",
        lambda w: w.natural_variation,
    ),
    _columns("model_feature_missing_ratio", "Share of the window's rows without a value.", lambda w: w.shares.missing),
    Reported(
        "model_feature_missing_ratio_threshold",
        "Missing ratio from which it is an alert: the reference's own and the points of the setting.",
        ("feature_name", "severity"),
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
        ("feature_name", "severity"),
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
        ("feature_name",),
        _correlation_changes,
    ),
    Reported(
        "model_correlation_change_z",
        "Largest change of any two columns' correlation, in standard errors (main window); for people, no verdict.",
        (),
        lambda report: [] if report.correlation is None else [((), abs(report.correlation.z))],
    ),
    Reported(
        "model_feature_value",
        "Statistics of a column's finite values in the main window.",
        ("feature_name", "stat"),
        _feature_values,
    ),
    Reported(
        "model_feature_reference_mean", "Mean of a column in the reference.", ("feature_name",), _reference("mean")
    ),
    Reported(
        "model_feature_reference_std",
        "Population standard deviation of a column in the reference.",
        ("feature_name",),
        _reference("std"),
    ),
    Reported(
        "model_feature_reference_ratio",
        "Share of the reference's rows in each bin.",
        ("feature_name", "bin"),
        _reference_ratios,
    ),
    Reported(
        "model_feature_evidence_log10",
        "Decimal logarithm of the evidence that a column's rows do not come from the reference; 0 is none.",
        ("feature_name",),
        _evidence(lambda report: report.evidence.log10),
    ),
    Reported(
        "model_feature_evidence_threshold_log10",
        "Decimal logarithm of the evidence from which a column's drift is real: the budget for false alarms.",
        ("feature_name",),
        _evidence(lambda report: np.full(len(report.baseline.names), report.evidence.threshold_log10)),
    ),
    Reported(
        "model_feature_dependence_rows",
        "Consecutive rows that tell as much as one independent row, as the reference's times say; absent without.",
        ("feature_name",),
        lambda report: (((c.name,), c.tau) for c in report.baseline.columns if c.tau is not None),
    ),
    Reported(
        "model_feature_drift_severity",
        "Verdict on a column: 0 none, 1 warning, 2 critical.",
        ("feature_name",),
        lambda report: (((v.name,), _severity(v.severity)) for v in report.verdicts),
    ),
    Reported(
        "model_feature_drift_since_timestamp_seconds",
        "When a column's present drift began, by the monitor's clock; absent while there is none.",
        ("feature_name",),
        lambda report: (((v.name,), v.since) for v in report.verdicts if v.since is not None),
    ),
    Reported(
        "model_drift_severity",
        "Verdict on the model: 0 none, 1 warning, 2 critical.",
        (),
        lambda report: [((), _severity(report.severity))],
    ),
    Reported(
        "model_drifted_features",
        "Features whose drift is detected.",
        (),
        lambda report: [((), float(len(report.drifted)))],
    ),
    Reported(
        "model_judged_features",
        "Columns that have enough rows for a verdict.",
        (),
        lambda report: [((), float(sum(v.status is not Status.INSUFFICIENT_DATA for v in report.verdicts)))],
    ),
    Reported(
        "model_window_rows",
        "Rows in the window.",
        ("window",),
        lambda report: [((window.name,), float(window.rows)) for window in report.windows.values()],
    ),
    Reported(
        "model_window_capacity_rows",
        "Rows that the window holds when it is full.",
        ("window",),
        lambda report: [((window.name,), float(window.capacity or 0)) for window in _counted(report)],
    ),
    Reported(
        "model_window_required_rows",
        "Rows from which on the window says how big a drift is (10 for each bin of a column, where that is more).",
        ("window",),
        lambda report: [((window.name,), float(JUDGED_ROWS)) for window in _counted(report)],
    ),
    Reported(
        "model_window_span_seconds",
        "Time that a window of time reaches back.",
        ("window",),
        lambda report: [((w.name,), float(w.seconds)) for w in report.windows.values() if w.seconds is not None],
    ),
    Reported(
        "model_window_max_age_seconds",
        "Time after which a row is too old for the windows of a number of rows.",
        (),
        lambda report: [((), report.policy.max_age_seconds)],
    ),
)

INFO: Final = "model_info"
INFO_HELP: Final = "The model that is served and the baseline it is compared with; always 1."
BIN_ROWS: Final = "model_feature_bin_rows_total"
BIN_ROWS_HELP: Final = "Rows counted in each of the baseline's bins since the state began."


@dataclass(frozen=True)
class Stated:
    """A gauge of the monitor itself, whatever its report says."""

    name: str
    help: str
    labels: Labels
    values: Callable[[MonitorFacts], Children]


STATED: Final = (
    Stated(
        "model_evaluation_timestamp_seconds",
        "Time of the last evaluation, by the server's clock.",
        (),
        lambda facts: [((), facts.evaluated_at)],
    ),
    Stated(
        "model_evaluation_age_threshold_seconds",
        "Time since the last evaluation from which on its verdict is stale.",
        (),
        lambda facts: [((), facts.limits.evaluation_age_seconds)],
    ),
    Stated(
        "model_evaluation_duration_seconds",
        "CPU time of the last evaluation.",
        (),
        lambda facts: [((), facts.evaluation_seconds)],
    ),
    Stated(
        "model_prediction_latency_threshold_seconds",
        "Time that the 95th percentile of a prediction's latency may take before it is an alert.",
        ("severity",),
        lambda facts: zip(each(SEVERITIES), facts.limits.latency_seconds, strict=True),
    ),
    Stated(
        "model_monitoring_healthy",
        "1 while monitoring works, 0 while it has a problem (see /drift/status).",
        (),
        lambda facts: [((), float(facts.healthy))],
    ),
)
ERROR_BUDGET: Final = "http_requests_error_budget_ratio"
ERROR_BUDGET_HELP: Final = "Share of predict requests that may fail by the server's fault."


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
    report: DriftReport
    bin_rows: npt.NDArray[np.int64]
    """Shape [columns, K]."""
    evaluated_at: float
    """By the server's clock, seconds since 1970."""
    evaluation_seconds: float
    """CPU time of the last evaluation."""
    healthy: bool
    limits: Limits


@dataclass(frozen=True)
class ServerFacts:
    """All that the exposition says of the server itself."""

    series: Sequence[Stored]
    arrays: Arrays
    error_budget_ratio: float


def render(accept: str, monitors: Sequence[MonitorFacts], server: ServerFacts) -> tuple[bytes, str]:
    """Return the exposition and its content type, in the format that `accept` asks for."""
    encoder, content_type = choose_encoder(accept)
    return encoder(_Snapshot(monitors, server)), content_type


class _Snapshot(CollectorRegistry):
    """What prometheus_client's encoders take for a registry: the families of one moment."""

    def __init__(self, monitors: Sequence[MonitorFacts], server: ServerFacts) -> None:
        super().__init__(auto_describe=False)
        ProcessCollector(registry=self)
        PlatformCollector(registry=self)
        self._monitors = monitors
        self._server = server

    def collect(self) -> Iterator[Family]:
        """Yield every family, each name once."""
        yield from super().collect()
        yield from (_stored([((), spec, self._server.arrays)], ()) for spec in self._server.series)
        yield GaugeMetricFamily(ERROR_BUDGET, ERROR_BUDGET_HELP, value=self._server.error_budget_ratio)
        if self._monitors:
            yield from _model_families(self._monitors)


_MODEL: Final = ("model_name", "model_version")


def _model_families(monitors: Sequence[MonitorFacts]) -> Iterator[Family]:
    """Yield the `model_*` families, the children of all monitors under one name."""
    known = [((m.model_name, m.model_version), m) for m in monitors]
    yield _gauge(
        INFO, INFO_HELP, ("task", "baseline_hash"), [(i, [((m.task, m.report.baseline.hash), 1.0)]) for i, m in known]
    )
    for place in range(len(monitors[0].series)):
        yield _stored([(identity, m.series[place], m.arrays) for identity, m in known], _MODEL)
    yield _bin_rows(known)
    for reported in REPORTED:
        yield _gauge(reported.name, reported.help, reported.labels, [(i, reported.values(m.report)) for i, m in known])
    for stated in STATED:
        yield _gauge(stated.name, stated.help, stated.labels, [(i, stated.values(m)) for i, m in known])


def _gauge(name: str, help: str, labels: Labels, members: Iterable[tuple[Labels, Children]]) -> Family:
    family = GaugeMetricFamily(name, help, labels=(*_MODEL, *labels))
    for identity, samples in members:
        for child, value in samples:
            family.add_metric((*identity, *child), value)
    return family


def _stored(members: Sequence[tuple[Labels, Stored, Arrays]], base: Labels) -> Family:
    spec = members[0][1]
    if spec.type == "counter":
        counter = CounterMetricFamily(spec.name, spec.help, labels=(*base, *spec.labels))
        for identity, own, arrays in members:
            for child, row in zip(own.children, arrays[own.name], strict=True):
                counter.add_metric((*identity, *child), float(row[0]))
        return counter
    histogram = HistogramMetricFamily(spec.name, spec.help, labels=(*base, *spec.labels))
    for identity, own, arrays in members:
        bounds = [*map(_bound, own.buckets), "+Inf"]
        for child, row in zip(own.children, arrays[own.name], strict=True):
            cumulative = np.cumsum(row[:-1]).tolist()
            histogram.add_metric((*identity, *child), list(zip(bounds, cumulative, strict=True)), float(row[-1]))
    return histogram


def _bound(value: float) -> str:
    return repr(float(value))


def _bin_rows(known: Iterable[tuple[Labels, MonitorFacts]]) -> Family:
    family = CounterMetricFamily(BIN_ROWS, BIN_ROWS_HELP, labels=(*_MODEL, "feature_name", "bin"))
    for identity, m in known:
        for column, row in zip(m.report.baseline.columns, m.bin_rows.tolist(), strict=True):
            for name, rows in zip(column.bins.names, row, strict=False):  # a row is padded to K
                family.add_metric((*identity, column.name, name), float(rows))
    return family


# ---------------------------------------------------------------- for the docs


def catalogue() -> list[tuple[str, str, str, str]]:
    """Return (name, type, labels, help) of every series but prometheus_client's own."""
    stored = [
        (s.name, s.type, (*base, *s.labels), s.help)
        for base, group in (((), server_series(())), (_MODEL, monitor_series()))
        for s in group
    ]
    reported = [(r.name, "gauge", (*_MODEL, *r.labels), r.help) for r in (*REPORTED, *STATED)]
    others = [
        (INFO, "gauge", (*_MODEL, "task", "baseline_hash"), INFO_HELP),
        (BIN_ROWS, "counter", (*_MODEL, "feature_name", "bin"), BIN_ROWS_HELP),
        (ERROR_BUDGET, "gauge", (), ERROR_BUDGET_HELP),
    ]
    return [(name, kind, ", ".join(labels), text) for name, kind, labels, text in sorted(stored + reported + others)]
