from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from app.drift.baseline import Baseline, Categories, Table, build_baseline, joined
from app.drift.bins import FloatArray
from app.drift.report import (
    CLEARED,
    JUDGED_ROWS,
    REPORTED_ROWS,
    DriftReport,
    Memory,
    Policy,
    Severity,
    Status,
    evaluate,
    score_means,
)
from app.drift.variation import STEPS
from app.drift.window import Rows

CREATED = "2026-01-01T00:00:00Z"
HALF = 5_000
"""Reference rows of each of the two values of a flag."""


def _flags(*names: str) -> Baseline:
    """Return the baseline of columns that are 1 in half of the reference, and 0 in the other half."""
    return build_baseline({name: np.repeat([0.0, 1.0], HALF) for name in names}, created=CREATED)


def _rows(baseline: Baseline, values: FloatArray) -> Rows:
    return Rows(values=values, codes=baseline.binner.codes(values), at=100.0 + np.arange(len(values), dtype=np.float64))


def _ones(baseline: Baseline, n: int, **shares: float) -> Rows:
    """Return n rows in which a flag is 1 as often as said, and in half of the rows if nothing is said."""
    columns = [np.arange(n) < round(shares.get(name, 0.5) * n) for name in baseline.names]
    return _rows(baseline, np.stack(columns, axis=1).astype(np.float64))


def _later(baseline: Baseline, earlier: Rows, newest: Rows) -> Rows:
    return _rows(baseline, np.concatenate([earlier.values, newest.values]))


def _debiased(n: int, share: float) -> float:
    """Return a flag's `psi_debiased` by the formula: the bins are 0, 1 and half a row that is unseen."""
    ones = round(share * n)
    pairs = [(n - ones, HALF), (ones, HALF), (0, 0.5)]
    m = 2 * HALF + 0.5
    value = 0.0
    for c, r in pairs:
        p, q = (c + 0.5) / (n + 1.5), (r + 0.5) / (m + 1.5)
        value += (p - q) * math.log(p / q)
    return max(0.0, value - 2 * (1 / n + 1 / m))


def _judge(baseline: Baseline, rows: Rows, policy: Policy | None = None, previous: Memory | None = None) -> DriftReport:
    memory = previous or Memory.empty(len(baseline.columns))
    return evaluate(baseline, rows, len(rows), memory, policy or Policy(windows=(1_000,)), now=0.0)[0]


# ---------------------------------------------------------------- the verdict on one column


@pytest.mark.parametrize(
    ("effect", "critical_effect", "reached", "status", "severity"),
    [
        (0.5, 0.25, (False, False), Status.NORMAL, None),
        (0.999, 0.5, (False, False), Status.NORMAL, None),
        (1.001, 0.5, (False, False), Status.DRIFT_DETECTED, "warning"),
        (1.9, 0.999, (False, False), Status.DRIFT_DETECTED, "warning"),
        (2.0, 1.001, (False, False), Status.DRIFT_DETECTED, "critical"),
        (0.9, 0.45, (True, False), Status.DRIFT_DETECTED, "warning"),
        (CLEARED + 0.001, 0.4, (True, False), Status.DRIFT_DETECTED, "warning"),
        (CLEARED - 0.001, 0.4, (True, False), Status.NORMAL, None),
        (1.7, 0.9, (True, False), Status.DRIFT_DETECTED, "warning"),
        (1.7, CLEARED + 0.001, (True, True), Status.DRIFT_DETECTED, "critical"),
        (1.5, CLEARED - 0.001, (True, True), Status.DRIFT_DETECTED, "warning"),
        (0.9, 0.45, (True, True), Status.DRIFT_DETECTED, "warning"),
        (0.7, 0.35, (True, True), Status.NORMAL, None),
    ],
)
def test_verdict(
    effect: float,
    critical_effect: float,
    reached: tuple[bool, bool],
    status: Status,
    severity: Severity | None,
) -> None:
    baseline = _flags("x")
    value = _debiased(1_000, 0.7)
    policy = Policy(windows=(1_000,), psi_thresholds=(value / effect, value / critical_effect))
    previous = Memory(np.array(reached)[:, None], np.array([5.0 if any(reached) else math.nan]))
    report = _judge(baseline, _ones(baseline, 1_000, x=0.7), policy, previous)
    verdict = report.verdicts[0]
    assert (verdict.status, verdict.severity) == (report.status, report.severity) == (status, severity)
    assert report.main.effect("warning")[0] == pytest.approx(effect)
    assert report.main.effect("critical")[0] == pytest.approx(critical_effect)


