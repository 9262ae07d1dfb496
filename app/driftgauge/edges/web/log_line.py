"""The line of the prediction log on the page."""

from __future__ import annotations

from collections.abc import Iterator

from driftgauge.edges.web.facts import LoggedPredictions
from driftgauge.edges.web.words import count, minute

_UNITS = ("KiB", "MiB", "GiB")


def log_line(log: LoggedPredictions) -> str:
    """Return the rows kept, their size and age, and those that wait or were not logged, in one line."""
    return "; ".join(_parts(log))


def _parts(log: LoggedPredictions) -> Iterator[str]:
    if log.rows is None or log.size_bytes is None:
        yield "not looked at yet"
    else:
        oldest = "" if log.oldest is None else f", the oldest of {minute(log.oldest)}"
        yield f"{count(log.rows, 'row')}{oldest}, {in_bytes(log.size_bytes)} of {in_bytes(log.max_bytes)}"
    if log.queued_rows:
        yield f"{count(log.queued_rows, 'row')} to be written"
    if log.dropped:
        yield "not logged: " + ", ".join(f"{rows:,} {reason}" for reason, rows in log.dropped.items())


def in_bytes(size: int) -> str:
    """Return a size in words.

    >>> in_bytes(900), in_bytes(3_500_000), in_bytes(2 << 40)
    ('0.9 KiB', '3.3 MiB', '2,048.0 GiB')
    """
    value = size / 1024
    for unit in _UNITS[:-1]:
        if value < 1024:
            return f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} {_UNITS[-1]}"
