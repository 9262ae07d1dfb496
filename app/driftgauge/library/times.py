"""Times that a program gives with its rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.edges.formats.fields import time_of
from driftgauge.errors import Reason, Refused
from driftgauge.library.cells import is_missing

FIELD: Final = "at"


def event_times(at: Any, rows: int) -> FloatArray | None:
    """Return the times of rows in seconds since 1970, NaN where unknown, shape [rows]; None without any.

    `at` is a time for all rows, or one for each: a datetime (UTC without a zone), seconds since 1970, RFC 3339 text,
    or an array of datetime64 or numbers. Raises Refused.
    """
    if at is None:
        return None
    if isinstance(at, np.datetime64 | datetime | date | str | int | float):
        return np.full(rows, _seconds(at, 0))
    values = at.to_numpy() if hasattr(at, "to_numpy") else at
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


def _array_times(values: Any) -> FloatArray | None:
    if values.dtype.kind == "M":
        missing = np.isnat(values)
        seconds = values.astype("datetime64[us]").astype(np.int64) / 1e6
        return np.where(missing, np.nan, seconds)
    return values.astype(np.float64) if values.dtype.kind in "fiu" else None


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
