from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.reference.baseline import PREDICTION, Baseline
from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import LIMITS
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.edges.formats.drift_status import report_json, timestamp
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions

from tests.conftest import ExampleOf
from tests.examples import MAKERS, Example
from tests.monitors import (
    START,
    in_sample_baseline,
    monitor_of,
    observed,
    small_monitor,
    small_options,
    some_rows,
    timed_baseline,
)

WINDOWS = ["50", "1000", "2m", "1h", "24h"]
STATISTICS = {
    "rows", "psi", "psi_debiased", "psi_noise", "psi_threshold", "psi_threshold_origin", "psi_expected_max",
    "p_value", "chi_squared", "chi_squared_degrees", "js_distance", "kl_divergence", "cramers_v",
    "value_rows", "ks_statistic", "wasserstein_ratio",
    "finite_rows", "mean_shift", "mean", "std", "min", "max", "p05", "p50", "p95",
    "missing_ratio", "unseen_ratio", "out_of_range_ratio",
}  # fmt: skip
COLUMN = STATISTICS | {
    "kind", "status", "severity", "reason", "since", "reference", "windows",
    "drift_score", "evidence_log10", "evidence_threshold_log10", "tau", "tau_reference", "tau_live",
}  # fmt: skip
STATUS = {
    "status", "severity", "reason", "learning_until", "evaluated_at", "rows_observed", "drift_score", "recent_mean",
    "reference_mean",
    "drifted_features", "baseline", "thresholds", "windows", "features", "correlation", "evidence", PREDICTION,
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_it_has_the_documented_keys_before_any_row_and_after(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    classes = {"prediction_class"} if name == "multiclass" else set()
    for monitor in (monitor_of(example), observed(example, example.rows())):
        status = report_json(monitor.last.report)
        assert set(status) == STATUS | classes
        assert list(status["features"]) == example.names
        for column in (*status["features"].values(), *(status[name] for name in ("prediction", *classes))):
            assert set(column) == COLUMN
            assert list(column["windows"]) == WINDOWS
            assert all(set(window) == STATISTICS for window in column["windows"].values())


def test_without_rows_there_is_not_enough_data_and_no_number(binary: Example) -> None:
    status = report_json(monitor_of(binary).last.report)
    assert (status["status"], status["severity"], status["rows_observed"]) == ("insufficient_data", None, 0)
    assert status["windows"]["1000"] == {"rows": 0, "capacity": 1000, "from": None, "to": None}
    assert status["windows"]["24h"] == {
        "rows": 0,
        "seconds": 86_400,
        "from": "2023-11-13T22:15:00.000Z",  # where its oldest bucket begins, of 15 minutes each
        "to": "2023-11-14T22:13:20.000Z",
    }
    assert status["correlation"] is None
    assert math.isnan(status["features"]["mean area"]["mean"])
    assert status["drifted_features"] == []


def test_the_statistics_are_those_of_numpy(binary: Example) -> None:
    status = report_json(observed(binary, binary.rows(), START + 60).last.report)
    for name in binary.names:
        column, values, reference = status["features"][name], binary.held_out[name], binary.reference[name]
        newest = {"50": values.tail(50)}
        for window, part in ((column, values), *((column["windows"][key], newest.get(key, values)) for key in WINDOWS)):
            found = [window[key] for key in ("rows", "mean", "std", "min", "max", "p05", "p50", "p95")]
            quantiles = [part.quantile(level) for level in (0.05, 0.5, 0.95)]
            assert found == pytest.approx(
                [len(part), part.mean(), part.std(ddof=0), part.min(), part.max(), *quantiles]
            )
            assert window["value_rows"] == window["finite_rows"] == len(part)
        expected = [len(reference), reference.mean(), reference.std(ddof=0), reference.min(), reference.max()]
        assert [column["reference"][key] for key in ("rows", "mean", "std", "min", "max")] == pytest.approx(expected)
        beyond = ((values < reference.min()) | (values > reference.max())).mean()
        assert column["out_of_range_ratio"] == pytest.approx(beyond)
    scores = binary.estimator.predict_proba(binary.held_out)[:, 1]
    assert status["recent_mean"] == pytest.approx(scores.mean())
    assert status["reference_mean"] == pytest.approx(scores.mean())  # the baseline's score is of the same rows
    assert math.isnan(status["drift_score"])
    assert status["windows"]["50"] == {
        "rows": 50,
        "capacity": 50,
        "from": "2023-11-14T22:14:20.000Z",
        "to": "2023-11-14T22:14:20.000Z",
    }


def test_a_shifted_feature_is_named_worst_first_with_its_severity(binary: Example) -> None:
    rows = [{**row, "mean area": row["mean area"] * 3} for row in binary.rows()]
    status = report_json(observed(binary, rows * 3).last.report)
    column = status["features"]["mean area"]
    assert status["status"] == "drift_detected"
    assert status["severity"] == column["severity"] == "critical"
    assert status["drifted_features"][0] == "mean area"
    assert column["since"] == timestamp(START)
    assert column["psi_debiased"] >= column["psi_threshold"]["critical"]
    effects = [
        w["psi_debiased"] / w["psi_threshold"]["warning"] for w in column["windows"].values() if w["psi_threshold"]
    ]
    assert column["drift_score"] == pytest.approx(np.nanmax(effects))
    columns = [*status["features"].values(), status[PREDICTION]]
    assert status["drift_score"] == max(column["drift_score"] for column in columns) > 1.0


def test_missing_and_unseen_values_are_shares_of_the_window(category: Example) -> None:
    rows = [{**row, "radius": None, "shape": "square"} for row in category.rows(30)] + category.rows(30)
    features = report_json(observed(category, rows).last.report)["features"]
    assert features["radius"]["missing_ratio"] == 0.5
    assert features["shape"]["unseen_ratio"] == 0.5
    assert features["shape"]["kind"] == "categorical"
    assert math.isnan(features["shape"]["mean"])


def test_the_baseline_is_told_by_its_hash(binary: Example) -> None:
    baseline = binary.bundle.baseline
    found = report_json(monitor_of(binary).last.report)["baseline"]
    assert found == {
        "hash": baseline.hash,
        "rows": baseline.rows,
        "created": baseline.created,
        "by_hour": False,
        "notes": ["the reference has no times (--time): rows are assumed to be independent"],
    }


def _status_of(baseline: Baseline) -> dict[str, Any]:
    monitor = ColumnMonitor(baseline, model_name="m", model_version="1", now=START, options=small_options(1_000))
    return report_json(monitor.last.report)


def test_the_baseline_says_whether_hours_are_told_apart_and_what_to_know_of_it() -> None:
    assert (_status_of(timed_baseline())["baseline"]["by_hour"], timed_baseline().is_by_hour) == (True, True)
    assert _status_of(timed_baseline())["baseline"]["notes"] == []
    columns = (replace(timed_baseline().columns[0], tau=70.0, trending=True), *timed_baseline().columns[1:])
    blind = replace(timed_baseline(), columns=columns)
    notes = _status_of(blind)["baseline"]["notes"]
    assert len(notes) == 2
    assert notes[0].startswith("drift in walk (70) can only be detected late: ")
    assert notes[1] == "a trend or season in the reference causes most of tau for walk (70)"


def test_evidence_is_told_with_its_budget() -> None:
    budget = Budget(false_alarm_rows=5e7, tolerance=0.25)
    monitor = small_monitor(options=MonitorOptions(Policy(windows=(1_000,), budget=budget)))
    monitor.observe(some_rows(700, age=65.0), arrival=START + 2)
    report = monitor.evaluate(START + 3).report
    status = report_json(report)
    assert status["evidence"] == {
        "threshold_log10": pytest.approx(math.log10(2e8)),
        "false_alarm_rows": 5e7,
        "columns": 4,
        "tolerance": 0.25,
    }
    columns = {**status["features"], PREDICTION: status[PREDICTION]}
    assert {name: column["evidence_log10"] for name, column in columns.items()} == dict(
        zip(report.baseline.names, report.evidence.log10.tolist(), strict=True)
    )
    assert {column["evidence_threshold_log10"] for column in columns.values()} == {
        status["evidence"]["threshold_log10"]
    }
    assert (
        columns["age"]["evidence_log10"] > status["evidence"]["threshold_log10"] > columns[PREDICTION]["evidence_log10"]
    )
    assert (columns["age"]["since"], columns[PREDICTION]["since"]) == (timestamp(START + 2), None)


def test_a_column_without_a_detector_has_no_evidence_and_is_not_counted() -> None:
    status = _status_of(in_sample_baseline())
    assert math.isnan(status[PREDICTION]["evidence_log10"])
    assert status["features"]["age"]["evidence_log10"] == 0.0
    assert (status["evidence"]["columns"], status["evidence"]["threshold_log10"]) == (3, math.log10(3e6))


def test_how_dependent_rows_are_is_told_where_it_is_known() -> None:
    timed, small = _status_of(timed_baseline())["features"], report_json(small_monitor().last.report)["features"]
    expected = {column.name: (column.tau, column.tau, None) for column in timed_baseline().columns}  # it is by hour
    keys = ("tau", "tau_reference", "tau_live")
    assert {name: tuple(column[key] for key in keys) for name, column in timed.items()} == expected
    assert {tuple(column[key] for key in keys) for column in small.values()} == {(1.0, None, 1.0)}


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (None, None),
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000.1234, "2023-11-14T22:13:20.123Z"),
        (-62135596800.0, "0001-01-01T00:00:00.000Z"),
        (-62135596801.0, "0001-01-01T00:00:00.000Z"),  # where a window before the first of all times begins
    ],
)
def test_times_are_rfc_3339_in_utc(at: float | None, text: str | None) -> None:
    assert timestamp(at) == text
    if at is not None and text is not None and at >= -62135596800.0:
        assert np.isclose(datetime.fromisoformat(text).astimezone(UTC).timestamp(), at, atol=0.001)


