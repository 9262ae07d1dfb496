"""Clocks: which time a row has, and what time it is for the windows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.state.root import MAX_SLOTS

ClockName = Literal["arrival", "event"]
BEHIND_SECONDS: Final = 300.0
"""A time more than this later than now is of a clock that was ahead."""


class Clock(Protocol):
    """Decides the times of rows, and when it is."""

    @property
    def name(self) -> ClockName:
        """Its name in the settings."""

    @property
    def max_workers(self) -> int:
        """How many workers may share a state by this clock."""

    @property
    def latches_by_rows(self) -> bool:
        """Whether thresholds are judged after fixed numbers of rows, rather than at each evaluation."""

    def times(self, arrival: FloatArray, event: FloatArray | None, latest: float) -> tuple[FloatArray, int]:
        """Return the time of each row, shape [n], and how many event times were rejected as too far ahead.

        `latest` is the latest time so far, -inf without rows.
        """

    def now(self, latest: float, now: float) -> float:
        """Return the time by this clock at `now`, the time of day."""

    def limit(self, now: float) -> float:
        """Return the latest plausible time of a row."""


@dataclass(frozen=True)
class ArrivalClock:
    """Rows are dated by their arrival; event times are only checked."""

    max_ahead_seconds: float
    name: ClockName = "arrival"
    max_workers: int = MAX_SLOTS
    latches_by_rows: bool = False

    def times(self, arrival: FloatArray, event: FloatArray | None, latest: float) -> tuple[FloatArray, int]:
        """Return the arrivals; see `Clock.times`."""
        return arrival, 0 if event is None else int((event > arrival + self.max_ahead_seconds).sum())

    def now(self, latest: float, now: float) -> float:
        """Return the time of day."""
        return now

    def limit(self, now: float) -> float:
        """Return a little later than now."""
        return now + BEHIND_SECONDS


@dataclass(frozen=True)
class EventClock:
    """Rows are dated by their events, and it is as late as the latest of them: for replays."""

    max_ahead_seconds: float
    name: ClockName = "event"
    max_workers: int = 1
    latches_by_rows: bool = True

    def times(self, arrival: FloatArray, event: FloatArray | None, latest: float) -> tuple[FloatArray, int]:
        """Return the accepted event times; see `Clock.times`.

        A replay may run years after its rows, so a row without a time gets that of the row before, not its arrival.
        """
        event = np.full(len(arrival), math.nan) if event is None else event
        ahead = event > arrival + self.max_ahead_seconds
        accepted = np.isfinite(event) & ~ahead
        known = np.where(accepted, event, -math.inf)
        now = np.maximum(np.maximum.accumulate(known), latest)
        return np.where(accepted, event, np.where(np.isfinite(now), now, arrival)), int(ahead.sum())

    def now(self, latest: float, now: float) -> float:
        """Return the latest event time, the time of day before the first."""
        return latest if math.isfinite(latest) else now

    def limit(self, now: float) -> float:
        """Return no limit."""
        return math.inf


def clock_named(name: ClockName, max_ahead_seconds: float) -> Clock:
    """Return the clock that a setting names."""
    return EventClock(max_ahead_seconds) if name == "event" else ArrivalClock(max_ahead_seconds)
