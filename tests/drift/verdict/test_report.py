from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.evidence.detector import Evidence
from driftgauge.drift.reference.baseline import Baseline, joined
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.drift.reference.expected_range import STEPS
from driftgauge.drift.statistics.significance import FEWEST_ROWS
from driftgauge.drift.verdict.column_judge import IN_SAMPLE
from driftgauge.drift.verdict.latches import CLEARED
from driftgauge.drift.verdict.policy import ColumnPolicy, Policy
from driftgauge.drift.verdict.report import (
    Carryover,
    DriftReport,
    evaluate,
    score_means,
    update_latches,
)
from driftgauge.drift.verdict.rule import JUDGED_ROWS, LIMITS, REPORTED_ROWS, Limit, Status, Verdict, judge
from driftgauge.drift.windows.blocks import Blocks, rows_by_hour
from driftgauge.drift.windows.time_spans import TimeSpan, Totals
from driftgauge.drift.windows.window import Rows, Window, sliding_windows, time_windows
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance

from tests.effort import examples
from tests.monitors import evidence_of

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


def _rows_at(baseline: Baseline, rows: Rows, at: float) -> Rows:
    return replace(rows, at=np.full(len(rows), at))


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


def _windows(baseline: Baseline, rows: Rows, policy: Policy, now: float) -> list[Window]:
    """Return the count windows of rows at a moment."""
    return sliding_windows(rows, policy.windows, now - policy.max_age_seconds, baseline.binner)


def _start(baseline: Baseline) -> Carryover:
    return Carryover.start(baseline.detector(live=False))


def _held(
    baseline: Baseline,
    since: Mapping[str, float] | None = None,
    reached: Sequence[Sequence[bool]] | None = None,
    thresholds: float = 10.0,
) -> Carryover:
    """Return a memory of evidence that was raised for some columns, and of effects, shape [severities, columns]."""
    before = _start(baseline).latched if reached is None else np.array(reached)
    return Carryover(evidence_of(baseline, since or {}, thresholds=thresholds), before)


def _weighed(baseline: Baseline, rows: Rows, seen: Evidence, now: float) -> Evidence:
    """Return the evidence after rows, all of them one block that ends now."""
    return baseline.detector(live=False).advance(seen, _block(baseline, rows, now))


def _block(baseline: Baseline, rows: Rows, now: float = 0.0) -> Blocks:
    """Return rows as one block that ends now."""
    return Blocks(baseline.binner.counts(rows.codes)[None], np.zeros(1, dtype=np.int64), np.array([now]))


def _judge(
    baseline: Baseline,
    rows: Rows,
    policy: Policy | None = None,
    memory: Carryover | None = None,
    *,
    now: float = 0.0,
    timed: Sequence[Window] = (),
) -> DriftReport:
    """Judge the count windows of rows, with time windows beside them.

    Without a memory of what was before, the evidence is that of the rows.
    """
    if memory is None:
        memory = _start(baseline)
        memory = replace(memory, evidence=_weighed(baseline, rows, memory.evidence, now))
    known = policy or Policy(windows=(1_000,))
    return evaluate(baseline, [*_windows(baseline, rows, known, now), *timed], len(rows), memory, known, now)[0]


# ---------------------------------------------------------------- the verdict on one column


@pytest.mark.parametrize("significant", [False, True])
@pytest.mark.parametrize(
    ("effect", "critical_effect", "reached", "large"),
    [
        (0.5, 0.25, (False, False), None),
        (0.999, 0.5, (False, False), None),
        (1.001, 0.5, (False, False), "warning"),
        (1.9, 0.999, (False, False), "warning"),
        (2.0, 1.001, (False, False), "critical"),
        (0.9, 0.45, (True, False), "warning"),
        (CLEARED + 0.001, 0.4, (True, False), "warning"),
        (CLEARED - 0.001, 0.4, (True, False), None),
        (1.7, 0.9, (True, False), "warning"),
        (1.7, CLEARED + 0.001, (True, True), "critical"),
        (1.5, CLEARED - 0.001, (True, True), "warning"),
        (0.9, 0.45, (True, True), "warning"),
        (0.7, 0.35, (True, True), None),
    ],
)
def test_verdict(
    effect: float, critical_effect: float, reached: tuple[bool, bool], large: Limit | None, significant: bool
) -> None:
    baseline = _flags("x")
    value = _debiased(1_000, 0.7)
    policy = Policy(windows=(1_000,), psi_thresholds=(value / effect, value / critical_effect))
    memory = _held(baseline, {"x": 5.0} if significant else {}, [[reached[0]], [reached[1]]])
    report = _judge(baseline, _ones(baseline, 1_000, x=0.7), policy, memory)
    verdict = report.verdicts[0]
    changed: Verdict = (Status.DRIFT_DETECTED, large) if large else (Status.NORMAL, "info")
    expected = changed if significant else (Status.NORMAL, None)
    assert (verdict.status, verdict.severity) == (report.status, report.severity) == expected
    assert verdict.since == (5.0 if significant else None)
    assert (": large but not significant (PSI " in verdict.reason) == (not significant and large is not None)
    assert report.drifted == (("x",) if significant and large else ())
    assert report.main.effect("warning")[0] == pytest.approx(effect)
    assert report.main.effect("critical")[0] == pytest.approx(critical_effect)


@pytest.mark.parametrize("significant", [False, True])
@pytest.mark.parametrize(("share", "large"), [(0.5, None), (0.68, "warning"), (0.9, "critical")])
@pytest.mark.parametrize("rows", [0, 1, 50, REPORTED_ROWS - 1, REPORTED_ROWS, JUDGED_ROWS - 1, JUDGED_ROWS, 1_000])
def test_a_report_follows_the_rule(rows: int, share: float, large: Limit | None, significant: bool) -> None:
    baseline = _flags("x")
    memory = _held(baseline, {"x": 5.0} if significant else {})
    report = _judge(baseline, _ones(baseline, rows, x=share), memory=memory)
    size = large or "small" if rows >= JUDGED_ROWS else "unknown"
    assert (report.status, report.severity) == judge(rows, significant=significant, size=size)
    assert report.verdicts[0].since == (5.0 if significant and rows else None)
    assert report.main.judged.tolist() == [rows >= JUDGED_ROWS]


def test_an_effect_of_exactly_one_is_drift() -> None:
    baseline = _flags("x")
    rows = _ones(baseline, 1_000, x=0.7)
    value = float(_judge(baseline, rows).main.psi.debiased[0])
    report = _judge(baseline, rows, Policy(windows=(1_000,), psi_thresholds=(value, math.nextafter(value, 1.0))))
    assert (report.status, report.severity) == (Status.DRIFT_DETECTED, "warning")


@pytest.mark.parametrize("rows", [1, 50, REPORTED_ROWS - 1])
def test_few_rows_without_evidence_are_insufficient(rows: int) -> None:
    baseline = _flags("x")
    report = _judge(baseline, _ones(baseline, rows))
    assert (report.status, report.severity) == (Status.INSUFFICIENT_DATA, None)
    assert report.reason == f"not enough data: {rows} of {REPORTED_ROWS} rows"
    assert math.isnan(report.main.effect("warning")[0])


def test_fifty_rows_that_are_real_drift_are_a_warning() -> None:
    baseline = _flags("x", "y")
    report = _judge(baseline, _ones(baseline, 50, x=1.0), now=9.0)
    assert report.evidence.raised.tolist() == [True, False]
    assert [(verdict.status, verdict.severity, verdict.since) for verdict in report.verdicts] == [
        (Status.WARNING, "warning", 9.0),
        (Status.INSUFFICIENT_DATA, None, None),
    ]
    assert (report.status, report.severity, report.drifted) == (Status.WARNING, "warning", ())
    where = "100 % of rows are 1 (reference: 50 %)"
    assert report.reason == f"x: {where}. Significant; size not known yet (50 of {JUDGED_ROWS} rows)."


@pytest.mark.parametrize("rows", [REPORTED_ROWS, JUDGED_ROWS - 1])
def test_from_two_hundred_rows_on_the_absence_of_evidence_is_a_verdict(rows: int) -> None:
    baseline = _flags("x")
    report = _judge(baseline, _ones(baseline, rows))
    assert (report.status, report.severity) == (Status.NORMAL, None)
    unknown = f"size not known yet: {rows} of {JUDGED_ROWS} rows"
    assert report.verdicts[0].reason == f"x: no significant change ({unknown})"
    assert math.isnan(report.main.effect("warning")[0])


