"""Gauges of the share of outliers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from driftgauge.drift.novelty.share import OutlierShare, outlier_share
from driftgauge.metrics.facts import MonitorFacts
from driftgauge.metrics.gauges import Numbers
from driftgauge.metrics.monitor_gauge import MonitorGauge
from driftgauge.metrics.series import Labels


def _gauge(name: str, help: str, labels: Labels, value: Callable[[OutlierShare], Numbers]) -> MonitorGauge:
    """Declare a gauge that is there only where outliers are watched."""

    def values(facts: MonitorFacts) -> Numbers:
        found = None if facts.report is None else outlier_share(facts.report, facts.limits.outlier_ratio)
        return np.nan if found is None else value(found)

    return MonitorGauge(name, help, labels, values, applies=lambda facts: facts.baseline.has_outliers)


OUTLIER_GAUGES: Final = (
    _gauge(
        "model_outlier_ratio",
        "Share of outliers among the rows of the window. Only with the setting `outliers`.",
        ("window",),
        lambda found: np.array(list(found.ratios.values())),
    ),
    _gauge(
        "model_outlier_reference_ratio",
        "Share of outliers in the reference. Only with the setting `outliers`.",
        (),
        lambda found: found.reference,
    ),
    _gauge(
        "model_outlier_threshold_ratio",
        "Share of outliers in a sliding window above which an alert is raised. Only with the setting `outliers`.",
        (),
        lambda found: found.threshold,
    ),
)
