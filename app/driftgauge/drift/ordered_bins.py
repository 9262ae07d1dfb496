"""Bins in order: where `below` and `above` belong, and the normal score of each bin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.special import ndtri

from driftgauge.drift.bins import ABOVE, BELOW, Bins, BoolArray, FloatArray


class OrderedBins:
    """The columns whose bins have an order, and for each its outermost bins beside `below` and `above`."""

    def __init__(self, columns: Sequence[Bins]) -> None:
        ranged = [(row, bins) for row, bins in enumerate(columns) if bins.has_order]
        self._rows = np.array([row for row, _ in ranged], dtype=np.int64)
        ends = [
            ([bins.special[BELOW] for _, bins in ranged], [bins.ordinary.start for _, bins in ranged]),
            ([bins.special[ABOVE] for _, bins in ranged], [bins.ordinary.stop - 1 for _, bins in ranged]),
        ]
        self._ends = [(np.array(end, dtype=np.int64), np.array(outermost, dtype=np.int64)) for end, outermost in ends]

    def folded(self, counts: FloatArray) -> FloatArray:
        """Return counts, shape [..., columns, K], with `below` and `above` counted in the outermost bins."""
        folded = counts.astype(np.float64)
        for end, outermost in self._ends:
            folded[..., self._rows, outermost] += folded[..., self._rows, end]
            folded[..., self._rows, end] = 0.0
        return folded

    def spread(self, values: FloatArray) -> FloatArray:
        """Return values, shape [columns, K], in which `below` and `above` have those of the outermost bins."""
        spread = values.copy()
        for end, outermost in self._ends:
            spread[self._rows, end] = spread[self._rows, outermost]
        return spread


class NormalScores:
    """Normal scores: each ordered bin's standard normal quantile, at the middle of its share."""

    def __init__(self, columns: Sequence[Bins], width: int) -> None:
        self._bins = OrderedBins(columns)
        self._ordinary: BoolArray = np.zeros((len(columns), width), dtype=np.bool_)
        for row, bins in enumerate(columns):
            if bins.has_order:
                self._ordinary[row, bins.ordinary] = True
        self.ordered: Final[BoolArray] = self._bins.spread(self._ordinary.astype(np.float64)) > 0.0
        """Bins with a place in the order, shape [columns, K]: the ordinary ones, `below` and `above`."""

    def __call__(self, counts: FloatArray) -> FloatArray:
        """Return the score of each bin, shape [columns, K] as the reference's `counts` (or shares).

        `below` and `above` have those of the outermost bins. NaN for bins without a place in the order.
        """
        ordinary = np.where(self._ordinary, counts, 0.0)
        total = ordinary.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            middle = (np.cumsum(ordinary, axis=1) - ordinary / 2.0) / total
        return self._bins.spread(np.where(self._ordinary, ndtri(np.where(self._ordinary, middle, 0.5)), np.nan))
