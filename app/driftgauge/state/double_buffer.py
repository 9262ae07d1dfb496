"""Double buffer: arrays that are written completely or not at all.

The writer fills the older of two copies, adds its checksum, and makes it the newer one by writing one number. So
readers, and the successor of a killed writer, always find a complete copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from driftgauge.common.layout import Arrays, Field, Layout, WordArray
from driftgauge.errors import DriftgaugeError
from driftgauge.state.failpoints import Failpoint, no_failpoint

_TRIES: Final = 8
_LARGEST: Final = 2**62


class Damaged(DriftgaugeError):
    """Saved state fails its checks."""


def multipliers(words: int) -> WordArray:
    """Return the odd factors of a checksum: the sum of each word times its factor, modulo 2**64."""
    return np.random.default_rng(0).integers(0, 2**64, words, dtype=np.uint64) | np.uint64(1)


class DoubleBuffer:
    """Two copies of some arrays in a buffer, for one writer at a time and any number of readers."""

    def __init__(self, name: str, layout: Layout, arrays: Arrays, failpoint: Failpoint = no_failpoint) -> None:
        """Use the arrays that `double_buffer_fields` declares under this name."""
        self.name: Final = name
        self._failpoint = failpoint
        self._layout = layout
        self._sequence, self._checks, self._copies = (
            arrays[f"{name}_{own}"] for own in ("sequence", "checks", "copies")
        )
        self._multipliers = multipliers(layout.words + 1)

    @property
    def sequence(self) -> int:
        """Number of the newest copy."""
        return int(self._sequence[0])

    @property
    def stamp(self) -> tuple[int, int]:
        """Number and checksum of the newest copy, which no other copy shares, even after damage to the number."""
        sequence = self.sequence
        return sequence, int(self._checks[sequence % 2])

    def write(self, arrays: Mapping[str, Any]) -> None:
        """Write all fields."""
        self.write_words(self._layout.packed(arrays))

    def write_words(self, words: WordArray) -> None:
        """Write all fields from an array in their layout."""
        before = self.sequence
        sequence = before + 1 if 0 <= before < _LARGEST else 1  # an implausible number restarts at 1
        self._copies[sequence % 2] = words
        self._failpoint(f"{self.name}.copied")
        self._checks[sequence % 2] = self._check(words, sequence)
        self._failpoint(f"{self.name}.checked")
        self._sequence[0] = sequence
        self._failpoint(f"{self.name}.published")

    def _check(self, words: WordArray, sequence: int) -> int:
        return (int(words @ self._multipliers[:-1]) + sequence * int(self._multipliers[-1])) % 2**64

    def read(self) -> tuple[int, Arrays]:
        """Return the number and the arrays, read-only, of the newest complete copy; Damaged without one."""
        sequence, words = self.read_words()
        words.flags.writeable = False
        return sequence, self._layout.arrays(words)

    def read_words(self) -> tuple[int, WordArray]:
        """Return the same as an array in the layout of the fields.

        A copy may be overwritten while it is read, so this tries again: the only retry of the package.
        """
        for _ in range(_TRIES):
            newest = self.sequence
            for sequence in (newest, newest - 1):
                if 1 <= sequence <= _LARGEST:
                    words = self._copies[sequence % 2].copy()
                    if int(self._checks[sequence % 2]) == self._check(words, sequence):
                        return sequence, words
        raise Damaged(f"no copy of the {self.name} fits its checksum")


def double_buffer_fields(name: str, layout: Layout) -> list[Field]:
    """Return the arrays that two copies of a layout take."""
    sizes = {"sequence": ("i8", (1,)), "checks": ("u8", (2,)), "copies": ("u8", (2, layout.words))}
    return [Field(f"{name}_{own}", dtype, shape) for own, (dtype, shape) in sizes.items()]
