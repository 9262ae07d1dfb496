"""The meaning of cells by the kind of their column, in every format."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from driftgauge.common.quoting import shortened
from driftgauge.drift.bins import FloatArray, category_name
from driftgauge.drift.reference.columns import Categories
from driftgauge.errors import ColumnError

NULLS: Final = frozenset({*pyarrow.csv.ConvertOptions().null_values, "None", "<NA>"})
"""Spellings of a missing number, boolean or time; in text only an empty cell without quotes is missing."""
BOOLEANS: Final = {"true": "true", "True": "true", "TRUE": "true", "false": "false", "False": "false", "FALSE": "false"}
"""Spellings of a boolean, with the category that each stands for."""
_TRIED: Final = 50
_SECONDS: Final = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_SPAN: Final = re.compile(r"\s*(?:(-?\d+) days?,? *)?(\+)?(?:(\d+):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?)?\s*", re.ASCII)


def is_text(of: pa.DataType) -> bool:
    """Return whether a type is one of Arrow's text types."""
    return bool(pa.types.is_string(of) or pa.types.is_large_string(of) or pa.types.is_string_view(of))


def is_bytes(of: pa.DataType) -> bool:
    """Return whether a type holds bytes, which may be text."""
    return bool(pa.types.is_binary(of) or pa.types.is_large_binary(of) or pa.types.is_fixed_size_binary(of))


def is_number(of: pa.DataType) -> bool:
    """Return whether a type counts as numeric, as durations and booleans do."""
    kinds = (
        *(pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null),
        pa.types.is_duration,
    )
    return any(is_kind(of) for is_kind in kinds)


def contents_of(of: pa.DataType) -> str:
    """Return in words what a column of this type holds."""
    if pa.types.is_timestamp(of) or pa.types.is_date(of):
        return "dates or times"
    if pa.types.is_time(of):
        return "times of day"
    if pa.types.is_nested(of):
        return "lists or objects"
    if is_bytes(of):
        return "bytes"
    return f"cells of type {of}"


def number_of(text: str) -> float | None:
    """Return the finite number that a text spells, else None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def is_missing(text: str) -> bool:
    """Return whether a text among numbers, booleans or times stands for a missing value."""
    return text.strip() in NULLS


def quoted(text: str) -> str:
    """Return a cell in quotes, short enough for a message."""
    return repr(shortened(text))


# ---------------------------------------------------------------- numbers


def as_numbers(cells: pa.ChunkedArray, name: str) -> FloatArray:
    """Return cells as float64, shape [rows], NaN where missing.

    Cells are numbers, booleans, time spans, times of day, or text that spells these. Integers that do not
    fit float64 are rounded; time spans and times of day become seconds. ColumnError names the first other
    cell.
    """
    cells = plain(cells)
    if is_text(cells.type):
        return _spelled_numbers(cells.cast(pa.string()), name)
    if pa.types.is_duration(cells.type) or pa.types.is_time(cells.type):
        whole = cells.cast(pa.int32()) if pa.types.is_time32(cells.type) else cells
        return floats(whole.cast(pa.int64()).cast(pa.float64(), safe=False)) / _SECONDS[cells.type.unit]
    if not is_number(cells.type):
        raise ColumnError(name, f"it holds {contents_of(cells.type)}")
    if pa.types.is_decimal(cells.type):  # Arrow's own cast is wrong in the last bit of one in seven
        cells = cells.cast(pa.string())
    return floats(cells.cast(pa.float64(), safe=False))


def floats(cells: pa.ChunkedArray) -> FloatArray:
    """Return numbers as float64, NaN where missing."""
    return np.asarray(cells.to_numpy(), dtype=np.float64)


def _spelled_numbers(texts: pa.ChunkedArray, name: str) -> FloatArray:
    found = cast_text(texts, pa.float64())
    if found is not None:
        return floats(found)
    texts = without_nulls(texts)
    for number, spelled in (("1", "true"), ("0", "false")):
        ways = pa.array([text for text, meant in BOOLEANS.items() if meant == spelled])
        texts = pc.if_else(pc.is_in(texts, ways), pa.scalar(number), texts)
    found = cast_text(texts, pa.float64())
    return _spelled_seconds(texts, name) if found is None else floats(found)


def cast_text(texts: pa.ChunkedArray, of: pa.DataType) -> pa.ChunkedArray | None:
    """Return texts cast to a type, None if one of them does not fit."""
    try:
        # A failing cast still reads every cell, which is slow; most fail on one of the first cells.
        texts[:_TRIED].cast(of)
        return texts.cast(of)
    except pa.ArrowInvalid:
        return None


def _spelled_seconds(texts: pa.ChunkedArray, name: str) -> FloatArray:
    """Return times of day and time spans as seconds, if all cells spell these."""
    encoded = dictionary_of(texts)
    distinct = encoded.dictionary.to_pylist()
    seconds = [seconds_of(text) for text in distinct]
    if any(value is None for value in seconds):
        codes = codes_of(encoded)
        wrong = [i for i, text in enumerate(distinct) if number_of(text) is None and not _is_infinite(text)]
        row = int(np.isin(codes, wrong).argmax())
        raise ColumnError(name, f"{quoted(distinct[codes[row]])} is not a number", row + 1)
    found: FloatArray = np.array([*seconds, math.nan], dtype=np.float64)[codes_of(encoded)]
    return found


def _is_infinite(text: str) -> bool:
    return text.lstrip("+-").lower() in ("inf", "infinity")


def seconds_of(text: str) -> float | None:
    """Return the seconds of a time such as `08:30`, `08:30:00.5` or `2 days 03:00:00`, else None."""
    found = _SPAN.fullmatch(text)
    if found is None or (found[1] is None and found[3] is None):
        return None
    days, _, hours, minutes, seconds = found.groups()
    return 86_400.0 * int(days or 0) + 3_600.0 * int(hours or 0) + 60.0 * int(minutes or 0) + float(seconds or 0.0)


def without_nulls(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return stripped texts, null where one stands for a missing value."""
    texts = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.is_in(texts, pa.array(sorted(NULLS))), pa.scalar(None, pa.string()), texts)


