"""A daily cycle that the reference has too: no drift to a baseline by hour of the day, and one to a pooled one."""

from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import Status
from driftgauge.drift.windows.blocks import block_ends, counted_blocks, hours_of
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions

from tests.monitors import START

DAY = 86_400.0
ROWS_A_DAY = 2_400
REFERENCE_DAYS = 20


def _day(rng: np.random.Generator, start: float, shift: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Return the times and the two columns of a day: one with a cycle of half a standard deviation, one without."""
    at = start + np.sort(rng.uniform(0.0, DAY, ROWS_A_DAY))
    cycle = 0.7 * np.sin(at / DAY * 2.0 * np.pi)
    return at, np.stack([cycle + rng.standard_normal(len(at)) + shift, rng.standard_normal(len(at))], axis=1)


def _baseline(*, by_hour: bool, with_times: bool = True) -> Baseline:
    rng = np.random.default_rng(0)
    days = [_day(rng, START + day * DAY) for day in range(REFERENCE_DAYS)]
    at, rows = (np.concatenate(part) for part in zip(*days, strict=True))
    return build_baseline(
        {"cycle": rows[:, 0], "flat": rows[:, 1]},
        created="2026-01-01T00:00:00Z",
        ordered_by="time" if with_times else None,
        hours=hours_of(at) if by_hour else None,
    )


def _reports(baseline: Baseline, days: int, shift: float = 0.0, clock: str = "event") -> list[DriftReport]:
    """Return a report every hundred rows, of days after those of the reference."""
    options = MonitorOptions(policy=Policy(windows=(500, 1_000)), clock="event" if clock == "event" else "arrival")
    monitor = ColumnMonitor(baseline, model_name="m", model_version="1", now=START, options=options)
    rng = np.random.default_rng(1)
    reports = []
    for day in range(days):
        at, rows = _day(rng, START + (REFERENCE_DAYS + day) * DAY, shift)
        for first in range(0, ROWS_A_DAY, 100):
            part = slice(first, first + 100)
            now = float(at[part][-1])
            monitor.observe(rows[part], arrival=now, event=at[part])
            reports.append(monitor.evaluate(now).report)
    return reports


@pytest.mark.long
@pytest.mark.parametrize("clock", ["event", "arrival"])
def test_by_hour_of_the_day_a_daily_cycle_is_no_drift(clock: str) -> None:
    reports = _reports(_baseline(by_hour=True), 20, clock=clock)
    assert {report.status for report in reports[5:]} == {Status.NORMAL}
    found = np.concatenate([window.psi.debiased for report in reports for window in report.windows.values()])
    assert 0.0 < np.nanmax(found) < 0.1


@pytest.mark.long
def test_pooled_it_is_large_and_without_tau_it_would_be_an_alarm() -> None:
    unaware = _reports(_baseline(by_hour=False, with_times=False), 3)
    assert any(report.status is not Status.NORMAL for report in unaware[5:])
    assert np.nanmax([report.windows["500"].psi.debiased for report in unaware]) > 0.2
    aware = _baseline(by_hour=False)
    assert aware.tau[0] > 40.0
    assert {report.status for report in _reports(aware, 10)[5:]} == {Status.NORMAL}


def test_by_hour_a_shift_is_found_that_the_cycle_would_hide() -> None:
    by_hour, pooled = (_reports(_baseline(by_hour=way), 2, shift=0.4) for way in (True, False))
    found = next(place for place, report in enumerate(by_hour) if report.evidence.raised[0])
    assert (found + 1) * 100 < 1_200
    assert not pooled[-1].evidence.raised[0]
    assert not by_hour[-1].evidence.raised[1]
    assert " Significant; " in by_hour[-1].verdicts[0].reason


def test_there_is_no_p_value_of_a_mixture_of_hours() -> None:
    report = _reports(_baseline(by_hour=True), 1)[-1]
    assert np.isnan(report.main.significance.p_value).all()
    assert not np.isnan(report.main.psi.debiased).any()


def test_a_column_that_the_hour_decides_gathers_no_evidence_by_the_mere_number_of_rows() -> None:
    at = START + 72.0 * np.arange(24_000.0)  # fifty an hour, for twenty days
    hours = hours_of(at)
    rng = np.random.default_rng(0)
    table = {"x": rng.standard_normal(len(at)), "night": (hours < 6).astype(float), "hour": hours.astype(float)}
    baseline = build_baseline(table, created="", ordered_by="at", hours=hours)
    detector = baseline.detector(Budget(1_000.0))
    codes = baseline.binner.codes(np.stack(list(table.values()), axis=1))
    ends, of_hour = block_ends(0, len(codes), 50, hours)
    blocks = counted_blocks(baseline.binner, codes, ends, of_hour, at[ends - 1])
    seen = detector.start()
    for _ in range(5):  # forty times the rows that a false alarm takes
        seen = detector.advance(seen, blocks)
        assert not seen.raised.any()
        assert (seen.values < 0.2 * seen.threshold).all()
