"""Arrays as numpy prints them, without commas, read back as lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from driftgauge.common.quoting import shortened
from driftgauge.drift.bins import FloatArray
from driftgauge.errors import Reason, Refused

_TOKEN: Final = re.compile(r"\s*(?:(\[)|(\])|'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s\[\],'\"]+))\s*,?")
_WORDS: Final = {"True": True, "False": False, "None": None, "nan": None, "<NA>": None, "NaT": None}
_DEEPEST: Final = 2
_NEXT: Final = "\0"
"""Stands between arrays that are read at once."""
_BETWEEN: Final = np.isin(np.arange(256), np.frombuffer(b"[] \t\n\r\v\f\0", np.uint8))
"""Whether a byte stands between numbers."""


def read_array(text: str) -> Any:
    """Return the rows of a printed array as nested lists, of a printed number as a number; raises Refused.

    >>> read_array("[[7.7 3.8]\\n [4.9 3. ]]"), read_array("[2 0]"), read_array("[['a' 1.5]]")
    ([[7.7, 3.8], [4.9, 3.0]], [2, 0], [['a', 1.5]])
    """
    if "..." in text:
        raise Refused(
            Reason.UNKNOWN_SHAPE,
            "numpy has shortened the array with ...: log array.tolist() in place of the array",
        )
    if '"' not in text:
        for found in (text,) if "," in text else _as_json(text):
            with suppress(orjson.JSONDecodeError):
                return orjson.loads(found)
    if "_" not in text:  # which Python's numbers may have
        rows = _of_numbers(text.strip())
        if rows is not None:
            return rows
    return _of_tokens(text)


def read_rows(texts: Sequence[str], width: int) -> FloatArray | None:
    """Return printed arrays as a matrix, one row each; None unless each has `width` finite numbers or NaN.

    >>> read_rows(["[[7.7 3.8]]", "[[4.9 3. ]]"], 2).tolist()
    [[7.7, 3.8], [4.9, 3.0]]
    """
    deep, joined = texts[0][:_DEEPEST].count("["), _NEXT.join(texts)
    opening, closing, count = "[" * deep, "]" * deep, len(texts)
    is_regular = (
        joined.count("[") == joined.count("]") == deep * count
        and joined.count(_NEXT) == joined.count(f"{closing}{_NEXT}{opening}") == count - 1
        and deep > 0
        and joined.startswith(opening)
        and joined.endswith(closing)
    )
    if not is_regular or "(" in joined or not joined.isascii():
        return None
    return _matrix(np.frombuffer(joined.encode(), np.uint8), count, width)


def _matrix(text: npt.NDArray[np.uint8], rows: int, width: int) -> FloatArray | None:
    """Return the numbers of a text that begins and ends with a bracket; None unless each row has `width` of them."""
    import pyarrow as pa  # parses numbers ten times faster than Python, and rounds them as it does

    is_part = ~_BETWEEN[text]
    starts = np.flatnonzero(is_part[1:] > is_part[:-1])
    full_rows = np.searchsorted(starts, np.flatnonzero(text == ord(_NEXT)))
    if len(starts) != rows * width or not np.array_equal(full_rows, width * np.arange(1, rows)):
        return None
    offsets = np.zeros(len(starts) + 1, np.int32)
    np.cumsum(np.flatnonzero(is_part[:-1] > is_part[1:]) - starts, out=offsets[1:])
    words = pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(text[is_part]))
    try:
        numbers: FloatArray = words.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return None if np.isinf(numbers).any() else numbers.reshape(rows, width)


def _as_json(text: str) -> Iterator[str]:
    """Yield an array of finite numbers as JSON, which is read several times faster than Python's numbers."""
    found = ",".join(text.split()).replace("[,", "[")
    yield found
    for end in "],e":  # 3. is no number of JSON
        found = found.replace("." + end, ".0" + end)
    yield found


def _of_numbers(text: str) -> Any:
    """Return an array of numbers in one or two dimensions, None for any other text."""
    try:
        if text[:2] == "[[" and text[-2:] == "]]":
            parts = text[2:-2].split("[")
            ends = [part.rstrip() for part in parts]
            if any(end[-1:] != "]" for end in ends[:-1]) or any(end.count("]") != 1 for end in ends[:-1]):
                return None
            return [list(map(float, end.rstrip("]").split())) for end in ends]
        if text[:1] == "[" and text[-1:] == "]":
            return list(map(float, text[1:-1].split()))
        return float(text)
    except ValueError:
        return None


def _of_tokens(text: str) -> Any:
    """Return an array of any values."""
    stack: list[list[Any]] = [[]]
    for kind, value in _tokens(text):
        if kind == "[":
            if len(stack) > _DEEPEST:
                raise _unreadable(text)
            stack.append([])
        elif kind == "]":
            if len(stack) == 1:
                raise _unreadable(text)
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(value)
    if len(stack) != 1 or len(stack[0]) != 1:
        raise _unreadable(text)
    return stack[0][0]


def _tokens(text: str) -> Iterator[tuple[str, Any]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise _unreadable(text)
        at = found.end()
        opening, closing, single, double, word = found.groups()
        if opening or closing:
            yield opening or closing, None
        elif word is None:
            yield "value", single if double is None else double
        else:
            yield "value", _value(word, text)


def _value(word: str, text: str) -> Any:
    if word in _WORDS:
        return _WORDS[word]
    try:
        if "_" in word:
            raise ValueError(word)
        return float(word)
    except ValueError:
        raise _unreadable(text) from None


def _unreadable(text: str) -> Refused:
    message = f"{shortened(text)!r} is no array that numpy prints: log array.tolist() in place of the array"
    return Refused(Reason.UNKNOWN_SHAPE, message)
