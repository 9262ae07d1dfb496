"""The verdicts of the past, as arrays: what is kept of each report, and how several become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.verdict.rule import SEVERITIES, VERDICTS, Severity, Verdict

RankArray = npt.NDArray[np.uint8]
SmallFloats = npt.NDArray[np.float32]
WINDOW_STATISTICS: Final = ("psi_debiased", "missing_ratio", "unseen_ratio", "out_of_range_ratio")
"""Statistics of the main window that are kept of each column."""
STATISTICS: Final = (*WINDOW_STATISTICS, "evidence_log10")
"""All numbers that are kept of each column."""
SEVERITY_LEVELS: Final[tuple[Severity | None, ...]] = (None, *SEVERITIES)
"""Severities at the places of their levels: 0 is none, 1 info, 2 warning, 3 critical."""
_LEVELS: Final = np.array([SEVERITY_LEVELS.index(severity) for _, severity in VERDICTS], np.uint8)


@dataclass(frozen=True)
class History:
    """Verdicts at n moments, oldest first, of the columns `names`."""

    names: tuple[str, ...]
    at: FloatArray
    """When each began, seconds since 1970 by the monitor's clock, shape [n]."""
    seconds: FloatArray
    """How long each lasts, shape [n]: a number is the mean over this time, a rank the worst; 0 for one report."""
    rank: RankArray
    """Rank of the model's verdict (see `rule.RANK`), shape [n]."""
    rows: FloatArray
    """Rows observed since the state began, shape [n]."""
    score_mean: FloatArray
    """Mean score of the main window, shape [n]; NaN where there is none."""
    ranks: RankArray
    """Ranks of the columns' verdicts, shape [n, columns]."""
    statistics: SmallFloats
    """Numbers of the columns in the order of `STATISTICS`, shape [n, STATISTICS, columns]; NaN where unknown."""

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, chosen: slice | IntArray | npt.NDArray[np.bool_]) -> History:
        """Return the verdicts at some of the moments."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: value[chosen] for name, value in own.items() if name != "names"})

    def of(self, names: Sequence[str]) -> History:
        """Return the history of some columns; ValueError for an unknown one."""
        places = [self.names.index(name) for name in names]
        return replace(self, names=tuple(names), ranks=self.ranks[:, places], statistics=self.statistics[:, :, places])

    def column(self, statistic: str) -> SmallFloats:
        """Return one of `STATISTICS` of each column, shape [n, columns]."""
        found: SmallFloats = self.statistics[:, STATISTICS.index(statistic)]
        return found

    @property
    def psi(self) -> SmallFloats:
        """Noise-corrected PSI of each column in the main window, shape [n, columns]."""
        return self.column("psi_debiased")

    @property
    def severity(self) -> RankArray:
        """Severity of each column as a level, shape [n, columns]: 0 is none, 1 info, 2 warning, 3 critical."""
        return severity_levels(self.ranks)

    def before(self, moment: float) -> History | None:
        """Return the last verdict that began until a moment, the first of all if none did; None without any."""
        until = int(np.searchsorted(self.at, moment, side="right"))
        place = max(0, until - 1)
        return self[place : place + 1] if len(self) else None


@dataclass(frozen=True)
class SeverityChange:
    """A change of a column's severity, or of the verdict on the model."""

    at: float
    """The time of the report that shows it, seconds since 1970 by the monitor's clock."""
    column: str | None
    """None for the model."""
    before: Verdict
    after: Verdict


def severity_levels(ranks: RankArray) -> RankArray:
    """Return the severity of ranks as levels, shape as given: 0 is none, 1 info, 2 warning, 3 critical."""
    levels: RankArray = _LEVELS[np.minimum(ranks, len(_LEVELS) - 1)]
    return levels


def summary(history: History, at: float, seconds: float) -> History:
    """Return verdicts as one: the means of their numbers, the worst of their ranks, and the latest number of rows."""
    return replace(
        history,
        at=np.array([at]),
        seconds=np.array([seconds]),
        rank=history.rank.max(axis=0, keepdims=True),
        rows=history.rows[-1:],
        score_mean=_known_mean(history.score_mean),
        ranks=history.ranks.max(axis=0, keepdims=True),
        statistics=_known_mean(history.statistics),
    )


def joined(parts: Sequence[History]) -> History:
    """Return histories of the same columns, one after another; there is at least one."""
    names = [field.name for field in fields(History) if field.name != "names"]
    arrays: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return replace(parts[0], **arrays)


def _known_mean(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the mean of what is known along the first axis, in the same type; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=0, keepdims=True)
    total = np.where(known, values, 0.0).sum(axis=0, keepdims=True, dtype=np.float64)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    known_mean: npt.NDArray[Any] = mean.astype(values.dtype)
    return known_mean
