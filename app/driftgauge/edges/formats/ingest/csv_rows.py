"""Rows of CSV in the bodies of requests and answers, without a header."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any, Final

import orjson

from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.edges.formats.ingest.features import FeatureOrder
from driftgauge.errors import Reason, Refused

_NO_NUMBERS: Final = ("{", "}", '"')
_MISSING: Final = frozenset({"", "nan", "NaN", "null", "None", "NA", "N/A"})


class CsvRows:
    """Reads rows of features in the baseline's order."""

    def __init__(self, baseline: Baseline, order: FeatureOrder) -> None:
        self._order: Final = order
        self._are_texts: Final = [
            column.kind == "categorical" or column.of_text for column in baseline.columns if column.name not in RESERVED
        ]
        self._is_numeric: Final = not any(self._are_texts)

    def of(self, text: str) -> Sequence[list[Any]]:
        """Return the rows of a text; raises Refused."""
        rows = self._numbers(text) if self._is_numeric else None
        if rows is not None:
            return rows
        lines = lines_of(text)
        if lines and tuple(lines[0]) == self._order.names:
            lines = lines[1:]  # a header
        if not lines:
            raise Refused(Reason.EMPTY_BATCH, "the CSV has no rows")
        return [self._row(self._order.in_order(cells)) for cells in lines]

    def of_lines(self, texts: Sequence[str]) -> Sequence[list[Any]] | None:
        """Return the row of each text; None unless each is one line of as many numbers as there are features."""
        lines = list(map(str.strip, texts))
        if not self._is_numeric or "" in lines or len("\n".join(lines).splitlines()) != len(lines):
            return None
        rows = _as_json(lines)
        return rows if rows is not None and set(map(len, rows)) == {self._order.width} else None

    def _numbers(self, text: str) -> Sequence[list[Any]] | None:
        """Return rows of numbers as JSON reads them, which is faster; None for anything else."""
        rows = _as_json([line for line in text.splitlines() if line and not line.isspace()])
        return [self._order.in_order(row) for row in rows] if rows else None

    def _row(self, cells: list[str]) -> list[Any]:
        return [
            (None if cell in _MISSING else cell) if is_text else cell_value(cell)
            for cell, is_text in zip(cells, self._are_texts, strict=True)
        ]


def _as_json(lines: Sequence[str]) -> list[list[Any]] | None:
    """Return lines of numbers as JSON reads them, None if they are anything else."""
    joined = "],[".join(lines)
    commas = len(lines) - 1
    if joined.count("[") != commas or joined.count("]") != commas or any(mark in joined for mark in _NO_NUMBERS):
        return None
    try:
        rows: list[list[Any]] = orjson.loads(f"[[{joined}]]") if lines else []
    except orjson.JSONDecodeError:
        return None
    return rows


def cell_numbers(cells: Sequence[str]) -> list[float] | None:
    """Return cells as numbers; None unless each is one."""
    if any("_" in cell for cell in cells):
        return None
    try:
        return list(map(float, cells))
    except ValueError:
        return None


def lines_of(text: str) -> list[list[str]]:
    """Return the cells of each line that is not empty."""
    if '"' in text:
        try:
            return [cells for cells in csv.reader(text.splitlines(), skipinitialspace=True, strict=True) if cells]
        except csv.Error as error:
            raise Refused(Reason.UNKNOWN_SHAPE, f"the CSV cannot be read: {error}") from error
    return [line.split(",") for line in text.splitlines() if line.strip()]


def cell_value(cell: str) -> Any:
    """Return a cell as a number if it is one, None if it stands for a missing value, else as text."""
    cell = cell.strip()
    if cell in _MISSING:
        return None
    try:
        return cell if "_" in cell else float(cell)
    except ValueError:
        return cell
