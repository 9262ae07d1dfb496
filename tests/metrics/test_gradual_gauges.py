"""Gauges of gradual drift: which number stands at which column, window and severity."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from driftgauge.drift.gradual.day_variation import DayVariation
from driftgauge.drift.gradual.report import GradualReport, GradualWindow
from driftgauge.metrics.facts import MonitorFacts
from driftgauge.metrics.gradual_gauges import GRADUAL_GAUGES
from driftgauge.metrics.monitor_gauge import MonitorGauge

from tests.expositions import facts_of
from tests.monitors import small_monitor

WEEK = GradualWindow(
    name="7d",
    rows=700,
    start=0.0,
    end=604_800.0,
    days=7,
    psi_debiased=np.array([0.1, math.nan, 0.3, 0.0]),
    variation=np.zeros(4),
    thresholds=np.array([[0.025, 0.0625], [math.nan, math.nan], [0.2, 0.5], [0.025, 0.0625]]),
    by_days=np.zeros(4, dtype=np.bool_),
    severities=("warning", None, "info", None),
)
MONTH = replace(WEEK, name="30d", rows=3_000, psi_debiased=np.array([0.2, 0.4, 0.6, 0.8]), severities=(None,) * 4)


def gauge(name: str) -> MonitorGauge:
    (found,) = [own for own in GRADUAL_GAUGES if own.name == f"model_long_window_{name}"]
    return found


def facts(*windows: GradualWindow) -> MonitorFacts:
    """Return the facts of a monitor with these long windows; without any it has no report on them."""
    known = facts_of(small_monitor())
    assert known.report is not None
    variation = DayVariation(np.full(4, math.nan), 0, 0.0)
    report = GradualReport(known.report, windows, variation) if windows else None
    return replace(known, gradual=report)


def test_numbers_are_by_column_and_window_in_the_order_of_their_labels() -> None:
    known = facts(WEEK, MONTH)
    psi = np.asarray(gauge("feature_psi_debiased").values(known))
    np.testing.assert_array_equal(psi, np.column_stack([WEEK.psi_debiased, MONTH.psi_debiased]))
    thresholds = np.asarray(gauge("feature_psi_threshold").values(known))
    assert thresholds.shape == (4, 2, 2)
    np.testing.assert_array_equal(thresholds[:, 0], WEEK.thresholds)
    np.testing.assert_array_equal(gauge("rows").values(known), [700.0, 3_000.0])


def test_severities_are_numbers_and_unknown_where_the_psi_is() -> None:
    found = np.asarray(gauge("feature_drift_severity").values(facts(WEEK, MONTH)))
    np.testing.assert_array_equal(found[:, 0], [2.0, math.nan, 1.0, 0.0])
    np.testing.assert_array_equal(found[:, 1], [0.0, 0.0, 0.0, 0.0])


def test_a_monitor_without_long_windows_has_none_of_them() -> None:
    assert [own.name for own in GRADUAL_GAUGES if own.applies_to(facts())] == []
    assert all(own.applies_to(facts(WEEK)) for own in GRADUAL_GAUGES)
    for own in GRADUAL_GAUGES:
        assert np.isnan(own.values(facts())).all()
