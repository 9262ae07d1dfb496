"""Budget of false alarms: how often evidence may be wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """How often all columns together may raise a false alarm, and which shifts are too small to count."""

    false_alarm_rows: float = 1e6
    """A: the average number of rows between false alarms is at least this."""
    false_alarm_interval_seconds: float | None = None
    """A as a time, at the current rate of rows. It replaces `false_alarm_rows` once that rate is known."""
    tolerance: float = 0.02
    """Shifts smaller than this are ignored: in standard deviations, or relative to a bin's share."""
