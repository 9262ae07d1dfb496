"""Windows, thresholds and budgets, as the operator sets them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.windows.time_spans import DAY_SECONDS, TimeSpan
from driftgauge.errors import SettingsError

if TYPE_CHECKING:  # settings need the defaults alone, without what computes evidence
    from driftgauge.drift.evidence.detector import Detector
    from driftgauge.drift.reference.baseline import Baseline

Thresholded = Literal["psi", "missing", "unseen"]
"""Statistics that have thresholds."""
Pair = tuple[float, float]
"""Thresholds for warning and critical."""
Statistic = Literal["psi", "ks", "wasserstein", "js", "kl", "chi2"]
"""A statistic that the verdict on a column may rest on; `chi2` is Cramér's V."""
STATISTICS: Final[tuple[Statistic, ...]] = get_args(Statistic)
OF_VALUES: Final[tuple[Statistic, ...]] = ("ks", "wasserstein")
"""Those that compare the values of rows, and need a column of numbers; the others compare shares of bins."""
SIZE_THRESHOLDS: Final[Pair] = (0.1, 0.2)
"""Thresholds of a statistic for which none are given."""


BOUNDED: Final[tuple[Statistic, ...]] = ("ks", "js", "chi2")
"""Those that are at most 1."""


def pair_problem(statistic: str, pair: Pair) -> str:
    """Return why a statistic, of which noise is subtracted, cannot have two thresholds; empty if it can."""
    if not is_rising(pair):
        return "must be above 0, the second not below the first"
    return "cannot be reached: both must be below 1" if statistic in BOUNDED and pair[1] >= 1.0 else ""


def is_rising(pair: Pair) -> bool:
    """Return whether two numbers can be thresholds."""
    return 0.0 < pair[0] <= pair[1] < math.inf


@dataclass(frozen=True)
class ColumnPolicy:
    """What the operator decides for one column; None is as for all columns."""

    monitor: bool = True
    """Whether the column has a detector, a verdict and metrics; if not, it takes no part in the budget."""
    alert: bool = True
    """Whether its severity may be above info, and missing and unseen values have thresholds."""
    psi_thresholds: Pair | None = None
    missing_thresholds: Pair | None = None
    unseen_thresholds: Pair | None = None
    tolerance: float | None = None
    """In place of that of the budget."""
    statistic: Statistic | None = None
    """The statistic that the verdict rests on."""
    size_thresholds: Mapping[Statistic, Pair] = field(default_factory=dict)
    """Thresholds of other statistics than PSI."""


_AS_ALL: Final = ColumnPolicy()


