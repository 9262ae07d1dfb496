from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from driftgauge.about import NOTHING, About
from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import LIMITS, Severity, Status
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.metrics.series import (
    ABOUT_LABELS,
    LATE,
)
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions

from tests.abouts import HOSTILE, USUAL
from tests.expositions import (
    FORMATS,
    NEW_PER_COLUMN,
    OPENMETRICS,
    TEXT,
    TIME_WINDOWS,
    Children,
    Exposition,
    bins_of,
    drifted,
    facts_of,
    known,
)
from tests.monitors import (
    START,
    in_sample_baseline,
    small_baseline,
    small_monitor,
    small_options,
    some_rows,
    timed_baseline,
)

PER_COLUMN: dict[str, Callable[[WindowReport], npt.NDArray[np.float64]]] = {
    "model_feature_psi": lambda window: window.psi.psi,
    "model_feature_psi_debiased": lambda window: window.psi.debiased,
    "model_feature_psi_noise": lambda window: window.psi.noise,
    "model_feature_psi_expected_max": lambda window: window.expected_range,
    "model_feature_missing_ratio": lambda window: window.shares.missing,
    "model_feature_unseen_ratio": lambda window: window.shares.unseen,
    "model_feature_out_of_range_ratio": lambda window: window.shares.out_of_range,
    "model_feature_value_rows": lambda window: np.where(window.sample.rows == 0, np.nan, window.sample.rows),
    "model_feature_ks_statistic": lambda window: window.sample.ks_statistic,
    "model_feature_wasserstein_ratio": lambda window: window.sample.wasserstein_ratio,
    "model_feature_js_distance": lambda window: window.js_distance,
    "model_feature_mean_shift_ratio": lambda window: window.sample.mean_shift,
    "model_feature_chi_squared_ratio": lambda window: window.significance.chi_squared / window.significance.degrees,
    "model_feature_drift_pvalue": lambda window: window.significance.p_value,
}


@pytest.mark.parametrize("accept", FORMATS)
@pytest.mark.parametrize("name", PER_COLUMN)
def test_statistics_of_a_column_are_those_of_the_report(accept: str, name: str) -> None:
    monitor = drifted()
    report = monitor.last.report
    expected: Children = {
        (column, window.name): float(number)
        for window in report.windows.values()
        for column, number in zip(monitor.baseline.names, PER_COLUMN[name](window), strict=True)
    }
    assert {window for _, window in known(expected)} == set(_windows_that_know(name))
    assert Exposition(accept, [facts_of(monitor)]).children(name, "feature_name", "window") == known(expected)


def _windows_that_know(name: str) -> list[str]:
    """Return the windows of the drifted monitor that have a number: 2,000 of its 3,000 rows are no longer held."""
    if name == "model_feature_psi_expected_max":  # what a verdict takes into account
        return ["200", "1000"]
    if name in ("model_feature_ks_statistic", "model_feature_wasserstein_ratio"):  # from the rows themselves
        return ["200", "1000"]
    return ["200", "1000", *TIME_WINDOWS]


def test_statistics_of_numbers_leave_categories_out() -> None:
    exposition = Exposition(TEXT, [facts_of(drifted())])
    for name in NEW_PER_COLUMN:
        of_numbers = name in {
            "model_feature_value_rows",
            "model_feature_ks_statistic",
            "model_feature_wasserstein_ratio",
            "model_feature_mean_shift_ratio",
        }
        columns = {column for column, _ in exposition.children(name, "feature_name", "window")}
        assert columns == {"age", "flag", "prediction"} | ({"city"} if not of_numbers else set())


def test_rows_of_a_feature_are_those_with_a_number() -> None:
    sent = some_rows(3_000, age=65.0)
    found = Exposition(TEXT, [facts_of(drifted())]).children("model_feature_value_rows", "feature_name", "window")
    for place, name in ((0, "age"), (1, "flag"), (3, "prediction")):
        for window, rows in (("200", 200), ("1000", 1_000), ("2m", 3_000), ("24h", 3_000)):
            assert found[name, window] == (~np.isnan(sent[-rows:, place])).sum()


