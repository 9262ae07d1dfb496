"""The state of two versions behind one interface, chosen by what can be imported.

`Logged` is the state of logs and a checkpoint. `Binned` is that of version 0.1.0, where workers bin their own rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions, state_shape

MODEL: Final = "model"
VERSION: Final = "1"


@dataclass
class Spent:
    """Wall time and CPU time of a process, in seconds."""

    wall: float = 0.0
    cpu: float = 0.0

    def on(self, work: Callable[[], object]) -> None:
        """Add the time of a call."""
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu


class Watched(Protocol):
    """A monitor whose state is in files."""

    monitor: ColumnMonitor

    @property
    def half_full(self) -> int:
        """The rows of a half-full log."""

    def catch_up(self, values: FloatArray, at: FloatArray) -> Spent:
        """Append rows, and return the time until they are counted and weighed, without that of appending."""


class Logged:
    """The state of logs and a checkpoint."""

    def __init__(self, baseline: Baseline, folder: Path, now: float) -> None:
        store: Any = import_module("driftgauge.state.store").Store
        slots = import_module("driftgauge.state.slots")
        key = slots.StateKey(MODEL, VERSION, baseline.hash)
        self._shape: Any = state_shape(baseline, MonitorOptions())
        opened = store.open(slots.Slots(folder / MODEL / VERSION, key, self._shape, state_dir=folder))
        self.monitor: Any = ColumnMonitor(baseline, model_name=MODEL, model_version=VERSION, now=now, store=opened)

    @property
    def half_full(self) -> int:
        return int(self._shape.unread_rows) // 2

    def catch_up(self, values: FloatArray, at: FloatArray) -> Spent:
        self.monitor.observe(values, arrival=at)
        spent = Spent()
        spent.on(lambda: self.monitor.catch_up(float(at[-1])))
        return spent


class Binned:
    """The state of version 0.1.0."""

    def __init__(self, baseline: Baseline, folder: Path, now: float) -> None:
        slots, store = import_module("driftgauge.state.slots"), import_module("driftgauge.state.store")
        owner = import_module("driftgauge.state.slot").Owner(MODEL, VERSION, baseline.hash)
        options = MonitorOptions()
        shape, detector = state_shape(baseline, options), baseline.detector(options.policy.budget)
        own = slots.Slots(folder / MODEL / VERSION, owner, shape, detector, root=folder)
        self.monitor: Any = ColumnMonitor(
            baseline, model_name=MODEL, model_version=VERSION, now=now, store=store.Store(*own.take(), own)
        )
        self._columns = len(baseline.columns)
        cells = import_module("driftgauge.state.reader").CELLS_AT_ONCE
        self._block_rows = min(import_module("driftgauge.state.shape").BLOCK_ROWS, cells // self._columns)

    @property
    def half_full(self) -> int:
        """It has no log: as many rows as in the other version."""
        return max(2_048, min(4_096, 2**24 // (8 * (self._columns + 4))))

    def catch_up(self, values: FloatArray, at: FloatArray) -> Spent:
        spent = Spent()
        for first in range(0, len(values), self._block_rows):  # more would be binned while they are appended
            block = slice(first, first + self._block_rows)
            self.monitor.observe(values[block], arrival=at[block])
            spent.on(self.monitor.store.state.digest)
        spent.on(self._weigh)
        return spent

    def _weigh(self) -> None:
        store = self.monitor.store
        with store.evaluating():
            blocks, counted, _ = store.unweighed()
            store.weigh(self.monitor.detector.advance(store.evidence(), blocks), counted)


def watch(baseline: Baseline, folder: Path, now: float) -> Watched:
    """Open a state in a folder with the default options, as a server does."""
    has_logs = hasattr(import_module("driftgauge.state.store").Store, "open")
    return (Logged if has_logs else Binned)(baseline, folder, now)
