"""Gauges of releases: which version is live since when, how it compares with the one before, and of shadows."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from driftgauge.metrics.facts import MonitorFacts
from driftgauge.metrics.monitor_gauge import MonitorGauge
from driftgauge.metrics.series import SHADOW_DIFFERENCE, SHADOW_ROWS

PERCENTILES: Final = ("50", "99")


def shadow_rows(facts: MonitorFacts) -> float:
    """Return the rows that a shadow has predicted, NaN without any."""
    rows = float(facts.arrays[SHADOW_ROWS.name].sum())
    return rows if facts.release.is_shadow and rows else math.nan


def shadow_agreement(facts: MonitorFacts) -> float:
    """Return the share of the rows that a shadow predicts as the live version does, NaN without any."""
    return float(facts.arrays[SHADOW_ROWS.name][0, 0]) / shadow_rows(facts)


def shadow_score_difference(facts: MonitorFacts) -> float:
    """Return the mean of a shadow's score less that of the live version, NaN without rows."""
    above, below = facts.arrays[SHADOW_DIFFERENCE.name][:, 0].tolist()
    return float(above - below) / shadow_rows(facts)


RELEASE_GAUGES: Final = (
    MonitorGauge(
        "model_live",
        "1 for the version that answers requests, 0 for a shadow and for versions that answered before.",
        (),
        lambda facts: facts.release.is_live,
        of_monitoring=False,
    ),
    MonitorGauge(
        "model_live_since_timestamp_seconds",
        "When the version began to answer requests. Only for the live version.",
        (),
        lambda facts: facts.release.live_since if facts.release.is_live else math.nan,
        of_monitoring=False,
    ),
    MonitorGauge(
        "model_release_latency_change_ratio",
        "Increase of the prediction latency over the version before, by percentile: 0.5 is 50 % more. Absent until "
        "both have answered 100 requests.",
        ("percentile",),
        lambda facts: np.array(facts.release.latency_changes),
        of_monitoring=False,
    ),
    MonitorGauge(
        "model_release_error_change_ratio",
        "Increase of the share of rows on which the model fails over the version before: 1 is twice as many. 0.001 is "
        "added to both shares. Absent until both have answered 100 requests.",
        (),
        lambda facts: facts.release.error_change,
        of_monitoring=False,
    ),
    MonitorGauge(
        "model_release_change_threshold_ratio",
        "Increase over the version before that raises an alert.",
        ("severity",),
        lambda facts: np.array(facts.release.thresholds),
        of_monitoring=False,
    ),
    MonitorGauge(
        "model_shadow_agreement_ratio",
        "Share of the rows for which a shadow version and the live one predict the same, since the shadow's state was "
        "created. Only for a shadow.",
        (),
        shadow_agreement,
        of_monitoring=False,
    ),
    MonitorGauge(
        "model_shadow_mean_score_difference",
        "Mean of the shadow's score less that of the live version. Only for a shadow.",
        (),
        shadow_score_difference,
        of_monitoring=False,
    ),
)