# ---------------------------------------------------------------- each field against the report


def _drifted() -> DriftReport:
    """Return the report of a monitor that has seen more rows than it holds, of which the newest have moved."""
    monitor = small_monitor()
    monitor.observe(some_rows(3_000), arrival=START)
    monitor.observe(some_rows(900, age=65.0), arrival=START + 1_000)
    return monitor.evaluate(START + 1_000).report


def _few() -> DriftReport:
    monitor = small_monitor()
    monitor.observe(some_rows(150), arrival=START)
    return monitor.evaluate(START).report


def _expected(window: WindowReport, place: int) -> dict[str, Any]:
    """Return what the report says of a column in a window, field by field."""
    numbers = {
        "psi": window.psi.psi,
        "psi_debiased": window.psi.debiased,
        "psi_noise": window.psi.noise,
        "psi_expected_max": window.expected_range,
        "p_value": window.significance.p_value,
        "chi_squared": window.significance.chi_squared,
        "chi_squared_degrees": window.significance.degrees,
        "js_distance": window.js_distance,
        "kl_divergence": window.kl_divergence,
        "cramers_v": window.cramers_v,
        "value_rows": window.sample.rows,
        "ks_statistic": window.sample.ks_statistic,
        "wasserstein_ratio": window.sample.wasserstein_ratio,
        "finite_rows": window.sample.finite_rows,
        "mean_shift": window.sample.mean_shift,
        "mean": window.sample.mean,
        "std": window.sample.std,
        "min": window.sample.min,
        "max": window.sample.max,
        "p05": window.sample.quantiles[0],
        "p50": window.sample.quantiles[1],
        "p95": window.sample.quantiles[2],
        "missing_ratio": window.shares.missing,
        "unseen_ratio": window.shares.unseen,
        "out_of_range_ratio": window.shares.out_of_range,
    }
    thresholds = {limit: float(window.thresholds[limit][place]) for limit in LIMITS}
    return {
        "rows": window.rows,
        "psi_threshold": thresholds if window.capacity is not None else None,
        "psi_threshold_origin": None if window.capacity is None else "setting",
        **{name: row[place].item() for name, row in numbers.items()},
    }