def test_an_effect_of_exactly_one_is_drift() -> None:
    baseline = _flags("x")
    rows = _ones(baseline, 1_000, x=0.7)
    value = float(_judge(baseline, rows).main.psi.debiased[0])
    report = _judge(baseline, rows, Policy(windows=(1_000,), psi_thresholds=(value, math.nextafter(value, 1.0))))
    assert (report.status, report.severity) == (Status.DRIFT_DETECTED, "warning")


@pytest.mark.parametrize("rows", [1, REPORTED_ROWS, JUDGED_ROWS - 1])
def test_few_rows_are_insufficient_whatever_they_hold(rows: int) -> None:
    baseline = _flags("x")
    report = _judge(baseline, _ones(baseline, rows, x=1.0))
    assert report.status is Status.INSUFFICIENT_DATA
    assert report.reason == f"{rows} of the {JUDGED_ROWS} rows that a verdict needs"
    assert math.isnan(report.main.effect("warning")[0])


def test_five_hundred_rows_are_judged() -> None:
    baseline = _flags("x")
    assert _judge(baseline, _ones(baseline, JUDGED_ROWS, x=1.0)).severity == "critical"
    assert _judge(baseline, _ones(baseline, JUDGED_ROWS)).status is Status.NORMAL


@pytest.mark.parametrize(("rows", "status"), [(509, Status.INSUFFICIENT_DATA), (510, Status.NORMAL)])
def test_many_bins_need_ten_rows_each(rows: int, status: Status) -> None:
    codes = np.repeat(np.arange(60), 100)  # 50 categories are kept, the others are one bin
    baseline = build_baseline({"x": Categories(codes, tuple(f"{i:02}" for i in range(60)))}, created=CREATED)
    values = baseline.bins[0].encode([f"{i % 60:02}" for i in range(rows)])[:, None]
    report = _judge(baseline, _rows(baseline, values))
    assert report.main.psi.bins.tolist() == [51]
    assert report.status is status


def test_psi_is_hidden_below_two_hundred_rows() -> None:
    baseline = _flags("x")
    few, enough = (_judge(baseline, _ones(baseline, n, x=0.7)).main for n in (REPORTED_ROWS - 1, REPORTED_ROWS))
    assert np.isnan([few.psi.psi, few.psi.noise, few.psi.debiased]).all()
    assert enough.psi.debiased[0] == pytest.approx(_debiased(REPORTED_ROWS, 0.7))


def test_without_rows_there_is_nothing_to_say() -> None:
    baseline = _flags("x", "y")
    report = _judge(baseline, _ones(baseline, 0))
    assert report.status is Status.INSUFFICIENT_DATA
    assert report.reason == "0 of the 500 rows that a verdict needs"
    assert (report.main.rows, report.main.start, report.main.end) == (0, None, None)
    assert np.isnan([report.main.psi.psi, report.main.shares.missing, report.main.moments.mean]).all()
    assert [verdict.since for verdict in report.verdicts] == [None, None]


def test_the_reason_says_which_number_is_compared_with_which() -> None:
    baseline = _flags("x")
    value = _debiased(1_000, 0.7)
    rows = _ones(baseline, 1_000, x=0.7)
    found = f"PSI {value:.3g}"
    drifted = _judge(baseline, rows, Policy(windows=(1_000,)))
    assert drifted.reason == f"x moved: {found} ≥ 0.1 in the last 1000 rows"
    quiet = _judge(baseline, rows, Policy(windows=(1_000,), psi_thresholds=(0.5, 0.7)))
    assert quiet.reason.endswith(f"nearest to its threshold is x: {found} < 0.5 in the last 1000 rows")
    held = Memory(np.array([[True], [False]]), np.array([5.0]))
    kept = _judge(baseline, rows, Policy(windows=(1_000,), psi_thresholds=(value / 0.9, 1.0)), held)
    limit = f"{value / 0.9:.3g} in the last 1000 rows, held until below {CLEARED * value / 0.9:.3g}"
    assert kept.reason == f"x moved: {found} < {limit}"


