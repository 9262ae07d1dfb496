"""The monitor of one model and version: it observes rows and reports drift."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from driftgauge.common.private_files import LockTimeout
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.novelty.attach import watching_outliers
from driftgauge.drift.performance.held_out import Estimated, HeldOut
from driftgauge.drift.quality.checker import Checker
from driftgauge.drift.quality.report import QualityReport
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.latches import Latches
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.report import Carryover, DriftReport, evaluate, update_latches
from driftgauge.drift.windows.blocks import step_rows
from driftgauge.drift.windows.window import Rows, Window, sliding_windows, time_windows
from driftgauge.errors import Reason
from driftgauge.metrics.series import (
    DROPPED,
    OBSERVATIONS,
    SOURCES,
    TIMESTAMPS_REJECTED,
    CounterSpec,
    monitor_series,
)
from driftgauge.monitor.beside import Beside
from driftgauge.monitor.clients import ClientRows
from driftgauge.monitor.clock import ClockName, clock_named
from driftgauge.monitor.history import VerdictHistory
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.room import InlineRoom, Room
from driftgauge.monitor.sent_rows import SentRowsLog
from driftgauge.monitor.traffic import keep_traffic, take_over
from driftgauge.state.catch_up import PendingRows
from driftgauge.state.files import LOCK_SECONDS
from driftgauge.state.shape import StateShape
from driftgauge.state.snapshot import StateSnapshot
from driftgauge.state.store import Store
from driftgauge.state.traffic import TrafficFile
from driftgauge.state.uncounted import credit

_LATCH_BLOCKS: Final = 10
"""In event time, latches are updated after this many blocks of evidence."""
_MOST_ROUNDS: Final = 1_000
"""Rounds of one catch-up, so that it ends however fast rows come."""


@dataclass(frozen=True)
class MonitorOptions:
    """Options of a monitor; see the settings of the same names."""

    policy: Policy = field(default_factory=Policy)
    clock: ClockName = "arrival"
    max_event_ahead_seconds: float = 300.0
    outliers: bool = False

    def watched(self, baseline: Baseline) -> Baseline:
        """Return the baseline with the columns that are watched besides its own; see `watching_outliers`."""
        return watching_outliers(baseline) if self.outliers else baseline


@dataclass(frozen=True)
class Evaluation:
    """A report, when it was made, and its CPU time."""

    report: DriftReport
    at: float
    """By the server's clock, seconds since 1970."""
    cpu_seconds: float
    estimated: Estimated = field(default_factory=Estimated)
    """The performance on the rows of the windows, as it is estimated without ground truth."""
    quality: QualityReport | None = None
    """What the windows say of the constraints; None without constraints."""


def state_shape(baseline: Baseline, options: MonitorOptions, series: Sequence[CounterSpec] = ()) -> StateShape:
    """Return the shape of a monitor's state; `series` are its counters, by default those of `metrics`."""
    clock = clock_named(options.clock, options.max_event_ahead_seconds)
    baseline = options.watched(baseline)
    return StateShape(
        binner=baseline.binner,
        scales=baseline.scales,
        detector=options.policy.detector(baseline),
        window_rows=options.policy.windows[-1],
        series=tuple(series or monitor_series()),
        spans=options.policy.time_windows,
        clock=clock.name,
        max_workers=clock.max_workers,
    )