def test_the_change_of_a_correlation_is_that_of_the_report() -> None:
    monitor = drifted()
    change = monitor.last.report.correlation
    assert change is not None
    exposition = Exposition(OPENMETRICS, [facts_of(monitor)])
    found = exposition.children("model_feature_correlation_change_z", "feature_name")
    by_column = dict(zip(monitor.baseline.names, change.by_column.tolist(), strict=True))
    assert found == {(name,): by_column[name] for name in ("age", "flag", "prediction")}
    assert exposition.value("model_correlation_change_z") == abs(change.z) == max(found.values())
    top = sorted(found.values())[-2:]
    assert top == [abs(change.z)] * 2


def _of_columns(names: Iterable[str], values: Mapping[str, npt.NDArray[np.float64]]) -> Children:
    names = list(names)
    return {(name, stat): float(v) for stat, row in values.items() for name, v in zip(names, row, strict=True)}


def test_values_of_a_feature_are_those_of_the_newest_rows() -> None:
    monitor = drifted()
    newest = some_rows(3_000, age=65.0)[-1_000:]
    cells = np.where(np.isfinite(newest), newest, np.nan)
    cells[:, 2] = np.nan  # categories have no mean
    names = [name for name in monitor.baseline.names if name != "city"]
    cells = np.delete(cells, 2, axis=1)
    expected = _of_columns(
        names,
        {
            "mean": np.nanmean(cells, axis=0),
            "std": np.nanstd(cells, axis=0),
            "min": np.nanmin(cells, axis=0),
            "max": np.nanmax(cells, axis=0),
            **dict(zip(("p05", "p50", "p95"), np.nanquantile(cells, (0.05, 0.5, 0.95), axis=0), strict=True)),
        },
    )
    found = Exposition(TEXT, [facts_of(monitor)]).children("model_feature_value", "feature_name", "stat")
    assert found == pytest.approx(expected)


def test_the_reference_is_that_of_the_baseline() -> None:
    baseline = small_baseline()
    exposition = Exposition(TEXT, [facts_of(drifted())])
    for moment in ("mean", "std"):
        found = exposition.children(f"model_feature_reference_{moment}", "feature_name")
        assert found == known({(column.name,): getattr(column, moment) for column in baseline.columns})
        assert set(found) == {("age",), ("flag",), ("prediction",)}
    ratios = exposition.children("model_feature_reference_ratio", "feature_name", "bin")
    assert set(ratios) == bins_of(baseline)
    for column in baseline.columns:
        shares = [ratios[column.name, name] for name in column.bins.names]
        assert sum(shares) == pytest.approx(1.0)
        assert shares == pytest.approx([count / sum(column.counts) for count in column.counts])


def test_a_threshold_lies_beside_each_statistic() -> None:
    monitor = drifted()
    exposition = Exposition(TEXT, [facts_of(monitor)])
    found = exposition.children("model_feature_psi_threshold", "feature_name", "window", "severity")
    windows = monitor.last.report.windows
    expected = {
        (column, name, limit): float(number)
        for name in ("200", "1000")
        for limit in LIMITS
        for column, number in zip(monitor.baseline.names, windows[name].thresholds[limit], strict=True)
    }
    assert found == expected
    debiased = exposition.children("model_feature_psi_debiased", "feature_name", "window")
    # No verdict rests on a time window: nothing is to be compared with what it says.
    assert {(column, window) for column, window, _ in found} == {
        (column, window) for column, window in debiased if window not in TIME_WINDOWS
    }
    assert set(TIME_WINDOWS) < {window for _, window in debiased}


def test_verdicts_are_those_of_the_report() -> None:
    monitor = drifted()
    report = monitor.last.report
    exposition = Exposition(OPENMETRICS, [facts_of(monitor)])
    assert report.verdicts[0].status is Status.DRIFT_DETECTED
    assert exposition.value("model_feature_drift_severity", feature_name="age") == 3.0
    assert exposition.children("model_feature_drift_since_timestamp_seconds", "feature_name") == {
        (verdict.name,): verdict.since for verdict in report.verdicts if verdict.since is not None
    }
    # When evidence was raised: at the end of the block of rows that did.
    assert exposition.value("model_feature_drift_since_timestamp_seconds", feature_name="age") == START + 5
    assert exposition.value("model_drift_severity") == 3.0
    assert exposition.value("model_drifted_features") == len(report.drifted)
    assert exposition.value("model_drift_score") == report.drift_score > 1.0
    assert exposition.value("model_evaluated_features") == 4.0
    assert exposition.value("model_evaluation_timestamp_seconds") == START + 10