@pytest.mark.parametrize("make", [_drifted, _few])
def test_every_statistic_is_that_of_the_report(make: Any) -> None:
    report = make()
    status = report_json(report)
    columns = {**status["features"], PREDICTION: status[PREDICTION]}
    assert list(columns) == list(report.baseline.names)
    for place, (name, column) in enumerate(columns.items()):
        for window_name, window in report.windows.items():
            np.testing.assert_equal(column["windows"][window_name], _expected(window, place))
        np.testing.assert_equal({key: column[key] for key in STATISTICS}, _expected(report.main, place))
        verdict = report.verdicts[place]
        assert (verdict.name, verdict.status, verdict.reason) == (name, column["status"], column["reason"])
        assert (column["severity"], column["since"]) == (verdict.severity, timestamp(verdict.since))
        assert column["evidence_log10"] == report.evidence.log10[place]
        np.testing.assert_equal(column["drift_score"], report.effects[place])
        assert column["evidence_threshold_log10"] == report.evidence.threshold_log10
        assert column["tau"] == report.evidence.tau[place]
        assert column["tau_reference"] == report.baseline.columns[place].tau
        assert report.evidence.live is not None
        assert column["tau_live"] == report.evidence.live.tau[place]
    for key in ("status", "severity", "reason", "rows_observed"):
        assert status[key] == getattr(report, key)
    assert status["evaluated_at"] == timestamp(report.evaluated_at)
    np.testing.assert_equal(status["drift_score"], report.drift_score)
    assert status["drifted_features"] == list(report.drifted)
    assert status["thresholds"] == {"warning": 0.1, "critical": 0.2}


