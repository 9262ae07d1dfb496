"""Gauges of the rule on the rows of the last two minutes; absent unless the settings have this preset."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from driftgauge.drift.verdict.two_minutes import MEAN_RATIO, OUTLIER_RATIO, TwoMinutes
from driftgauge.metrics.facts import MonitorFacts
from driftgauge.metrics.gauges import Numbers
from driftgauge.metrics.monitor_gauge import MonitorGauge
from driftgauge.metrics.series import FEATURE, Labels


def _applies(facts: MonitorFacts) -> bool:
    return facts.report is not None and facts.report.two_minutes is not None


def _gauge(name: str, help: str, labels: Labels, value: Callable[[TwoMinutes], Numbers]) -> MonitorGauge:
    """Declare a gauge of what the rule says."""

    def values(facts: MonitorFacts) -> Numbers:
        found = None if facts.report is None else facts.report.two_minutes
        if found is None:
            return np.full(len(facts.baseline.names), math.nan) if labels else math.nan
        return value(found)

    return MonitorGauge(name, help, labels, values, applies=_applies)


_PRESET: Final = 'With preset = "two-minutes".'
TWO_MINUTE_GAUGES: Final = (
    _gauge(
        "model_recent_outlier_ratio",
        f"Share of outliers among the rows of the last two minutes. {_PRESET}",
        (),
        lambda found: found.outlier_ratio,
    ),
    _gauge(
        "model_recent_outlier_threshold_ratio",
        f"Share of outliers above which the alert fires. {_PRESET}",
        (),
        lambda _: OUTLIER_RATIO,
    ),
    _gauge(
        "model_feature_recent_mean_deviation_ratio",
        "Share of the training's mean by which the mean of a feature in the last two minutes differs from it. Absent "
        f"where that is 0. {_PRESET}",
        (FEATURE,),
        lambda found: found.mean_ratios,
    ),
    _gauge(
        "model_recent_mean_deviation_threshold_ratio",
        f"Share of the training's mean above which the alert fires. {_PRESET}",
        (),
        lambda _: MEAN_RATIO,
    ),
)
