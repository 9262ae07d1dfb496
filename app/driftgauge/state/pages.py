"""Pages: arrays of one layout, with two copies each.

A page is written beside its current copy. The table says which copy is current, so writing the table switches all
pages at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from driftgauge.common.layout import Field, Layout, WordArray
from driftgauge.drift.bins import BoolArray, IntArray
from driftgauge.drift.windows.buckets import NEVER
from driftgauge.state.double_buffer import multipliers
from driftgauge.state.failpoints import Failpoint

Page = tuple[int, Mapping[str, Any]]
"""The number of a page's content and its arrays."""


@dataclass(frozen=True)
class PageTable:
    """What each page holds, and where."""

    numbers: IntArray
    """The number of the content, such as that of a bucket; NEVER for an empty page. Shape [pages]."""
    copy: IntArray
    """Which of its two copies is current, shape [pages]."""
    checks: WordArray
    """The checksum of that copy, shape [pages]."""

    @classmethod
    def start(cls, pages: int) -> PageTable:
        """Return the table of empty pages."""
        return cls(np.full(pages, NEVER), np.zeros(pages, np.int64), np.zeros(pages, np.uint64))

    def without(self, places: IntArray | slice) -> PageTable:
        """Return the table with some pages empty."""
        numbers = self.numbers.copy()
        numbers[places] = NEVER
        return replace(self, numbers=numbers)


class Pages:
    """Pages in a buffer; one process writes at a time."""

    def __init__(self, layout: Layout, words: WordArray, failpoint: Failpoint) -> None:
        """Use words of shape [2, pages, words of a page]."""
        self._layout = layout
        self._words = words
        self._failpoint = failpoint
        self._multipliers = multipliers(layout.words)

    def written(self, table: PageTable, pages: Mapping[int, Page]) -> PageTable:
        """Write pages, by their places, beside their current copies; return the table that makes them current."""
        numbers, copy, checks = table.numbers.copy(), table.copy.copy(), table.checks.copy()
        for place, (number, arrays) in pages.items():
            words = self._layout.packed(arrays)
            numbers[place], copy[place] = number, 1 - copy[place]
            self._words[copy[place], place] = words
            checks[place] = words @ self._multipliers
            self._failpoint("checkpoint.page")
        return PageTable(numbers, copy, checks)

    def words(self, table: PageTable, places: IntArray) -> tuple[WordArray, BoolArray]:
        """Return the words of the pages at some places that fit their checksums, and which of the places do."""
        words = self._words[table.copy[places], places]
        whole: BoolArray = words @ self._multipliers == table.checks[places]
        return (words if whole.all() else words[whole]), whole


def page_field(name: str, pages: int, layout: Layout) -> Field:
    """Return the array that both copies of some pages take."""
    return Field(name, "u8", (2, pages, layout.words))
