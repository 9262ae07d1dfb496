"""Takes in the ground truth of one model: stores it, joins it with predictions that come later, and counts it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import inf
from typing import Final

from driftgauge.common.shared_text import SharedText
from driftgauge.drift.performance.outcomes import OutcomeReport, OutcomeRule
from driftgauge.errors import PredictionLogError, Reason, Refused
from driftgauge.metrics.series import LABEL_LAG, LABELS, OUTCOMES
from driftgauge.monitor.label_facts import Known, SharedLabelFacts
from driftgauge.monitor.problems import LOG_PROBLEM, Problems
from driftgauge.predictions.label_store import LabelFacts, LabelStore
from driftgauge.predictions.labels import FINAL, Fate, GivenLabel, LabelTally
from driftgauge.state.store import Store

PROBLEM: Final = "labels_not_settled"
NOT_STORED: Final = "labels_not_stored"
INTERVAL_SECONDS: Final = 5.0
"""Time between two looks for predictions that labels wait for."""
REST_FACTOR: Final = 20.0
"""Least pause after such a look, as a multiple of its duration."""
FORGET_SECONDS: Final = 300.0
"""Time between two looks for labels whose predictions the log has deleted."""
OUTCOME_SECONDS: Final = 60.0
"""Time between two evaluations of business outcomes."""
MOST_PENDING: Final = 16
"""Batches that wait for the database."""


class LabelIntake:
    """The labels and outcomes of one model."""

    def __init__(
        self,
        opener: Callable[[], LabelStore],
        state: Store,
        problems: Problems,
        clock: Callable[[], float],
        *,
        wait_seconds: float,
        outcomes: Mapping[str, OutcomeRule] | None = None,
        mature: Callable[[], float] | None = None,
        shared: SharedText | None = None,
    ) -> None:
        """Open the labels at their first use, and count in `state`; `clock` gives the time of day in seconds.

        `outcomes` are judged on predictions made before `mature()`, by default before now. The workers of a service
        give the same `shared`, so that each says the same.
        """
        self._opener = opener
        self._opened: LabelStore | None = None
        self._state = state
        self._problems = problems
        self._clock = clock
        self._wait_seconds = wait_seconds
        self.thread: Final = ThreadPoolExecutor(1, thread_name_prefix="labels")
        self._pending = threading.BoundedSemaphore(MOST_PENDING)
        self._forgotten_at = -FORGET_SECONDS
        self._rules: Final = dict(outcomes or {})
        self._mature = mature or clock
        self._known: Final = SharedLabelFacts(self._rules, shared)

    @property
    def outcomes(self) -> Mapping[str, OutcomeReport]:
        """The business outcomes at the last look of any worker."""
        return self._known.outcomes

    @property
    def facts(self) -> LabelFacts:
        """What was known at the last look of any worker."""
        return self._known.known.facts

    async def add(self, given: Sequence[GivenLabel], refused: int = 0) -> LabelTally:
        """Store a batch and count what became of it; `refused` are rows of it that could not be read.

        Refused while too many batches wait; PredictionLogError if the database fails, and then nothing was stored.
        """
        if not self._pending.acquire(blocking=False):
            message = f"{MOST_PENDING} batches of labels wait for the database: try again in a moment"
            raise Refused(Reason.OVERLOADED, message)
        try:
            return await asyncio.get_running_loop().run_in_executor(self.thread, self.add_now, given, refused)
        finally:
            self._pending.release()

    def add_now(self, given: Sequence[GivenLabel], refused: int = 0) -> LabelTally:
        """Do the same in the caller's thread."""
        store = self._store()
        tally = store.add(given, self._clock())
        tally.fates[Fate.REFUSED] += refused
        self._count(tally)
        # What another worker holds up is looked at again by `settle`, so a batch need not wait for it.
        self._known.replace(lambda known: replace(known, facts=store.facts()), wait_seconds=0.0)
        return tally

    def settle(self) -> None:
        """Join labels that waited, give up those that waited too long, and look again at what is known."""
        store, now = self._store(), self._clock()
        while (tally := store.settle(now, self._wait_seconds)).fates or tally.outcome_fates:
            self._count(tally)
        if time.monotonic() - self._forgotten_at >= FORGET_SECONDS:
            while store.forget():
                pass
            self._forgotten_at = time.monotonic()
        if self._claims_outcomes(store, now):
            self._sum_outcomes(store, now)

    def _claims_outcomes(self, store: LabelStore, now: float) -> bool:
        """Look at the facts; return whether it is for this worker to sum up outcomes, which it does once in a while."""
        is_mine = False

        def look(known: Known) -> Known:
            nonlocal is_mine
            begun = [known.claimed.get(name, -inf) for name in self._rules]
            is_mine = not all(0.0 <= now - at < OUTCOME_SECONDS for at in begun)
            claimed = dict.fromkeys(self._rules, now) if is_mine else known.claimed
            return replace(known, facts=store.facts(), claimed=claimed)

        self._known.replace(look)
        return is_mine

    def _sum_outcomes(self, store: LabelStore, now: float) -> None:
        """Sum up outcomes for all workers, none of which waits meanwhile."""
        end = self._mature()
        try:
            sums = {name: store.outcome_sums(name, end - rule.seconds, end) for name, rule in self._rules.items()}
        except Exception:  # any worker may try again at once
            self._known.replace(lambda known: replace(known, claimed={}))
            raise
        self._known.replace(lambda known: replace(known, sums=sums))

    async def run(self) -> None:
        """Settle by interval, until cancelled."""
        found: str | None = None
        while True:
            began = time.monotonic()
            try:
                await asyncio.get_running_loop().run_in_executor(self.thread, self.settle)
                if found is not None:
                    self._problems.resolve(found)
                    found = None
            except Exception as error:  # one problem of the log, though several need it
                found = LOG_PROBLEM if isinstance(error, PredictionLogError) else PROBLEM
                self._problems.record(found, error)
            await asyncio.sleep(max(INTERVAL_SECONDS, REST_FACTOR * (time.monotonic() - began)))

    def close(self) -> None:
        """End the thread, after what it has begun."""
        self.thread.shutdown(cancel_futures=True)

    def _store(self) -> LabelStore:
        if self._opened is None or self._opened.is_replaced:
            self._opened = self._opener()
        return self._opened

    def _count(self, tally: LabelTally) -> None:
        def counted(fates: Counter[Fate]) -> list[tuple[str, int]]:
            return [(str(fate), fates[fate]) for fate in FINAL if fates[fate]]

        with self._state.counting() as counters:
            for name, fates in ((LABELS.name, tally.fates), (OUTCOMES.name, tally.outcome_fates)):
                for fate, count in counted(fates):
                    counters.add(name, count, fate)
            if tally.lags:
                counters.observe(LABEL_LAG.name, tally.lags)
