"""Times in records of other programs, in seconds since 1970."""

from __future__ import annotations

import math
from datetime import datetime, tzinfo
from typing import Any, Final

from driftgauge.common.moments import instant
from driftgauge.common.rfc3339 import EARLIEST, LATEST
from driftgauge.edges.formats.fields import time_of

_ONLY_DATE: Final = 10
"""Characters of a date without a time of day."""


class EventTimes:
    """Reads times; those without an offset are in a time zone."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone: Final = zone

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