def test_five_hundred_rows_are_judged() -> None:
    baseline = _flags("x")
    assert _judge(baseline, _ones(baseline, JUDGED_ROWS - 1, x=1.0)).status is Status.WARNING
    assert _judge(baseline, _ones(baseline, JUDGED_ROWS, x=1.0)).severity == "critical"
    assert _judge(baseline, _ones(baseline, JUDGED_ROWS)).status is Status.NORMAL


@pytest.mark.parametrize(("rows", "judged"), [(509, False), (510, True)])
def test_many_bins_need_ten_rows_each(rows: int, judged: bool) -> None:
    codes = np.repeat(np.arange(60), 100)  # 50 categories are kept, the others are one bin
    baseline = build_baseline({"x": Categories(codes, tuple(f"{i:02}" for i in range(60)))}, created=CREATED)
    values = baseline.bins[0].encode([f"{i % 60:02}" for i in range(rows)])[:, None]
    report = _judge(baseline, _rows(baseline, values))
    assert report.main.psi.bins.tolist() == [51]
    assert report.main.judged.tolist() == [judged]
    assert np.isnan(report.main.effect("warning")).tolist() == [not judged]
    assert report.status is Status.NORMAL
    assert report.reason.endswith("no significant change (size not known yet: 509 of 510 rows)") != judged


def test_psi_is_hidden_below_two_hundred_rows() -> None:
    baseline = _flags("x")
    few, enough = (_judge(baseline, _ones(baseline, n, x=0.7)).main for n in (REPORTED_ROWS - 1, REPORTED_ROWS))
    assert np.isnan([few.psi.psi, few.psi.noise, few.psi.debiased]).all()
    assert enough.psi.debiased[0] == pytest.approx(_debiased(REPORTED_ROWS, 0.7))


def test_without_rows_there_is_nothing_to_say() -> None:
    baseline = _flags("x", "y")
    report = _judge(baseline, _ones(baseline, 0))
    assert report.status is Status.INSUFFICIENT_DATA
    assert report.reason == "not enough data: 0 of 200 rows"
    assert (report.main.rows, report.main.start, report.main.end) == (0, None, None)
    assert np.isnan([report.main.psi.psi, report.main.shares.missing, report.main.sample.mean]).all()
    assert [verdict.since for verdict in report.verdicts] == [None, None]


def test_the_reason_says_which_number_is_compared_with_which() -> None:
    baseline = _flags("x")
    value = _debiased(1_000, 0.7)
    rows = _ones(baseline, 1_000, x=0.7)
    found = f"PSI {value:.2f}"
    raised = _held(baseline, {"x": 0.0})
    drifted = _judge(baseline, rows, memory=raised)
    where = "70 % of rows are 1 (reference: 50 %)"
    assert drifted.reason == f"x: {where}. Significant; large ({found}, limit 0.10)."  # it has begun just now
    lenient = Policy(windows=(1_000,), psi_thresholds=(0.5, 0.7))
    small = _judge(baseline, rows, lenient, raised)
    assert small.reason == f"no drift. x: {where}. Significant; small ({found}, limit 0.50): for information, no alert."
    quiet = _judge(baseline, rows, lenient, _start(baseline))
    assert quiet.verdicts[0].reason == f"x: no significant change ({found}, limit 0.50)"
    assert quiet.reason == f"no drift. Nearest to its limit is {quiet.verdicts[0].reason}"
    held = _held(baseline, {"x": 5.0}, [[True], [False]], thresholds=0.5)
    kept = _judge(baseline, rows, Policy(windows=(1_000,), psi_thresholds=(value / 0.9, 1.0)), held, now=9.0)
    limit = f"{value / 0.9:.2f}, ends below {CLEARED * value / 0.9:.2f}"
    began = "Since 1970-01-01 00:00 UTC."
    assert kept.reason == f"x: {where}. Significant; still large ({found}, limit {limit}). {began}"
    for report in (drifted, small, kept):
        assert report.reason.removeprefix("no drift. ") == report.verdicts[0].reason


def test_what_is_large_by_chance_says_so() -> None:
    baseline = _flags("x")
    dependent = replace(baseline, columns=(replace(baseline.columns[0], tau=40.0),))
    rows = _ones(baseline, 1_000, x=0.7)
    words = f"x: large but not significant (PSI {_debiased(1_000, 0.7):.2f}, limit 0.10)"
    for known in (baseline, dependent):
        report = _judge(known, rows, memory=_start(known))
        assert (report.status, report.severity, report.drifted) == (Status.NORMAL, None, ())
        assert report.verdicts[0].reason == words
        assert report.reason == f"no drift. Nearest to its limit is {words}"
    assert _judge(baseline, rows).severity == "warning"  # these rows raise evidence if they are independent,
    assert _judge(dependent, rows).status is Status.NORMAL  # and none if forty tell as much as one


def test_the_budget_decides_what_is_real() -> None:
    baseline = _flags("x", "y")
    report = _judge(baseline, _ones(baseline, 1_000))
    assert report.evidence.threshold == 2e6
    strict = baseline.detector(Budget(false_alarm_rows=1e9))
    assert strict.start().threshold == 2e9


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (5_041.0, "Since 1970-01-01 01:24 UTC"),
        (5_039.0 + 86_400, "Since 1970-01-01 01:24 UTC"),
        (5_040.0 + 86_400, "Since 1970-01-01"),
        (5_040.0 + 20 * 86_400, "Since 1970-01-01"),
    ],
)
def test_the_reason_says_since_when_however_often_it_is_evaluated(now: float, words: str) -> None:
    baseline = _flags("x")
    began = _held(baseline, {"x": 5_040.0}, [[True], [False]])
    rows = _rows_at(baseline, _ones(baseline, 1_000, x=0.9), now)
    report = _judge(baseline, rows, memory=began, now=now)
    assert report.verdicts[0].since == 5_040.0
    assert report.reason.endswith(f"). {words}.")


def test_a_window_of_missing_values_cannot_be_compared_where_missing_is_dropped() -> None:
    baseline = replace(_flags("x"), zero_bin="clip")
    report = _judge(baseline, _rows(baseline, np.full((1_000, 1), math.nan)))
    assert (report.status, report.severity) == (Status.WARNING, "warning")  # evidence counts what is missing
    assert report.main.judged.tolist() == [False]
    unknown = "all values of the window or of the reference are missing"
    where = "100 % of rows missing (reference: 0 %)"
    assert report.reason == f"x: {where}. Significant; size not known yet ({unknown})."
    quiet = _judge(baseline, _rows(baseline, np.full((1_000, 1), math.nan)), memory=_start(baseline))
    assert quiet.status is Status.NORMAL
    assert quiet.reason == f"no drift: no significant change (size not known yet: {unknown})"


def test_a_window_of_missing_values_is_drift_where_missing_counts() -> None:
    baseline = _flags("x")
    report = _judge(baseline, _rows(baseline, np.full((1_000, 1), math.nan)))
    assert (report.status, report.severity) == (Status.DRIFT_DETECTED, "critical")
    assert report.main.shares.missing.tolist() == [1.0]
    assert report.reason.startswith("x: 100 % of rows missing (reference: 0 %). Significant; large (PSI ")


def test_of_a_window_of_missing_values_only_what_counts_them_is_known() -> None:
    baseline = _mixed()
    values = _mixed_rows(baseline, 1_000)
    values[:, [0, 2]] = math.nan
    missing = _rows(baseline, values)
    for window in _judge(baseline, missing, timed=[_timed(baseline, missing, HOUR)]).windows.values():
        sample = window.sample
        assert (sample.rows[0], sample.finite_rows[0], sample.rows[1]) == (0, 0, 1_000)
        statistics = (sample.mean_shift, sample.ks_statistic, sample.wasserstein_ratio)
        for numbers in (sample.mean, sample.std, sample.min, sample.max, *sample.quantiles, *statistics):
            assert np.isnan(numbers[[0, 2]]).all()
            assert not np.isnan(numbers[1])
        assert window.psi.debiased[[0, 2]].min() > 1
        assert window.js_distance[[0, 2]].min() > 0.9
        assert window.significance.p_value[[0, 2]].max() < 1e-9


