"""The monitor of one model and version: it observes rows and reports drift."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.report import Carryover, DriftReport, evaluate, update_latches
from driftgauge.drift.windows.blocks import step_rows
from driftgauge.drift.windows.window import sliding_windows, time_windows
from driftgauge.errors import Reason
from driftgauge.metrics.series import (
    EVIDENCE_SKIPPED,
    OBSERVATIONS,
    SOURCES,
    TIMESTAMPS_REJECTED,
    CounterSpec,
    monitor_series,
)
from driftgauge.state.memory import Settled
from driftgauge.state.shape import BLOCK_ROWS, StateShape
from driftgauge.state.store import Snapshot, Store

Clock = Literal["arrival", "event"]

_LATCH_BLOCKS: Final = 10
"""In event time, latches are updated after this many blocks of evidence."""


@dataclass(frozen=True)
class MonitorOptions:
    """Options of a monitor; see the settings of the same names."""

    policy: Policy = field(default_factory=Policy)
    clock: Clock = "arrival"
    max_event_ahead_seconds: float = 300.0


@dataclass(frozen=True)
class Evaluation:
    """A report, when it was made, and its CPU time."""

    report: DriftReport
    at: float
    """By the server's clock, seconds since 1970."""
    cpu_seconds: float


def state_shape(baseline: Baseline, options: MonitorOptions, series: Sequence[CounterSpec] = ()) -> StateShape:
    """Return the shape of a monitor's state; `series` are its counters, by default those of `metrics`."""
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

    `observe` and the counters may be used from several threads. `evaluate` is called by one thread at a time.
    It does not block observations, except in event time while latches are updated.
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
        """Watch the rows of `store`; by default a new one in memory.

        The store must be made for `state_shape` of the same options.
        `now` is in seconds since 1970.
        """
        self.baseline: Final = baseline
        self.model_name: Final = model_name
        self.model_version: Final = model_version
        self.options: Final = options or MonitorOptions()
        policy = self.options.policy
        self.detector: Final = baseline.detector(policy.budget) if store is None else store.detector
        self.by_event: Final = self.options.clock == "event"
        self._latch_rows = _LATCH_BLOCKS * step_rows(len(baseline.columns))
        self.store: Final = store or Store.in_memory(state_shape(baseline, self.options), self.detector)
        if self.store.own.uncounted:
            with self.store.counting() as counters:
                counters.add(OBSERVATIONS.name, self.store.own.uncounted, SOURCES[0])
        self._event_lock = threading.Lock()
        self._last = self._initial(now)

    @property
    def last(self) -> Evaluation:
        """The latest evaluation; there is always one."""
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
        since 1970. An event further ahead of its arrival than the options allow is rejected and counted.
        A row without an accepted event time gets its arrival time; in event time, that of the latest event
        before it. ValueError for rows of another width or a source that is not one of `metrics.SOURCES`.
        """
        if columns.ndim != 2 or columns.shape[1] != len(self.baseline.columns):
            raise ValueError(f"rows of shape {columns.shape} for {len(self.baseline.columns)} columns")
        if source not in SOURCES:
            raise ValueError(f"{source} is not a declared source of observations: {', '.join(SOURCES)}")
        if len(columns) == 0:
            return
        arrivals = np.broadcast_to(arrival, len(columns))
        times, ahead = self._times(arrivals, event)
        self._append(columns, arrivals, times)
        with self.store.counting() as counters:
            counters.add(OBSERVATIONS.name, len(columns), source)
            if ahead:
                counters.add(TIMESTAMPS_REJECTED.name, ahead, Reason.AHEAD_OF_ARRIVAL)

    def _times(self, arrival: FloatArray, event: FloatArray | None) -> tuple[FloatArray, int]:
        """Return the time of each row, and how many event times were rejected as too far ahead."""
        if event is None:
            if not self.by_event:
                return arrival, 0
            event = np.full(len(arrival), math.nan)
        ahead = event > arrival + self.options.max_event_ahead_seconds
        accepted = np.isfinite(event) & ~ahead
        if not self.by_event:
            return np.where(accepted, event, arrival), int(ahead.sum())
        # A replay may run years after its rows, so a row without a time gets that of the row before, not its arrival.
        known = np.where(accepted, event, -math.inf)
        now = np.maximum(np.maximum.accumulate(known), self.store.latest_event)
        return np.where(accepted, event, np.where(np.isfinite(now), now, arrival)), int(ahead.sum())

    def _append(self, columns: FloatArray, arrival: FloatArray, event: FloatArray) -> None:
        if not self.by_event:
            self.store.append(columns, arrival, event)
            return
        with self._event_lock:
            self._append_in_parts(columns, arrival, event)

    def _append_in_parts(self, columns: FloatArray, arrival: FloatArray, event: FloatArray) -> None:
        """Append rows, and evaluate before the rings overwrite a row or block that is not evaluated yet."""
        self.store.mend()
        first = 0
        while first < len(columns):
            if self.store.room < min(BLOCK_ROWS, len(columns) - first):
                self._update_evidence()
            part = slice(first, first + min(BLOCK_ROWS, self.store.room))
            self.store.append(columns[part], arrival[part], event[part])
            if abs(self.store.rows - self.store.settled().rows) >= BLOCK_ROWS:
                self._update_latches()
                self._update_evidence()
            first = part.stop

    def _update_latches(self) -> None:
        """In event time, update latches every N rows, so that verdicts do not depend on reads.

        The caller holds the lock.
        """
        policy, step = self.options.policy, self._latch_rows
        before = self.store.settled()
        reached, clock = before.reached, before.clock
        # The rows, or the latches themselves, may have been reset.
        settled = max(min(before.rows, self.store.rows), self.store.oldest)
        ends = range(settled + step, self.store.rows + 1, step)
        for end in ends:
            rows = self.store.codes_until(end, max(step, policy.windows[-1]))
            clock = max(clock, float(rows.newest(step).at.max()))
            windows = sliding_windows(rows, policy.windows, clock - policy.max_age_seconds, self.baseline.binner)
            reached = update_latches(self.baseline, windows, reached, policy)
        if ends:
            self.store.settle(Settled(reached, ends[-1], clock))

    def _update_evidence(self) -> None:
        """Add the pending blocks to the evidence, each once; the caller holds the lock."""
        blocks, counted, lost = self.store.unweighed()
        self.store.weigh(self.detector.advance(self.store.evidence(), blocks), counted)
        if lost:
            with self.store.counting() as counters:
                counters.add(EVIDENCE_SKIPPED.name, lost)

    def evaluate(self, now: float) -> Evaluation:
        """Evaluate the windows and keep the report; `now` is the time of day, seconds since 1970."""
        self._last = self._evaluate(now)
        return self._last

    def _evaluate(self, now: float) -> Evaluation:
        started = time.thread_time()
        report = self._report_of_events(now) if self.by_event else self._report_of_arrivals(now)
        return Evaluation(report, now, time.thread_time() - started)

    def _initial(self, now: float) -> Evaluation:
        """Return the initial report, an empty one if shared state is unreadable, so that serving starts."""
        try:
            return self._evaluate(now)
        except Exception:  # the next evaluation reports the problem
            nothing = Store.in_memory(self.store.state.shape, self.detector)
            held, carried = nothing.snapshot(now), Carryover(nothing.evidence(), nothing.settled().reached)
            return Evaluation(self._report(held, carried, now)[0], now, 0.0)

    def _report_of_events(self, now: float) -> DriftReport:
        with self._event_lock, self.store.evaluating():
            self._update_latches()
            self._update_evidence()
            held, carried = self._snapshot(now)
        return self._report(held, carried, now)[0]

    def _report_of_arrivals(self, now: float) -> DriftReport:
        with self.store.evaluating():
            self._update_evidence()
            held, carried = self._snapshot(now)
            report, carried = self._report(held, carried, now)
            self.store.settle(Settled(carried.latched, held.observed, now), evaluated_at=now)
            self.store.retire(now, self._needed_seconds)
        return report

    def _snapshot(self, now: float) -> tuple[Snapshot, Carryover]:
        return self.store.snapshot(now), Carryover(self.store.evidence(), self.store.settled().reached)

    def _report(self, held: Snapshot, carried: Carryover, now: float) -> tuple[DriftReport, Carryover]:
        policy = self.options.policy
        clock = held.latest_event if self.by_event and math.isfinite(held.latest_event) else now
        windows = [
            *sliding_windows(held.rows, policy.windows, clock - policy.max_age_seconds, self.baseline.binner),
            *time_windows(held.totals, held.rows, clock),
        ]
        return evaluate(self.baseline, windows, held.observed, carried, policy, clock)

    @property
    def _needed_seconds(self) -> float:
        """How long a row may stay in any window."""
        policy = self.options.policy
        return max([policy.max_age_seconds, *(span.seconds for span in policy.time_windows)])

    def bin_rows(self) -> IntArray:
        """Return the rows counted in each bin since the state began, shape [columns, K]."""
        return self.store.bin_rows()
