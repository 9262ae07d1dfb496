"""Rows of tables as a monitor observes them: numbers, category codes and scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.checks.scoring import Answers, Scorer
from driftgauge.drift.bins import MISSING, Bins, FloatArray, category_hash
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.errors import ColumnError, TableError
from driftgauge.tables.cells import KnownCategories, as_categories, as_numbers, text_lengths
from driftgauge.tables.stream import Part, TableSource
from driftgauge.tables.times import as_seconds


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a table."""

    values: FloatArray
    """Shape [rows, columns], categories as codes, NaN where missing."""
    at: FloatArray | None
    """Times in seconds since 1970, shape [rows]; None without a time column."""
    answers: Answers | None
    """The model's answers; None without the model."""
    first: int = 1
    """Number of the first row in its table, from 1."""


class RowReader:
    """Reads rows of tables by the kinds of a baseline's columns."""

    def __init__(self, baseline: Baseline, time: str | None, scorer: Scorer | None) -> None:
        self._columns: Final = {column.name: _Column(column) for column in baseline.columns}
        self.baseline: Final = baseline
        self._time = time
        self._scorer = scorer

    def needed(self, stream: TableSource) -> list[str]:
        """Return the columns of a table to read."""
        names = [name for name in self._columns if not self._is_scored(name, stream)]
        if self._time is not None:
            names.append(self._time)
        if self._scorer is not None:
            target = self._scorer.info.target
            names += [*self._scorer.features, *([target] if target in stream.column_names and target else [])]
        return list(dict.fromkeys(names))

    def read(self, stream: TableSource, part: Part) -> Rows:
        """Return rows as a monitor observes them; TableError names file, row and column."""
        try:
            return self._read(stream, part)
        except ColumnError as error:
            where = stream.label if error.row is None else f"{stream.label}, row {part.first + error.row - 1:,}"
            raise TableError(f"{where}: {error.name}: {error.problem}, {self._remedy(error.name)}") from error
        except TableError as error:
            rows = f"rows {part.first:,} to {part.first + part.table.num_rows - 1:,}"
            raise TableError(f"{stream.label}, {rows}: {error}") from error

    def _read(self, stream: TableSource, part: Part) -> Rows:
        values = np.empty((part.table.num_rows, len(self._columns)))
        answers = None if self._scorer is None else self._scorer.answers(part)
        for index, (name, column) in enumerate(self._columns.items()):
            if answers is not None and self._is_scored(name, stream):
                values[:, index] = answers.columns[:, RESERVED.index(name)]
            else:
                values[:, index] = column.cells(part)
        at = None if self._time is None else as_seconds(part.table[self._time], self._time)
        return Rows(values, at, answers, part.first)

    def _is_scored(self, name: str, stream: TableSource) -> bool:
        """Return whether the model predicts a score that the table lacks."""
        return self._scorer is not None and name in RESERVED and name not in stream.column_names

    def _remedy(self, name: str) -> str:
        found = next((column for column in self.baseline.columns if column.name == name), None)
        if found is None:
            return "which the model does not accept: correct it, or leave the model out (--no-predict)"
        had = "free text" if found.of_text else "numbers" if found.kind == "numeric" else "categories"
        return f"where the baseline has {had}: correct it, or leave the column out (--ignore {name})"


class _Column:
    """A column of the baseline and the meaning of its cells."""

    def __init__(self, baseline: ColumnBaseline) -> None:
        self._name = baseline.name
        self._numeric = baseline.kind == "numeric"
        self._of_text = baseline.of_text
        self._bins = baseline.bins
        self._names = known_categories(baseline)
        # If the reference has empty texts and no missing ones, an empty cell is an empty text.
        has_empty = not self._numeric and baseline.counts[self._bins.special[MISSING]] == 0 and knows(self._bins, "")
        self._gap = float(self._bins.category_code("")) if has_empty else math.nan

    def cells(self, part: Part) -> FloatArray:
        """Return the cells as a monitor observes them, shape [rows]."""
        cells = part.table[self._name]
        if self._of_text:
            return text_lengths(cells, self._name)
        if self._numeric:
            return as_numbers(cells, self._name)
        meant = self._names.written if self._name in part.written else self._names.typed
        found = as_categories(cells, self._name, meant)
        coded: FloatArray = np.append(self._bins.encode(found.names), self._gap)[found.codes]
        return coded


def known_categories(column: ColumnBaseline) -> KnownCategories:
    """Return the categories of a column of the baseline, and which of them a cell stands for."""
    return KnownCategories(column.bins.categories, lambda category: knows(column.bins, category))


def knows(bins: Bins, category: str) -> bool:
    """Return whether a category is one of the reference's."""
    return category in bins.categories or category_hash(category) in bins.tail