# ---------------------------------------------------------------- from one evaluation to the next


def test_an_alarm_keeps_its_beginning_until_it_clears() -> None:
    baseline = _flags("x", "y")
    policy = Policy(windows=(1_000,))
    shares = {
        10.0: 0.68,
        20.0: 0.68,
        30.0: 0.9,
        40.0: 0.655,
        **dict.fromkeys((50.0, 60.0, 70.0, 80.0), 0.5),
        90.0: 0.68,
    }
    memory = _start(baseline)
    told = []
    for now, share in shares.items():
        rows = _ones(baseline, 1_000, x=share)
        memory = replace(memory, evidence=_weighed(baseline, rows, memory.evidence, now))
        report, memory = evaluate(baseline, _windows(baseline, rows, policy, now), 1_000, memory, policy, now)
        told.append((report.status.value, report.severity, report.verdicts[0].since))
        assert report.verdicts[1].since is None
        assert report.evaluated_at == now
    assert told == [
        ("drift_detected", "warning", 10.0),
        ("drift_detected", "warning", 10.0),
        ("drift_detected", "critical", 10.0),
        ("drift_detected", "warning", 10.0),
        ("normal", "info", 10.0),  # it takes a while until the evidence of a drift that is over has gone
        ("normal", "info", 10.0),
        ("normal", "info", 10.0),
        ("normal", None, None),
        ("drift_detected", "warning", 90.0),
    ]
    assert _debiased(1_000, 0.655) < policy.psi_thresholds[0]


def test_an_alarm_has_begun_when_evidence_was_raised_not_when_it_was_big() -> None:
    baseline = _flags("x")
    policy = Policy(windows=(1_000,))
    memory = _start(baseline)
    told = []
    for now, share in ((10.0, 0.6), (20.0, 0.7), (30.0, 0.6)):
        rows = _ones(baseline, 1_000, x=share)
        memory = replace(memory, evidence=_weighed(baseline, rows, memory.evidence, now))
        report, memory = evaluate(baseline, _windows(baseline, rows, policy, now), 1_000, memory, policy, now)
        told.append((report.status, report.verdicts[0].since))
    assert told == [(Status.NORMAL, 10.0), (Status.DRIFT_DETECTED, 10.0), (Status.NORMAL, 10.0)]


def test_a_large_effect_is_remembered_before_it_is_real() -> None:
    baseline = _flags("x")
    policy = Policy(windows=(1_000,))
    windows = _windows(baseline, _ones(baseline, 1_000, x=0.68), policy, 0.0)
    quiet, memory = evaluate(baseline, windows, 1_000, _start(baseline), policy, 0.0)
    assert quiet.status is Status.NORMAL
    assert memory.latched.tolist() == [[True], [False]]
    significant = replace(memory, evidence=evidence_of(baseline, {"x": 5.0}))
    windows = _windows(baseline, _ones(baseline, 1_000, x=0.655), policy, 0.0)
    assert _debiased(1_000, 0.655) < policy.psi_thresholds[0]
    report, _ = evaluate(baseline, windows, 1_000, significant, policy, 9.0)
    assert (report.status, report.severity) == (Status.DRIFT_DETECTED, "warning")


def test_an_alarm_ends_when_there_is_nothing_left_to_judge() -> None:
    baseline = _flags("x")
    before = _held(baseline, {"x": 5.0}, [[True], [True]])
    policy = Policy(windows=(1_000,))
    windows = _windows(baseline, _ones(baseline, 0), policy, now=9.0)
    report, memory = evaluate(baseline, windows, 0, before, policy, now=9.0)
    assert (report.status, report.severity) == (Status.INSUFFICIENT_DATA, None)
    assert report.reason == "not enough data: 0 of 200 rows. Earlier rows had drifted"
    assert report.verdicts[0].since is None
    assert not memory.latched.any()
    assert memory.evidence is before.evidence
    assert report.evidence is before.evidence


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1_500), st.floats(0.3, 0.8)), min_size=1, max_size=5),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_settling_without_a_report_is_what_a_report_would_leave(
    parts: list[tuple[int, float]], before: list[bool]
) -> None:
    baseline = _flags("x", "y")
    policy = Policy(windows=(600, 1_000), columns={"y": ColumnPolicy(psi_thresholds=(0.05, 0.4))})
    memory = replace(_start(baseline), latched=np.array(before).reshape(2, 2))
    reached = memory.latched
    for n, share in parts:
        windows = _windows(baseline, _ones(baseline, n, x=share, y=1.0 - share), policy, 0.0)
        _, memory = evaluate(baseline, windows, n, memory, policy, 0.0)
        reached = update_latches(baseline, windows, reached, policy)
        np.testing.assert_array_equal(reached, memory.latched)


# ---------------------------------------------------------------- natural variation


def _seasonal(size: int) -> tuple[Baseline, FloatArray]:
    rng = np.random.default_rng(0)
    time = np.arange(20 * size)
    values = np.sin(time / size)[:, None] + rng.normal(size=(20 * size, 1))
    table = {"x": values[:, 0]}
    return build_baseline(table, created=CREATED, ordered_by="t", window_sizes=(size,)), values


