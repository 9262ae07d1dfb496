"""Gauges of gradual drift: the time windows of a week or more."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from driftgauge.drift.gradual.report import GradualReport, GradualWindow
from driftgauge.drift.verdict.rule import SEVERITIES
from driftgauge.metrics.facts import MonitorFacts
from driftgauge.metrics.gauges import Numbers
from driftgauge.metrics.monitor_gauge import MonitorGauge
from driftgauge.metrics.series import FEATURE, Labels

WINDOW: Final = "window"


def _gauge(name: str, help: str, labels: Labels, value: Callable[[GradualWindow], Numbers]) -> MonitorGauge:
    """Declare a gauge of each long window; the windows are the axis after the columns."""

    def values(facts: MonitorFacts) -> Numbers:
        found: GradualReport | None = facts.gradual
        if found is None:
            return math.nan
        axis = 1 if FEATURE in labels else 0
        return np.stack([np.asarray(value(window), dtype=np.float64) for window in found.windows], axis=axis)

    return MonitorGauge(name, help, labels, values, of_gradual=True)


def _severities(window: GradualWindow) -> Numbers:
    levels = [0.0 if own is None else 1.0 + SEVERITIES.index(own) for own in window.severities]
    return np.where(np.isnan(window.psi_debiased), np.nan, levels)


GRADUAL_GAUGES: Final = (
    _gauge(
        "model_long_window_feature_psi_debiased",
        "PSI of a time window of a week or more against the baseline, without the noise of rows and of days.",
        (FEATURE, WINDOW),
        lambda window: window.psi_debiased,
    ),
    _gauge(
        "model_long_window_feature_psi_threshold",
        "PSI at which a change in a time window of a week or more is large: a quarter of that of sliding windows, or "
        "what chance and the variation of days explain.",
        (FEATURE, WINDOW, "severity"),
        lambda window: window.thresholds,
    ),
    _gauge(
        "model_long_window_feature_drift_severity",
        "Severity of a column's gradual drift by time window: 0 none, 1 info, 2 warning. It is no part of the verdict.",
        (FEATURE, WINDOW),
        _severities,
    ),
    _gauge(
        "model_long_window_rows",
        "Rows in a time window of a week or more.",
        (WINDOW,),
        lambda window: float(window.rows),
    ),
)
