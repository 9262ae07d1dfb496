"""Latency, failures and lost rows of the last minutes, beside those of before."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.edges.web.facts import Efficiency
from driftgauge.edges.web.traffic import Arrays, quantile
from driftgauge.errors import Reason
from driftgauge.metrics.series import DROPPED, FAILED, LATENCY, PREDICTIONS, REJECTED
from driftgauge.state.snapshot import SlotTotals, sum_totals

SPAN_SECONDS: Final = 300.0
"""Recent is what was counted in this time, or since the process began."""
STEP_SECONDS: Final = 30.0
"""Time between two counts that are kept."""
ENOUGH_SECONDS: Final = 5.0
"""Shortest time over which rates are known."""
ENOUGH_REQUESTS: Final = 100
"""Requests before the recent ones that tell what is usual."""
_OVERLOADED: Final = REJECTED.children.index((Reason.OVERLOADED,))


@dataclass(frozen=True, eq=False)
class Counted:
    """What all workers had counted of a model at a time."""

    at: float
    """Seconds since 1970."""
    latency: FloatArray
    """Requests in each bucket of the latency by size, shape [sizes, buckets]."""
    rows: float
    failed: float
    dropped: float
    overloaded: float
    """Requests that were rejected because the queue was full."""

    @classmethod
    def of(cls, arrays: Arrays, at: float) -> Counted:
        """Return what counters say."""
        rows, failed, dropped = (float(arrays[own.name].sum()) for own in (PREDICTIONS, FAILED, DROPPED))
        overloaded = float(arrays[REJECTED.name][_OVERLOADED].sum())
        return cls(at, arrays[LATENCY.name][:, :-1], rows, failed, dropped, overloaded)

    def since(self, before: Counted) -> Counted:
        """Return what was counted after an earlier time; a state that cannot be read leaves fewer counts than then."""
        return Counted(
            self.at,
            np.maximum(self.latency - before.latency, 0.0),
            max(0.0, self.rows - before.rows),
            max(0.0, self.failed - before.failed),
            max(0.0, self.dropped - before.dropped),
            max(0.0, self.overloaded - before.overloaded),
        )


@dataclass(frozen=True)
class Recent:
    """The traffic of the last minutes; NaN where nothing is known."""

    requests: int = 0
    p95_seconds: float = math.nan
    p99_seconds: float = math.nan
    past_p95_seconds: float = math.nan
    """Of requests of the same size, before the recent ones."""
    past_p99_seconds: float = math.nan
    failed_ratio: float = math.nan
    """Share of the rows on which the model failed."""
    dropped: int = 0
    """Rows that monitoring lost."""


class RecentTraffic:
    """Remembers what was counted in the last minutes, so that the present can be compared with the past."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds since 1970."""
        self._clock: Final = clock
        self._counts: deque[Counted] = deque()

    def note(self, arrays: Arrays) -> None:
        """Keep what is counted now, unless that was done a moment ago."""
        now = Counted.of(arrays, self._clock())
        counts = self._counts
        while len(counts) > 1 and counts[1].at <= now.at - SPAN_SECONDS:
            counts.popleft()
        if not counts or now.at >= counts[-1].at + STEP_SECONDS:
            counts.append(now)

    def recent(self, arrays: Arrays) -> Recent:
        """Return what the newest counts say beside those before."""
        if not self._counts:
            return Recent()
        before = self._counts[0]
        new = Counted.of(arrays, self._clock()).since(before)
        size = int(new.latency.sum(axis=1).argmax())  # large requests take longer
        past = before.latency[size]
        is_known = past.sum() >= ENOUGH_REQUESTS
        (p95, p99), (past_p95, past_p99) = (
            [quantile(own, LATENCY.buckets, level) for level in (0.95, 0.99)] for own in (new.latency[size], past)
        )
        return Recent(
            requests=int(new.latency[size].sum()),
            p95_seconds=p95,
            p99_seconds=p99,
            past_p95_seconds=past_p95 if is_known else math.nan,
            past_p99_seconds=past_p99 if is_known else math.nan,
            failed_ratio=_ratio(new.failed, new.rows + new.failed),
            dropped=int(new.dropped),
        )

    def efficiency(self, arrays: Arrays, queued: tuple[float, float]) -> Efficiency:
        """Return what the newest counts say of the last minutes; `queued` are the shares of the queue in use."""
        now = Counted.of(arrays, self._clock())
        before = self._counts[0] if self._counts else now
        seconds, new = max(0.0, now.at - before.at), now.since(before)
        latency = new.latency.sum(axis=0)
        requests = float(latency.sum())
        known = seconds >= ENOUGH_SECONDS
        p50, p95, p99 = (quantile(latency, LATENCY.buckets, level) for level in (0.5, 0.95, 0.99))
        return Efficiency(
            seconds=seconds,
            rows_per_second=new.rows / seconds if known else math.nan,
            requests_per_second=requests / seconds if known else math.nan,
            failed_ratio=_ratio(new.failed, new.rows + new.failed),
            overloaded_ratio=_ratio(new.overloaded, requests + new.overloaded),
            latency_p50=p50,
            latency_p95=p95,
            latency_p99=p99,
            queued_requests_ratio=queued[0],
            queued_rows_ratio=queued[1],
        )

    async def run(self, counted: Callable[[], Sequence[SlotTotals]], executor: Executor) -> None:
        """Keep what is counted each half minute, until cancelled."""
        while True:
            with suppress(Exception):  # the state cannot be read: others report it
                self.note(sum_totals(await asyncio.get_running_loop().run_in_executor(executor, counted)))
            await asyncio.sleep(STEP_SECONDS)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
