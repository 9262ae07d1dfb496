"""The cells of some rows of a table, decoded once for all assertions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.drift.bins import BoolArray, FloatArray, category_hash, category_name
from driftgauge.errors import ColumnError
from driftgauge.tables.cells import (
    BOOLEANS,
    as_numbers,
    codes_of,
    dictionary_of,
    is_text,
    named,
    number_of,
    plain,
    without_nulls,
)
from driftgauge.tables.stream import Part

HashArray = npt.NDArray[np.uint64]
Decoded = TypeVar("Decoded")
MISSING_HASH: Final = np.uint64(0x9E3779B97F4A7C15)
"""Stands for a missing cell."""
_FRACTION: Final = np.uint64(0x5851F42D4C957F2D)
"""Tells numbers with a fraction from whole ones of the same bits."""
_WHOLE: Final = float(2**53)
"""Whole numbers up to this one are equal as floats and as integers."""


class Cells:
    """Some columns of consecutive rows; what is decoded of a column is kept for the next assertion."""

    def __init__(self, table: pa.Table, first: int, written: frozenset[str]) -> None:
        self._table = table
        self._written = written
        self.first: Final = first
        """Number of the first row in the table, from 1."""
        self.rows: Final[int] = table.num_rows
        self._kept: dict[tuple[str, str], Any] = {}

    @classmethod
    def of(cls, part: Part) -> Cells:
        """Return the cells of a part of a table."""
        return cls(part.table, part.first, part.written)

    def slice(self, rows: slice) -> Cells:
        """Return some consecutive rows."""
        if rows == slice(0, self.rows):
            return self
        return Cells(self._table.slice(rows.start, rows.stop - rows.start), self.first + rows.start, self._written)

    @property
    def names(self) -> list[str]:
        """Names of the columns that were read."""
        return list(self._table.column_names)

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column as it is stored."""
        return self._table[name]

    def is_written(self, name: str) -> bool:
        """Return whether a column is text as written, as in a csv file."""
        return name in self._written

    def numbers(self, name: str) -> FloatArray:
        """Return a column as numbers, NaN where missing; ColumnError names the first cell that is none."""
        return self._once("numbers", name, lambda: as_numbers(self.column(name), name))

    def texts(self, name: str) -> pa.ChunkedArray:
        """Return a column as text, null where missing."""
        return self._once("texts", name, lambda: self._texts(name))

    def classes(self, name: str) -> pa.DictionaryArray:
        """Return a column as classes: 1, 1.0 and true are the same one; null where missing."""
        return self._once("classes", name, lambda: _classes(self.column(name), name))

    def hashes(self, name: str) -> HashArray:
        """Return 64 bits for each cell; equal cells have equal ones, whole numbers of any type included."""
        return self._once("hashes", name, lambda: _hashes(self.column(name), name))

    def missing(self, name: str) -> BoolArray:
        """Return which cells are missing; in text as written, only empty cells without quotes."""
        return self._once("missing", name, lambda: _flags(pc.is_null(self.column(name), nan_is_null=True)))

    def _texts(self, name: str) -> pa.ChunkedArray:
        encoded = dictionary_of(self.column(name), name)
        names = pa.array([named(value) for value in encoded.dictionary.to_pylist()], pa.string())
        return pa.chunked_array([pc.take(names, encoded.indices)])

    def _once(self, what: str, name: str, decode: Callable[[], Decoded]) -> Decoded:
        if (what, name) not in self._kept:
            self._kept[what, name] = decode()
        found: Decoded = self._kept[what, name]
        return found


def class_name(value: Any) -> str | None:
    """Return the name of a class, the same for 1, 1.0, true and their spellings.

    >>> [class_name(value) for value in (True, "1.0", 1, "yes", " ", None)]
    ['1', '1', '1', 'yes', None, None]
    """
    name = named(value)
    if name is None or not name.strip():
        return None
    spelled = BOOLEANS.get(name)
    if spelled is not None:
        return "1" if spelled == "true" else "0"
    number = number_of(name)
    return name if number is None else category_name(number)