class ColumnMonitor:
    """Watches the rows of one model and version against its baseline.

    `observe` and the counters may be used from several threads. `evaluate` is called by one thread at a time and
    does not block observations.
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
        traffic: TrafficFile | None = None,
        source: str = SOURCES[0],
        held_out: HeldOut | None = None,
        checker: Checker | None = None,
        problems: Problems | None = None,
    ) -> None:
        """Watch the rows of `store`; by default a new one in memory.

        The store must be made for `state_shape` of the same options. `traffic` is the file of all versions, if any.
        `now` is in seconds since 1970. `source` is that of rows which an earlier process observed and did not count.
        `held_out` is what is known of rows that the model was not fitted on, for estimates of its performance.
        `checker` checks the windows against constraints, if there are any. `problems` gets what fails beside drift.
        """
        self.baseline: Final = baseline
        """What the columns of observed rows are."""
        self.model_name: Final = model_name
        self.model_version: Final = model_version
        self.options: Final = options or MonitorOptions()
        self.watched: Final = self.options.watched(baseline)
        """What is judged: the baseline, with the column of outliers if they are watched."""
        self.outlier_scorer: Final = self.watched.novelty_scorer if self.watched.has_outliers else None
        self.clock: Final = clock_named(self.options.clock, self.options.max_event_ahead_seconds)
        self.store: Final = store or Store.in_memory(state_shape(baseline, self.options))
        self.room: Room = InlineRoom(self)
        """Makes room in the log of this worker when it fills."""
        self._credit_uncounted(source)
        self.clients: ClientRows | None = None
        """Who sent the rows, where callers have names."""
        self.sent: SentRowsLog | None = None
        """Which rows of requests violate constraints as they are sent, where there are constraints."""
        self.raised: Callable[[DriftReport, float], DriftReport] | None = None
        """Raises the verdict on the model by what is known beside its columns, where the settings ask for it."""
        self.observing: Final = threading.RLock()
        """Held while rows are appended: the time of a row may depend on the row before. One who must know which rows
        of the log are its own holds it around `observe`."""
        self.history: Final = VerdictHistory(self.store, self.watched.names)
        """The verdicts of the past."""
        self._traffic = traffic
        self._beside = Beside(self.watched, held_out, checker, problems)
        self._has_begun = False
        self._last = self._initial(now)

    def _credit_uncounted(self, source: str) -> None:
        """Count the rows that an earlier process observed and did not count."""
        if self.store.uncounted:
            with self.store.counting() as counters:
                credit(counters, self.store.uncounted, self.store.uncounted_source or source)

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
        outlier_scores: FloatArray | None = None,
    ) -> None:
        """Count rows: `columns` in the baseline's order, shape [n, columns], categories as bin codes.

        `arrival` (a time, or shape [n]) and `event` (shape [n], not finite where unknown) are in seconds
        since 1970. An event further ahead of its arrival than the options allow is rejected and counted.
        A row without an accepted event time gets its arrival time; in event time, that of the latest event
        before it. `outlier_scores` (shape [n]) are those of the rows, computed here where they are not known.
        ValueError for rows of another width or a source that is not one of `metrics.SOURCES`.
        """
        if columns.ndim != 2 or columns.shape[1] != len(self.baseline.columns):
            raise ValueError(f"rows of shape {columns.shape} for {len(self.baseline.columns)} columns")
        if source not in SOURCES:
            raise ValueError(f"{source} is not a declared source of observations: {', '.join(SOURCES)}")
        if len(columns) == 0:
            return
        arrivals = np.broadcast_to(np.asarray(arrival, dtype=np.float64), len(columns))
        columns = self._with_outliers(columns, outlier_scores)
        with self.observing:
            at, rejected = self.clock.times(arrivals, event, self.store.latest_at)
            appended = self._append(columns, arrivals, at)
        counters = self.store.counters
        with self.store.counters_lock:
            counters.add(OBSERVATIONS.name, appended, source)
            if rejected:
                counters.add(TIMESTAMPS_REJECTED.name, rejected, Reason.AHEAD_OF_ARRIVAL)
            if appended < len(columns):
                counters.add(DROPPED.name, len(columns) - appended, Reason.LOG_FULL)

    def _with_outliers(self, columns: FloatArray, scores: FloatArray | None) -> FloatArray:
        """Append the column of outliers, if it is watched."""
        if self.outlier_scorer is None:
            return columns
        flags = self.outlier_scorer.flags(self.outlier_scorer.scores(columns) if scores is None else scores)
        return np.concatenate([columns, flags[:, np.newaxis]], axis=1)

    def _append(self, columns: FloatArray, arrival: FloatArray, at: FloatArray) -> int:
        """Append rows, and make room where the log is full; return how many were appended."""
        first = 0
        while True:
            first += self.store.append(columns[first:], arrival[first:], at[first:])
            if first == len(columns):
                if self.store.is_half_full:
                    self.room.request()
                return first
            if not self.room.make(float(arrival[first])):
                return first

    def catch_up(self, now: float, wait_seconds: float = LOCK_SECONDS) -> None:
        """Count the rows that all workers have appended; `now` is the time of day, seconds since 1970.

        LockTimeout if another worker evaluates for too long.
        """
        with self.store.evaluating(wait_seconds):
            self._catch_up(now)

    def make_room(self, now: float) -> None:
        """Catch up if this worker's log is still half full once the lock is free; see `catch_up`."""
        with self.store.evaluating():
            if self.store.is_half_full:
                self._catch_up(now)

    def _catch_up(self, now: float) -> None:
        if not self._has_begun:
            self._has_begun = True
            if self._traffic is not None:
                take_over(self.store, self._traffic, self.watched.names)
        limit = self.clock.limit(now)
        for _ in range(_MOST_ROUNDS):
            pending = self.store.pending(limit, now)
            if pending is None:
                return
            self.store.commit(pending, self._latches_after(pending) if self.clock.latches_by_rows else None)
            if pending.is_last:  # rows that came meanwhile are left for the next catch-up
                return

    def _latches_after(self, pending: PendingRows) -> Latches:
        """Return the latches after some rows, judged every N rows so that they do not depend on reads."""
        policy, step = self.options.policy, _LATCH_BLOCKS * step_rows(len(self.watched.columns))
        before, counted = self.store.root.latches, self.store.root.progress.head.rows
        latched, clock, settled = before.latched, before.clock, min(before.rows, counted)
        ends = range(settled + step, counted + len(pending.rows) + 1, step)
        if not ends:
            return Latches(latched, settled, clock)
        held = self.store.newest()
        codes, at = np.concatenate([held.codes, pending.rows.codes]), np.concatenate([held.at, pending.rows.at])
        by_codes = policy.judges_by_psi  # PSI needs no values
        values = np.empty((len(at), 0)) if by_codes else np.concatenate([held.values, pending.rows.values])
        for end in ends:
            upto = max(0, len(held) + end - counted)
            rows = Rows(values[:upto], codes[:upto], at[:upto])
            clock = max(clock, float(rows.newest(step).at.max(initial=clock)))
            windows = sliding_windows(rows, policy.windows, clock - policy.max_age_seconds, self.watched.binner)
            latched = update_latches(self.watched, windows, latched, policy)
        return Latches(latched, ends[-1], clock)

    def evaluate(self, now: float) -> Evaluation:
        """Evaluate the windows and keep the report; `now` is the time of day, seconds since 1970."""
        self._last = self._evaluate(now)
        return self._last

    def _evaluate(self, now: float) -> Evaluation:
        started = time.thread_time()
        with self.store.evaluating():
            self._catch_up(now)
            held = self.store.snapshot(self.clock.now(self.store.root.progress.head.at, now))
        windows = self._windows(held, now)
        report, carried = self._report(held, windows, now)
        expected, quality = self._beside.evaluate(windows, held)
        if self.raised is not None:
            report = self.raised(report, now)
        with suppress(LockTimeout), self.store.evaluating():  # the report is right all the same
            self._keep(report, carried, held, now)
        return Evaluation(report, now, time.thread_time() - started, expected, quality)

    def _keep(self, report: DriftReport, carried: Carryover, held: StateSnapshot, now: float) -> None:
        """Keep the verdict and the latches, unless another worker has evaluated meanwhile; fold logs in no window."""
        if self.clock.latches_by_rows:  # one worker evaluates, and latches are kept with the rows
            self.history.keep(report)
            return
        before, seen = self.store.root.latches, held.latches
        if (before.rows, before.clock) == (seen.rows, seen.clock):
            self.store.keep(Latches(carried.latched, held.observed, now), now)
            self.history.keep(report)
        if self._traffic is not None:
            keep_traffic(self.store, self._traffic, self.watched.names)
        self.store.fold(now - self._needed_seconds)

    def _initial(self, now: float) -> Evaluation:
        """Return the initial report, an empty one if shared state is unreadable, so that serving starts."""
        try:
            return self._evaluate(now)
        except Exception:  # the next evaluation reports the problem
            held = Store.in_memory(self.store.shape).snapshot(now)
            windows = self._windows(held, now)
            return Evaluation(self._report(held, windows, now)[0], now, 0.0, *self._beside.evaluate(windows, held))

    def _windows(self, held: StateSnapshot, now: float) -> list[Window]:
        policy, clock = self.options.policy, self.clock.now(held.latest_at, now)
        return [
            *sliding_windows(held.rows, policy.windows, clock - policy.max_age_seconds, self.watched.binner),
            *time_windows(held.totals, held.rows, clock),
        ]

    def _report(self, held: StateSnapshot, windows: Sequence[Window], now: float) -> tuple[DriftReport, Carryover]:
        policy, clock = self.options.policy, self.clock.now(held.latest_at, now)
        carried = Carryover(held.evidence, held.latches.latched)
        live = held.evidence.live
        learning = None if live is None else policy.learning_until(live.since, self.watched.timed)
        shares = {} if self.clients is None else self.clients.shares()
        return evaluate(
            self.watched,
            windows,
            held.observed,
            carried,
            policy,
            clock,
            learning_until=learning,
            clients=shares,
        )

    @property
    def _needed_seconds(self) -> float:
        """How long a row may stay in any window."""
        policy = self.options.policy
        return max([policy.max_age_seconds, *(span.seconds for span in policy.time_windows)])

    def bin_rows(self) -> IntArray:
        """Return the rows counted in each bin since the state began, shape [columns, K]."""
        return self.store.root.progress.head.total
