"""Diagnoses a model on demand, in a thread: once for each evaluation, shared by all who ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.attribution.partial_dependence import PartialDependence
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.diagnosis.diagnosis import Diagnosis, diagnose
from driftgauge.drift.diagnosis.facts import Facts
from driftgauge.drift.reference.baseline import OUTPUTS
from driftgauge.monitor.diagnosis_facts import DiagnosisFacts, LiveFacts
from driftgauge.monitor.monitor import ColumnMonitor, Evaluation

Depends = Callable[[str, FloatArray, FloatArray], PartialDependence | None]
"""Returns how the score depends on a feature, given monitored rows and the feature's live values."""
REST_FACTOR: Final = 50.0
"""Pause after a diagnosis, as a multiple of its CPU time: it takes at most a fiftieth of one processor."""


@dataclass(frozen=True)
class Diagnosed:
    """A diagnosis, the facts behind it, and its CPU time."""

    diagnosis: Diagnosis
    facts: Facts
    dependence: PartialDependence | None
    """How the score depends on the feature of the first cause.

    None without a feature, for a redacted one, or if the model cannot be asked.
    """
    cpu_seconds: float


class Diagnoses:
    """Keeps the diagnosis of one model version.

    It is made when it is asked for: again after the next evaluation, once the rest is over. It is used in one event
    loop.
    """

    def __init__(
        self,
        monitor: ColumnMonitor,
        facts: DiagnosisFacts,
        executor: Executor,
        *,
        rest_factor: float = REST_FACTOR,
    ) -> None:
        """Diagnose in a thread of `executor`."""
        self._monitor: Final = monitor
        self._facts: Final = facts
        self._executor: Final = executor
        self._rest: Final = rest_factor
        self.depends: Depends | None = None
        """Asks the model; None where it is not at hand."""
        self._running: asyncio.Task[None] | None = None
        self._made: tuple[Evaluation, Diagnosed] | None = None
        self._resting_until = 0.0

    async def current(self, live: Callable[[], Awaitable[LiveFacts]], wait_seconds: float | None = None) -> Diagnosed:
        """Return the diagnosis of the last evaluation, or an earlier one during the rest.

        `live` is called for what is known beside it. If it takes longer than `wait_seconds`, return the one before;
        TimeoutError without one.
        """
        if self._is_due():
            self._running = self._running or asyncio.create_task(self._diagnose(live))
            try:
                await asyncio.wait_for(asyncio.shield(self._running), wait_seconds)
            except TimeoutError:
                if self._made is None:
                    raise TimeoutError(f"the diagnosis took longer than {wait_seconds:g} s") from None
        if self._made is None:
            raise RuntimeError("there is no diagnosis")
        return self._made[1]

    def _is_due(self) -> bool:
        is_old = self._made is None or self._made[0] is not self._monitor.last
        return is_old and (self._made is None or time.monotonic() >= self._resting_until)

    async def _diagnose(self, live: Callable[[], Awaitable[LiveFacts]]) -> None:
        try:
            evaluation = self._monitor.last
            known = await live()
            made = await asyncio.get_running_loop().run_in_executor(self._executor, self.made_of, evaluation, known)
            self._made = (evaluation, made)
            self._resting_until = time.monotonic() + self._rest * made.cpu_seconds
        finally:
            self._running = None

    def made_of(self, evaluation: Evaluation, live: LiveFacts) -> Diagnosed:
        """Return the diagnosis of an evaluation; the caller waits for it."""
        began = time.thread_time()
        facts = self._facts.collect(evaluation, live)
        found = diagnose(facts)
        return Diagnosed(found, facts, self._dependence(found, facts), time.thread_time() - began)

    def _dependence(self, found: Diagnosis, facts: Facts) -> PartialDependence | None:
        names = self._monitor.baseline.names
        feature = next((name for name in found.first.columns if name not in OUTPUTS), None) if found.first else None
        if self.depends is None or feature is None or facts.rows is None or not len(facts.rows):
            return None
        if feature in facts.redacted:
            return None
        rows = facts.rows.values[:, : len(names)]  # without the column of outliers
        return self.depends(feature, rows, rows[:, names.index(feature)])
