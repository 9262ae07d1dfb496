"""Rows of CSV in the bodies of requests and answers, without a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import Any, Final

import orjson

from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.edges.formats.ingest.features import FeatureOrder
from driftgauge.errors import Reason, Refused

_NESTED: Final = re.compile(r"[\[\]{}\"]")
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

    def _numbers(self, text: str) -> Sequence[list[Any]] | None:
        """Return rows of numbers as JSON reads them, which is faster; None for anything else."""
        if _NESTED.search(text):
            return None
        lines = [line for line in text.splitlines() if line and not line.isspace()]
        try:
            rows = orjson.loads(f"[[{'],['.join(lines)}]]") if lines else []
        except orjson.JSONDecodeError:
            return None
        return [self._order.in_order(row) for row in rows] or None

    def _row(self, cells: list[str]) -> list[Any]:
        return [
            (None if cell in _MISSING else cell) if is_text else cell_value(cell)
            for cell, is_text in zip(cells, self._are_texts, strict=True)
        ]


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
