"""The monitoring of one model version: its verdicts, the facts behind `/metrics`, and its problems."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from driftgauge.common.private_files import LockTimeout
from driftgauge.common.shared_text import SharedText
from driftgauge.common.single_flight import SingleFlight
from driftgauge.drift.performance.report import PerformanceReport
from driftgauge.drift.rolling.report import RollingReport
from driftgauge.edges.http.log_uses import label_intake, rolling_loop, truth_loop
from driftgauge.edges.http.model_facts import exposed_of, ingest_facts, label_facts, limits_of, queue_used
from driftgauge.edges.http.recent_traffic import RecentTraffic
from driftgauge.edges.http.release_view import ReleaseView
from driftgauge.errors import Reason, Refused
from driftgauge.ingestion.joins import OpenEvents
from driftgauge.metrics.facts import Exposed, Limits, MonitorFacts, ReleaseFacts
from driftgauge.metrics.series import INGEST, SOURCES, CounterSpec
from driftgauge.monitor.attribution_loop import AttributionLoop
from driftgauge.monitor.clients import ClientRows, most_rows
from driftgauge.monitor.diagnoses import Diagnoses
from driftgauge.monitor.ground_truth import TruthParts
from driftgauge.monitor.ground_truth_loop import GroundTruthLoop
from driftgauge.monitor.label_intake import LabelIntake
from driftgauge.monitor.log_counts import LogCounts
from driftgauge.monitor.long_windows import LongWindows
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.publisher import INTERVAL_SECONDS, Publisher, state_problems
from driftgauge.monitor.rolling_loop import RollingLoop
from driftgauge.monitor.scheduler import Evaluator
from driftgauge.monitor.whole_row_loop import WholeRowLoop
from driftgauge.predictions.description import Described
from driftgauge.predictions.log import ModelLog, PredictionLog
from driftgauge.settings.options import Settings
from driftgauge.state.rolling_files import RollingFiles
from driftgauge.state.seen_records import SeenRecords
from driftgauge.state.snapshot import SlotTotals, sum_totals
from driftgauge.state.store import Store

UNKNOWN_TASK: Final = "unknown"
"""The task of a model that another server serves, unless the settings say it."""
UNREAD: Final = "state_not_read"
"""A reading of the state failed or took too long; its parts are the readings, each of which may work again."""
CATCH_UP_WAIT_SECONDS: Final = 0.05
"""How long a scrape waits for another worker that evaluates, before it goes on without a catch-up."""
MIN_READ_SECONDS: Final = 0.05
"""Minimum time for reading the state, even if the evaluation took all of it."""


@dataclass
class ModelMonitoring:
    """The monitoring of one model version; it shares no lock, no file and no thread with that of another."""

    settings: Settings
    """The options of this model."""
    clock: Callable[[], float]
    task: str
    """The model's task, `unknown` for one that is served elsewhere and whose settings do not say it."""
    monitor: ColumnMonitor
    evaluator: Evaluator | None
    """None if monitoring is off."""
    problems: Problems
    """Problems of this monitoring."""
    publisher: Publisher
    watching: Executor
    """Reads and evaluates the state; a slow disk blocks nothing else."""
    logged: Described
    """The model version as the prediction log describes it."""
    seen: SeenRecords
    """Remembers its records from the logs of other servers."""
    events: OpenEvents
    """Its requests and responses from the logs of other servers, which wait for each other."""
    diagnoses: Diagnoses
    """Says what is wrong, when it is asked."""
    source: str = SOURCES[0]
    """Who observes its rows."""
    release: ReleaseView | None = None
    """What the version is; None where versions are not replaced."""
    labels: LabelIntake | None = None
    """Takes in its ground truth; None without a prediction log."""
    shared_labels: SharedText | None = None
    """Where the workers share what is known of its labels; None for this process alone."""
    truth_parts: TruthParts | None = None
    """What evaluates its ground truth; None if its task is unknown or monitoring is off."""
    truth: GroundTruthLoop | None = None
    """Evaluates its ground truth; None without a prediction log."""
    rolling_files: RollingFiles | None = None
    """Where its rolling reference is kept; None if the settings ask for none, or monitoring is off."""
    rolling: RollingLoop | None = None
    """Keeps its rolling reference; None also without a prediction log."""
    whole_rows: WholeRowLoop | None = None
    """Compares its whole rows; None where no rows of the reference are kept, or monitoring is off."""
    attributions: AttributionLoop | None = None
    """Compares its attributions; None if that is off."""
    _persistent: bool = field(default=False)
    """Whether the state was in files when it was last read."""

    @property
    def model_name(self) -> str:
        """The model's name."""
        return self.monitor.model_name

    @property
    def model_version(self) -> str:
        """The model's version."""
        return self.monitor.model_version

    @property
    def store(self) -> Store:
        """The state of the model version."""
        return self.monitor.store

    @property
    def evaluations(self) -> Evaluator:
        """The evaluator; Refused if monitoring is off."""
        if self.evaluator is None:
            raise Refused(
                Reason.MONITORING_DISABLED, "monitoring is off: start the server with monitoring_enabled=true"
            )
        return self.evaluator

    def work(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Return what runs beside requests until it is cancelled."""
        evaluating = [] if self.evaluator is None else [self.evaluator.run()]
        settling = [] if self.labels is None else [self.labels.run()]
        judging = [loop.run() for loop in self._loops]
        writing = [] if self.monitor.clients is None else [self._write_clients(self.monitor.clients)]
        remembering = self.recent.run(self.store.counted, self.watching)
        return [*evaluating, *settling, *judging, *writing, remembering, self.publisher.run()]

    @cached_property
    def recent(self) -> RecentTraffic:
        """The traffic of the last minutes."""
        return RecentTraffic(self.clock)

    @property
    def _loops(self) -> Sequence[GroundTruthLoop | RollingLoop | WholeRowLoop | AttributionLoop]:
        """What takes steps in threads of its own."""
        loops = (self.truth, self.rolling, self.whole_rows, self.attributions)
        return [loop for loop in loops if loop is not None]

    def use_log(self, log: PredictionLog) -> None:
        """Take in ground truth, evaluate it and keep a rolling reference with the prediction log."""
        settings, problems, clock = self.settings, self.problems, self.clock
        self.labels = label_intake(log, self.logged, self.monitor, settings, problems, clock, self.shared_labels)
        if self.truth_parts is not None:
            self.truth = truth_loop(log, self.truth_parts, settings, problems, clock)
        if self.rolling_files is not None:
            self.rolling = rolling_loop(log, self.rolling_files, self.monitor, settings, problems, clock)

    def close_log(self) -> None:
        """End what uses the prediction log."""
        if self.labels is not None:
            self.labels.close()
        for loop in self._loops:
            loop.close()

    async def _write_clients(self, clients: ClientRows) -> None:
        """Write the rows of clients for the other workers each second, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            await asyncio.get_running_loop().run_in_executor(self.watching, clients.write)

    @property
    def performance(self) -> PerformanceReport | None:
        """The latest report on ground truth; None without a prediction log, and before the first evaluation."""
        return None if self.truth is None or self.truth_parts is None else self.truth_parts.reports.known

    async def latest_performance(self) -> PerformanceReport | None:
        """Return the latest report on ground truth of any worker, the one known if it cannot be read in time."""
        try:
            await self._read_performance.get(self.settings.evaluation_wait_seconds)
            self.problems.resolve(UNREAD, "performance")
        except Exception as error:
            self._unread(error, "performance")
        return self.performance

    def _look_at_performance(self) -> None:
        """Look for a report on ground truth that another worker made."""
        if self.truth is not None and self.truth_parts is not None:
            self.truth_parts.reports.latest()

    @property
    def against_rolling(self) -> RollingReport | None:
        """The last report's main window against the rolling reference; None before there is one."""
        return None if self.rolling is None else self.rolling.report_on(self.monitor.last.report)

    @cached_property
    def long_windows(self) -> LongWindows:
        """Judges the time windows of a week or more."""
        return LongWindows(self.problems)

    def way_into(self, log: PredictionLog) -> ModelLog:
        """Return the way of this model's predictions into the prediction log, on which they are counted."""
        return log.of_model(self.logged, LogCounts(self.store), self.source)

    def leave(self) -> None:
        """Save the state and give it back."""
        if self.monitor.clients is not None:
            self.monitor.clients.write()
        self.close_log()
        self.store.leave()

    async def facts(self) -> MonitorFacts:
        """Return the facts behind `/metrics`; the monitor is evaluated first if rows came.

        If the state cannot be read in time, they are this worker's own, marked unhealthy.
        """
        began = time.monotonic()
        if self.evaluator is not None:
            await self.evaluator.current()
        try:
            facts = await self._read_facts.get(self._left(began))
        except Exception as error:
            self._unread(error, "facts")
            return self._facts_of(self.store.own_and_known(), self.monitor.last.at, healthy=False)
        self.problems.resolve(UNREAD, "facts")
        return facts

    async def state(self) -> tuple[list[str], dict[str, Any]]:
        """Return the problems and how state is kept; the monitor is evaluated first if rows came."""
        began = time.monotonic()
        await self.evaluations.current()
        try:
            state = await self._read_state.get(self._left(began))
        except Exception as error:
            self._unread(error, "state")
            kept = "files" if self._persistent else "memory"
            return self.problems.current(), {"kept": kept, "workers": 1, "notes": self.store.notes}
        self.problems.resolve(UNREAD, "state")
        return state

    def _unread(self, error: Exception, part: str) -> None:
        late = TimeoutError(f"the state was not read within {self.settings.evaluation_wait_seconds:g} s")
        self.problems.record(UNREAD, late if isinstance(error, TimeoutError) else error, part=part)

    def _left(self, began: float) -> float:
        return max(MIN_READ_SECONDS, self.settings.evaluation_wait_seconds - (time.monotonic() - began))

    @cached_property
    def _read_performance(self) -> SingleFlight[None]:
        return SingleFlight(self._look_at_performance, self.watching)

    @cached_property
    def _read_facts(self) -> SingleFlight[MonitorFacts]:
        return SingleFlight(self._facts, self.watching)

    @cached_property
    def _read_state(self) -> SingleFlight[tuple[list[str], dict[str, Any]]]:
        def read() -> tuple[list[str], dict[str, Any]]:
            self._look_at_performance()
            facts = self.state_facts()
            return self.current_problems(), facts

        return SingleFlight(read, self.watching)

    def _facts(self) -> MonitorFacts:
        self.publisher.measure()
        self._look_at_performance()
        self._catch_up()
        members = self.store.counted()
        healthy = not self.current_problems()
        self._persistent = self.store.is_persistent
        evaluated_at = max(self.monitor.last.at, self.store.root.evaluated_at)
        return self._facts_of(members, evaluated_at, healthy=healthy)

    def _catch_up(self) -> None:
        """Count the rows since the last evaluation, unless another worker holds the lock: then it counts them."""
        if self.evaluator is not None:
            with suppress(LockTimeout):
                self.monitor.catch_up(self.clock(), wait_seconds=CATCH_UP_WAIT_SECONDS)

    def _facts_of(self, members: Sequence[SlotTotals], evaluated_at: float, *, healthy: bool) -> MonitorFacts:
        monitor, last, release = self.monitor, self.monitor.last, self.release
        watched = self.evaluator is not None and (release is None or release.is_watched)
        arrays = sum_totals(members)
        return MonitorFacts(
            model_name=monitor.model_name,
            model_version=monitor.model_version,
            task=self.task,
            series=self.series,
            arrays=arrays,
            baseline=monitor.watched,
            report=last.report if watched else None,
            bin_rows=monitor.bin_rows() if watched else None,
            evaluated_at=evaluated_at,
            evaluation_seconds=last.cpu_seconds,
            healthy=healthy,
            persistent=self._persistent,
            limits=self.limits,
            clients=most_rows(last.report.clients) if watched else {},
            estimated=last.estimated.windows if watched else {},
            quality=last.quality if watched else None,
            requests=monitor.sent.report(arrays) if watched and monitor.sent else None,
            queue=None if self.publisher.model_queue is None else queue_used(members, self.settings),
            release=ReleaseFacts() if release is None else release.facts(arrays),
            labels=label_facts(self.labels, self.settings),
            ingest=ingest_facts(
                self.seen, self.events, self.settings, arrays, self.clock(), is_elsewhere=self.is_elsewhere
            ),
            performance=self.performance,
            rolling=self.against_rolling if watched else None,
            gradual=self.long_windows.report_on(last.report) if watched else None,
            whole_rows=self.whole_rows.known if watched and self.whole_rows else None,
            attributions=self.attributions.known if watched and self.attributions else None,
            exposed=self.exposed,
        )

    @property
    def is_elsewhere(self) -> bool:
        """Whether another server serves the model."""
        return self.source == INGEST

    @property
    def series(self) -> tuple[CounterSpec, ...]:
        """What is counted of the model."""
        return self.store.counters.series

    def current_problems(self) -> list[str]:
        """Return a sentence for each problem of this monitoring."""
        of_state = [f"{kind}: {text}" for kind, text in state_problems(self.store).items()]
        return list(dict.fromkeys([*self.problems.current(), *of_state]))

    def state_facts(self) -> dict[str, Any]:
        """Return how state is kept, for the status."""
        return {
            "kept": "files" if self.store.is_persistent else "memory",
            "workers": self.store.workers,
            "notes": self.store.notes,
        }

    @property
    def exposed(self) -> Exposed:
        """The part of the drift metrics that `/metrics` lists."""
        return exposed_of(self.settings)

    @property
    def limits(self) -> Limits:
        """Thresholds of latency, of an evaluation's age and of outliers."""
        return limits_of(self.settings)
