"""Statistics of a column, declared once for metrics, JSON, OpenAPI and the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.statistics.two_sample import LEVELS
from driftgauge.drift.verdict.comparison import WindowReport

Unit = Literal["", "rows", "ratio", "standard deviations", "column"]
"""`ratio` is a share of rows from 0 to 1, `column` the unit of the column's own values."""


@dataclass(frozen=True)
class ColumnStatistic:
    """A number that every column has in every window; NaN where it is unknown or has no meaning."""

    name: str
    help: str
    """One sentence."""
    unit: Unit
    getter: Callable[[WindowReport], npt.NDArray[Any]]
    """Shape [columns]."""
    gauge: str | None = None
    """Its metric after `model_feature_`; None where it has none of its own."""
    in_summary: bool = False
    """Whether a short status shows it."""

    def values(self, window: WindowReport) -> FloatArray:
        """Return the number of each column; NaN without rows, so that its gauge is absent."""
        found = np.asarray(self.getter(window), dtype=np.float64)
        return np.where(found > 0, found, np.nan) if self.unit == "rows" else found


def _moments() -> tuple[ColumnStatistic, ...]:
    """Return the statistics of a column's own values, which `model_feature_value` shows by `stat`."""
    moments: Mapping[str, tuple[str, Callable[[WindowReport], FloatArray]]] = {
        "mean": ("Mean", lambda window: window.sample.mean),
        "std": ("Population standard deviation", lambda window: window.sample.std),
        "min": ("Minimum", lambda window: window.sample.min),
        "max": ("Maximum", lambda window: window.sample.max),
    }
    return (
        *(
            ColumnStatistic(
                name, f"{words} of the window's finite values.", "column", getter, in_summary=name == "mean"
            )
            for name, (words, getter) in moments.items()
        ),
        *(_quantile(index, level) for index, level in enumerate(LEVELS)),
    )


def _quantile(index: int, level: float) -> ColumnStatistic:
    name = f"p{100.0 * level:02.0f}"
    words = f"Quantile {level:g} of the window's finite values."
    return ColumnStatistic(name, words, "column", lambda window: window.sample.quantiles[index])


MOMENTS: Final = _moments()
COLUMN_STATISTICS: Final = (
    ColumnStatistic(
        "psi",
        "Population stability index (PSI) of the window against the reference.",
        "",
        lambda window: window.psi.psi,
        gauge="psi",
    ),
    ColumnStatistic(
        "psi_debiased",
        "Noise-corrected PSI: the PSI minus what sampling noise alone would give. Thresholds apply to it.",
        "",
        lambda window: window.psi.debiased,
        gauge="psi_debiased",
        in_summary=True,
    ),
    ColumnStatistic(
        "psi_noise",
        "PSI that sampling noise alone would give in a window of this size.",
        "",
        lambda window: window.psi.noise,
        gauge="psi_noise",
    ),
    ColumnStatistic(
        "psi_expected_max",
        "Upper end of the expected range: the largest noise-corrected PSI of windows of this size in the reference.",
        "",
        lambda window: window.expected_range,
        gauge="psi_expected_max",
        in_summary=True,
    ),
    ColumnStatistic(
        "missing_ratio",
        "Share of the window's rows without a value.",
        "ratio",
        lambda window: window.shares.missing,
        gauge="missing_ratio",
        in_summary=True,
    ),
    ColumnStatistic(
        "unseen_ratio",
        "Share of the window's rows with a value or category that the reference does not contain.",
        "ratio",
        lambda window: window.shares.unseen,
        gauge="unseen_ratio",
        in_summary=True,
    ),
    ColumnStatistic(
        "out_of_range_ratio",
        "Share of the window's rows outside the reference's range.",
        "ratio",
        lambda window: window.shares.out_of_range,
        gauge="out_of_range_ratio",
        in_summary=True,
    ),
    ColumnStatistic(
        "value_rows",
        "Rows of the window with a number in the column, on which KS, Wasserstein and the mean are computed.",
        "rows",
        lambda window: window.sample.rows,
        gauge="value_rows",
    ),
    ColumnStatistic(
        "ks_statistic",
        "Kolmogorov-Smirnov statistic: the largest distance between the window's and the reference's cumulative "
        "distributions.",
        "",
        lambda window: window.sample.ks_statistic,
        gauge="ks_statistic",
    ),
    ColumnStatistic(
        "wasserstein_ratio",
        "Wasserstein distance: the area between the two cumulative distributions, in standard deviations of the "
        "reference.",
        "standard deviations",
        lambda window: window.sample.wasserstein_ratio,
        gauge="wasserstein_ratio",
    ),
    ColumnStatistic(
        "js_distance",
        "Jensen-Shannon distance between the window's bins and the reference's: 0 identical, 1 disjoint.",
        "",
        lambda window: window.js_distance,
        gauge="js_distance",
    ),
    ColumnStatistic(
        "kl_divergence",
        "Kullback-Leibler divergence of the window's bins from the reference's, in nats: 0 identical, without an upper "
        "bound.",
        "",
        lambda window: window.kl_divergence,
    ),
    ColumnStatistic(
        "mean_shift",
        "Mean of the window minus the reference's, in standard deviations of the reference.",
        "standard deviations",
        lambda window: window.sample.mean_shift,
        gauge="mean_shift_ratio",
    ),
    ColumnStatistic(
        "p_value",
        "P-value of Pearson's chi-squared test of the window's bins against the reference's, for independent rows.",
        "",
        lambda window: window.significance.p_value,
        gauge="drift_pvalue",
    ),
    ColumnStatistic(
        "chi_squared",
        "Pearson's chi-squared statistic of the window's bins against the reference's.",
        "",
        lambda window: window.significance.chi_squared,
    ),
    ColumnStatistic(
        "chi_squared_degrees",
        "Degrees of freedom of the chi-squared statistic.",
        "",
        lambda window: window.significance.degrees,
    ),
    ColumnStatistic(
        "cramers_v",
        "Cramér's V of the window's bins and the reference's, both weighing the same: 0 identical, 1 disjoint.",
        "",
        lambda window: window.cramers_v,
    ),
    ColumnStatistic(
        "finite_rows",
        "Rows of the window with a finite number in the column, on which the moments and quantiles are computed.",
        "rows",
        lambda window: window.sample.finite_rows,
    ),
    *MOMENTS,
)
"""In the order in which they are listed."""
BY_NAME: Final[Mapping[str, ColumnStatistic]] = {statistic.name: statistic for statistic in COLUMN_STATISTICS}
