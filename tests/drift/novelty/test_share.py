"""The share of outliers in windows, and whether it is high."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.novelty.attach import Detected, with_novelty
from driftgauge.drift.novelty.share import OutlierShare, outlier_share
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.models.creation.baseline import create_baseline
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions

from tests.monitors import START

BASELINE = create_baseline({"age": np.random.default_rng(0).normal(40.0, 5.0, 4_000)})


def report(outliers: int, rows: int = 1_000) -> DriftReport:
    """Return the report on rows of which the last ones are outliers."""
    options = MonitorOptions(Policy(windows=(1_000, 2_000)), outliers=True)
    monitor = ColumnMonitor(BASELINE, model_name="m", model_version="1", now=START, options=options)
    ages = np.full(rows, 40.0)
    ages[rows - outliers :] = 1e6
    monitor.observe(ages[:, np.newaxis], arrival=START)
    return monitor.evaluate(START + 1.0).report


def share(of: DriftReport) -> OutlierShare:
    """Return the share of outliers, with a threshold of 20 %."""
    found = outlier_share(of, 0.2)
    assert found is not None
    return found


def test_the_share_is_that_of_the_window_with_the_most() -> None:
    found = share(report(450, 2_000))
    assert {name: found.ratios[name] for name in ("1000", "2000")} == {"1000": 0.45, "2000": 0.225}
    assert (found.window, found.rows, found.ratio, found.is_high) == ("1000", 1_000, 0.45, True)
    assert found.reference == pytest.approx(0.001, abs=0.0005)


@pytest.mark.parametrize(("outliers", "is_high"), [(200, False), (201, True)])
def test_it_is_high_above_the_threshold(outliers: int, is_high: bool) -> None:
    assert share(report(outliers)).is_high == is_high


@pytest.mark.parametrize(("rows", "is_high"), [(499, False), (500, True)])
def test_few_rows_are_not_judged(rows: int, is_high: bool) -> None:
    found = share(report(rows, rows))
    assert (found.ratio, found.is_high) == (1.0, is_high)


def report_with_skipped(skipped: int, outliers: int) -> DriftReport:
    """Return the report on 2,000 rows, of which the newest were skipped by a slow detector; the others are scored."""
    fitted = Detected("isolation_forest", lambda own: own[:, 0], np.zeros(4_000))
    table = {"age": np.random.default_rng(0).normal(40.0, 5.0, 4_000)}
    baseline = with_novelty(build_baseline(table, created=""), table, detect=lambda _: fitted)
    options = MonitorOptions(Policy(windows=(1_000, 2_000)), outliers=True)
    monitor = ColumnMonitor(baseline, model_name="m", model_version="1", now=START, options=options)
    scores = np.zeros(2_000)
    scores[:outliers], scores[2_000 - skipped :] = 1.0, math.nan
    monitor.observe(np.full((2_000, 1), 40.0), arrival=START, outlier_scores=scores)
    return monitor.evaluate(START + 1.0).report


@pytest.mark.parametrize(("skipped", "is_high"), [(1_000, True), (1_500, True), (1_501, False)])
def test_rows_that_were_not_scored_are_none_of_those_that_are_needed(skipped: int, is_high: bool) -> None:
    found = share(report_with_skipped(skipped, 400))
    assert math.isnan(found.ratios["1000"])
    assert (found.window, found.is_high) == ("2000", is_high)


def test_without_rows_it_is_not_known() -> None:
    found = share(report(0, 0))
    assert math.isnan(found.ratio)
    assert not found.is_high


def test_where_outliers_are_not_watched_there_is_none() -> None:
    watched = report(0)
    baseline = watched.baseline
    assert outlier_share(replace(watched, baseline=replace(baseline, columns=baseline.columns[:-1])), 0.2) is None
