"""KLL sketches of columns of numbers, by Apache DataSketches."""

from __future__ import annotations

import importlib
from itertools import pairwise
from typing import Any, Final

import numpy as np

from driftgauge.checks.sagemaker.statistics import (
    KllDistribution,
    NumberBucket,
    SketchContent,
    SketchParameters,
)
from driftgauge.drift.bins import FloatArray
from driftgauge.errors import CheckError

K: Final = 2048
"""Values of the highest level, as SageMaker has it."""
DECAY: Final = 2.0 / 3.0
"""By what part a level of DataSketches holds less than the level above it."""
BUCKETS: Final = 10


def datasketches() -> Any:
    """Return the library; CheckError says how to install it."""
    try:
        return importlib.import_module("datasketches")
    except ImportError as error:
        raise CheckError(
            "SageMaker's files hold sketches, and the library for them is missing: pip install 'driftgauge[sagemaker]'"
        ) from error


class NumberSketch:
    """The distribution of numbers, in bounded memory."""

    def __init__(self) -> None:
        self._sketch: Any = datasketches().kll_doubles_sketch(K)

    def add(self, values: FloatArray) -> None:
        """Add finite values, shape [n]."""
        if values.size:
            self._sketch.update(np.ascontiguousarray(values, dtype=np.float64))

    def content(self) -> SketchContent:
        """Return the kept values by level, in ascending order; one of level i stands for 2^i values."""
        levels: dict[int, list[float]] = {}
        for value, weight in self._sketch:
            levels.setdefault(int(weight).bit_length() - 1, []).append(float(value))
        data = tuple(tuple(sorted(levels.get(level, []))) for level in range(max(levels, default=-1) + 1))
        return SketchContent(parameters=SketchParameters(c=DECAY, k=float(K)), data=data)

    def distribution(self) -> KllDistribution:
        """Return the sketch, and equal buckets between the lowest and the highest value."""
        if self._sketch.is_empty():
            return KllDistribution()
        low, high = float(self._sketch.get_min_value()), float(self._sketch.get_max_value())
        bounds = np.linspace(low / 2.0, high / 2.0, BUCKETS + 1) * 2.0  # halved, so that their distance is finite
        bounds[0], bounds[-1] = low, high
        shares = self._shares(bounds)
        buckets = (
            NumberBucket(lower_bound=lower, upper_bound=upper, count=round(share * self._sketch.n))
            for (lower, upper), share in zip(pairwise(bounds.tolist()), shares, strict=True)
        )
        return KllDistribution(buckets=tuple(buckets), sketch=self.content())

    def _shares(self, bounds: FloatArray) -> list[float]:
        """Return the share of the values in each bucket; all are in the last one if the bounds do not ascend."""
        inner = bounds[1:-1]
        if not np.all(np.diff(bounds) > 0.0):
            return [0.0] * (BUCKETS - 1) + [1.0]
        shares: list[float] = self._sketch.get_pmf(inner.tolist(), False)
        return shares