def test_a_window_of_missing_values_cannot_be_compared_where_missing_is_dropped() -> None:
    baseline = replace(_flags("x"), zero_bin="clip")
    report = _judge(baseline, _rows(baseline, np.full((1_000, 1), math.nan)))
    assert report.status is Status.INSUFFICIENT_DATA
    assert "all missing" in report.reason


def test_a_window_of_missing_values_is_drift_where_missing_counts() -> None:
    baseline = _flags("x")
    report = _judge(baseline, _rows(baseline, np.full((1_000, 1), math.nan)))
    assert (report.status, report.severity) == (Status.DRIFT_DETECTED, "critical")
    assert report.main.shares.missing.tolist() == [1.0]


# ---------------------------------------------------------------- from one evaluation to the next


def test_an_alarm_keeps_its_beginning_until_it_clears() -> None:
    baseline = _flags("x", "y")
    policy = Policy(windows=(1_000,))
    shares = {10.0: 0.68, 20.0: 0.68, 30.0: 0.9, 40.0: 0.655, 50.0: 0.5, 60.0: 0.68}
    memory = Memory.empty(2)
    told = []
    for now, share in shares.items():
        report, memory = evaluate(baseline, _ones(baseline, 1_000, x=share), 1_000, memory, policy, now)
        told.append((report.verdicts[0].severity, report.verdicts[0].since))
        assert report.verdicts[1].since is None
        assert report.evaluated_at == now
    assert told == [
        ("warning", 10.0),
        ("warning", 10.0),
        ("critical", 10.0),
        ("warning", 10.0),
        (None, None),
        ("warning", 60.0),
    ]
    assert _debiased(1_000, 0.655) < policy.psi_thresholds[0]


def test_an_alarm_ends_when_there_is_nothing_left_to_judge() -> None:
    baseline = _flags("x")
    previous = Memory(np.array([[True], [True]]), np.array([5.0]))
    report, memory = evaluate(baseline, _ones(baseline, 0), 0, previous, Policy(windows=(1_000,)), now=9.0)
    assert report.status is Status.INSUFFICIENT_DATA
    assert not memory.reached.any()
    assert np.isnan(memory.since).all()


# ---------------------------------------------------------------- natural variation


def _seasonal(size: int) -> tuple[Baseline, FloatArray]:
    rng = np.random.default_rng(0)
    time = np.arange(20 * size)
    values = np.sin(time / size)[:, None] + rng.normal(size=(20 * size, 1))
    table = {"x": values[:, 0]}
    return build_baseline(table, created=CREATED, ordered_by="t", window_sizes=(size,)), values


