"""Times that a program gives with its rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.edges.formats.fields import time_of
from driftgauge.edges.formats.rows.cells import is_missing
from driftgauge.edges.formats.rows.columns import column_of, matrix_of
from driftgauge.errors import Reason, Refused

FIELD: Final = "at"
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC).timestamp()
_END: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""Times of the years 1 to 9999 can be written."""


def event_times(at: Any, rows: int) -> FloatArray | None:
    """Return the times of rows in seconds since 1970, NaN where unknown, shape [rows]; None without any.

    `at` is a time for all rows, or one for each: a datetime (UTC without a zone), seconds since 1970, RFC 3339 text,
    or an array of datetime64 or numbers. Raises Refused.
    """
    if at is None:
        return None
    values = _plain(at)
    if isinstance(values, np.generic | datetime | date | str | int | float):
        return np.full(rows, _seconds(values, 0))
    times = _array_times(values) if isinstance(values, np.ndarray) else None
    if times is None:
        times = np.array([_seconds(value, row) for row, value in enumerate(_listed(values))], dtype=np.float64)
    if times.shape != (rows,):
        raise Refused(
            Reason.WRONG_FEATURE_COUNT,
            f"{FIELD} has {times.size} times for {rows} rows: give one for all rows, or one for each",
            {"field": FIELD, "expected": rows},
        )
    return times


def _plain(at: Any) -> Any:
    if isinstance(at, np.ndarray):
        return matrix_of(at) if at.ndim else at[()]
    try:
        return at.to_numpy() if hasattr(at, "to_numpy") else at
    except ValueError:  # pyarrow copies values with gaps only if asked
        return column_of(at)


def _array_times(values: Any) -> FloatArray | None:
    if values.dtype.kind == "M":
        missing = np.isnat(values)
        seconds = values.astype("datetime64[us]").astype(np.int64) / 1e6
        return np.where(missing, np.nan, seconds)
    if values.dtype.kind not in "fiu":
        return None
    times: FloatArray = values.astype(np.float64)
    strange = ~np.isnan(times) & ~((times >= _FIRST) & (times < _END))
    if strange.any():
        row = int(strange.argmax())
        time_of(FIELD, float(times[row]), row)  # refuses it, and says what a time is
    return times


def _listed(values: Any) -> Sequence[Any]:
    if isinstance(values, np.ndarray):
        return list(values)
    if isinstance(values, Sequence):
        return values
    name = type(values).__name__
    raise Refused(Reason.INVALID_TIMESTAMP, f"{FIELD}: {name} is no time and no list of times", {"field": FIELD})


def _seconds(value: Any, row: int) -> float:
    if is_missing(value):
        return float("nan")
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    return time_of(FIELD, value.item() if isinstance(value, np.generic) else value, row)
