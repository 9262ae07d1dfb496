"""Counts of predictions with their ground truth: what cohorts keep, and how cohorts add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray, IntArray

PerformanceTask = Literal["binary", "multiclass", "regression"]
TASKS: Final[tuple[PerformanceTask, ...]] = ("binary", "multiclass", "regression")
SCORE_BINS: Final = 128
"""Bins of scores at quantiles of the reference."""
EVEN_BINS: Final = 64
"""Further bins of equal width, so that scores beyond the reference's are still ranked."""


@dataclass(frozen=True)
class CountLayout:
    """How rows of one model are counted. Counts of the same layout add up."""

    task: PerformanceTask
    classes: int = 0
    """Number of classes; of two, the last is the positive one."""
    edges: tuple[float, ...] = ()
    """Upper ends of the score bins (right-closed) but the last, for binary models."""
    centre: float = 0.0
    """Near the mean of the targets, for regressions; targets are summed from here."""
    scale: float = 1.0
    """About their standard deviation."""

    @classmethod
    def of(
        cls,
        task: PerformanceTask,
        classes: int = 0,
        quantiles: Sequence[float] = (),
        mean: float = 0.0,
        sd: float = 1.0,
    ) -> CountLayout:
        """Return the layout of a model whose scores have these quantiles, mean and deviation in the reference."""
        if task == "binary":
            return cls(task, 2, score_edges(quantiles))
        if task == "multiclass":
            return cls(task, classes)
        return cls(task, centre=mean if np.isfinite(mean) else 0.0, scale=sd if np.isfinite(sd) and sd > 0 else 1.0)


@dataclass(frozen=True)
class LabelledRows:
    """Predictions whose ground truth is known."""

    scores: FloatArray
    """Shape [n]: the probability of the positive class, the largest of several classes, or the predicted number."""
    actual: FloatArray
    """Shape [n]: the index of the true class, or the true number."""
    predicted: IntArray | None = None
    """Shape [n]: the index of the predicted class, -1 for one that is not among the classes; None for regressions."""
    probabilities: FloatArray | None = None
    """Shape [n]: the probability that a model of several classes gave the true one, NaN where unknown."""

    def __len__(self) -> int:
        return len(self.actual)

    def part(self, taken: BoolArray | IntArray | slice) -> LabelledRows:
        """Return some of the rows."""
        predicted, given = self.predicted, self.probabilities
        return LabelledRows(
            self.scores[taken],
            self.actual[taken],
            None if predicted is None else predicted[taken],
            None if given is None else given[taken],
        )


@dataclass(frozen=True)
class CohortCounts:
    """Counts and sums of some rows; they add up."""

    layout: CountLayout
    arrays: Mapping[str, FloatArray]

    def __add__(self, other: CohortCounts) -> CohortCounts:
        if self.layout != other.layout:
            raise ValueError("counts of different layouts do not add up")
        return CohortCounts(self.layout, {name: own + other.arrays[name] for name, own in self.arrays.items()})

    def flat(self) -> FloatArray:
        """Return all numbers in one row."""
        return np.concatenate([own.ravel() for own in self.arrays.values()])

    def like(self, flat: FloatArray) -> CohortCounts:
        """Return counts of the same layout from what `flat` returned; ValueError for another number of numbers."""
        sizes = [own.size for own in self.arrays.values()]
        if len(flat) != sum(sizes):
            raise ValueError(f"{len(flat)} numbers where counts of this layout have {sum(sizes)}")
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        pairs = zip(self.arrays.items(), parts, strict=True)
        return CohortCounts(self.layout, {name: part.reshape(own.shape) for (name, own), part in pairs})

    @property
    def rows(self) -> int:
        """Rows that were counted."""
        key = "sums" if self.layout.task == "regression" else "confusion"
        return int(self.arrays[key][0]) if key == "sums" else int(self.arrays[key].sum())


def total(parts: Iterable[CohortCounts], empty: CohortCounts) -> CohortCounts:
    """Return the sum of counts, `empty` for none."""
    for part in parts:
        empty = empty + part
    return empty


def score_edges(quantiles: Sequence[float]) -> tuple[float, ...]:
    """Return the ends of the score bins: quantiles of the reference, and a grid from 0 to 1."""
    grid = np.linspace(0.0, 1.0, EVEN_BINS + 1)[1:-1]
    known = np.asarray(quantiles, dtype=np.float64)
    levels = np.arange(1, SCORE_BINS) / SCORE_BINS
    own = np.quantile(known, levels) if len(known) else np.empty(0)
    return tuple(np.unique(np.concatenate([own, grid])).tolist())
