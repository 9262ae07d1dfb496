"""The main window against the rolling reference."""

from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.rolling.reference import DayRows, rolling_baseline, rolling_reference
from driftgauge.drift.rolling.report import RollingReport, rolling_report
from driftgauge.drift.verdict.policy import ColumnPolicy, Policy
from driftgauge.drift.verdict.report import Carryover, DriftReport, evaluate
from driftgauge.drift.windows.window import Rows, sliding_windows
from scipy.stats import chi2

from tests.monitors import small_baseline, some_rows

KNOWN = small_baseline()
NOW = 1_700_000_000.0


def report_on(age: float, rows: int = 2_000, policy: Policy | None = None, baseline: Baseline = KNOWN) -> DriftReport:
    policy = policy or Policy(windows=(500, 2_000))
    values = some_rows(rows, seed=99, age=age)
    held = Rows(values, KNOWN.binner.codes(values), np.full(rows, NOW))
    windows = sliding_windows(held, policy.windows, 0.0, KNOWN.binner)
    before = Carryover.start(policy.detector(baseline))
    return evaluate(baseline, windows, rows, before, policy, NOW)[0]


def compared(report: DriftReport, age: float = 60.0, rows: int = 40_000) -> RollingReport:
    """Compare with days whose ages have another mean than those of the training, 40."""
    days = [DayRows(1, KNOWN.binner.codes(some_rows(rows, seed=1, age=age)))]
    reference = rolling_reference(KNOWN, days, np.zeros((1, len(KNOWN.columns)), np.bool_), (1_000, 2_000), NOW)
    return rolling_report(reference, rolling_baseline(KNOWN, reference), report)


def test_rows_like_those_of_the_last_days_differ_from_the_training_alone() -> None:
    report = report_on(age=60.0)
    found = compared(report)
    assert report.main.psi.debiased[0] > 1.0
    assert abs(found.psi_debiased[0]) < 0.02
    assert found.severities == (None,) * 4
    assert (found.severity, found.changed) == (None, ())


def test_a_large_change_is_a_warning_and_never_more() -> None:
    found = compared(report_on(age=40.0))
    assert found.severities == ("warning", None, None, None)
    assert (found.severity, found.changed) == ("warning", ("age",))
    assert found.effects[0] > 10.0


def test_a_column_that_raises_no_alert_has_severity_info() -> None:
    policy = Policy(windows=(500, 2_000), columns={"age": ColumnPolicy(alert=False)})
    found = compared(report_on(age=40.0, policy=policy))
    assert found.severities == ("info", None, None, None)
    assert (found.severity, found.changed) == ("info", ("age",))


def test_the_numbers_are_those_of_the_definition() -> None:
    report = report_on(age=58.0)
    found = compared(report)
    reference, current = found.reference.counts[0].astype(float), report.main.counts[0].astype(float)
    bins = len(KNOWN.bins[0].names)
    p, q = ((own[:bins] + 0.5) / (own[:bins].sum() + 0.5 * bins) for own in (current, reference))
    psi = float(((p - q) * np.log(p / q)).sum())
    expected = KNOWN.psi(report.main.counts[None])
    assert expected.psi[0, 0] == pytest.approx(report.main.psi.psi[0])
    assert found.psi_debiased[0] <= psi
    assert found.psi_debiased[0] == pytest.approx(psi, abs=0.02)
    pooled = (reference + current)[:bins]
    used = pooled > 0
    share = pooled[used] / pooled.sum()
    statistic = sum(
        float((((own[:bins][used] - own.sum() * share) ** 2) / (own.sum() * share)).sum())
        for own in (reference, current)
    )
    assert found.p_value[0] == pytest.approx(chi2.sf(statistic, used.sum() - 1), abs=0.05)


def test_the_thresholds_are_those_of_the_settings_or_of_the_days() -> None:
    found = compared(report_on(age=60.0, policy=Policy(windows=(2_000,), psi_thresholds=(0.3, 0.6))))
    assert found.thresholds[0].tolist() == [0.3, 0.6]
    tight = compared(report_on(age=60.0, policy=Policy(windows=(2_000,), psi_thresholds=(1e-9, 2e-9))))
    assert tight.by_expected_range[0]
    assert tight.thresholds[0, 0] == pytest.approx(tight.reference.expected_range[2_000][0])


def test_what_is_not_monitored_or_has_few_rows_is_unknown() -> None:
    policy = Policy(windows=(2_000,), columns={"age": ColumnPolicy(monitor=False)})
    found = compared(report_on(age=40.0, policy=policy))
    assert np.isnan(found.psi_debiased[0])
    assert np.isnan(found.thresholds[0]).all()
    assert found.severities[0] is None
    assert np.isnan(compared(report_on(age=40.0), rows=900).psi_debiased).all()
    few = compared(report_on(age=40.0, rows=100))
    assert np.isnan(few.effects).all()
    assert few.severity is None
