"""Cells of a time column in seconds since 1970, whatever their type."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.errors import TableError
from driftgauge.tables.cells import (
    cast_text,
    contents_of,
    floats,
    is_number,
    is_text,
    plain,
    quoted,
    seconds_of,
    without_nulls,
)

EARLIEST: Final = -62_135_596_800.0
"""The year 1, in seconds since 1970."""
LATEST: Final = 253_402_300_800.0
"""The year 10000."""
_TIME_OF_DAY: Final = r"^\s*([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?\s*$"


def as_seconds(cells: pa.ChunkedArray, name: str) -> FloatArray:
    """Return times in seconds since 1970: timestamps, dates, such numbers, or text that spells these.

    Times without a zone are UTC. Anything finer than a microsecond is dropped. TableError for a missing or
    invalid time.
    """
    cells = as_times(cells, name)
    if pa.types.is_timestamp(cells.type) or pa.types.is_date(cells.type):
        microseconds = cells.cast(pa.timestamp("us", getattr(cells.type, "tz", None)), safe=False).cast(pa.int64())
        found = microseconds.to_numpy() / 1e6
    else:
        found = floats(cells.cast(pa.float64(), safe=False))
    beyond = found[(found < EARLIEST) | (found >= LATEST)]
    if beyond.size:
        raise TableError(
            f"{name}: {beyond[0]:g} is not a time between the years 1 and 9999, in seconds since 1970; "
            "divide milliseconds by 1,000"
        )
    return np.asarray(found, dtype=np.float64)


def as_times(cells: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return times as numbers, dates or timestamps; TableError for a missing or invalid time."""
    cells = plain(cells)
    if is_text(cells.type):
        cells = without_nulls(cells.cast(pa.string()))
    missing = pc.sum(pc.is_null(cells, nan_is_null=True)).as_py() or 0
    if missing:
        if is_text(cells.type) and missing < len(cells):  # texts that are not times are the first problem to report
            _spelled_times(cells.drop_null(), name, rows=np.flatnonzero(pc.is_valid(cells).to_numpy()))
        raise TableError(f"{name}: {missing:,} rows have no time: fill or drop them")
    if is_text(cells.type):
        cells = _spelled_times(cells, name)
    of = cells.type
    is_time = pa.types.is_timestamp(of) or pa.types.is_date(of)
    if not is_time and (not is_number(of) or pa.types.is_boolean(of) or pa.types.is_duration(of)):
        held = "booleans" if pa.types.is_boolean(of) else contents_of(of)
        raise TableError(f"{name}: it holds {held}, which are not points in time")
    return cells


def _spelled_times(texts: pa.ChunkedArray, name: str, rows: IntArray | None = None) -> pa.ChunkedArray:
    """Return the times of texts; `rows` are their indices if some were left out."""
    found = cast_text(texts, pa.float64())
    found = spelled_timestamps(texts) if found is None else found
    if found is None:
        row, text = max(_first_failing(texts, zone) for zone in (None, "UTC"))
        row = row if rows is None else int(rows[row])
        raise TableError(
            f"{name}: not every text is an ISO 8601 time such as 2026-01-31 or 2026-01-31T12:00:00Z, with an offset or "
            f"without: row {row + 1:,} is {quoted(text)}"
        )
    return found


def spelled_timestamps(texts: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return ISO 8601 texts as timestamps, all naive or all UTC; None if that fails."""
    for zone in (None, "UTC"):
        for unit in ("us", "ns"):
            found = cast_text(texts, pa.timestamp(unit, zone))
            if found is not None:
                return found.cast(pa.timestamp("us", zone), safe=False)
    return None


def _first_failing(texts: pa.ChunkedArray, zone: str | None) -> tuple[int, str]:
    """Return the index of the first text that is not a time, and the text."""
    low, high = 0, len(texts)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            texts[low:middle].cast(pa.timestamp("us", zone))
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low, texts[low].as_py()


def spelled_times_of_day(texts: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return texts such as 08:30 or 08:30:00.5 as times of day, None if one is not."""
    if not pc.all(pc.match_substring_regex(texts, _TIME_OF_DAY)).as_py():
        return None
    seconds = [None if text is None else seconds_of(text) for text in texts.to_pylist()]
    microseconds = [None if value is None else round(value * 1e6) for value in seconds]
    return pa.chunked_array([pa.array(microseconds, pa.int64()).cast(pa.time64("us"))])
