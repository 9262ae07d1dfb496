"""Counters and histograms in arrays of a buffer, by the names that `series` declares."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from driftgauge.common.layout import Field
from driftgauge.drift.bins import FloatArray
from driftgauge.metrics.series import CounterSpec


def counter_fields(series: Sequence[CounterSpec]) -> list[Field]:
    """Return one float64 array [children, width] for each counter and histogram."""
    return [Field(spec.name, "f8", (len(spec.children), spec.width)) for spec in series]


class Counters:
    """Counters and histograms in arrays of a buffer, by the names that `metrics` declares."""

    def __init__(self, series: Sequence[CounterSpec], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.series: Final = tuple(series)
        self._arrays: Final[dict[str, FloatArray]] = {spec.name: arrays[spec.name] for spec in series}
        self._children = {spec.name: {child: i for i, child in enumerate(spec.children)} for spec in series}
        self._buckets = {spec.name: np.array(spec.buckets) for spec in series}

    def has(self, name: str, *labels: str) -> bool:
        """Say whether a series was declared with such a child."""
        return labels in self._children.get(name, ())

    def add(self, name: str, amount: float = 1.0, *labels: str) -> None:
        """Add to a counter's child; KeyError for one that was not declared."""
        self._arrays[name][self._children[name][labels], 0] += amount

    def counter(self, name: str, *labels: str) -> Callable[[float], None]:
        """Return what adds to a counter's child, for where it is done often; KeyError for one not declared."""
        row: Any = self._arrays[name][self._children[name][labels]].data  # faster than numpy for single numbers

        def add(amount: float) -> None:
            row[0] += amount

        return add

    def histogram(self, name: str, *labels: str) -> Callable[[float], None]:
        """Return what counts a single value in a histogram's child; KeyError for one not declared."""
        row: Any = self._arrays[name][self._children[name][labels]].data
        buckets = self._buckets[name].tolist()

        def observe(value: float) -> None:
            row[bisect_left(buckets, value)] += 1.0
            row[-1] += value  # a sum that is too large is infinite, without numpy's warning

        return observe

    def observe(self, name: str, values: FloatArray | Sequence[float] | float, *labels: str) -> None:
        """Count values, a number or shape [n], in a histogram's buckets (`le`) and its sum."""
        row = self._arrays[name][self._children[name][labels]]
        numbers = np.atleast_1d(np.asarray(values, dtype=np.float64))
        positions = np.searchsorted(self._buckets[name], numbers, side="left")
        row[:-1] += np.bincount(positions, minlength=len(row) - 1)
        row[-1] += numbers.sum()

    def copy(self) -> dict[str, FloatArray]:
        """Return the numbers of this moment, shapes [children, width]."""
        return {name: array.copy() for name, array in self._arrays.items()}
