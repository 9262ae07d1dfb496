"""A rule of fixed limits on the rows of the last two minutes, beside the verdict and no part of it.

It alarms if more than 20 % of the rows are outliers, or if the mean of a feature is more than 5 % off that of the
training. It asks for no number of rows and knows nothing of chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.novelty.novelty import OUTLIER, OUTLIER_BINS
from driftgauge.drift.reference.baseline import OUTPUTS, Baseline
from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.numbers import percent
from driftgauge.drift.verdict.policy import Policy

WINDOW: Final = "2m"
OUTLIER_RATIO: Final = 0.2
"""Share of outliers above which the rule alarms."""
MEAN_RATIO: Final = 0.05
"""Distance of a mean from that of the training, as a part of it, above which the rule alarms."""
LEAST_MEAN_SDS: Final = 1e-9
"""A mean of the training counts as 0 up to this many of its standard deviations: rounding alone gives 1e-16."""
_NAMED: Final = 4
"""Features that the reason names."""


@dataclass(frozen=True)
class TwoMinutes:
    """What the rule says of the rows of the last two minutes."""

    rows: int
    outlier_ratio: float
    """Of the rows that have a score; NaN without any."""
    mean_ratios: FloatArray
    """Distance of each column's mean, shape [columns]; NaN where there is no mean, or that of the training is 0."""
    features: Mapping[str, float]
    """The distances above the limit, the largest first."""

    @property
    def has_outliers(self) -> bool:
        """Whether too many rows are outliers."""
        return self.outlier_ratio > OUTLIER_RATIO

    @property
    def alarms(self) -> bool:
        """Whether the rule alarms."""
        return self.has_outliers or bool(self.features)

    @property
    def reason(self) -> str:
        """What the rule says, in words."""
        if not self.rows:
            return "no rows in the last two minutes"
        said = []
        if self.has_outliers:
            said.append(
                f"{percent(self.outlier_ratio)} of {self.rows:,} rows are outliers (limit {percent(OUTLIER_RATIO)})"
            )
        named = [f"{name} ({percent(ratio)})" for name, ratio in list(self.features.items())[:_NAMED]]
        if named:
            more = f" and {len(self.features) - _NAMED} more" if len(self.features) > _NAMED else ""
            said.append(f"means more than {percent(MEAN_RATIO)} off those of the training: {', '.join(named)}{more}")
        return "; ".join(said) or f"both limits hold for the {self.rows:,} rows of the last two minutes"


def two_minutes(baseline: Baseline, windows: Sequence[WindowReport], policy: Policy) -> TwoMinutes | None:
    """Return what the rule says; None unless the policy asks for it and there is its window."""
    window = next((window for window in windows if window.name == WINDOW), None)
    if window is None or not policy.two_minutes:
        return None
    names = baseline.names
    ratios = _mean_ratios(baseline, window, policy)
    above = [(float(ratio), name) for name, ratio in zip(names, ratios, strict=True) if ratio > MEAN_RATIO]
    return TwoMinutes(
        rows=window.rows,
        outlier_ratio=_outlier_ratio(window, names.index(OUTLIER)) if OUTLIER in names else math.nan,
        mean_ratios=ratios,
        features={name: ratio for ratio, name in sorted(above, reverse=True)},
    )


def _outlier_ratio(window: WindowReport, column: int) -> float:
    scored = window.counts[column][: len(OUTLIER_BINS.categories)]  # a slow detector may skip rows
    rows = int(scored.sum())
    return float(scored[OUTLIER_BINS.categories.index("outlier")]) / rows if rows else math.nan


def _mean_ratios(baseline: Baseline, window: WindowReport, policy: Policy) -> FloatArray:
    """Return the distance of each mean from that of the training, shape [columns]."""
    expected, std = baseline.numbers("mean"), baseline.numbers("std")
    judged = [
        column.kind == "numeric" and column.name not in OUTPUTS and policy.column(column.name).monitor
        for column in baseline.columns
    ]
    with np.errstate(all="ignore"):
        ratios = np.abs(window.sample.mean - expected) / np.abs(expected)
        is_zero = np.abs(expected) <= LEAST_MEAN_SDS * std
    return np.where(np.array(judged) & ~is_zero, ratios, np.nan)