def test_the_share_that_moved_is_that_of_the_reason() -> None:
    monitor = drifted()
    shares = {v.name: v.finding.share for v in monitor.last.report.verdicts if v.finding and v.finding.share}
    assert f" of rows {shares['age'].rows}" in monitor.last.report.verdicts[0].reason
    exposition = Exposition(OPENMETRICS, [facts_of(monitor)])
    found = exposition.children("model_feature_moved_ratio", "feature_name", "rows")
    assert found == {(name, share.rows): share.ratio for name, share in shares.items()}
    found = exposition.children("model_feature_moved_reference_ratio", "feature_name", "rows")
    assert found == {(name, share.rows): share.reference_ratio for name, share in shares.items()}
    quiet = Exposition(OPENMETRICS, [facts_of(small_monitor())])
    assert quiet.children("model_feature_moved_ratio", "feature_name", "rows") == {}


def test_evidence_is_that_of_the_report_with_its_threshold_and_the_dependence_of_rows() -> None:
    monitor, timed = drifted(), ColumnMonitor(timed_baseline(), model_name="timed", model_version="1", now=START)
    report = monitor.last.report
    exposition = Exposition(OPENMETRICS, [facts_of(monitor)])
    names = [(name,) for name in monitor.baseline.names]
    evidence = exposition.children("model_feature_evidence_log10", "feature_name")
    assert evidence == dict(zip(names, report.evidence.log10.tolist(), strict=True))
    threshold = np.log10(1e6 * len(names))
    assert exposition.children("model_feature_evidence_threshold_log10", "feature_name") == pytest.approx(
        dict.fromkeys(names, threshold)
    )
    assert evidence["age",] > threshold > evidence["prediction",] > 0
    assert monitor.last.report.evidence.live is not None
    tau = zip(monitor.baseline.names, monitor.last.report.evidence.live.tau.tolist(), strict=True)
    found = exposition.children("model_feature_autocorrelation_rows", "feature_name", "origin")
    assert found == {(name, "live"): rows for name, rows in tau}
    found = Exposition(OPENMETRICS, [facts_of(timed)]).children(
        "model_feature_autocorrelation_rows", "feature_name", "origin"
    )
    assert timed.baseline.is_by_hour
    assert found == {(column.name, "reference"): column.tau for column in timed.baseline.columns}


def test_a_column_that_is_not_watched_has_no_evidence() -> None:
    monitor = ColumnMonitor(in_sample_baseline(), model_name="m", model_version="1", now=START)
    exposition = Exposition(OPENMETRICS, [facts_of(monitor)])
    for name in ("model_feature_evidence_log10", "model_feature_evidence_threshold_log10"):
        assert set(exposition.children(name, "feature_name")) == {("age",), ("flag",), ("city",)}
    assert exposition.value("model_feature_evidence_threshold_log10", feature_name="age") == np.log10(3e6)


def test_limits_stand_beside_what_they_limit() -> None:
    monitor = drifted()
    exposition = Exposition(OPENMETRICS, [facts_of(monitor)])
    baseline = monitor.baseline
    missing = {c.name: c.counts[c.bins.names.index("missing")] / c.rows for c in baseline.columns}
    assert exposition.children("model_feature_missing_ratio_threshold", "feature_name", "severity") == pytest.approx(
        {(n, s): own + more for n, own in missing.items() for s, more in (("warning", 0.05), ("critical", 0.1))}
    )
    unseen = {c.name: c.counts[c.bins.names.index("unseen")] / sum(c.counts) for c in baseline.columns[1:3]}
    assert exposition.children("model_feature_unseen_ratio_threshold", "feature_name", "severity") == pytest.approx(
        {(n, s): own + more for n, own in unseen.items() for s, more in (("warning", 0.01), ("critical", 0.05))}
    )
    assert exposition.children("model_prediction_latency_threshold_seconds", "severity") == {
        ("warning",): 0.5,
        ("critical",): 1.0,
    }
    assert exposition.value("model_evaluation_age_threshold_seconds") == 120.0
    assert exposition.children("model_window_required_rows", "window") == {("200",): 500.0, ("1000",): 500.0}
    assert exposition.value("http_requests_error_budget_ratio") == 0.001


