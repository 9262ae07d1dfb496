"""Numbers of what features contribute to the scores of live rows, beside the reference's."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.attribution.attributions import AttributionShift
from driftgauge.drift.attribution.known import KnownAttributions
from driftgauge.metrics.facts import MonitorFacts
from driftgauge.metrics.gauges import Numbers
from driftgauge.metrics.monitor_gauge import MonitorGauge
from driftgauge.metrics.series import FEATURE, Labels


@dataclass(frozen=True)
class AttributionGauge(MonitorGauge):
    """A gauge of live attributions; absent where they are not compared."""

    def applies_to(self, facts: MonitorFacts) -> bool:
        """Say whether a monitor has it."""
        return facts.attributions is not None


def _gauge(name: str, help: str, value: Callable[[KnownAttributions], float | None]) -> AttributionGauge:
    def values(facts: MonitorFacts) -> Numbers:
        found = None if facts.attributions is None else value(facts.attributions)
        return math.nan if found is None else found

    return AttributionGauge(name, help, _NONE, values)


def _by_feature(name: str, help: str, value: Callable[[AttributionShift], float]) -> AttributionGauge:
    def values(facts: MonitorFacts) -> Numbers:
        shifts = {own.feature: own for own in facts.attributions.shifts} if facts.attributions else {}
        names = facts.baseline.names
        return np.array([value(shifts[name]) if name in shifts else math.nan for name in names])

    return AttributionGauge(name, help, (FEATURE,), values)


def _thresholds(facts: MonitorFacts) -> Numbers:
    return np.array([math.nan if facts.attributions is None else facts.attributions.threshold, math.nan])


_NONE: Final[Labels] = ()
ATTRIBUTION_GAUGES: Final = (
    _gauge(
        "model_attribution_ndcg",
        "How well live rows rank the features by their contributions as the reference does (NDCG): 1 is the same "
        "order. Absent for too few rows, and once the last comparison is older than five intervals.",
        lambda known: known.ndcg,
    ),
    AttributionGauge(
        "model_attribution_ndcg_threshold", "NDCG below which an alert is raised.", ("severity",), _thresholds
    ),
    _by_feature(
        "model_feature_attribution_ratio",
        "Share of a feature in the contributions to the scores of live rows.",
        lambda own: own.share,
    ),
    _by_feature(
        "model_feature_attribution_reference_ratio",
        "Share of a feature in the contributions to the scores of the reference.",
        lambda own: own.reference_share,
    ),
    _gauge(
        "model_attribution_rows",
        "Rows of the main window whose contributions were compared last.",
        lambda known: None if known.last is None else known.last.report.rows,
    ),
    _gauge(
        "model_attribution_timestamp_seconds",
        "Time of the last comparison of contributions on the server's clock.",
        lambda known: None if known.last is None else known.last.at,
    ),
    _gauge(
        "model_attribution_duration_seconds",
        "Time that the last comparison of contributions took.",
        lambda known: None if known.last is None else known.last.seconds,
    ),
)
