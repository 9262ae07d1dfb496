"""Arrays over one buffer of fixed size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from mmap import mmap
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from driftgauge.metrics.series import CounterSpec

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


def counter_fields(series: Sequence[CounterSpec]) -> list[Field]:
    """Return one float64 array [children, width] for each counter and histogram."""
    return [Field(spec.name, "f8", (len(spec.children), spec.width)) for spec in series]