def test_the_time_of_an_evaluation_is_the_servers_whatever_clock_the_rows_have() -> None:
    monitor = small_monitor(options=MonitorOptions(policy=Policy(windows=(200,)), clock="event"))
    monitor.observe(some_rows(600), arrival=START + 5, event=np.full(600, START - 1e8))
    monitor.evaluate(START + 10)
    assert monitor.last.report.evaluated_at == START - 1e8
    assert Exposition(TEXT, [facts_of(monitor)]).value("model_evaluation_timestamp_seconds") == START + 10


def _with_severity(report: DriftReport, severity: Severity | None) -> DriftReport:
    return replace(
        report, severity=severity, verdicts=tuple(replace(verdict, severity=severity) for verdict in report.verdicts)
    )


@pytest.mark.parametrize(("severity", "number"), [(None, 0.0), ("info", 1.0), ("warning", 2.0), ("critical", 3.0)])
def test_severities_are_numbered_from_none_to_critical(severity: Severity | None, number: float) -> None:
    monitor = drifted()
    report = _with_severity(monitor.last.report, severity)
    exposition = Exposition(TEXT, [replace(facts_of(monitor), report=report)])
    assert exposition.value("model_drift_severity") == number
    assert set(exposition.children("model_feature_drift_severity", "feature_name").values()) == {number}


def test_windows_show_their_rows_beside_their_capacity() -> None:
    monitor = small_monitor(options=small_options(300, 5_000))
    monitor.observe(some_rows(700), arrival=START)
    monitor.evaluate(START)
    exposition = Exposition(TEXT, [facts_of(monitor)])
    assert exposition.children("model_window_rows", "window") == {
        ("300",): 300.0,
        ("5000",): 700.0,
        **{(name,): 700.0 for name in TIME_WINDOWS},
    }
    assert exposition.children("model_window_capacity_rows", "window") == {("300",): 300.0, ("5000",): 5_000.0}


def test_time_windows_show_how_far_they_reach_back_and_count_windows_how_old_their_rows_may_be() -> None:
    spans = (TimeSpan("90s", 90), TimeSpan("7d", 604_800))
    options = MonitorOptions(Policy(windows=(200,), time_windows=spans, max_age_seconds=5_400.0))
    monitor = small_monitor(options=options)
    monitor.observe(some_rows(300), arrival=START)
    monitor.evaluate(START + 6_000.0)
    exposition = Exposition(TEXT, [facts_of(monitor)])
    assert exposition.children("model_window_span_seconds", "window") == {("90s",): 90.0, ("7d",): 604_800.0}
    assert exposition.value("model_window_max_age_seconds") == 5_400.0
    assert exposition.children("model_window_rows", "window") == {("200",): 0.0, ("90s",): 0.0, ("7d",): 300.0}
    for of_count_windows in ("model_window_capacity_rows", "model_window_required_rows"):
        assert set(exposition.children(of_count_windows, "window")) == {("200",)}


def test_rows_that_came_too_late_for_every_time_window_are_counted() -> None:
    monitor = small_monitor(options=replace(small_options(200, 1_000), clock="event"))
    monitor.observe(some_rows(9), arrival=START, event=np.full(9, START))
    monitor.observe(some_rows(4), arrival=START, event=np.full(4, START - 90_000.0))
    monitor.evaluate(START)
    assert Exposition(TEXT, [facts_of(monitor)]).value(LATE.name) == 4.0


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("healthy", [True, False])
def test_the_monitors_own_state_is_shown(healthy: bool, persistent: bool) -> None:
    exposition = Exposition(TEXT, [facts_of(drifted(), healthy=healthy, persistent=persistent)])
    assert exposition.value("model_monitoring_healthy") == float(healthy)
    assert exposition.value("model_state_persistent") == float(persistent)
    assert exposition.value("model_evaluation_duration_seconds") == 0.25
    info = exposition.children("model_info", "model_name", "model_version", "task", "baseline_hash")
    assert info == {("churn", "1", "binary", small_baseline().hash): 1.0}


@pytest.mark.parametrize("accept", [TEXT, OPENMETRICS])
@pytest.mark.parametrize("about", [NOTHING, USUAL, HOSTILE], ids=["nothing", "usual", "hostile"])
def test_the_information_says_whose_the_model_is_in_one_series(accept: str, about: About) -> None:
    facts = facts_of(drifted())
    described = replace(facts, baseline=replace(facts.baseline, about=about))
    info = Exposition(accept, [described]).children("model_info", *ABOUT_LABELS)
    assert info == {tuple(getattr(about, label) or "" for label in ABOUT_LABELS): 1.0}
