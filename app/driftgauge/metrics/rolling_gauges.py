"""Gauges of both references: the baseline of the training, and the days before."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.rolling.report import RollingReport
from driftgauge.drift.verdict.rule import LIMITS, SEVERITIES, Severity
from driftgauge.drift.windows.time_spans import DAY_SECONDS
from driftgauge.metrics.facts import MonitorFacts
from driftgauge.metrics.gauges import Numbers
from driftgauge.metrics.monitor_gauge import MonitorGauge
from driftgauge.metrics.series import FEATURE, Labels

REFERENCE: Final = "reference"
REFERENCES: Final = ("training", "rolling")
_MAIN: Final = "of the main window, by reference: the baseline of the `training`, or the days before (`rolling`)."


def _gauge(name: str, help: str, labels: Labels, value: Callable[[RollingReport], Numbers]) -> MonitorGauge:
    """Declare a gauge that is there with a rolling reference alone."""

    def values(facts: MonitorFacts) -> Numbers:
        return math.nan if facts.rolling is None else value(facts.rolling)

    return MonitorGauge(name, help, labels, values, of_rolling=True)


def _psi(found: RollingReport) -> FloatArray:
    return np.stack([found.report.main.psi.debiased, found.psi_debiased], axis=1)


def _thresholds(found: RollingReport) -> FloatArray:
    training = np.stack([found.report.main.thresholds[limit] for limit in LIMITS], axis=1)
    return np.stack([training, found.thresholds], axis=1)


def _level(severity: Severity | None) -> float:
    return 0.0 if severity is None else 1.0 + SEVERITIES.index(severity)


def _severities(found: RollingReport) -> FloatArray:
    own = [own.severity for own in found.report.verdicts]
    rolling = np.where(np.isnan(found.psi_debiased), np.nan, [_level(severity) for severity in found.severities])
    return np.stack([np.array([_level(severity) for severity in own]), rolling], axis=1)


def _rows(found: RollingReport) -> FloatArray:
    training = np.array([column.rows for column in found.report.baseline.columns], dtype=np.float64)
    return np.stack([training, found.reference.rows.astype(np.float64)], axis=1)


ROLLING_GAUGES: Final = (
    _gauge("model_reference_feature_psi_debiased", f"Noise-corrected PSI {_MAIN}", (FEATURE, REFERENCE), _psi),
    _gauge(
        "model_reference_feature_psi_threshold",
        f"Noise-corrected PSI at which a change is large, {_MAIN}",
        (FEATURE, REFERENCE, "severity"),
        _thresholds,
    ),
    _gauge(
        "model_reference_feature_drift_severity",
        f"Severity of a column's change {_MAIN} 0 none, 1 info, 2 warning, 3 critical. Against the days before it is a "
        "size alone, without a budget of false alarms, and 2 at most.",
        (FEATURE, REFERENCE),
        _severities,
    ),
    _gauge(
        "model_reference_feature_rows",
        "Rows of a column in each reference. The days before leave out those on which the column had drifted.",
        (FEATURE, REFERENCE),
        _rows,
    ),
    _gauge(
        "model_reference_end_timestamp_seconds",
        "Time of the end of the newest day in the rolling reference.",
        (),
        lambda found: (found.reference.last_day + 1) * DAY_SECONDS if found.reference.is_known.any() else math.nan,
    ),
    _gauge(
        "model_reference_built_timestamp_seconds",
        "When the rolling reference was built, on the monitor's clock.",
        (),
        lambda found: found.reference.built_at,
    ),
)