@dataclass(frozen=True)
class Policy:
    """What the operator decides, with its defaults."""

    windows: tuple[int, ...] = (1_000, 10_000)
    """Sizes of the sliding windows in rows, ascending; the last one is the main window."""
    time_windows: tuple[TimeSpan, ...] = (TimeSpan("2m", 120), TimeSpan("1h", 3_600), TimeSpan("24h", 86_400))
    """The time windows, for inspection and for gradual drift; verdicts rest on sliding windows."""
    max_age_seconds: float = DAY_SECONDS
    """Older rows are dropped from the sliding windows."""
    psi_thresholds: tuple[float, float] = (0.1, 0.2)
    """`psi_debiased` from which a significant change is drift: warning, critical."""
    columns: Mapping[str, ColumnPolicy] = field(default_factory=dict)
    """What is different for single columns, by name."""
    budget: Budget = field(default_factory=Budget)
    """How often evidence may raise a false alarm."""
    missing_thresholds: tuple[float, float] = (0.05, 0.1)
    """Increase of the missing ratio over the reference: warning, critical."""
    unseen_thresholds: tuple[float, float] = (0.01, 0.05)
    """Unseen ratio above the expected one: warning, critical."""
    alert_on_small: bool = False
    """Whether a significant but small change has severity warning instead of info."""
    learning_seconds: float = 14 * DAY_SECONDS
    """Time for which a monitor learns how live data varies, if the reference has no times; 0 for none."""
    statistic: Statistic = "psi"
    """The statistic that verdicts rest on; a column that cannot have it is judged by PSI."""
    size_thresholds: Mapping[Statistic, Pair] = field(default_factory=dict)
    """Thresholds of other statistics than PSI, where they are not `SIZE_THRESHOLDS`."""
    drift_share: float | None = None
    """Share of the features that must have drifted for the model to have drifted; None if one column is enough."""
    two_minutes: bool = False
    """Whether the rule on the last two minutes is applied beside the verdict; it needs outliers and a window of 2m."""

    def __post_init__(self) -> None:
        owners = {"": self.size_thresholds, **{f"{name}: ": own.size_thresholds for name, own in self.columns.items()}}
        for owner, pairs in owners.items():
            for statistic, pair in pairs.items():
                if problem := pair_problem(statistic, pair):
                    raise SettingsError(f"{owner}{statistic}: {pair[0]:g}:{pair[1]:g} {problem}")

    def column(self, name: str) -> ColumnPolicy:
        """Return what is different for a column."""
        return self.columns.get(name, _AS_ALL)

    def _different(self, names: Sequence[str]) -> Iterator[tuple[int, ColumnPolicy]]:
        """Yield position and policy of the columns that have one of their own."""
        if self.columns:
            yield from ((index, self.columns[name]) for index, name in enumerate(names) if name in self.columns)

    @property
    def ignored(self) -> tuple[str, ...]:
        """The columns that are not monitored."""
        return tuple(name for name, own in self.columns.items() if not own.monitor)

    def monitored(self, names: Sequence[str]) -> BoolArray:
        """Return which columns are monitored, shape [columns]."""
        monitored = np.ones(len(names), dtype=np.bool_)
        for index, own in self._different(names):
            monitored[index] = own.monitor
        return monitored

    def thresholds(self, statistic: Thresholded, names: Sequence[str]) -> FloatArray:
        """Return the thresholds of a statistic for warning and critical, shape [columns, 2].

        Those of missing and unseen values are NaN for a column that does not alert.
        """
        field_name = f"{statistic}_thresholds"
        thresholds = np.tile(np.array(getattr(self, field_name), dtype=np.float64), (len(names), 1))
        for index, own in self._different(names):
            given = getattr(own, field_name)
            if given is not None:
                thresholds[index] = given
            if statistic != "psi" and not own.alert:
                thresholds[index] = np.nan
        return thresholds

    @property
    def judges_by_psi(self) -> bool:
        """Whether the verdict on every column rests on PSI."""
        return self.statistic == "psi" and all(own.statistic in (None, "psi") for own in self.columns.values())

    def statistics(self, baseline: Baseline) -> tuple[Statistic, ...]:
        """Return the statistic that the verdict on each column rests on.

        A column that cannot have that of the model is judged by PSI.
        """
        usual: Statistic = "psi"
        if self.judges_by_psi:
            return (usual,) * len(baseline.names)
        able = baseline.sizing.can_have(self.statistic).tolist()
        return tuple(
            self.column(name).statistic or (self.statistic if can else usual)
            for name, can in zip(baseline.names, able, strict=True)
        )

    def size_pair(self, name: str, statistic: Statistic) -> Pair:
        """Return the thresholds of a column's statistic."""
        own = self.column(name)
        if statistic == "psi":
            return own.psi_thresholds or self.psi_thresholds
        return own.size_thresholds.get(statistic) or self.size_thresholds.get(statistic, SIZE_THRESHOLDS)

    def by_psi(self) -> Policy:
        """Return the policy with verdicts that rest on PSI."""
        columns = {name: replace(own, statistic=None) for name, own in self.columns.items()}
        return replace(self, statistic="psi", columns=columns)

    def detector(self, baseline: Baseline) -> Detector:
        """Return the detector of a baseline's monitored columns; see `Baseline.detector`."""
        tolerance = np.full(len(baseline.names), self.budget.tolerance)
        for index, own in self._different(baseline.names):
            tolerance[index] = self.budget.tolerance if own.tolerance is None else own.tolerance
        return baseline.detector(self.budget, watched=self.monitored(baseline.names), tolerance=tolerance)

    def learning_until(self, first_rows: FloatArray, timed: BoolArray) -> FloatArray:
        """Return the end of each column's learning time, seconds since 1970; NaN where there is none.

        `first_rows` are the times of the first rows that were monitored, NaN before them; `timed` says for which
        columns the reference has times, which make learning unnecessary. All of shape [columns].
        """
        learns = ~timed & (self.learning_seconds > 0)
        until: FloatArray = np.where(learns, first_rows + self.learning_seconds, np.nan)
        return until
