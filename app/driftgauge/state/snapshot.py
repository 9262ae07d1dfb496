"""What readers of a state get: the snapshot of an evaluation, and the totals of each slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from driftgauge.common.layout import Arrays
from driftgauge.drift.evidence.detector import Evidence
from driftgauge.drift.verdict.latches import Latches
from driftgauge.drift.windows.time_spans import Totals
from driftgauge.drift.windows.window import Rows


@dataclass(frozen=True)
class StateSnapshot:
    """What an evaluation reads."""

    rows: Rows
    """The newest rows of all workers, by arrival."""
    totals: tuple[Totals, ...]
    """What each time window holds."""
    observed: int
    """Rows appended since the state began, up to the newest of these."""
    latest_at: float
    """The latest time of a row, seconds since 1970; -inf without rows."""
    evidence: Evidence
    latches: Latches


@dataclass(frozen=True)
class SlotTotals:
    """What one slot has counted; `number` is None for the slots that are folded."""

    number: int | None
    is_running: bool
    counted: Arrays
    """By series, with `process` and `rows`."""
    rows: int
    """Rows appended."""


def sum_totals(members: Sequence[SlotTotals]) -> Arrays:
    """Return what slots have counted together, by series."""
    names = members[0].counted.keys() - {"process", "rows"}
    return {name: reduce(add, [own.counted[name] for own in members]) for name in names}
