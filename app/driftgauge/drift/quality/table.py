"""Rows of a table that violate constraints, counted while the table is read part by part."""

from __future__ import annotations

from typing import Final

import numpy as np

from driftgauge.drift.quality.checker import EXAMPLES, Checker, TableFindings
from driftgauge.drift.quality.duplicates import HashArray, distinct
from driftgauge.drift.quality.report import Example
from driftgauge.drift.windows.window import Rows, Window


class TableCounts:
    """Counts all rows of a table, of which a window may hold a sample alone."""

    def __init__(self, checker: Checker) -> None:
        """Count for a checker."""
        self._checker: Final = checker
        self._found = np.zeros(len(checker))
        self._rows = 0
        self._examples: Final[dict[int, tuple[Example, ...]]] = {}
        self._hashes: HashArray = np.empty(0, dtype=np.uint64)
        """Those of the newest rows, among which duplicates are looked for."""

    def add(self, rows: Rows, first: int) -> None:
        """Add rows; `first` is the number of the first one in its table."""
        checker = self._checker
        counts = checker.baseline.binner.counts(rows.codes)
        part = Window("part", len(rows), None, None, counts, rows, capacity=len(rows))
        hashes = checker.hashes(rows) if checker.has_duplicates else self._hashes[:0]
        found = checker.violations(part, hashes[:0])  # duplicates are counted over all parts
        self._hashes = np.append(self._hashes, hashes)[-checker.most_compared :]
        self._found += found
        self._rows += len(rows)
        for place in np.flatnonzero(found[: len(checker.items)] > 0.0).tolist():
            self._show(place, rows, first)

    def _show(self, place: int, rows: Rows, first: int) -> None:
        held = self._examples.get(place, ())
        if len(held) < EXAMPLES:
            item = self._checker.items[place]
            more = self._checker.examples(item, rows, self._checker.violating(item, rows), first)
            new = [own for own in more if own.value not in {old.value for old in held}]
            self._examples[place] = (*held, *new)[:EXAMPLES]

    def findings(self) -> TableFindings:
        """Return what all rows so far have of each constraint."""
        found, checked = self._found.copy(), np.full(len(self._checker), float(self._rows))
        if self._checker.has_duplicates:
            checked[-1] = len(self._hashes)
            found[-1] = len(self._hashes) - distinct(self._hashes)
        return TableFindings(found, checked, dict(self._examples))
