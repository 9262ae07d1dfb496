"""Arrays over one buffer of fixed size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]
WordArray = npt.NDArray[np.uint64]
Buffer = bytearray | memoryview | WordArray
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
        sizes = [-(-field.size_bytes // _ALIGNMENT) * _ALIGNMENT for field in fields]
        *offsets, self.size_bytes = accumulate(sizes, initial=0)
        self.words: Final = self.size_bytes // 8
        """Words of eight bytes that the arrays take."""
        self.offsets: Final = dict(zip([field.name for field in fields], offsets, strict=True))

    @property
    def record(self) -> np.dtype[np.void]:
        """All of them as one value; a layout of more than 2 GiB has none."""
        formats = [(field.dtype, field.shape) for field in self.fields]
        names, offsets = [*self.offsets], [*self.offsets.values()]
        return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": self.size_bytes})

    def arrays(self, buffer: Buffer) -> Arrays:
        """Return the arrays as views of `buffer`, which must hold `size_bytes`."""
        return {
            own.name: np.frombuffer(buffer, own.dtype, math.prod(own.shape), self.offsets[own.name]).reshape(own.shape)
            for own in self.fields
        }

    def packed(self, arrays: Mapping[str, Any]) -> WordArray:
        """Return the words of a buffer that holds these arrays."""
        words = np.zeros(self.words, np.uint64)
        for name, view in self.arrays(words).items():
            view[...] = arrays[name]
        return words
