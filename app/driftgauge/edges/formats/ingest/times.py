"""Times in records of other programs, in seconds since 1970."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

import numpy as np

from driftgauge.common.moments import instant
from driftgauge.common.rfc3339 import EARLIEST, LATEST
from driftgauge.drift.bins import FloatArray
from driftgauge.edges.formats.fields import time_of

_ONLY_DATE: Final = 10
"""Characters of a date without a time of day."""
_USUAL: Final = "2000-01-01T00:00:00.000000"
_MARKS: Final = [place for place, mark in enumerate(_USUAL) if not mark.isdigit()]
_DIGITS: Final = [place for place, mark in enumerate(_USUAL) if mark.isdigit()]
_UNITS: Final = np.array(
    [*(10**place for place in (3, 2, 1, 0)), *(10, 1) * 5, *(10**place for place in range(5, -1, -1))]
)
_PARTS: Final = [0, 4, 6, 8, 10, 12, 14]
"""Where year, month, day, hour, minute, second and microseconds begin in the digits."""
_MARK_BYTES: Final = np.frombuffer("".join(_USUAL[place] for place in _MARKS).encode(), np.uint8)
_EXACT_YEARS: Final = 250
"""About 1970, within which microseconds are whole numbers as float64."""
_SECOND: Final = 1_000_000
"""In microseconds."""


class EventTimes:
    """Reads times; those without an offset are in a time zone."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone: Final = zone
        self._is_utc: Final = str(zone) == "UTC"

    def seconds(self, field: str, value: Any) -> float:
        """Return a time, NaN for None; raises Refused, naming the field.

        A time is RFC 3339 or ISO 8601 text, or seconds since 1970.

        >>> from datetime import UTC
        >>> EventTimes(UTC).seconds("timestamp", "2026-11-21T09:05:41.783379")
        1795251941.783379
        """
        kind = type(value)
        if kind is str:
            return self._of_text(field, value)
        if (kind is float or kind is int) and EARLIEST <= value <= LATEST:
            return float(value)
        return math.nan if value is None else time_of(field, value)

    def all(self, field: str, values: Sequence[Any]) -> FloatArray:
        """Return times, shape [n]; raises Refused for the first that is none."""
        if set(map(type, values)) == {str}:
            found = self._of_usual(values)
            if found is not None:
                return found
        return np.array([self.seconds(field, value) for value in values], dtype=np.float64)

    def _of_usual(self, texts: Sequence[str]) -> FloatArray | None:
        """Return the times of texts in UTC with microseconds; None if one has another form, or is no time."""
        size = len(_USUAL)
        zoned = "Z" if len(texts[0]) > size else ""
        joined = "".join(texts)
        if set(map(len, texts)) != {size + len(zoned)} or not joined.isascii() or not (zoned or self._is_utc):
            return None
        marks = np.frombuffer(joined.encode(), np.uint8).reshape(len(texts), -1)
        if not (marks[:, _MARKS] == _MARK_BYTES).all() or (zoned and (marks[:, size] != ord(zoned)).any()):
            return None
        digits = marks[:, _DIGITS] - ord("0")  # less than 0 wraps round
        if (digits > 9).any():
            return None
        year, month, day, hour, minute, second, micro = np.add.reduceat(digits * _UNITS, _PARTS, axis=1).T
        months = (12 * (year - 1970) + month - 1).astype("datetime64[M]")
        days = (months.astype("datetime64[D]") + (day - 1)).astype("datetime64[D]")
        is_time = (month >= 1) & (month <= 12) & (day >= 1) & (days.astype("datetime64[M]") == months)
        if not (is_time & (hour < 24) & (minute < 60) & (second < 60)).all() or (abs(year - 1970) > _EXACT_YEARS).any():
            return None
        seconds = 86_400 * days.astype(np.int64) + 3_600 * hour + 60 * minute + second
        found: FloatArray = (seconds * _SECOND + micro) / _SECOND
        return found

    def _of_text(self, field: str, text: str) -> float:
        if len(text) < _ONLY_DATE or text[4:5] != "-":  # not the other forms of ISO 8601
            return time_of(field, text)
        try:
            at = datetime.fromisoformat(text)
            if at.tzinfo is None:
                at = at.replace(tzinfo=self._zone)
            return at.timestamp()
        except (ValueError, OverflowError):
            return self._unusual(field, text)

    def _unusual(self, field: str, text: str) -> float:
        """Return the time of a text with a leap second or in lower case."""
        try:
            at = instant(text)
            if not text.upper().endswith("Z") and "+" not in text and text.count("-") == 2:
                at = at.replace(tzinfo=self._zone)
            return at.timestamp()
        except (ValueError, OverflowError):
            return time_of(field, text)
