"""Remembers what was counted of rows as they are sent, and the last ones with a fault."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import numpy.typing as npt

from driftgauge.common.quoting import shortened
from driftgauge.drift.quality.checker import QualityOptions
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.quality.report import REQUIRED
from driftgauge.drift.quality.requests import FaultyRow, RequestReport, SentRows, request_report
from driftgauge.errors import REQUEST_CONSTRAINTS, Refused
from driftgauge.metrics.series import FAILED, PREDICTIONS, REQUEST_ROWS_REFUSED, REQUEST_VIOLATIONS

SPAN_SECONDS: Final = 900.0
"""A report is on the rows of this time, or since the process began."""
STEP_SECONDS: Final = 30.0
"""Shortest time between two counts that are kept."""
EXAMPLES: Final = 3
"""Refused rows that are kept for each constraint."""
Arrays = Mapping[str, npt.NDArray[Any]]


class SentRowsLog:
    """The counts of the last 15 minutes, those of all workers, and the last rows with a fault in this process."""

    def __init__(
        self,
        constraints: Constraints,
        options: QualityOptions,
        names: Collection[str],
        clock: Callable[[], float],
        counted: Arrays,
    ) -> None:
        """Begin with what was counted before; `names` are the features, `clock` gives seconds since 1970."""
        self._constraints: Final = constraints
        self._options: Final = options
        self._shown: Final = frozenset(names) - options.redacted
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._counts: Final = deque([_sent(counted, clock())])
        self._examples: Final = {name: deque[FaultyRow](maxlen=EXAMPLES) for name in REQUEST_CONSTRAINTS}

    def refused(self, error: Refused) -> None:
        """Keep a refusal as an example of the constraint that its message is about."""
        constraint = error.constraint
        if constraint is None or not self._options.has_examples:
            return
        feature = error.detail.get("field")
        name = None if feature is None else str(feature)
        message = error.message if name in self._shown or not self._options.redacted else None
        with self._lock:
            self._examples[constraint].appendleft(FaultyRow(name, message, self._clock()))

    def lacked(self, column: str) -> None:
        """Keep an accepted row without a required column as an example."""
        if not self._options.has_examples:
            return
        message = f"{shortened(column)} is absent; the row was predicted without it"
        with self._lock:
            self._examples[REQUIRED].appendleft(FaultyRow(column, message, self._clock()))

    def report(self, counted: Arrays) -> RequestReport:
        """Return what the newest counts say beside those of 15 minutes ago."""
        now = _sent(counted, self._clock())
        with self._lock:
            counts = self._counts
            while len(counts) > 1 and counts[1].at <= now.at - SPAN_SECONDS:
                counts.popleft()
            if now.at >= counts[-1].at + STEP_SECONDS:
                counts.append(now)
            examples = {name: tuple(own) for name, own in self._examples.items()}
            before = counts[0]
        return request_report(before, now, self._constraints, examples)


def _sent(arrays: Arrays, at: float) -> SentRows:
    rows = sum(int(arrays[own.name].sum()) for own in (PREDICTIONS, FAILED, REQUEST_ROWS_REFUSED))
    violations = arrays[REQUEST_VIOLATIONS.name][:, 0].tolist()
    children = (name for (name,) in REQUEST_VIOLATIONS.children)
    return SentRows(at, rows, {name: int(count) for name, count in zip(children, violations, strict=True)})