def _classes(cells: pa.ChunkedArray, name: str) -> pa.DictionaryArray:
    encoded = dictionary_of(cells, name)
    names = [class_name(value) for value in encoded.dictionary.to_pylist()]
    distinct = list(dict.fromkeys(one for one in names if one is not None))
    at = np.array([-1 if one is None else distinct.index(one) for one in names] + [-1], dtype=np.int64)
    codes = at[codes_of(encoded)]
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(distinct, pa.string()))


def spelled_missing(texts: pa.ChunkedArray) -> int:
    """Return how many texts spell a missing number: NA, null or a blank."""
    return int(without_nulls(texts).null_count)


def _flags(cells: pa.ChunkedArray) -> BoolArray:
    return np.asarray(cells.to_numpy(), dtype=np.bool_)


def _hashes(cells: pa.ChunkedArray, name: str) -> HashArray:
    cells = plain(cells)
    of = cells.type
    if pa.types.is_integer(of):
        filled = pc.fill_null(cells, 0)
        whole = filled.to_numpy().astype(np.uint64 if pa.types.is_uint64(of) else np.int64, copy=False)
        found = _mixed(whole.view(np.uint64))
    elif pa.types.is_floating(of):
        found = _hashed_floats(np.asarray(pc.fill_null(cells.cast(pa.float64()), 0.0).to_numpy(), dtype=np.float64))
    else:
        encoded = dictionary_of(cells, name)
        names = [named(value) for value in encoded.dictionary.to_pylist()]
        hashed = np.array([0 if one is None else category_hash(one) for one in names] + [0], dtype=np.uint64)
        return np.where((codes := codes_of(encoded)) < 0, MISSING_HASH, hashed[codes])
    missing = _flags(pc.is_null(cells, nan_is_null=True))
    return np.where(missing, MISSING_HASH, found)


def _hashed_floats(numbers: FloatArray) -> HashArray:
    whole = np.isfinite(numbers) & (np.abs(numbers) <= _WHOLE) & (np.floor(numbers) == numbers)
    as_integers = np.where(whole, numbers, 0.0).astype(np.int64).view(np.uint64)
    return np.where(whole, _mixed(as_integers), _mixed(numbers.view(np.uint64) ^ _FRACTION))


def _mixed(bits: HashArray) -> HashArray:
    """Return well-mixed bits (the finalizer of SplitMix64, which maps no two inputs to one output)."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def row_hashes(cells: Cells, names: list[str]) -> HashArray:
    """Return 64 bits for each row of some columns."""
    found: HashArray = np.zeros(cells.rows, dtype=np.uint64)
    for name in names:
        found = _mixed(found * np.uint64(31) + cells.hashes(name))
    return found


def type_name(of: pa.DataType) -> str:
    """Return what assertions call a type of Arrow."""
    of = of.value_type if pa.types.is_dictionary(of) else of
    kinds = {
        "integer": pa.types.is_integer,
        "float": pa.types.is_floating,
        "boolean": pa.types.is_boolean,
        "decimal": pa.types.is_decimal,
        "text": is_text,
        "date": pa.types.is_date,
        "timestamp": pa.types.is_timestamp,
        "time": pa.types.is_time,
        "duration": pa.types.is_duration,
        "nothing": pa.types.is_null,
        "nested": pa.types.is_nested,
    }
    return next((name for name, is_kind in kinds.items() if is_kind(of)), "bytes")


DTYPES: Final = (
    *("integer", "float", "number", "boolean", "decimal", "text", "date", "timestamp", "time", "duration"),
    *("nothing", "nested", "bytes", "mixed"),
)
"""What `dtype` is compared with; `number` is an integer or a float, `nothing` a column without values."""


def where(error: ColumnError, cells: Cells) -> str:
    """Return what is wrong with a column of these rows, with the row in its table."""
    at = "" if error.row is None else f"row {cells.first + error.row - 1:,}: "
    return f"{at}{error.name}: {error.problem}"
