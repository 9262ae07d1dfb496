"""Monitor: one for each model and version, fed by every edge through `observe`, read through its report."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.report import DriftReport, Memory, evaluate, settle
from driftgauge.drift.windows.blocks import step_rows
from driftgauge.drift.windows.window import count_windows, time_windows
from driftgauge.errors import Reason
from driftgauge.metrics.series import CLAMPED, OBSERVATIONS, SOURCES, UNWEIGHED, CounterSpec, monitor_series
from driftgauge.state.memory import Settled
from driftgauge.state.shape import BLOCK_ROWS, StateShape
from driftgauge.state.store import Snapshot, Store

Clock = Literal["arrival", "event"]

_SETTLE_STEPS: Final = 10
"""By the clock of events, effects are judged each time so many blocks of evidence have come."""


@dataclass(frozen=True)
class MonitorOptions:
    """How a monitor is run; see the settings of the same names."""

    policy: Policy = field(default_factory=Policy)
    clock: Clock = "arrival"
    max_event_ahead_seconds: float = 300.0


@dataclass(frozen=True)
class Evaluation:
    """A report and what it took."""

    report: DriftReport
    at: float
    """By the server's clock, seconds since 1970."""
    cpu_seconds: float


def state_shape(baseline: Baseline, options: MonitorOptions, series: Sequence[CounterSpec] = ()) -> StateShape:
    """Return what a monitor's state is for; `series` are its counters, by default those of `metrics`."""
    return StateShape(
        binner=baseline.binner,
        scales=baseline.scales,
        window_rows=options.policy.windows[-1],
        series=tuple(series or monitor_series()),
        spans=options.policy.time_windows,
        by_event=options.clock == "event",
        by_hour=baseline.is_by_hour,
    )