# ---------------------------------------------------------------- categories


class KnownCategories:
    """The known categories of a column, and which of them a cell stands for.

    A cell that is a known category as written stands for it. Otherwise 5.0 stands for 5 and True for true if
    these are known, and vice versa. If all known categories are numbers or booleans, NA is missing.
    """

    def __init__(self, known: Iterable[str], knows: Callable[[str], bool] | None = None) -> None:
        """Take the known categories; `knows` tests a name, if more are known than listed."""
        listed = frozenset(known)
        self._knows = knows or listed.__contains__
        plain = [number_of(name) is not None or name in BOOLEANS for name in listed]
        self._is_plain = bool(plain) and all(plain)

    def written(self, text: str) -> str | None:
        """Return the category of a csv cell, named as in a request; None if missing."""
        if self._knows(text):
            return text
        number = number_of(text)
        if number is None:
            name = self._boolean(BOOLEANS.get(text))
        else:
            ways = _plain_ways(number)
            fitting = [way for way in ways[: 2 if self._is_plain else 1] if text in ways and self._knows(way)]
            name = fitting[0] if fitting else None
        if name is not None:
            return name
        return None if self._is_plain and is_missing(text) else text

    def typed(self, value: Any) -> str | None:
        """Return the category of a value from a format with types."""
        name = named(value)
        if name is None or isinstance(value, str) or self._knows(name):
            return name
        if isinstance(value, bool):
            return self._boolean(name) or name
        return f"{name}.0" if self._knows(f"{name}.0") and number_of(name) is not None else name

    def _boolean(self, meant: str | None) -> str | None:
        """Return the known category that spells a boolean, else None."""
        return next((text for text, meaning in BOOLEANS.items() if meaning == meant and self._knows(text)), None)


def _plain_ways(number: float) -> tuple[str, str]:
    """Return a number's plain spellings: as in JSON, and as pandas writes integers among floats."""
    name = category_name(number) or ""
    return name, f"{name}.0"