def test_a_window_like_the_most_extreme_one_of_the_reference_is_no_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 1_000 // STEPS * STEPS
    monkeypatch.setattr("app.drift.variation.SPANS", (1.0,))  # so that a window of `size` is the most extreme
    baseline, values = _seasonal(size)
    policy = Policy(windows=(size,))
    unordered = replace(baseline, columns=tuple(replace(c, natural_variation={}) for c in baseline.columns))
    starts = [*range(0, len(values) - size + 1, size // STEPS), len(values) - size]
    reports = [_judge(baseline, _rows(baseline, values[start : start + size]), policy) for start in starts]
    assert {report.status for report in reports} == {Status.NORMAL}
    worst = max(range(len(starts)), key=lambda i: reports[i].main.psi.debiased[0])
    assert reports[worst].main.psi.debiased[0] == pytest.approx(reports[worst].main.natural_variation[0])
    assert "the reference's own windows reach" in reports[worst].reason
    extreme = _rows(unordered, values[starts[worst] : starts[worst] + size])
    assert _judge(unordered, extreme, policy).severity == "critical"


def test_a_window_beyond_the_references_most_extreme_one_is_drift() -> None:
    size = 1_000 // STEPS * STEPS
    baseline, values = _seasonal(size)
    shifted = _rows(baseline, values[:size] + 3.0)
    report = _judge(baseline, shifted, Policy(windows=(size,)))
    assert (report.status, report.severity) == (Status.DRIFT_DETECTED, "critical")


@pytest.mark.parametrize("variation", [0.0, 0.05, 0.15, 0.3])
def test_thresholds_are_the_policys_or_the_natural_variation(variation: float) -> None:
    baseline = _flags("x")
    column = replace(baseline.columns[0], natural_variation={1_000: variation})
    varying = replace(baseline, columns=(column,))
    window = _judge(varying, _ones(varying, 1_000)).main
    assert window.natural_variation.tolist() == [variation]
    assert window.thresholds["warning"][0] == pytest.approx(max(0.1, variation))
    assert window.thresholds["critical"][0] == pytest.approx(max(0.2, variation))


# ---------------------------------------------------------------- several windows


@pytest.mark.parametrize(("older", "newer", "moved"), [(0.5, 0.8, 1_000), (0.8, 0.5, 5_000)])
def test_the_largest_effect_of_the_windows_counts(older: float, newer: float, moved: int) -> None:
    baseline = _flags("x")
    rows = _later(baseline, _ones(baseline, 4_000, x=older), _ones(baseline, 1_000, x=newer))
    report = _judge(baseline, rows, Policy(windows=(1_000, 5_000)))
    effects = {size: window.effect("warning")[0] for size, window in report.windows.items()}
    assert report.status is Status.DRIFT_DETECTED
    assert max(effects, key=lambda size: effects[size]) == moved
    assert f"in the last {moved} rows" in report.reason


def test_a_window_holds_the_newest_rows_and_their_times() -> None:
    baseline = _flags("x")
    rows = _later(baseline, _ones(baseline, 2_000, x=0.0), _ones(baseline, 1_000, x=1.0))
    report = _judge(baseline, rows, Policy(windows=(1_000, 10_000)))
    small, large = report.windows.values()
    assert (small.capacity, small.rows, small.start, small.end) == (1_000, 1_000, 2_100.0, 3_099.0)
    assert (large.capacity, large.rows, large.start, large.end) == (10_000, 3_000, 100.0, 3_099.0)
    assert small.moments.mean.tolist() == [1.0]
    assert large.moments.mean[0] == pytest.approx(1 / 3)
    assert report.main is large


def test_the_reason_names_the_window_that_reached_the_severity() -> None:
    baseline = _flags("x")
    column = replace(baseline.columns[0], natural_variation={1_000: 0.25, 2_000: 0.0})
    varying = replace(baseline, columns=(column,))
    rows = _later(varying, _ones(varying, 1_000, x=0.63), _ones(varying, 1_000, x=0.75))
    report = _judge(varying, rows, Policy(windows=(1_000, 2_000)))
    small, large = report.windows.values()
    assert small.effect("warning")[0] < large.effect("warning")[0]
    assert small.effect("critical")[0] > 1 > large.effect("critical")[0]
    assert report.severity == "critical"
    assert f"PSI {_debiased(1_000, 0.75):.3g} ≥ 0.25 in the last 1000 rows" in report.reason


# ---------------------------------------------------------------- the model


def test_the_model_is_as_bad_as_its_worst_column() -> None:
    baseline = _flags("calm", "warned", "alarmed")
    for shares, severity in (({"warned": 0.68}, "warning"), ({"warned": 0.68, "alarmed": 0.9}, "critical")):
        report = _judge(baseline, _ones(baseline, 1_000, **shares))
        assert (report.status, report.severity) == (Status.DRIFT_DETECTED, severity)
    assert _judge(baseline, _ones(baseline, 1_000)).status is Status.NORMAL


def test_the_worst_features_are_named_first() -> None:
    shares = {"a": 0.68, "b": 0.95, "c": 0.5, "d": 0.8, "e": 0.7, "f": 0.9}
    baseline = _flags(*shares)
    report = _judge(baseline, _ones(baseline, 1_000, **shares))
    assert report.drifted == ("b", "f", "d", "e", "a")
    assert report.reason.startswith("b moved: ")
    assert report.reason.endswith("; also f, d, e and 1 more")
    assert [verdict.name for verdict in report.verdicts] == list(shares)


def test_a_critical_column_is_worse_than_one_with_a_larger_effect() -> None:
    baseline = _flags("held", "larger")
    value = _debiased(1_000, 0.7)
    previous = Memory(np.array([[True, False], [True, False]]), np.array([1.0, math.nan]))
    policy = Policy(windows=(1_000,), psi_thresholds=(value / 1.9, value / 0.95))
    rows = _ones(baseline, 1_000, held=0.695, larger=0.7)
    report = _judge(baseline, rows, policy, previous)
    assert [verdict.severity for verdict in report.verdicts] == ["critical", "warning"]
    assert report.drifted == ("held", "larger")


def test_a_score_decides_with_the_features_but_is_none() -> None:
    baseline = joined(_flags("x"), _flags("prediction"))
    report = _judge(baseline, _ones(baseline, 1_000, prediction=0.9))
    assert report.severity == "critical"
    assert report.reason.startswith("prediction moved: ")
    assert report.drifted == ()


def test_scores_of_the_training_rows_are_never_judged() -> None:
    baseline = joined(_flags("x"), _flags("prediction"), in_sample=True)
    held = Memory(np.ones((2, 2), dtype=bool), np.array([1.0, 1.0]))
    report = _judge(baseline, _ones(baseline, 1_000, prediction=1.0), previous=held)
    assert report.status is Status.NORMAL
    assert report.verdicts[1].status is Status.INSUFFICIENT_DATA
    assert "training rows" in report.verdicts[1].reason
    assert report.main.judged.tolist() == [True, False]
    assert report.main.psi.debiased[1] > 1


def test_the_model_is_insufficient_only_if_all_its_columns_are() -> None:
    flag = np.repeat([0.0, 1.0], HALF)
    many = Categories(np.arange(2 * HALF) % 60, tuple(f"{i:02}" for i in range(60)))
    baseline = build_baseline({"many": many, "flag": flag}, created=CREATED)
    values = np.stack([np.arange(JUDGED_ROWS) % 50, np.arange(JUDGED_ROWS) % 2], axis=1).astype(np.float64)
    report = _judge(baseline, _rows(baseline, values))
    assert [verdict.status for verdict in report.verdicts] == [Status.INSUFFICIENT_DATA, Status.NORMAL]
    assert report.status is Status.NORMAL


def test_categories_have_shares_but_no_moments() -> None:
    table: Table = {"letter": Categories(np.repeat([0, 1], HALF), ("a", "b")), "flag": np.repeat([0.0, 1.0], HALF)}
    baseline = build_baseline(table, created=CREATED)
    values = np.stack([baseline.bins[0].encode(["a", "new", None, "b"]), np.array([0.0, 1.0, 1.0, math.nan])], axis=1)
    main = _judge(baseline, _rows(baseline, values)).main
    assert main.moments.mean.tolist() == pytest.approx([math.nan, 2 / 3], nan_ok=True)
    assert main.shares.unseen.tolist() == [0.25, 0.0]
    assert main.shares.missing.tolist() == [0.25, 0.25]


def test_score_means_are_of_the_main_window_and_the_reference() -> None:
    baseline = joined(_flags("x"), _flags("prediction"))
    rows = _later(baseline, _ones(baseline, 1_000, prediction=0.2), _ones(baseline, 1_000, prediction=0.6))
    report = _judge(baseline, rows, Policy(windows=(1_000, 2_000)))
    assert score_means(report) == pytest.approx((0.4, 0.5))


def test_a_model_without_a_score_has_no_score_means() -> None:
    baseline = _flags("x")
    assert np.isnan(score_means(_judge(baseline, _ones(baseline, 10)))).all()


def test_windows_too_small_for_any_verdict_say_so() -> None:
    baseline = _flags("x")
    report = _judge(baseline, _ones(baseline, 100), Policy(windows=(50, 100)))
    assert report.status is Status.INSUFFICIENT_DATA
    assert report.reason == "the largest window holds 100 rows, a verdict needs 500: make it larger"
