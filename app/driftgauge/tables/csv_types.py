"""Types of csv columns, inferred block by block from what their cells spell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.tables.cells import (
    BOOLEANS,
    KnownCategories,
    as_categories,
    cast_text,
    concatenated,
    own_names,
    without_nulls,
)
from driftgauge.tables.times import spelled_times_of_day, spelled_timestamps

CellType = Literal["nothing", "boolean", "number", "time", "text"]


class CsvColumn:
    """A csv column whose type is being inferred.

    Either all cells spell booleans, numbers or times, with many spellings of a missing value, or the column
    is text, where only an empty cell without quotes is missing. If a column turns out to be text late, it
    must be read again, because the earlier cells were kept as numbers only.
    """

    def __init__(self, known: Collection[str] | None = None) -> None:
        """Take the known categories if the column is categorical; None if its type is inferred."""
        self.must_be_read_again = False
        """Whether the column is text and earlier parts were not kept as text."""
        self._known: Final = known
        self._sort: CellType = "nothing"
        self._texts: list[pa.ChunkedArray] = []
        self._typed: list[pa.ChunkedArray] = []

    def add(self, texts: pa.ChunkedArray) -> None:
        """Add the next rows, null for an empty cell without quotes."""
        if self._known is not None or self._sort == "text":
            self._texts.append(texts)
        if self._sort == "text":
            return
        sort, typed = inferred(texts, self._sort)
        if sort == "text" or (typed is not None and self._conflicts(typed)):
            self._become_text(texts)
            return
        self._sort = sort
        if typed is not None:
            self._typed.append(typed)

    def _conflicts(self, typed: pa.ChunkedArray) -> bool:
        if pa.types.is_integer(typed.type) or pa.types.is_floating(typed.type) or pa.types.is_null(typed.type):
            return False
        return any(typed.type != other.type for other in self._typed if not pa.types.is_null(other.type))

    def _become_text(self, texts: pa.ChunkedArray) -> None:
        if self._known is None:
            self.must_be_read_again = bool(self._typed)
            self._texts = [texts]
        self._sort, self._typed = "text", []

    def done(self, read_again: pa.ChunkedArray | None = None) -> pa.ChunkedArray:
        """Return the column in its type; `read_again` is a text column read again."""
        if read_again is not None:
            return read_again
        texts = pa.chunked_array([chunk for part in self._texts for chunk in part.chunks], pa.string())
        if self._known is None:
            return texts if self._sort == "text" else concatenated(self._typed)
        distinct = [text for text in pc.unique(texts).to_pylist() if text is not None]
        names = _known_names(distinct, self._known)
        if self._sort == "boolean" and names is None:
            return concatenated(self._typed)
        if self._sort in ("boolean", "number"):
            return _renamed(texts, names or own_names(distinct))
        return texts


def _known_names(distinct: Sequence[str], known: Collection[str]) -> KnownCategories | None:
    """Return the known categories that occur in the cells, None if none does."""
    before = KnownCategories(known)
    meant = {before.written(text) for text in distinct}
    found = [name for name in known if name in meant]
    return KnownCategories(found) if found else None


def _renamed(texts: pa.ChunkedArray, names: KnownCategories) -> pa.ChunkedArray:
    found = as_categories(texts, "", names.written)
    indices = pa.array(found.codes, mask=found.codes < 0)
    encoded = pa.DictionaryArray.from_arrays(indices, pa.array(found.names, pa.string()))
    return pa.chunked_array([encoded.cast(pa.string())])


def inferred(texts: pa.ChunkedArray, before: CellType) -> tuple[CellType, pa.ChunkedArray | None]:
    """Return the type that texts spell and their values; `before` is the type of earlier texts."""
    number = _numbers(texts)
    if number is not None:
        sort: CellType = "number" if number.null_count < len(number) else "nothing"
        return _beside(before, sort, number)
    texts = without_nulls(texts)
    if texts.null_count == len(texts):
        return before, pa.chunked_array([pa.nulls(len(texts))])
    readings: tuple[tuple[CellType, Callable[[pa.ChunkedArray], pa.ChunkedArray | None]], ...] = (
        ("number", _numbers),
        ("boolean", _booleans),
        ("time", spelled_timestamps),
        ("time", spelled_times_of_day),
    )
    for sort, read in readings:
        typed = read(texts)
        if typed is not None:
            return _beside(before, sort, typed)
    return "text", None


def _beside(before: CellType, sort: CellType, typed: pa.ChunkedArray) -> tuple[CellType, pa.ChunkedArray | None]:
    if sort == "nothing":
        return before, pa.chunked_array([pa.nulls(len(typed))])
    return (sort, typed) if before in ("nothing", sort) else ("text", None)


def _numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray | None:
    numbers = cast_text(texts, pa.float64())
    if numbers is None:
        return None
    whole = cast_text(texts, pa.int64())
    return numbers if whole is None else whole


def _booleans(texts: pa.ChunkedArray) -> pa.ChunkedArray | None:
    spelled = pc.is_in(texts.drop_null(), pa.array(list(BOOLEANS)))
    if not pc.all(spelled).as_py():
        return None
    true = pa.array([text for text, meant in BOOLEANS.items() if meant == "true"])
    return pc.if_else(pc.is_null(texts), pa.scalar(None, pa.bool_()), pc.is_in(texts, true))
