"""What HTTP reads of monitoring: the verdicts, the facts behind `/metrics`, and the problems of monitoring itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from fastapi import Request

from driftgauge.common.private_files import LockTimeout
from driftgauge.common.quoting import named, shortened
from driftgauge.common.single_flight import SingleFlight
from driftgauge.errors import Reason, Refused
from driftgauge.metrics.facts import Arrays, Limits, MonitorFacts, ServerFacts, WorkerFacts
from driftgauge.metrics.render import Exposed
from driftgauge.metrics.series import NO_SLOT, CounterSpec
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.publisher import Publisher, state_problems
from driftgauge.monitor.registry import Registry
from driftgauge.monitor.scheduler import Evaluator
from driftgauge.settings.options import Settings
from driftgauge.state.snapshot import SlotTotals, sum_totals
from driftgauge.state.store import Store

UNREAD: Final = "state_not_read"
CATCH_UP_WAIT_SECONDS: Final = 0.05
"""How long a scrape waits for another worker that evaluates, before it goes on without a catch-up."""
MIN_READ_SECONDS: Final = 0.05
"""Minimum time for reading the state, even if the evaluation took all of it."""


@dataclass
class Monitoring:
    """The monitoring of one service: of our own server, or of an application that uses the library."""

    settings: Settings
    clock: Callable[[], float]
    task: str
    """The model's task, `unknown` for one that is served elsewhere."""
    monitors: Registry
    evaluators: Mapping[tuple[str, str], Evaluator]
    """Empty if monitoring is off."""
    problems: Problems
    """Problems of monitoring."""
    store: Store
    """The state of the model, including the server's own counters."""
    publisher: Publisher
    watching: Executor
    """Reads and evaluates the state; a slow disk blocks nothing else."""
    writing: Executor
    """Serialises large answers: one thread, which reads no state."""
    server_series: Sequence[CounterSpec] = ()
    """The server's own series, which are kept in the state of the model."""
    _persistent: bool = field(default=False)
    """Whether the state was in files when it was last read."""

    def monitor(self, model_name: str | None) -> ColumnMonitor:
        """Return the monitor of a model, or of any model without a name; Refused for an unknown name."""
        found = self.monitors.find(model_name)
        if found is None:
            names = named(sorted({monitor.model_name for monitor in self.monitors}))
            raise Refused(Reason.NOT_FOUND, f"no model {shortened(str(model_name))!r} is monitored; there is {names}")
        return found

    def evaluator(self, monitor: ColumnMonitor) -> Evaluator:
        """Return the evaluator of a monitor; Refused if monitoring is off."""
        if not self.settings.monitoring_enabled:
            raise Refused(
                Reason.MONITORING_DISABLED, "monitoring is off: start the server with monitoring_enabled=true"
            )
        return self.evaluators[monitor.model_name, monitor.model_version]

    async def facts(self) -> tuple[Sequence[MonitorFacts], ServerFacts]:
        """Return the facts behind `/metrics`: of each monitor, evaluated first if rows came, and of the server.

        If the state cannot be read in time, they are this worker's own, marked unhealthy.
        """
        began = time.monotonic()
        for evaluator in self.evaluators.values():
            await evaluator.current()
        try:
            return await self._read_facts.get(self._left(began))
        except Exception as error:
            self._unread(error)
            return self._facts_without_files()

    async def state(self, monitor: ColumnMonitor) -> tuple[list[str], dict[str, Any]]:
        """Return the problems of monitoring and how state is kept; the monitor is evaluated first if rows came."""
        began = time.monotonic()
        await self.evaluator(monitor).current()
        try:
            return await self._read_state.get(self._left(began))
        except Exception as error:
            self._unread(error)
            kept = "files" if self._persistent else "memory"
            return self.problems.current(), {"kept": kept, "workers": 1, "notes": self.store.notes}

    def _unread(self, error: Exception) -> None:
        late = TimeoutError(f"the state was not read within {self.settings.evaluation_wait_seconds:g} s")
        self.problems.record(UNREAD, late if isinstance(error, TimeoutError) else error)

    def _left(self, began: float) -> float:
        return max(MIN_READ_SECONDS, self.settings.evaluation_wait_seconds - (time.monotonic() - began))

    @cached_property
    def _read_facts(self) -> SingleFlight[tuple[Sequence[MonitorFacts], ServerFacts]]:
        return SingleFlight(self._facts, self.watching)

    @cached_property
    def _read_state(self) -> SingleFlight[tuple[list[str], dict[str, Any]]]:
        def read() -> tuple[list[str], dict[str, Any]]:
            facts = self.state_facts()
            return self.current_problems(), facts

        return SingleFlight(read, self.watching)

    def _facts(self) -> tuple[Sequence[MonitorFacts], ServerFacts]:
        self.publisher.measure()
        self._catch_up()
        members = self.store.counted()
        healthy = not self.current_problems()
        self._persistent = self.store.is_persistent
        return self._facts_from(
            members,
            lambda store: store.counted(),
            lambda own: max(own.last.at, own.store.root.evaluated_at),
            healthy=healthy,
        )

    def _catch_up(self) -> None:
        """Count the rows since the last evaluation, unless another worker holds the lock: then it counts them."""
        for monitor in self.monitors if self.settings.monitoring_enabled else ():
            with suppress(LockTimeout):
                monitor.catch_up(self.clock(), wait_seconds=CATCH_UP_WAIT_SECONDS)

    def _facts_without_files(self) -> tuple[Sequence[MonitorFacts], ServerFacts]:
        return self._facts_from(
            self.store.own_and_known(), lambda store: store.own_and_known(), lambda own: own.last.at, healthy=False
        )

    def _facts_from(
        self,
        members: Sequence[SlotTotals],
        counted: Callable[[Store], Sequence[SlotTotals]],
        evaluated_at: Callable[[ColumnMonitor], float],
        *,
        healthy: bool,
    ) -> tuple[Sequence[MonitorFacts], ServerFacts]:
        """Return the facts of these members; `counted` returns those of a monitor with a store of its own."""
        together = sum_totals(members)
        monitors = [
            self._facts_of(
                own,
                together if own.store is self.store else sum_totals(counted(own.store)),
                healthy=healthy,
                evaluated_at=evaluated_at(own),
            )
            for own in self.monitors
        ]
        return monitors, self._server_facts(members, together)

    def _server_facts(self, members: Sequence[SlotTotals], together: Arrays) -> ServerFacts:
        workers = [
            WorkerFacts(NO_SLOT if own.number is None else str(own.number), own.counted["process"], own.is_running)
            for own in members
            if own.number is not None or own.counted["process"].any()  # no slot was folded
        ]
        return ServerFacts(self.server_series, together, self.settings.error_budget_ratio, workers)

    def _facts_of(self, monitor: ColumnMonitor, sums: Arrays, *, healthy: bool, evaluated_at: float) -> MonitorFacts:
        last, watched = monitor.last, self.settings.monitoring_enabled
        own = {spec.name for spec in self.server_series}
        return MonitorFacts(
            model_name=monitor.model_name,
            model_version=monitor.model_version,
            task=self.task,
            series=tuple(spec for spec in monitor.store.counters.series if spec.name not in own),
            arrays=sums,
            baseline=monitor.baseline,
            report=last.report if watched else None,
            bin_rows=monitor.bin_rows() if watched else None,
            evaluated_at=evaluated_at,
            evaluation_seconds=last.cpu_seconds,
            healthy=healthy,
            persistent=self._persistent,
            limits=self.limits,
        )

    def current_problems(self) -> list[str]:
        """Return a sentence for each problem of monitoring."""
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
        return Exposed(
            self.settings.metrics_bin_rows, self.settings.metrics_top_features, self.settings.exposed_windows
        )

    @property
    def limits(self) -> Limits:
        """Thresholds of latency and of an evaluation's age."""
        settings = self.settings
        return Limits(
            latency_seconds=(settings.latency_threshold_warning_seconds, settings.latency_threshold_critical_seconds),
            evaluation_age_seconds=settings.evaluation_stale_seconds,
        )


def monitoring_of(request: Request) -> Monitoring:
    """Return the monitoring of the application that answers a request."""
    monitoring: Monitoring = request.app.state.monitoring
    return monitoring
