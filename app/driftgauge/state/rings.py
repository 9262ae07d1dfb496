"""Rings of records: each has a number and a checksum, so a torn or damaged one is recognised by itself.

Record n lies at place n modulo the capacity. One process writes at a time; readers need no lock.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from driftgauge.common.layout import Field, Layout, WordArray
from driftgauge.drift.bins import BoolArray, IntArray
from driftgauge.state.double_buffer import multipliers
from driftgauge.state.failpoints import Failpoint

_CHECK, _NUMBER, _CONTENT = range(3)
"""Words of a record."""
Records = npt.NDArray[np.void]
"""Records of a layout, by the names of its fields."""


class Ring:
    """The newest records of a layout in a buffer."""

    def __init__(self, layout: Layout, words: WordArray, failpoint: Failpoint) -> None:
        """Use the array that `ring_field` declares."""
        self._layout = layout
        self._words = words
        self._failpoint = failpoint
        self._multipliers = multipliers(layout.words + 2)
        self.capacity: Final = len(words)

    def write(self, numbers: IntArray, words: WordArray) -> None:
        """Write records, shape [n, words of the layout]: over those that have their places."""
        records = np.column_stack([np.zeros(len(numbers), np.uint64), numbers.astype(np.int64).view(np.uint64), words])
        places = numbers % self.capacity
        self._words[places, _NUMBER:] = records[:, _NUMBER:]
        self._failpoint("history.written")
        self._words[places, _CHECK] = self._checks(records)
        self._failpoint("history.recorded")

    def empty(self, places: IntArray) -> None:
        """Remove the records at some places."""
        self._words[places] = 0

    def _checks(self, records: WordArray) -> WordArray:
        # The last term is what tells a record of zeros from an empty place.
        checks: WordArray = records[:, _NUMBER:] @ self._multipliers[:-1] + self._multipliers[-1]
        return checks

    def _read(self, places: IntArray) -> tuple[WordArray, BoolArray]:
        """Return a copy of the records at some places, and which of them are whole."""
        records = self._words[places]
        here = records[:, _NUMBER].view(np.int64) % self.capacity == places
        whole: BoolArray = here & (self._checks(records) == records[:, _CHECK])
        return records, whole

    def numbers(self) -> IntArray:
        """Return the number at each place; that of an empty or damaged one means nothing."""
        return self._words[:, _NUMBER].astype(np.int64)

    def newest(self) -> int | None:
        """Return the number of the newest record, None without any."""
        numbers = self.numbers()
        here = np.flatnonzero(numbers % self.capacity == np.arange(self.capacity))
        for place in here[np.argsort(numbers[here])][::-1]:
            if self._read(np.array([place]))[1][0]:
                return int(numbers[place])
        return None

    def find(self, numbers: IntArray) -> tuple[IntArray, Records]:
        """Return those of the numbers that there are records of, and the records."""
        records, whole = self._read(numbers % self.capacity)
        whole &= records[:, _NUMBER].view(np.int64) == numbers
        return numbers[whole], self._content(records[whole])

    def held(self) -> tuple[IntArray, Records]:
        """Return the numbers of the newest records, ascending, and the records."""
        records, whole = self._read(np.arange(self.capacity))
        records = records[whole]
        numbers = records[:, _NUMBER].astype(np.int64)
        order = np.argsort(numbers)
        order = order[numbers[order] > numbers[order[-1:]] - self.capacity]
        return numbers[order], self._content(records[order])

    def _content(self, records: WordArray) -> Records:
        content = np.ascontiguousarray(records[:, _CONTENT:])
        return content.view(self._layout.record)[:, 0] if len(content) else np.empty(0, self._layout.record)

    def packed(self, arrays: dict[str, Any]) -> WordArray:
        """Return one record of these arrays as `write` takes it, shape [1, words]."""
        return self._layout.packed(arrays)[np.newaxis]


def ring_field(name: str, capacity: int, layout: Layout) -> Field:
    """Return the array of a ring."""
    return Field(name, "u8", (capacity, layout.words + _CONTENT))