class Monitor:
    """Watches the rows of one model and version against its baseline.

    `observe` and the counters may be used from several threads. `evaluate` is called by one thread
    at a time, without holding up observations; by the clock of events it does while effects are settled.
    """

    def __init__(
        self,
        baseline: Baseline,
        *,
        model_name: str,
        model_version: str,
        now: float,
        options: MonitorOptions | None = None,
        store: Store | None = None,
    ) -> None:
        """Watch the rows of a store made for `state_shape` of the same options; without one, begin in memory.

        `now` is in seconds since 1970.
        """
        self.baseline: Final = baseline
        self.model_name: Final = model_name
        self.model_version: Final = model_version
        self.options: Final = options or MonitorOptions()
        policy = self.options.policy
        self.detector: Final = baseline.detector(policy.budget) if store is None else store.detector
        self.by_event: Final = self.options.clock == "event"
        self._settle_rows = _SETTLE_STEPS * step_rows(len(baseline.columns))
        self.store: Final = store or Store.in_memory(state_shape(baseline, self.options), self.detector)
        if self.store.own.uncounted:
            with self.store.counting() as counters:
                counters.add(OBSERVATIONS.name, self.store.own.uncounted, SOURCES[0])
        self._settling = threading.Lock()
        self._last = self._first(now)

    @property
    def last(self) -> Evaluation:
        """The newest evaluation; there is always one."""
        return self._last

    def observe(
        self,
        columns: FloatArray,
        *,
        arrival: FloatArray | float,
        event: FloatArray | None = None,
        source: str = "predict",
    ) -> None:
        """Count rows: `columns` in the baseline's order, shape [n, columns], categories as bin codes.

        `arrival` (a time, or shape [n]) and `event` (shape [n], not finite where unknown) are in seconds
        since 1970; an event further ahead of its arrival than the options allow is not believed, and
        counted. A row without an event time to believe has its arrival's, by the event clock that of
        the latest event before it.
        ValueError for rows of another width or a source that is not one of `metrics.SOURCES`.
        """
        if columns.ndim != 2 or columns.shape[1] != len(self.baseline.columns):
            raise ValueError(f"rows of shape {columns.shape} for {len(self.baseline.columns)} columns")
        if source not in SOURCES:
            raise ValueError(f"{source} is not a declared source of observations: {', '.join(SOURCES)}")
        if len(columns) == 0:
            return
        arrivals = np.broadcast_to(arrival, len(columns))
        believed, ahead = self._believed(arrivals, event)
        self._append(columns, arrivals, believed)
        with self.store.counting() as counters:
            counters.add(OBSERVATIONS.name, len(columns), source)
            if ahead:
                counters.add(CLAMPED.name, ahead, Reason.AHEAD_OF_ARRIVAL)

    def _believed(self, arrival: FloatArray, event: FloatArray | None) -> tuple[FloatArray, int]:
        """Return the times that rows count with, and how many were too far ahead to be believed."""
        if event is None:
            if not self.by_event:
                return arrival, 0
            event = np.full(len(arrival), math.nan)
        ahead = event > arrival + self.options.max_event_ahead_seconds
        believed = np.isfinite(event) & ~ahead
        if not self.by_event:
            return np.where(believed, event, arrival), int(ahead.sum())
        # By the event clock a row without a time to believe is of now: its arrival may be years later.
        known = np.where(believed, event, -math.inf)
        now = np.maximum(np.maximum.accumulate(known), self.store.latest_event)
        return np.where(believed, event, np.where(np.isfinite(now), now, arrival)), int(ahead.sum())

    def _append(self, columns: FloatArray, arrival: FloatArray, event: FloatArray) -> None:
        if not self.by_event:
            self.store.append(columns, arrival, event)
            return
        with self._settling:  # the rings must hold all rows that wait to be settled, and all blocks to be weighed
            self.store.mend()
            first = 0
            while first < len(columns):
                if self.store.room < min(BLOCK_ROWS, len(columns) - first):
                    self._weigh()
                part = slice(first, first + min(BLOCK_ROWS, self.store.room))
                self.store.append(columns[part], arrival[part], event[part])
                if abs(self.store.rows - self.store.settled().rows) >= BLOCK_ROWS:
                    self._settle()
                first = part.stop

    def _settle(self) -> None:
        """By the clock of events, judge effects whenever so many rows have come, not when somebody looks.

        So a replay ends with the same verdict however often it was asked. The caller holds the lock.
        """
        policy, step = self.options.policy, self._settle_rows
        before = self.store.settled()
        reached, clock = before.reached, before.clock
        # Rows may have begun anew, or what was settled of them.
        settled = max(min(before.rows, self.store.rows), self.store.oldest)
        ends = range(settled + step, self.store.rows + 1, step)
        for end in ends:
            rows = self.store.codes_until(end, max(step, policy.windows[-1]))
            clock = max(clock, float(rows.newest(step).at.max()))
            windows = count_windows(rows, policy.windows, clock - policy.max_age_seconds, self.baseline.binner)
            reached = settle(self.baseline, windows, reached, policy)
        if ends:
            self.store.settle(Settled(reached, ends[-1], clock))
        self._weigh()

    def _weigh(self) -> None:
        """Weigh the blocks that have come, each once; the caller holds the lock."""
        blocks, counted, lost = self.store.unweighed()
        self.store.weigh(self.detector.advance(self.store.evidence(), blocks), counted)
        if lost:
            with self.store.counting() as counters:
                counters.add(UNWEIGHED.name, lost)

    def evaluate(self, now: float) -> Evaluation:
        """Judge the windows as they are and keep the report; `now` is the time of day, seconds since 1970."""
        self._last = self._evaluate(now)
        return self._last

    def _first(self, now: float) -> Evaluation:
        """Return a first report; where the state of others stands in the way, one of no rows: predictions go on."""
        try:
            return self._evaluate(now)
        except Exception:  # the next evaluation says what it is
            nothing = Store.in_memory(self.store.state.shape, self.detector)
            held, memory = nothing.snapshot(now), Memory(nothing.evidence(), nothing.settled().reached)
            return Evaluation(self._judged(held, memory, now)[0], now, 0.0)

    def _evaluate(self, now: float) -> Evaluation:
        started = time.thread_time()
        if self.by_event:
            with self._settling, self.store.evaluating():
                self._settle()
                held, memory = self._looked(now)
            report, _ = self._judged(held, memory, now)
        else:
            with self.store.evaluating():
                self._weigh()
                held, memory = self._looked(now)
                report, memory = self._judged(held, memory, now)
                self.store.settle(Settled(memory.reached, held.observed, now), evaluated_at=now)
                self.store.retire(now, self._needed_seconds)
        return Evaluation(report, now, time.thread_time() - started)

    def _looked(self, now: float) -> tuple[Snapshot, Memory]:
        return self.store.snapshot(now), Memory(self.store.evidence(), self.store.settled().reached)

    def _judged(self, held: Snapshot, memory: Memory, now: float) -> tuple[DriftReport, Memory]:
        policy = self.options.policy
        clock = held.latest_event if self.by_event and math.isfinite(held.latest_event) else now
        windows = [
            *count_windows(held.rows, policy.windows, clock - policy.max_age_seconds, self.baseline.binner),
            *time_windows(held.totals, held.rows, clock),
        ]
        return evaluate(self.baseline, windows, held.observed, memory, policy, clock)

    @property
    def _needed_seconds(self) -> float:
        """How long any window needs a row."""
        policy = self.options.policy
        return max([policy.max_age_seconds, *(span.seconds for span in policy.time_windows)])

    def bin_rows(self) -> IntArray:
        """Return the rows counted in each bin since the state began, shape [columns, K]."""
        return self.store.bin_rows()


class Registry:
    """The monitors of a server, by model name and version."""

    def __init__(self) -> None:
        self._monitors: dict[tuple[str, str], Monitor] = {}

    def add(self, monitor: Monitor) -> None:
        """Add a monitor; ValueError if its model and version has one already."""
        key = (monitor.model_name, monitor.model_version)
        if key in self._monitors:
            raise ValueError(f"{monitor.model_name} {monitor.model_version} is monitored already")
        self._monitors[key] = monitor

    def __iter__(self) -> Iterator[Monitor]:
        return iter(self._monitors.values())

    def __len__(self) -> int:
        return len(self._monitors)

    def find(self, model_name: str | None = None) -> Monitor | None:
        """Return the newest added monitor of a model, or of any when no name is given."""
        named = [m for m in self if model_name in (None, m.model_name)]
        return named[-1] if named else None
