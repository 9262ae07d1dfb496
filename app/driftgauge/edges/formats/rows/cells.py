"""Cells of Python values: numbers and categories of one column, as the monitor counts them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from driftgauge.common.quoting import bounded_name, shortened
from driftgauge.drift.bins import FloatArray, category_name
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.errors import Reason, Refused
from driftgauge.models.categories import other_names

_KNOWN: Final = 10_000
"""Categories whose bins a column remembers; more would be text that differs from row to row."""
_KNOWN_LENGTH: Final = 200
"""Most characters of such a category."""


_NO_NUMBERS: Final = (str, np.character, np.complexfloating, np.datetime64, np.timedelta64)
"""Types that numpy would convert to a number all the same."""


class BinName(str):
    """The name of a bin, as the prediction log has it in place of a category's own."""

    __slots__ = ()


class TextLength(int):
    """The number of a text's characters, as the prediction log has it in place of the text."""

    __slots__ = ()


class NumberCells:
    """Reads the cells of a numeric column."""

    def __init__(self, column: ColumnBaseline) -> None:
        self.name: Final = column.name
        self.of_text: Final = column.of_text

    def of(self, values: Sequence[Any]) -> FloatArray:
        """Return numbers, NaN for missing ones, shape [n]; raises Refused, naming the field and the row."""
        cells = _as_array(values)
        if cells is None or self.of_text:
            cells = np.array([self._number(value, row) for row, value in enumerate(values)], dtype=np.float64)
        infinite = np.isinf(cells)
        if infinite.any():
            row = int(infinite.argmax())
            raise Refused(
                Reason.NOT_FINITE,
                f"{bounded_name(self.name)}: {cells[row]} is not a finite number; give None for a missing value",
                {"field": self.name, "row": row},
            )
        return cells

    def _number(self, value: Any, row: int) -> float:
        if is_missing(value):
            return math.nan
        if self.of_text:
            if isinstance(value, str | TextLength):
                return float(len(value) if isinstance(value, str) else value)
        elif (number := _number_of(value)) is not None:
            return number
        wanted = "a text" if self.of_text else "a number"
        raise Refused(
            Reason.WRONG_TYPE,
            f"{bounded_name(self.name)}: expected {wanted} or None, got {type_name(value)}",
            {"field": self.name, "row": row},
        )


class CategoryCells:
    """Reads the cells of a categorical column."""

    def __init__(self, column: ColumnBaseline) -> None:
        self.name: Final = column.name
        self._bins = column.bins
        self._others = other_names(column.bins.categories)
        """Names of categories that spell a number or a boolean otherwise: `True` for true."""
        self.codes: Final[dict[Any, float]] = {name: float(i) for i, name in enumerate(column.bins.categories)}
        """Bin codes by category: of those that have a bin, and of others that were seen."""

    def of(self, values: Sequence[Any]) -> FloatArray:
        """Return bin codes, NaN for missing ones, shape [n]; raises Refused, naming the field and the row."""
        if isinstance(values, np.ndarray):
            values = values.tolist()
        known = self.codes
        try:
            codes = [known[value] if type(value) is str else self._code(value, 0) for value in values]
            return np.array(codes, dtype=np.float64)
        except (KeyError, Refused):
            return np.array([self._code(value, row) for row, value in enumerate(values)], dtype=np.float64)

    def _code(self, value: Any, row: int) -> float:
        if is_missing(value):
            return math.nan
        if type(value) is BinName and value in self._bins.names:
            return float(self._bins.names.index(value))
        if isinstance(value, np.generic):
            value = value.item()
        if not isinstance(value, str | bool | int | float):
            raise Refused(
                Reason.WRONG_TYPE,
                f"{bounded_name(self.name)}: expected a text, a number, a boolean or None, got {type_name(value)}",
                {"field": self.name, "row": row},
            )
        if isinstance(value, float) and math.isinf(value):
            raise Refused(
                Reason.NOT_FINITE,
                f"{bounded_name(self.name)}: {value} is not a finite number; give None for a missing value",
                {"field": self.name, "row": row},
            )
        name = self._name(value, row)
        if not isinstance(value, str):
            name = self._others.get(name, name)
        code = self.codes.get(name)
        if code is None:
            code = float(self._bins.category_code(name))
        if len(self.codes) < _KNOWN and type(value) in (str, int) and len(name) <= _KNOWN_LENGTH:
            self.codes[value] = code
        return code

    def _name(self, value: Any, row: int) -> str:
        try:
            name = str(category_name(value))
            name.encode()
        except ValueError as error:  # half a surrogate pair, or an integer of thousands of digits
            raise Refused(
                Reason.WRONG_TYPE,
                f"{bounded_name(self.name)}: this {type(value).__name__} cannot be written as text: {error}",
                {"field": self.name, "row": row},
            ) from None
        return name


Cells = NumberCells | CategoryCells


def cells_of(column: ColumnBaseline) -> Cells:
    """Return the reader of a column's cells."""
    return CategoryCells(column) if column.kind == "categorical" else NumberCells(column)


def is_missing(value: Any) -> bool:
    """Say whether a value stands for a missing one: None, NaN, pandas' NA or NaT."""
    if value is None or value is np.ma.masked:
        return True
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return type(value).__name__ in ("NAType", "NaTType")


def type_name(value: Any) -> str:
    """Describe a value's type, for a message."""
    if isinstance(value, str):
        return f"the text {shortened(str(value))!r}"
    return shortened(type(value).__name__)


def _number_of(value: Any) -> float | None:
    """Return what can be converted to a number, such as a Decimal or a tensor without dimensions; None for others."""
    if isinstance(value, _NO_NUMBERS) or getattr(value, "ndim", None) or not hasattr(value, "__float__"):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return None


def _as_array(values: Sequence[Any]) -> FloatArray | None:
    """Return values as float64 if numpy holds them as numbers, else None; it must not parse text."""
    array = values if isinstance(values, np.ndarray) else None
    if array is None:
        array = np.asarray(values) if set(map(type, values)) <= {float, int, bool} else None
    if array is None or array.dtype.kind not in "fiub" or array.ndim != 1:
        return None
    return array.astype(np.float64, copy=False)