def test_what_is_not_known_is_not_a_number_and_what_has_no_meaning_neither() -> None:
    status = report_json(_drifted())
    age, city = status["features"]["age"], status["features"]["city"]
    of_numbers = {
        "ks_statistic", "wasserstein_ratio", "mean_shift", "mean", "std", "min", "max", "p05", "p50", "p95",
        "out_of_range_ratio",
    }  # fmt: skip
    numbers = STATISTICS - {"psi_threshold", "psi_threshold_origin"}
    for window in ("200", "1000"):
        assert {key for key in numbers if math.isnan(city["windows"][window][key])} == of_numbers
        assert (city["windows"][window]["value_rows"], city["windows"][window]["finite_rows"]) == (0, 0)
        # `unseen` is a bin of values and categories, not of intervals.
        assert {key for key in numbers if math.isnan(age["windows"][window][key])} == {"unseen_ratio"}
    for window, rows_are_held in (("2m", True), ("1h", False), ("24h", False)):
        left = set() if rows_are_held else {"ks_statistic", "wasserstein_ratio", "min", "max", "p05", "p50", "p95"}
        unknown = {key for key in numbers if math.isnan(age["windows"][window][key])}
        assert unknown == left | {"unseen_ratio", "psi_expected_max"}
        assert age["windows"][window]["psi_threshold"] is None
        assert age["windows"][window]["psi_threshold_origin"] is None
    assert age["psi_threshold"] == {"warning": pytest.approx(0.1), "critical": pytest.approx(0.2)}


def test_with_few_rows_only_what_compares_is_left_out() -> None:
    age = report_json(_few())["features"]["age"]
    compares = {"psi", "psi_debiased", "psi_noise", "js_distance", "kl_divergence", "cramers_v"}
    compares |= {"ks_statistic", "wasserstein_ratio", "mean_shift"}
    for window in ("200", "1000"):  # 150 rows: a p-value is told from 100 on
        unknown = {
            key
            for key in STATISTICS - {"psi_threshold", "psi_threshold_origin"}
            if math.isnan(age["windows"][window][key])
        }
        assert unknown == compares | {"unseen_ratio"}


def test_windows_say_what_they_cover() -> None:
    report = _drifted()
    windows = report_json(report)["windows"]
    assert list(windows) == ["200", "1000", "2m", "1h", "24h"]
    for name, window in report.windows.items():
        size = {"capacity": int(name)} if name.isdigit() else {"seconds": TimeSpan.named(name).seconds}
        assert windows[name] == {
            "rows": window.rows,
            **size,
            "from": timestamp(window.start),
            "to": timestamp(window.end),
        }
    assert {name: window["rows"] for name, window in windows.items()} == {
        "200": 200, "1000": 1_000, "2m": 900, "1h": 3_900, "24h": 3_900,
    }  # fmt: skip
    assert windows["1000"]["from"] == timestamp(START)
    assert {window["to"] for window in windows.values()} == {timestamp(START + 1_000)}


def test_the_correlation_that_changed_most_is_told_by_its_columns_names() -> None:
    report = _drifted()
    change = report.correlation
    assert change is not None
    found = report_json(report)["correlation"]
    assert found == {
        "pair": [report.baseline.names[place] for place in change.pair],
        "reference": change.reference,
        "current": change.current,
        "z": change.z,
        "p_value": change.p_value,
        "pairs": 3,
        "rows": change.rows,
    }
    assert set(found["pair"]) < {"age", "flag", PREDICTION}
    assert report_json(_few())["correlation"] is None


def test_everything_but_not_a_number_is_plain_json() -> None:
    status = json.loads(json.dumps(report_json(_drifted())))
    assert set(status) == STATUS
    policy = Policy(windows=(200,), time_windows=())
    status = report_json(small_monitor(options=MonitorOptions(policy)).last.report)
    assert list(status["windows"]) == ["200"]
