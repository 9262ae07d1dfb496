"""Arrays over one buffer of fixed size, and the counters that live in some of them."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from mmap import mmap
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from driftgauge.drift.bins import FloatArray
from driftgauge.metrics.metrics import Stored

Buffer = bytearray | memoryview | mmap | npt.NDArray[np.uint64]
"""Bytes that arrays can be views of; they are read-only where it is."""
_ALIGNMENT: Final = 64


@dataclass(frozen=True)
class Field:
    """One array of a layout."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes that the array takes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class Layout:
    """Where each array lies in a buffer; every one starts on a cache line."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields: Final = tuple(fields)
        self.offsets: Final[dict[str, int]] = {}
        offset = 0
        for field in self.fields:
            self.offsets[field.name] = offset
            offset += -(-field.size_bytes // _ALIGNMENT) * _ALIGNMENT
        self.size_bytes: Final = offset

    def arrays(self, buffer: Buffer) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays as views of `buffer`, which must hold `size_bytes`."""
        return {
            field.name: np.frombuffer(
                buffer, dtype=field.dtype, count=math.prod(field.shape), offset=self.offsets[field.name]
            ).reshape(field.shape)
            for field in self.fields
        }


def counter_fields(series: Sequence[Stored]) -> list[Field]:
    """Return one float64 array [children, width] for each counter and histogram."""
    return [Field(spec.name, "f8", (len(spec.children), spec.width)) for spec in series]


class Counters:
    """Counters and histograms in arrays of a buffer, by the names that `metrics` declares."""

    def __init__(self, series: Sequence[Stored], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.series: Final = tuple(series)
        self._arrays: Final[dict[str, FloatArray]] = {spec.name: arrays[spec.name] for spec in series}
        self._children = {spec.name: {child: i for i, child in enumerate(spec.children)} for spec in series}
        self._buckets = {spec.name: np.array(spec.buckets) for spec in series}

    def has(self, name: str, *labels: str) -> bool:
        """Say whether a series was declared with such a child."""
        return labels in self._children[name]

    def add(self, name: str, amount: float = 1.0, *labels: str) -> None:
        """Add to a counter's child; KeyError for one that was not declared."""
        self._arrays[name][self._children[name][labels], 0] += amount

    def counter(self, name: str, *labels: str) -> Callable[[float], None]:
        """Return what adds to a counter's child, for where it is done often; KeyError for one not declared."""
        row = self._arrays[name][self._children[name][labels]]

        def add(amount: float) -> None:
            row[0] += amount

        return add

    def histogram(self, name: str, *labels: str) -> Callable[[float], None]:
        """Return what counts a single value in a histogram's child; KeyError for one not declared."""
        row = self._arrays[name][self._children[name][labels]]
        buckets = self._buckets[name].tolist()

        def observe(value: float) -> None:
            row[bisect_left(buckets, value)] += 1.0
            row[-1] += value

        return observe

    def observe(self, name: str, values: FloatArray | Sequence[float] | float, *labels: str) -> None:
        """Count values, a number or shape [n], in a histogram's buckets (`le`) and its sum."""
        row = self._arrays[name][self._children[name][labels]]
        numbers = np.atleast_1d(np.asarray(values, dtype=np.float64))
        places = np.searchsorted(self._buckets[name], numbers, side="left")
        row[:-1] += np.bincount(places, minlength=len(row) - 1)
        row[-1] += numbers.sum()

    def copy(self) -> dict[str, FloatArray]:
        """Return the numbers of this moment, shapes [children, width]."""
        return {name: array.copy() for name, array in self._arrays.items()}
