"""A slot: the log of a worker, and what is found when a worker acquires one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from driftgauge.errors import DriftgaugeError, Reason
from driftgauge.state.checkpoint import Checkpoint
from driftgauge.state.log import Log, LogReader
from driftgauge.state.root import Root


class StateUnavailable(DriftgaugeError):
    """No state can be kept in the folder; the message says why."""


class Recovery(NamedTuple):
    """What could not be used as it was found when a worker started, and what was done."""

    reason: Reason
    text: str


class Slot(NamedTuple):
    """The log of a worker that runs or has ended."""

    number: int
    key: int
    """Tells the log from earlier ones of the slot."""
    log: LogReader
    is_running: bool = True
    """Whether a process uses it, as far as its process id tells."""


class Acquired(NamedTuple):
    """The slot of this worker."""

    number: int
    key: int
    log: Log
    checkpoint: Checkpoint
    uncounted: int = 0
    """Rows that the worker before this one appended and did not count."""
    source: str = ""
    """Who observed these, empty where it is not known."""


def log_ends(slots: Mapping[int, Slot], root: Root, note: Callable[[str], None]) -> dict[int, tuple[LogReader, int]]:
    """Return the log of each slot and how many rows it has; `note` takes what is damaged."""
    logs = {}
    for key, slot in slots.items():
        said, rows = slot.log.rows, slot.log.rows_after(root.positions[key])
        if rows < said:
            note(f"{slot.number}.log: its newest rows or their number are damaged")
        logs[key] = slot.log, rows
    return logs
