"""Gauges of verdicts that rest on another statistic than PSI, and of the share of features that have drifted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.verdict.data_set import share_of
from driftgauge.drift.verdict.policy import STATISTICS, Statistic
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import LIMITS
from driftgauge.drift.verdict.sizes import Sizes
from driftgauge.metrics.facts import MonitorFacts
from driftgauge.metrics.gauges import judged_by
from driftgauge.metrics.monitor_gauge import MonitorGauge
from driftgauge.metrics.series import FEATURE, Labels

_GAUGES: Final[Mapping[Statistic, tuple[str, str]]] = {
    "ks": ("ks_statistic", "Kolmogorov-Smirnov statistic"),
    "wasserstein": ("wasserstein_ratio", "Wasserstein distance, in standard deviations of the reference,"),
    "js": ("js_distance", "Jensen-Shannon distance"),
    "kl": ("kl_divergence", "Kullback-Leibler divergence"),
    "chi2": ("cramers_v", "Cramér's V"),
}
"""Of each statistic but PSI the name after `model_feature_`, and its words."""
_HAVE_GAUGES: Final[tuple[Statistic, ...]] = ("ks", "wasserstein", "js")
"""Those that all columns show, whatever judges them."""


def _gauge(
    name: str,
    help: str,
    labels: Labels,
    values: Callable[[DriftReport], FloatArray | float],
    applies: Callable[[DriftReport], bool],
) -> MonitorGauge:
    """Declare a gauge that is there with some settings alone."""

    def of_report(facts: MonitorFacts) -> FloatArray | float:
        return math.nan if facts.report is None else values(facts.report)

    def has(facts: MonitorFacts) -> bool:
        return facts.report is not None and applies(facts.report)

    return MonitorGauge(name, help, labels, of_report, applies=has)


def _judges(statistic: Statistic) -> Callable[[DriftReport], bool]:
    return lambda report: statistic in report.main.sizes.statistics


def _has_share(report: DriftReport) -> bool:
    return report.policy.drift_share is not None


def _judged(statistic: Statistic, value: Callable[[Sizes], FloatArray]) -> Callable[[DriftReport], FloatArray]:
    """Return a number of the columns that a statistic judges, shape [columns, windows]."""

    def values(report: DriftReport) -> FloatArray:
        windows = report.windows.values()
        found = [np.where(judged_by(window, statistic), value(window.sizes), np.nan) for window in windows]
        return np.stack(found, axis=1)

    return values


def _thresholds(statistic: Statistic) -> Callable[[DriftReport], FloatArray]:
    """Return the thresholds of the columns that a statistic judges, shape [columns, windows, limits]."""

    def values(report: DriftReport) -> FloatArray:
        found = [
            [np.where(judged_by(window, statistic), window.sizes.thresholds[limit], np.nan) for limit in LIMITS]
            for window in report.windows.values()
        ]
        return np.stack(found).transpose(2, 0, 1)

    return values


def _relative(report: DriftReport) -> FloatArray:
    """Return the size of each change in units of its threshold for a warning, where PSI does not judge it."""
    found = [
        np.where(judged_by(window, "psi"), np.nan, window.sizes.debiased / window.sizes.thresholds["warning"])
        for window in report.windows.values()
    ]
    return np.stack(found, axis=1)


def _share(report: DriftReport) -> float:
    return share_of(report.verdicts)


def _share_threshold(report: DriftReport) -> float:
    return math.nan if report.policy.drift_share is None else report.policy.drift_share


def _of_statistic(statistic: Statistic) -> Iterator[MonitorGauge]:
    name, words = _GAUGES[statistic]
    if statistic not in _HAVE_GAUGES:
        yield _gauge(
            f"model_feature_{name}",
            f"{words} of the window's bins against the reference's, of columns that it judges.",
            (FEATURE, "window"),
            _judged(statistic, lambda sizes: sizes.value),
            _judges(statistic),
        )
    yield _gauge(
        f"model_feature_{name}_debiased",
        f"{words} without what sampling noise alone would give, of columns that it judges. Thresholds apply to it.",
        (FEATURE, "window"),
        _judged(statistic, lambda sizes: sizes.debiased),
        _judges(statistic),
    )
    yield _gauge(
        f"model_feature_{name}_threshold",
        f"{words} without noise at which a change is large: the setting, or the expected range where that is higher.",
        (FEATURE, "window", "severity"),
        _thresholds(statistic),
        _judges(statistic),
    )


SIZE_GAUGES: Final = (
    *(gauge for statistic in STATISTICS if statistic != "psi" for gauge in _of_statistic(statistic)),
    _gauge(
        "model_feature_drift_score",
        "Change of a column in units of its threshold for a warning. From 1 it is large. "
        "Absent where PSI judges the column.",
        (FEATURE, "window"),
        _relative,
        lambda report: not report.policy.judges_by_psi,
    ),
    _gauge(
        "model_drift_share_ratio",
        "Share of the features that have drifted. Absent without drift_share.",
        (),
        _share,
        _has_share,
    ),
    _gauge(
        "model_drift_share_threshold_ratio",
        "Share of the features from which the model has drifted: drift_share. Absent without it.",
        (),
        _share_threshold,
        _has_share,
    ),
)