def own_names(texts: Iterable[str]) -> KnownCategories:
    """Return the categories of a csv column, inferred from all its distinct cells.

    Booleans and plain numbers are named as in a request. If one cell is not a plain number (02134, 1.10, an
    integer beyond 2**53), all cells stay text.
    """
    present = [text for text in texts if not is_missing(text)]
    if present and all(text in BOOLEANS for text in present):
        return KnownCategories({BOOLEANS[text] for text in present})
    numbers = [(text, number_of(text)) for text in present]
    if all(number is not None for _, number in numbers):
        ways = {text: _plain_ways(number) for text, number in numbers if number is not None}
        is_plain = all(text in own for text, own in ways.items())
        return KnownCategories({name for name, _ in ways.values()} if is_plain else set(ways))
    return KnownCategories(())


def named(value: Any) -> str | None:
    """Return the category name of a value of any type, None if missing."""
    is_plain = value is None or isinstance(value, str | int | float | bool)
    return category_name(value) if is_plain else str(value)


def as_categories(cells: pa.ChunkedArray, name: str, meant: Callable[[Any], str | None] = named) -> Categories:
    """Return cells as categories, named by `meant`; ColumnError for lists and similar."""
    encoded = dictionary_of(cells, name)
    names = [None if value is None else meant(value) for value in encoded.dictionary.to_pylist()]
    distinct = tuple(sorted({one for one in names if one is not None}))
    index = {one: i for i, one in enumerate(distinct)}
    renamed = np.array([-1 if one is None else index[one] for one in names] + [-1], dtype=np.int64)
    return Categories(renamed[codes_of(encoded)], distinct)


def dictionary_of(cells: pa.ChunkedArray, name: str = "") -> pa.DictionaryArray:
    """Return cells as one dictionary-encoded array."""
    whole = cells.combine_chunks()
    if not pa.types.is_dictionary(whole.type):
        try:
            # Some writers store text as bytes.
            whole = whole.cast(pa.string()) if is_bytes(whole.type) else whole
            whole = pc.dictionary_encode(whole)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise ColumnError(name, f"it holds {contents_of(whole.type)}") from error
    return whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole


def codes_of(encoded: pa.DictionaryArray) -> Any:
    """Return the index of each cell's value, -1 where missing."""
    return np.asarray(pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def concatenated(parts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """Return the parts of a column as one, in their common type or as text."""
    types = {part.type for part in parts if not pa.types.is_null(part.type)}
    if len(types) <= 1:
        of = types.pop() if types else pa.null()
        return pa.chunked_array([chunk for part in parts for chunk in part.cast(of).chunks], of)
    parts = [plain(part) for part in parts]
    common = _common({part.type for part in parts if not pa.types.is_null(part.type)})
    if common is not None:
        return pa.chunked_array([chunk for part in parts for chunk in part.cast(common, safe=False).chunks], common)
    return pa.chunked_array([pa.array([named(value) for value in part.to_pylist()], pa.string()) for part in parts])


def _common(types: Collection[pa.DataType]) -> pa.DataType | None:
    """Return the common type of several types, None if only text can hold them."""
    if any(pa.types.is_nested(of) for of in types):
        return next(of for of in types if pa.types.is_nested(of))
    if all(is_text(of) for of in types):
        return pa.string()
    if all(pa.types.is_signed_integer(of) or pa.types.is_uint8(of) or pa.types.is_uint16(of) for of in types):
        return pa.int64()
    if all(is_number(of) and not (pa.types.is_boolean(of) or pa.types.is_duration(of)) for of in types):
        return pa.float64()
    if all(pa.types.is_timestamp(of) or pa.types.is_date(of) for of in types):
        zones = {getattr(of, "tz", None) for of in types}
        return pa.timestamp("us", "UTC" if zones != {None} else None)
    return None


def plain(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return cells without dictionary encoding."""
    return cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells


# ---------------------------------------------------------------- free text


def texts_of(cells: pa.ChunkedArray, name: str) -> list[str | None]:
    """Return cells of free text, None where missing; ColumnError for any other type."""
    cells = plain(cells)
    if not is_text(cells.type) and not pa.types.is_null(cells.type):
        raise ColumnError(name, f"it holds {contents_of(cells.type)}, not text")
    return [None if text is None else str(text) for text in cells.to_pylist()]


def text_lengths(cells: pa.ChunkedArray, name: str) -> FloatArray:
    """Return the length of each free text, NaN where missing, shape [rows]; ColumnError as `texts_of`."""
    texts = texts_of(cells, name)
    return np.array([math.nan if text is None else len(text) for text in texts], dtype=np.float64)