def test_a_window_like_the_most_extreme_one_of_the_reference_is_no_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 1_000 // STEPS * STEPS
    monkeypatch.setattr(
        "driftgauge.drift.reference.expected_range.SPANS", (1.0,)
    )  # so that a window of `size` is the most extreme
    baseline, values = _seasonal(size)
    policy = Policy(windows=(size,))
    plain = (replace(column, expected_range={}, tau=None) for column in baseline.columns)
    unordered = replace(baseline, columns=tuple(plain))
    starts = [*range(0, len(values) - size + 1, size // STEPS), len(values) - size]
    reports = [_judge(baseline, _rows(baseline, values[start : start + size]), policy) for start in starts]
    assert {report.status for report in reports} == {Status.NORMAL}
    worst = max(range(len(starts)), key=lambda i: reports[i].main.psi.debiased[0])
    assert reports[worst].main.psi.debiased[0] == pytest.approx(reports[worst].main.expected_range[0])
    usual = f"{reports[worst].main.expected_range[0]:.2f}"
    assert f"(PSI {usual}, usual up to {usual})" in reports[worst].reason
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
    column = replace(baseline.columns[0], expected_range={1_000: variation})
    varying = replace(baseline, columns=(column,))
    window = _judge(varying, _ones(varying, 1_000)).main
    assert window.expected_range.tolist() == [variation]
    assert window.thresholds["warning"][0] == pytest.approx(max(0.1, variation))
    assert window.thresholds["critical"][0] == pytest.approx(2.0 * max(0.1, variation))
    assert window.by_expected_range.tolist() == [variation > 0.1]


def test_critical_is_as_far_above_the_expected_range_as_above_the_setting() -> None:
    baseline = _flags("x")
    column = replace(baseline.columns[0], expected_range={1_000: 0.15})
    varying = replace(baseline, columns=(column,))
    found = {}
    for share in (0.68, 0.7, 0.8):
        report = _judge(varying, _ones(varying, 1_000, x=share))
        found[share] = (report.status, report.severity)
    assert found == {
        0.68: (Status.NORMAL, "info"),
        0.7: (Status.DRIFT_DETECTED, "warning"),
        0.8: (Status.DRIFT_DETECTED, "critical"),
    }
    assert 0.1 < _debiased(1_000, 0.68) < 0.15 < _debiased(1_000, 0.7) < 0.3 < _debiased(1_000, 0.8)


def test_a_column_may_have_thresholds_of_its_own() -> None:
    baseline = _flags("x", "y", "z")
    columns = [replace(column, expected_range={1_000: 0.15}) for column in baseline.columns[1:]]
    varying = replace(baseline, columns=(baseline.columns[0], *columns))
    own = {"y": ColumnPolicy(psi_thresholds=(0.12, 0.3)), "z": ColumnPolicy(psi_thresholds=(0.4, 0.9))}
    policy = Policy(windows=(1_000,), columns=own)
    rows = _ones(varying, 1_000, x=0.7, y=0.7, z=0.7)
    report = _judge(varying, rows, policy)
    assert _debiased(1_000, 0.7) == pytest.approx(0.17, abs=0.01)
    assert report.main.thresholds["warning"].tolist() == pytest.approx([0.1, 0.15, 0.4])
    assert report.main.thresholds["critical"].tolist() == pytest.approx([0.2, 0.375, 0.9])
    assert report.main.by_expected_range.tolist() == [False, True, False]
    assert [(verdict.status, verdict.severity) for verdict in report.verdicts] == [
        (Status.DRIFT_DETECTED, "warning"),
        (Status.DRIFT_DETECTED, "warning"),
        (Status.NORMAL, "info"),
    ]
    assert (
        f"Significant; small (PSI {_debiased(1_000, 0.7):.2f}, limit 0.40): for information, no alert."
        in report.verdicts[2].reason
    )
    assert report.drifted == ("x", "y")


# ---------------------------------------------------------------- small changes, and what is not known yet


def test_the_drift_score_is_the_largest_effect_of_all_windows_and_columns() -> None:
    baseline = _flags("x", "y")
    column = replace(baseline.columns[1], expected_range={1_000: 0.4})
    varying = replace(baseline, columns=(baseline.columns[0], column))
    rows = _later(varying, _ones(varying, 4_000), _ones(varying, 1_000, x=0.65, y=0.7))
    report = _judge(varying, rows, Policy(windows=(1_000, 5_000)), _start(varying))
    expected = [_debiased(1_000, 0.65) / 0.1, _debiased(1_000, 0.7) / 0.4]
    assert report.effects.tolist() == pytest.approx(expected)
    assert report.drift_score == pytest.approx(expected[0])
    assert math.isnan(_judge(varying, _ones(varying, JUDGED_ROWS - 1)).drift_score)


@pytest.mark.parametrize(("alert_on_small", "verdict"), [(False, ("normal", "info")), (True, ("warning", "warning"))])
def test_a_small_change_alerts_on_demand(alert_on_small: bool, verdict: tuple[str, str]) -> None:
    baseline = _flags("x")
    policy = Policy(windows=(1_000,), alert_on_small=alert_on_small)
    report = _judge(baseline, _ones(baseline, 1_000, x=0.6), policy, now=9.0)
    assert (report.status, report.severity) == verdict
    assert report.verdicts[0].since == 9.0
    where = "x: 60 % of rows are 1 (reference: 50 %)"
    size = f"small (PSI {_debiased(1_000, 0.6):.2f}, limit 0.10)"
    drift, alert = ("", "") if alert_on_small else ("no drift. ", ": for information, no alert")
    assert report.reason == f"{drift}{where}. Significant; {size}{alert}."


def test_columns_that_changed_a_little_are_named_together() -> None:
    baseline = _flags("calm", "a", "b")
    report = _judge(baseline, _ones(baseline, 1_000, a=0.63, b=0.65))
    assert report.reason.startswith("no drift. b: 65 % of rows are 1 (reference: 50 %). Significant; small (PSI ")
    assert report.reason.endswith("): for information, no alert. Also: a.")
    assert report.drifted == ()


NOTE = (
    "Severity is limited until 1970-01-04: the baseline has no times (--time), so how much a day or a week usually "
    "varies is not known before."
)


@pytest.mark.parametrize(
    ("rows", "share", "learning", "later", "limited"),
    [
        (100, 1.0, (Status.WARNING, "info"), (Status.WARNING, "warning"), True),
        (1_000, 0.6, (Status.NORMAL, "info"), (Status.NORMAL, "info"), False),
        (1_000, 0.68, (Status.DRIFT_DETECTED, "warning"), (Status.DRIFT_DETECTED, "warning"), False),
        (1_000, 0.9, (Status.DRIFT_DETECTED, "warning"), (Status.DRIFT_DETECTED, "critical"), True),
        (1_000, 0.5, (Status.NORMAL, None), (Status.NORMAL, None), False),
    ],
)
def test_learning_limits_the_severity_and_says_until_when(
    rows: int, share: float, learning: Verdict, later: Verdict, limited: bool
) -> None:
    baseline = _flags("x")
    seen = _ones(baseline, rows, x=share)
    policy, until = Policy(windows=(1_000,)), 2.5 * DAY
    memory = _start(baseline)
    memory = replace(memory, evidence=_weighed(baseline, seen, memory.evidence, 0.0))
    for now, verdict in ((until - 1.0, learning), (until, later)):
        windows = _windows(baseline, _rows_at(baseline, seen, now), policy, now)
        report, _ = evaluate(baseline, windows, rows, memory, policy, now, learning_until=np.array([until]))
        assert (report.status, report.severity) == verdict
        assert report.learning_until == (until if now < until else None)
        assert report.verdicts[0].reason.endswith(NOTE) == (limited and now < until)


def test_learning_lasts_from_the_first_row_unless_the_reference_has_times() -> None:
    first, timed = np.array([7.0, 7.0, math.nan, 8.0]), np.array([False, True, False, False])
    for seconds, policy in ((100.0, Policy(learning_seconds=100.0)), (14 * DAY, Policy())):
        expected = [7.0 + seconds, math.nan, math.nan, 8.0 + seconds]
        np.testing.assert_array_equal(policy.learning_until(first, timed), expected)
    assert np.isnan(Policy(learning_seconds=0.0).learning_until(first, timed)).all()


# ---------------------------------------------------------------- columns with options of their own


def test_a_column_that_is_not_monitored_has_no_verdict_and_no_share_in_the_budget() -> None:
    baseline = _flags("x", "y")
    policy = Policy(windows=(1_000,), columns={"x": ColumnPolicy(monitor=False)})
    detector = policy.detector(baseline)
    assert detector.watched.tolist() == [False, True]
    assert detector.start().threshold == baseline.detector().start().threshold / 2
    rows = _ones(baseline, 1_000, x=1.0, y=0.68)
    evidence = detector.advance(detector.start(), _block(baseline, rows))
    report = _judge(baseline, rows, policy, replace(_start(baseline), evidence=evidence))
    assert np.isnan(report.evidence.values).tolist() == [True, False]
    unmonitored, other = report.verdicts
    assert (unmonitored.status, unmonitored.severity, unmonitored.since) == (Status.INSUFFICIENT_DATA, None, None)
    assert unmonitored.reason == "x: not monitored (monitor = false in the settings)"
    assert (other.status, report.drifted) == (Status.DRIFT_DETECTED, ("y",))
    assert report.main.judged.tolist() == [False, True]
    assert report.drift_score == report.effects[1]
    assert np.isnan(report.effects[0])


def test_a_column_without_alerts_keeps_its_status_at_severity_info() -> None:
    baseline = _flags("x", "y")
    policy = Policy(windows=(1_000,), columns={"x": ColumnPolicy(alert=False)})
    report = _judge(baseline, _ones(baseline, 1_000, x=1.0), policy)
    assert (report.verdicts[0].status, report.verdicts[0].severity) == (Status.DRIFT_DETECTED, "info")
    assert (report.status, report.severity, report.drifted) == (Status.DRIFT_DETECTED, "info", ("x",))
    assert report.reason.endswith(" Severity is limited: the settings turn alerts off for this column.")
    small = _judge(baseline, _ones(baseline, 1_000, x=0.62), policy)
    assert (small.severity, "limited" in small.reason) == ("info", False)
    both = _judge(baseline, _ones(baseline, 1_000, x=1.0, y=0.68), policy)
    assert (both.status, both.severity) == (Status.DRIFT_DETECTED, "warning")
    assert both.reason.startswith("y: ")
    few = _judge(baseline, _ones(baseline, 50, x=1.0), policy)
    assert (few.verdicts[0].status, few.verdicts[0].severity) == (Status.WARNING, "info")


def test_thresholds_of_a_statistic_are_those_of_the_column_or_of_all() -> None:
    own = ColumnPolicy(psi_thresholds=(0.3, 0.4), missing_thresholds=(0.5, 0.6))
    policy = Policy(columns={"b": own, "c": ColumnPolicy(alert=False), "elsewhere": own})
    assert policy.thresholds("psi", ["a", "b", "c"]).tolist() == [[0.1, 0.2], [0.3, 0.4], [0.1, 0.2]]
    missing = policy.thresholds("missing", ["a", "b", "c"])
    assert missing[:2].tolist() == [[0.05, 0.1], [0.5, 0.6]]
    assert np.isnan(missing[2]).all()


def test_a_column_may_tolerate_more() -> None:
    baseline = _flags("x", "y")
    detector = Policy(columns={"x": ColumnPolicy(tolerance=1.0)}).detector(baseline)
    assert detector.tolerance.tolist() == [1.0, 0.02]
    found = detector.advance(detector.start(), _block(baseline, _ones(baseline, 1_000, x=0.65, y=0.65)))
    assert found.raised.tolist() == [False, True]


# ---------------------------------------------------------------- several windows


@pytest.mark.parametrize(("older", "newer", "moved"), [(0.5, 0.8, 1_000), (0.8, 0.5, 5_000)])
def test_the_largest_effect_of_the_windows_counts(older: float, newer: float, moved: int) -> None:
    baseline = _flags("x")
    rows = _later(baseline, _ones(baseline, 4_000, x=older), _ones(baseline, 1_000, x=newer))
    report = _judge(baseline, rows, Policy(windows=(1_000, 5_000)))
    effects = {name: window.effect("warning")[0] for name, window in report.windows.items()}
    assert report.status is Status.DRIFT_DETECTED
    assert max(effects, key=lambda name: effects[name]) == str(moved)
    assert f"large (PSI {report.windows[str(moved)].psi.debiased[0]:.2f}, limit 0.20)." in report.reason


def test_a_window_holds_the_newest_rows_and_their_times() -> None:
    baseline = _flags("x")
    rows = _later(baseline, _ones(baseline, 2_000, x=0.0), _ones(baseline, 1_000, x=1.0))
    report = _judge(baseline, rows, Policy(windows=(1_000, 10_000)))
    small, large = report.windows.values()
    assert (small.capacity, small.rows, small.start, small.end) == (1_000, 1_000, 2_100.0, 3_099.0)
    assert (large.capacity, large.rows, large.start, large.end) == (10_000, 3_000, 100.0, 3_099.0)
    assert (small.name, large.name) == tuple(report.windows) == ("1000", "10000")
    assert [(window.seconds, window.expired) for window in report.windows.values()] == [(None, 0), (None, 0)]
    assert small.sample.mean.tolist() == [1.0]
    assert large.sample.mean[0] == pytest.approx(1 / 3)
    for window, newest in ((small, rows.newest(1_000)), (large, rows)):
        np.testing.assert_array_equal(window.counts, baseline.binner.counts(newest.codes))
    assert report.main is large


def test_the_reason_names_the_window_that_reached_the_severity() -> None:
    baseline = _flags("x")
    column = replace(baseline.columns[0], expected_range={1_000: 0.25, 2_000: 0.0})
    varying = replace(baseline, columns=(column,))
    rows = _later(varying, _ones(varying, 1_000, x=0.5), _ones(varying, 1_000, x=0.9))
    report = _judge(varying, rows, Policy(windows=(1_000, 2_000)))
    small, large = report.windows.values()
    assert small.effect("critical")[0] > 1 > large.effect("critical")[0]
    assert report.severity == "critical"
    size = f"large (PSI {_debiased(1_000, 0.9):.2f}, usual up to 0.25)"
    assert report.reason == f"x: 90 % of rows are 1 (reference: 50 %). Significant; {size}."


# ---------------------------------------------------------------- the model


def test_the_model_is_as_bad_as_its_worst_column() -> None:
    baseline = _flags("calm", "warned", "alarmed")
    for shares, severity in (({"warned": 0.68}, "warning"), ({"warned": 0.68, "alarmed": 0.9}, "critical")):
        report = _judge(baseline, _ones(baseline, 1_000, **shares))
        assert (report.status, report.severity) == (Status.DRIFT_DETECTED, severity)
    assert _judge(baseline, _ones(baseline, 1_000)).status is Status.NORMAL


def test_a_report_and_its_windows_are_shown_in_a_line() -> None:
    baseline = _flags("x")
    report = _judge(baseline, _ones(baseline, 1_000, x=0.9))
    assert repr(report) == f"<DriftReport: drift_detected (critical) after 1,000 rows. {report.reason}>"
    assert repr(report.main) == "<WindowReport 1000: 1,000 rows, 1 columns>"
    nothing = _judge(baseline, _ones(baseline, 0))
    assert repr(nothing) == "<DriftReport: insufficient_data after 0 rows. not enough data: 0 of 200 rows>"


def test_a_small_change_is_worse_than_none_and_better_than_drift_however_large_the_effect() -> None:
    baseline = _flags("chance", "warned", "alarmed")
    rows = _ones(baseline, 1_000, chance=0.95, warned=0.5, alarmed=0.68)
    warned = _judge(baseline, rows, memory=_held(baseline, {"warned": 1.0}))
    assert (warned.status, warned.severity, warned.drifted) == (Status.NORMAL, "info", ())
    assert warned.reason.startswith("no drift. warned: Significant; small (PSI ")
    assert [warned.verdicts[i].name for i in warned.worst_first] == ["warned", "chance", "alarmed"]
    alarmed = _judge(baseline, rows, memory=_held(baseline, {"warned": 1.0, "alarmed": 2.0}))
    assert (alarmed.status, alarmed.severity, alarmed.drifted) == (Status.DRIFT_DETECTED, "warning", ("alarmed",))
    assert alarmed.reason.startswith("alarmed: 68 % of rows are 1 (reference: 50 %). Significant; large (PSI ")
    assert [alarmed.verdicts[i].name for i in alarmed.worst_first] == ["alarmed", "warned", "chance"]
    assert [report.rank for report in (warned, alarmed)] == [2, 6]


def test_the_worst_features_are_named_first() -> None:
    shares = {"a": 0.68, "b": 0.95, "c": 0.5, "d": 0.8, "e": 0.7, "f": 0.9}
    baseline = _flags(*shares)
    report = _judge(baseline, _ones(baseline, 1_000, **shares))
    assert report.drifted == ("b", "f", "d", "e", "a")
    assert report.reason.startswith("b: 95 % of rows are 1 (reference: 50 %). Significant; large (PSI ")
    assert report.reason.endswith("). Also: f, d, e and 1 more.")
    assert [verdict.name for verdict in report.verdicts] == list(shares)


def test_a_critical_column_is_worse_than_one_with_a_larger_effect() -> None:
    baseline = _flags("held", "larger")
    value = _debiased(1_000, 0.7)
    memory = _held(baseline, {"held": 1.0, "larger": 2.0}, [[True, False], [True, False]])
    policy = Policy(windows=(1_000,), psi_thresholds=(value / 1.9, value / 0.95))
    rows = _ones(baseline, 1_000, held=0.695, larger=0.7)
    report = _judge(baseline, rows, policy, memory)
    assert [verdict.severity for verdict in report.verdicts] == ["critical", "warning"]
    assert report.drifted == ("held", "larger")


def test_a_score_decides_with_the_features_but_is_none() -> None:
    baseline = joined(_flags("x"), _flags("prediction"))
    report = _judge(baseline, _ones(baseline, 1_000, prediction=0.9))
    assert report.severity == "critical"
    assert report.reason.startswith("prediction: 90 % of rows are 1 (reference: 50 %). Significant; large (PSI ")
    assert report.drifted == ()


def test_scores_of_the_training_rows_are_never_judged() -> None:
    baseline = joined(_flags("x"), _flags("prediction"), in_sample=True)
    held = _held(baseline, {"prediction": 1.0}, [[True, True], [True, True]])
    report = _judge(baseline, _ones(baseline, 1_000, prediction=1.0), memory=held)
    assert report.status is Status.NORMAL
    assert report.verdicts[1].status is Status.INSUFFICIENT_DATA
    assert report.verdicts[1].reason == f"prediction: {IN_SAMPLE}"
    assert (report.verdicts[1].severity, report.verdicts[1].since) == (None, None)
    assert report.main.judged.tolist() == [True, False]
    assert report.main.psi.debiased[1] > 1
    weighed = _judge(baseline, _ones(baseline, 1_000, prediction=1.0)).evidence
    assert (weighed.raised.tolist(), weighed.watched, weighed.threshold) == ([False, False], 1, 1e6)
    assert np.isnan(weighed.values).tolist() == [False, True]


def test_the_model_is_insufficient_only_if_all_its_columns_are() -> None:
    baseline = joined(_flags("x"), _flags("prediction"), in_sample=True)
    found = []
    for rows, raised in ((REPORTED_ROWS - 1, {}), (REPORTED_ROWS - 1, {"x": 1.0}), (REPORTED_ROWS, {})):
        report = _judge(baseline, _ones(baseline, rows), memory=_held(baseline, raised))
        assert report.verdicts[1].status is Status.INSUFFICIENT_DATA
        assert report.status is report.verdicts[0].status
        found.append(report.status)
    assert found == [Status.INSUFFICIENT_DATA, Status.WARNING, Status.NORMAL]


def test_categories_have_shares_but_no_moments() -> None:
    table: Table = {"letter": Categories(np.repeat([0, 1], HALF), ("a", "b")), "flag": np.repeat([0.0, 1.0], HALF)}
    baseline = build_baseline(table, created=CREATED)
    values = np.stack([baseline.bins[0].encode(["a", "new", None, "b"]), np.array([0.0, 1.0, 1.0, math.nan])], axis=1)
    main = _judge(baseline, _rows(baseline, values)).main
    assert main.sample.mean.tolist() == pytest.approx([math.nan, 2 / 3], nan_ok=True)
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
    words = "the largest window holds 100 rows, and 200 are needed; make it larger"
    assert report.reason == f"not enough data: {words}"


def test_windows_too_small_to_tell_how_big_a_change_is_say_so() -> None:
    baseline = _flags("x")
    report = _judge(baseline, _ones(baseline, 600, x=0.9), Policy(windows=(100, 300)))
    assert (report.status, report.severity) == (Status.WARNING, "warning")
    words = "the largest window holds 300 rows, and 500 are needed; make it larger"
    assert report.reason.endswith(f" Significant; size not known yet ({words}).")


# ---------------------------------------------------------------- rows that are too old

DAY = 86_400.0


@pytest.mark.parametrize(
    ("max_age_seconds", "words"),
    [(DAY, "24 h"), (3 * DAY, "3 d"), (5_400.0, "90 min"), (7_200.0, "2 h"), (90.0, "90 s")],
)
def test_rows_that_are_too_old_are_left_out_and_the_reason_says_so(max_age_seconds: float, words: str) -> None:
    baseline = _flags("x")
    old, new = _ones(baseline, 800, x=1.0), _ones(baseline, 150, x=0.5)
    now = 10 * DAY
    at = np.concatenate([np.full(800, now - max_age_seconds - 1.0), np.full(150, now)])
    rows = replace(_later(baseline, old, new), at=at)
    policy = Policy(windows=(200, 1_000), max_age_seconds=max_age_seconds)
    report = _judge(baseline, rows, policy, _start(baseline), now=now)
    assert report.status is Status.INSUFFICIENT_DATA
    kept = f"not enough data: 150 of {REPORTED_ROWS} rows; rows older than {words} do not count (max_age_seconds)"
    assert report.reason == kept
    assert report.verdicts[0].reason == f"x: {kept}"
    assert [(w.rows, w.expired) for w in report.windows.values()] == [(150, 50), (150, 800)]
    assert (report.main.start, report.main.end) == (now, now)
    assert report.main.sample.mean.tolist() == [0.5]
    np.testing.assert_array_equal(report.main.counts, baseline.binner.counts(new.codes))


def test_rows_that_are_too_old_say_nothing_of_how_big_a_change_is() -> None:
    baseline = _flags("x")
    at = np.concatenate([np.zeros(700), np.full(300, 2 * DAY)])
    rows = replace(_later(baseline, _ones(baseline, 700, x=1.0), _ones(baseline, 300)), at=at)
    old = f"300 of {JUDGED_ROWS} rows; rows older than 24 h do not count (max_age_seconds)"
    quiet = _judge(baseline, rows, memory=_start(baseline), now=2 * DAY)
    assert quiet.status is Status.NORMAL
    assert quiet.reason == f"no drift: no significant change (size not known yet: {old})"
    significant = _judge(baseline, rows, now=2 * DAY)  # evidence is of all rows
    assert (significant.status, significant.severity) == (Status.WARNING, "warning")
    assert f"Significant; size not known yet ({old})." in significant.reason


def test_a_row_is_part_of_its_window_until_it_is_older_than_that() -> None:
    baseline = _flags("x")
    rows = _rows_at(baseline, _ones(baseline, 600), 1_000.0)
    for now, held in ((1_000.0 + DAY, 600), (math.nextafter(1_000.0 + DAY, math.inf), 0)):
        report = _judge(baseline, rows, now=now)
        assert (report.main.rows, report.main.expired) == (held, 600 - held)


def test_when_everything_is_too_old_nothing_is_current_and_an_alarm_ends() -> None:
    baseline = _flags("x")
    before = _held(baseline, {"x": 5.0}, [[True], [True]])
    policy = Policy(windows=(1_000,))
    windows = _windows(baseline, _ones(baseline, 1_000, x=1.0), policy, now=2 * DAY)
    report, memory = evaluate(baseline, windows, 1_000, before, policy, 2 * DAY)
    assert (report.status, report.severity) == (Status.INSUFFICIENT_DATA, None)
    kept = "not enough data: no rows in the last 24 h (max_age_seconds), 200 are needed"
    assert report.reason == f"{kept}. Earlier rows had drifted"
    assert memory.evidence is before.evidence
    assert report.verdicts[0].since is None
    assert _judge(baseline, _rows_at(baseline, _ones(baseline, 1_000), 0.0), now=2 * DAY).reason == kept
    assert (report.main.rows, report.main.expired, report.main.start, report.main.end) == (0, 1_000, None, None)
    assert np.isnan([report.main.psi.psi, report.main.sample.mean, report.main.significance.p_value]).all()
    assert (report.rows_observed, report.drifted, report.correlation) == (1_000, (), None)
    assert not memory.latched.any()


@settings(max_examples=examples(60))
@given(st.lists(st.floats(0.0, 200.0), max_size=30), st.floats(0.0, 200.0), st.integers(1, 40))
def test_a_count_window_is_the_newest_rows_less_those_that_are_too_old(
    times: list[float], oldest: float, size: int
) -> None:
    baseline = _flags("x")
    at = np.array(times, dtype=np.float64)
    rows = replace(_rows(baseline, np.arange(len(times), dtype=np.float64)[:, None]), at=at)
    (window,) = sliding_windows(rows, [size], oldest, baseline.binner)
    newest = list(enumerate(times))[-size:]
    kept = [place for place, second in newest if second >= oldest]
    assert window.sample is not None
    assert window.sample.values[:, 0].tolist() == kept
    assert window.sample.at.tolist() == [times[place] for place in kept]
    assert (window.rows, window.expired) == (len(kept), len(newest) - len(kept))
    assert window.start == min((times[place] for place in kept), default=None)
    assert window.end == max((times[place] for place in kept), default=None)
    np.testing.assert_array_equal(window.counts, baseline.binner.counts(baseline.binner.codes(rows.values[kept])))


# ---------------------------------------------------------------- windows of time

MINUTE, HOUR = TimeSpan("1m", 60), TimeSpan("1h", 3_600)


def _totals(baseline: Baseline, rows: Rows, span: TimeSpan, start: float) -> Totals:
    z = np.nan_to_num(baseline.scales.standardised(rows.values))
    sums = np.stack([z.sum(axis=0), (z * z).sum(axis=0)])
    return Totals(span, start, len(rows), baseline.binner.counts(rows.codes), sums, rows_by_hour(rows.at))


def _timed(baseline: Baseline, rows: Rows, span: TimeSpan, held: Rows | None = None, now: float = 0.0) -> Window:
    """Return the time window that these rows are all of; `held` are those that are still to be had."""
    (window,) = time_windows([_totals(baseline, rows, span, 0.0)], rows if held is None else held, now)
    return window


@pytest.mark.parametrize("share", [0.0, 0.5, 0.68, 1.0])
@pytest.mark.parametrize("timed_share", [0.0, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("reached", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("raised", [{}, {"x": 5.0}, {"x": 5.0, "y": 4.0}])
def test_a_time_window_never_changes_a_verdict(
    share: float, timed_share: float, reached: tuple[bool, bool], raised: dict[str, float]
) -> None:
    baseline = _flags("x", "y")
    rows = _ones(baseline, 1_000, x=share)
    previous = _held(baseline, raised, [[one, one] for one in reached])
    policy = Policy(windows=(500, 1_000))
    moved = _ones(baseline, 5_000, x=timed_share, y=1.0 - timed_share)
    timed = [_timed(baseline, moved, span, held) for span, held in ((MINUTE, None), (HOUR, rows))]
    alone, memory = evaluate(baseline, _windows(baseline, rows, policy, 0.0), 1_000, previous, policy, 9.0)
    windows = [*_windows(baseline, rows, policy, 0.0), *timed]
    both, memory_of_both = evaluate(baseline, windows, 1_000, previous, policy, 9.0)
    assert list(both.windows) == ["500", "1000", "1m", "1h"]
    assert (both.verdicts, both.status, both.severity, both.reason, both.drifted) == (
        alone.verdicts, alone.status, alone.severity, alone.reason, alone.drifted,
    )  # fmt: skip
    np.testing.assert_equal(asdict(memory_of_both), asdict(memory))
    np.testing.assert_equal(asdict(both.main), asdict(alone.main))
    assert both.main.name == "1000"


def test_time_windows_alone_never_make_a_verdict_however_many_rows_they_hold() -> None:
    baseline = _flags("x")
    few = _ones(baseline, 10)
    report = _judge(baseline, few, timed=[_timed(baseline, _ones(baseline, 9_000, x=1.0), HOUR)])
    assert report.status is Status.INSUFFICIENT_DATA
    assert report.reason == "not enough data: 10 of 200 rows"
    assert report.windows["1h"].psi.debiased[0] > 1
    assert (report.windows["1h"].judged.tolist(), report.drifted) == ([False], ())


def test_a_time_window_is_reported_without_thresholds() -> None:
    baseline = _flags("x")
    column = replace(baseline.columns[0], expected_range={1_000: 0.15})
    varying = replace(baseline, columns=(column,))
    moved = _ones(varying, 2_000, x=0.7)
    report = _judge(varying, _ones(varying, 1_000), timed=[_timed(varying, moved, HOUR, now=77.0)])
    hour = report.windows["1h"]
    assert (hour.name, hour.rows, hour.start, hour.end) == ("1h", 2_000, 0.0, 77.0)
    assert (hour.capacity, hour.seconds, hour.expired) == (None, 3_600, 0)
    assert hour.psi.debiased[0] == pytest.approx(_debiased(2_000, 0.7))
    assert np.isnan([hour.expected_range, *hour.thresholds.values(), hour.effect("warning")]).all()
    assert not np.isnan([report.main.expected_range, *report.main.thresholds.values()]).any()
    assert list(hour.thresholds) == list(LIMITS)
    assert not hour.by_expected_range.any()
    np.testing.assert_array_equal(hour.counts, varying.binner.counts(moved.codes))


def test_of_rows_that_are_no_longer_held_moments_are_told_from_their_sums() -> None:
    baseline = _mixed()
    moved, held = _mixed_rows(baseline, 900, shift=0.7), _mixed_rows(baseline, 300)
    rows = _rows(baseline, held)
    hour = _judge(baseline, rows, timed=[_timed(baseline, _rows(baseline, moved), HOUR, rows)]).windows["1h"]
    known = np.where(baseline.numeric, moved, np.nan)
    assert hour.sample.rows.tolist() == hour.sample.finite_rows.tolist() == (~np.isnan(known)).sum(axis=0).tolist()
    known = np.where(baseline.scales.spread, known, np.nan)  # else there is no unit to have summed in
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column without a number
        np.testing.assert_allclose(hour.sample.mean, np.nanmean(known, axis=0), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(hour.sample.std, np.nanstd(known, axis=0), rtol=1e-6, atol=1e-7)
    shift = (hour.sample.mean[:2] - baseline.numbers("mean")[:2]) / baseline.numbers("std")[:2]
    np.testing.assert_allclose(hour.sample.mean_shift, [*shift, math.nan, math.nan, math.nan], rtol=1e-6)
    for unknown in (hour.sample.min, hour.sample.max, hour.sample.ks_statistic, hour.sample.wasserstein_ratio):
        assert np.isnan(unknown).all()
    assert np.isnan(hour.sample.quantiles).all()
    assert not np.isnan(hour.psi.psi[:3]).any()
    assert not np.isnan(hour.js_distance[:3]).any()


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, np.ndarray) else asdict(value) for name, value in facts.items()}


def test_statistics_of_windows_that_share_their_rows_are_those_computed_apart() -> None:
    baseline = _mixed()
    rows = _rows(baseline, _mixed_rows(baseline, 1_000, shift=0.3))
    held = rows.newest(700)
    spans = ((held, MINUTE), (rows, HOUR), (rows, TimeSpan("1d", 86_400)))
    windows = [
        *sliding_windows(rows, (500, 700, 1_000, 5_000), -math.inf, baseline.binner),
        *(_timed(baseline, part, span, part) for part, span in spans),
    ]
    policy = Policy(windows=(500, 700, 1_000, 5_000))
    together, _ = evaluate(baseline, windows, 1_000, _start(baseline), policy, 0.0)
    assert len(together.windows) == len(windows) == 7
    for window in windows:
        copied = replace(window, sample=None if window.sample is None else copy.deepcopy(window.sample))
        apart, _ = evaluate(
            baseline,
            [*([copied] if window.capacity is None else []), replace(copied, name="main", capacity=1)],
            1_000,
            _start(baseline),
            policy,
            0.0,
        )
        alone, found = apart.windows[window.name if window.capacity is None else "main"], together.windows[window.name]
        assert window.sample is not None
        for part in ("counts", "psi", "js_distance", "significance", "sample", "shares"):
            one, other = ({part: getattr(window_report, part)} for window_report in (found, alone))
            np.testing.assert_equal(_plain(one), _plain(other))


def test_windows_with_equally_many_rows_are_not_taken_for_the_same() -> None:
    baseline = _flags("x")
    rows = _later(baseline, _ones(baseline, 600, x=0.2), _ones(baseline, 600, x=0.8))
    older = replace(rows, values=rows.values[:600], codes=rows.codes[:600], at=rows.at[:600])
    report = _judge(baseline, rows, Policy(windows=(600,)), timed=[_timed(baseline, older, HOUR)])
    assert [window.rows for window in report.windows.values()] == [600, 600]
    assert [window.sample.mean[0] for window in report.windows.values()] == pytest.approx([0.8, 0.2])


# ---------------------------------------------------------------- what further statistics say, and from when on


def _mixed() -> Baseline:
    """Return a baseline of two normal columns, categories, a constant and one that is all missing."""
    generator = np.random.default_rng(3)
    x = generator.normal(10.0, 2.0, 4_000)
    x[::20] = math.nan
    return build_baseline(
        {
            "x": x,
            "y": generator.normal(size=4_000),
            "letter": Categories(generator.integers(0, 3, 4_000), ("a", "b", "c")),
            "constant": np.full(4_000, 7.0),
            "nothing": np.full(4_000, math.nan),
        },
        created=CREATED,
    )


def _mixed_rows(baseline: Baseline, n: int, shift: float = 0.0) -> FloatArray:
    generator = np.random.default_rng(n)
    letters = baseline.bins[2].encode(generator.choice(list("abc"), n).tolist())
    cells = [generator.normal(10.0 + shift, 2.0, n), generator.normal(size=n), letters, np.full(n, 7.0)]
    values = np.column_stack([*cells, np.full(n, math.nan)])
    values[generator.random(n) < 0.05, 0] = math.nan
    return values


@pytest.mark.parametrize("rows", [1, FEWEST_ROWS - 1, FEWEST_ROWS, REPORTED_ROWS - 1, REPORTED_ROWS, 1_000])
def test_what_compares_is_hidden_below_its_fewest_rows(rows: int) -> None:
    baseline = _mixed()
    values = _mixed_rows(baseline, rows, shift=1.0)
    report = _judge(baseline, _rows(baseline, values), timed=[_timed(baseline, _rows(baseline, values), HOUR)])
    for window in report.windows.values():
        sample, significance = window.sample, window.significance
        assert np.isnan(significance.p_value[:3]).tolist() == [rows < FEWEST_ROWS] * 3
        assert np.isnan(significance.chi_squared[:3]).tolist() == [rows < FEWEST_ROWS] * 3
        hidden = rows < REPORTED_ROWS
        for numbers in (window.psi.psi, window.psi.noise, window.psi.debiased, window.js_distance):
            assert np.isnan(numbers[:3]).tolist() == [hidden] * 3
        for numbers in (sample.ks_statistic, sample.wasserstein_ratio, sample.mean_shift):
            assert np.isnan(numbers[:3]).tolist() == [hidden, hidden, True]
        assert np.isnan(sample.mean[:3]).tolist() == [np.isnan(values[:, 0]).all(), False, True]  # moments never hide
        assert not np.isnan(sample.quantiles[:, 1]).any()


def test_statistics_are_those_of_scipy_and_numpy() -> None:
    baseline = _mixed()
    values = _mixed_rows(baseline, 1_000, shift=0.8)
    main = _judge(baseline, _rows(baseline, values)).main
    for place, column in enumerate(baseline.columns[:2]):
        own = values[~np.isnan(values[:, place]), place]
        assert (main.sample.rows[place], main.sample.finite_rows[place]) == (len(own), len(own))
        assert main.sample.ks_statistic[place] == pytest.approx(ks_2samp(own, column.quantiles).statistic)
        area = wasserstein_distance(own, column.quantiles) / column.std
        assert main.sample.wasserstein_ratio[place] == pytest.approx(area)
        assert main.sample.mean_shift[place] == pytest.approx((own.mean() - column.mean) / column.std)
    for place in range(3):
        distance = jensenshannon(main.counts[place], baseline.counts[place], base=2)
        assert main.js_distance[place] == pytest.approx(distance)
    assert main.significance.p_value[0] < 1e-6 < main.significance.p_value[1]


def test_categories_a_constant_and_a_column_of_nothing_say_what_they_can() -> None:
    baseline = _mixed()
    values = _mixed_rows(baseline, 1_000)
    report = _judge(baseline, _rows(baseline, values))
    sample, significance = report.main.sample, report.main.significance
    letter, constant, nothing = 2, 3, 4
    assert sample.rows[[letter, constant, nothing]].tolist() == [0, 1_000, 0]
    for numbers in (sample.mean, sample.ks_statistic, sample.wasserstein_ratio, sample.mean_shift, *sample.quantiles):
        assert np.isnan(numbers[[letter, nothing]]).all()
    assert not np.isnan(
        [report.main.psi.psi[letter], significance.p_value[letter], report.main.js_distance[letter]]
    ).any()
    assert (sample.mean[constant], sample.std[constant], sample.ks_statistic[constant]) == (7.0, 0.0, 0.0)
    assert np.isnan([sample.mean_shift[constant], sample.wasserstein_ratio[constant]]).all()  # no sd is no unit
    assert report.main.psi.debiased[constant] == report.main.js_distance[constant] == 0.0
    assert report.main.psi.debiased[nothing] == report.main.js_distance[nothing] == 0.0
    assert [verdict.status for verdict in report.verdicts] == [Status.NORMAL] * 5


def test_a_constant_and_a_column_of_nothing_can_move() -> None:
    baseline = _mixed()
    values = _mixed_rows(baseline, 1_000)
    values[:, 3], values[:, 4] = 8.0, 1.0
    report = _judge(baseline, _rows(baseline, values))
    assert [verdict.severity for verdict in report.verdicts[3:]] == ["critical", "critical"]
    assert report.main.js_distance[[3, 4]].tolist() == pytest.approx([1.0, 1.0], abs=0.01)
    assert report.main.significance.p_value[[3, 4]].max() < 1e-9
    assert report.main.sample.ks_statistic[3] == 1.0
    assert np.isnan(report.main.sample.ks_statistic[4])
    assert (
        ": 100 % of rows above the reference's largest value (reference: 0 %). Significant; large ("
        in report.verdicts[3].reason
    )
    assert (
        ": 100 % of rows with a value that the reference does not have (reference: 0 %). Sig"
        in report.verdicts[4].reason
    )


@pytest.mark.parametrize("same", [True, False])
def test_a_reference_of_a_single_row_can_be_compared_with(same: bool) -> None:
    letters = Categories(np.zeros(1, dtype=np.int64), ("a",))
    baseline = build_baseline({"x": np.array([3.0]), "letter": letters, "none": np.array([math.nan])}, created=CREATED)
    codes = baseline.bins[1].encode(["a" if same else "b"])
    values = np.column_stack([np.full(1_000, 3.0 if same else 4.0), np.repeat(codes, 1_000), np.full(1_000, math.nan)])
    report = _judge(baseline, _rows(baseline, values))
    assert report.main.sample.ks_statistic[0] == (0.0 if same else 1.0)
    assert np.isnan([report.main.sample.wasserstein_ratio, report.main.sample.mean_shift]).all()
    assert report.correlation is None
    assert report.main.judged.tolist() == [True] * 3
    assert not np.isnan([report.main.psi.psi, report.main.js_distance]).any()
    assert [verdict.status for verdict in report.verdicts] == [Status.NORMAL] * 3
    if not same:  # one row is no evidence of what others are like
        assert report.main.effect("critical")[0] > 1
        assert report.verdicts[0].reason.startswith("x: large but not significant (PSI ")


# ---------------------------------------------------------------- correlations


def _paired(n: int, correlation: float, seed: int) -> FloatArray:
    generator = np.random.default_rng(seed)
    cells = generator.normal(size=(n, 3))
    cells[:, 1] = correlation * cells[:, 0] + math.sqrt(1 - correlation**2) * cells[:, 1]
    return cells


def _correlated() -> Baseline:
    return build_baseline(dict(zip("abc", _paired(20_000, 0.8, 0).T, strict=True)), created=CREATED)


def test_a_changed_correlation_is_reported_and_changes_no_verdict() -> None:
    baseline = _correlated()
    calm, changed = (_judge(baseline, _rows(baseline, _paired(1_000, value, 1))) for value in (0.8, -0.8))
    assert calm.correlation is not None
    assert changed.correlation is not None
    assert abs(calm.correlation.z) < 4 < 20 < abs(changed.correlation.z)
    assert (changed.correlation.pair, changed.correlation.pairs, changed.correlation.rows) == ((0, 1), 3, 1_000)
    assert changed.correlation.p_value < 1e-9
    assert (changed.correlation.reference, changed.correlation.current) == pytest.approx((0.8, -0.8), abs=0.05)
    assert changed.correlation.by_column[[0, 1]].tolist() == [abs(changed.correlation.z)] * 2
    for report in (calm, changed):
        assert (report.status, report.severity, report.drifted) == (Status.NORMAL, None, ())
        assert "correl" not in report.reason


def test_correlations_are_of_the_main_window_alone() -> None:
    baseline = _correlated()
    rows = _rows(baseline, np.concatenate([_paired(4_000, 0.8, 2), _paired(1_000, -0.8, 3)]))
    small = _judge(baseline, rows, Policy(windows=(1_000,)))
    large = _judge(baseline, rows, Policy(windows=(1_000, 5_000)), timed=[_timed(baseline, rows.newest(1_000), HOUR)])
    assert small.correlation is not None
    assert large.correlation is not None
    assert (small.correlation.rows, large.correlation.rows) == (1_000, 5_000)
    assert small.correlation.current < -0.7 < 0.3 < large.correlation.current


@pytest.mark.parametrize("rows", [REPORTED_ROWS - 1, REPORTED_ROWS])
def test_a_correlation_is_hidden_below_its_fewest_rows(rows: int) -> None:
    baseline = _correlated()
    found = _judge(baseline, _rows(baseline, _paired(rows, 0.8, 5))).correlation
    assert (found is None) == (rows < REPORTED_ROWS)


@pytest.mark.parametrize("columns", ["a", "letters"])
def test_without_two_numbers_there_is_no_correlation(columns: str) -> None:
    table: Table = {"a": np.arange(1_000.0)}
    if columns == "letters":
        table = {**table, "letter": Categories(np.arange(1_000) % 3, ("a", "b", "c"))}
    baseline = build_baseline(table, created=CREATED)
    values = np.stack([np.arange(1_000.0), np.arange(1_000.0) % 3], axis=1)[:, : len(table)]
    assert _judge(baseline, _rows(baseline, values)).correlation is None
