"""Numbers, times and verdicts as the page writes them."""

from __future__ import annotations

import math
from typing import Final

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.verdict.column import ColumnVerdict
from driftgauge.drift.verdict.numbers import percent, short
from driftgauge.drift.verdict.rule import Severity, Status

UNKNOWN: Final = "–"
STATUS_WORDS: Final = {
    Status.INSUFFICIENT_DATA: "not enough data",
    Status.NORMAL: "normal",
    Status.WARNING: "warning",
    Status.DRIFT_DETECTED: "drift",
}


def number(value: float) -> str:
    """Return a number with three digits; a dash if it is unknown."""
    return UNKNOWN if math.isnan(value) else short(value)


def share(value: float) -> str:
    """Return a share as a percentage; a dash if it is unknown."""
    return UNKNOWN if math.isnan(value) else percent(value)


def duration(seconds: float) -> str:
    """Return a duration in its natural unit; a dash if it is unknown."""
    if math.isnan(seconds):
        return UNKNOWN
    if seconds < 1.0:
        return f"{short(1000.0 * seconds)} ms"
    return f"{short(seconds)} s" if seconds < 120.0 else ago(seconds)


def ago(seconds: float) -> str:
    """Return a length of time, rounded, in the largest unit of which it has two: 45 s, 90 min, 3 h, 9 days."""
    for unit, size in ((" days", 86_400.0), (" h", 3_600.0), (" min", 60.0)):
        if seconds >= 2.0 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(seconds, 0.0):.0f} s"


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def minute(at: float) -> str:
    """Return a time to the minute, UTC."""
    text = rfc3339(at)
    return f"{text[:10]} {text[11:16]}"


def second(at: float) -> str:
    """Return a time to the second, UTC."""
    text = rfc3339(at)
    return f"{text[:10]} {text[11:19]}"


def colour(status: Status, severity: Severity | None) -> str:
    """Return the class of a verdict, which decides its colour."""
    return severity or ("unknown" if status is Status.INSUFFICIENT_DATA else "normal")


def badge(verdict: ColumnVerdict) -> str:
    """Return the word on a verdict's badge."""
    return verdict.severity or STATUS_WORDS[verdict.status]
