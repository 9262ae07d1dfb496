"""Arrays that are written as a whole or not at all: two copies in turn, each with a checksum.

The writer fills the older copy and then makes it the newer one with a single number. So concurrent readers, and the
successor of a killed writer, always find a complete copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from driftgauge.errors import DriftgaugeError
from driftgauge.state.layout import Field, Layout

Arrays = dict[str, npt.NDArray[Any]]
WordArray = npt.NDArray[np.uint64]

_TRIES: Final = 8
_LARGEST: Final = 2**62


class Damaged(DriftgaugeError):
    """What should have been kept is not there: no copy fits its checksum, or counts contradict one another."""


def multipliers(words: int, seed: int = 0) -> WordArray:
    """Return odd numbers that make a checksum of so many words: the sum of products, modulo 2**64."""
    numbers = np.random.default_rng(seed).integers(0, 2**64, words, dtype=np.uint64)
    return numbers | np.uint64(1)


class Versions:
    """Two copies of some arrays in a buffer; one writer at a time, any number of readers."""

    def __init__(
        self,
        name: str,
        fields: Sequence[Field],
        arrays: Mapping[str, npt.NDArray[Any]],
        reach: Callable[[str], None] = lambda point: None,
    ) -> None:
        """Take the arrays that `version_fields` describes under this name.

        `reach` is told when a copy is made (`NAME.copied`) and when it has its checksum (`NAME.checked`).
        """
        self.name: Final = name
        self._reach = reach
        self._layout = Layout(fields)
        self._sequence: npt.NDArray[np.int64] = arrays[f"{name}_sequence"]
        self._checks: WordArray = arrays[f"{name}_checks"]
        self._copies: WordArray = arrays[f"{name}_copies"]
        self._views = [self._layout.arrays(copy) for copy in self._copies]
        self._multipliers = multipliers(self._copies.shape[1] + 1)

    @property
    def sequence(self) -> int:
        """How often it was written."""
        return int(self._sequence[0])

    def write(self, arrays: Mapping[str, Any]) -> None:
        """Write all fields anew."""
        sequence = self._next()
        for name, view in self._views[sequence % 2].items():
            view[...] = arrays[name]
        self._publish(sequence)

    def write_words(self, words: WordArray) -> None:
        """Write all fields anew from a buffer of their layout."""
        sequence = self._next()
        self._copies[sequence % 2] = words
        self._publish(sequence)

    def _next(self) -> int:
        """Return the next sequence number; an implausible one restarts at 1."""
        sequence = self.sequence
        return sequence + 1 if 0 <= sequence < _LARGEST else 1

    def _publish(self, sequence: int) -> None:
        self._reach(f"{self.name}.copied")
        self._checks[sequence % 2] = self._check(self._copies[sequence % 2], sequence)
        self._reach(f"{self.name}.checked")
        self._sequence[0] = sequence

    def _check(self, words: WordArray, sequence: int) -> np.uint64:
        total: np.uint64 = np.dot(words, self._multipliers[:-1])
        return np.uint64((int(total) + sequence * int(self._multipliers[-1])) % 2**64)

    def read(self) -> tuple[int, Arrays]:
        """Return the newest whole copy and how often it had been written then; Damaged if there is none."""
        sequence, words = self.read_words()
        words.flags.writeable = False
        return sequence, self._layout.arrays(words)

    def read_words(self) -> tuple[int, WordArray]:
        """Return the same as a buffer of the fields' layout."""
        for _ in range(_TRIES):
            sequence = self.sequence
            for found in (sequence, sequence - 1):
                if (words := self._copy(found)) is not None:
                    return found, words
        raise Damaged(f"no copy of the {self.name} fits its checksum")

    def read_newest(self) -> tuple[int, Arrays]:
        """Return the newest copy and its number; Damaged if that is not whole, whatever the one before is."""
        for _ in range(_TRIES):
            sequence = self.sequence
            words = self._copy(sequence)
            if words is not None:
                words.flags.writeable = False
                return sequence, self._layout.arrays(words)
        raise Damaged(f"the newest copy of the {self.name} does not fit its checksum")

    def _copy(self, sequence: int) -> WordArray | None:
        """Return the copy of a turn, or None if it is not whole."""
        if not 1 <= sequence <= _LARGEST:
            return None
        words = self._copies[sequence % 2].copy()
        return words if self._checks[sequence % 2] == self._check(words, sequence) else None


def version_fields(name: str, fields: Sequence[Field]) -> list[Field]:
    """Return the arrays that two copies of some fields take."""
    words = -(-Layout(fields).size_bytes // 8)
    return [
        Field(f"{name}_sequence", "i8", (1,)),
        Field(f"{name}_checks", "u8", (2,)),
        Field(f"{name}_copies", "u8", (2, words)),
    ]
