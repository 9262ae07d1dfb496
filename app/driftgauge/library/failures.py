"""Counts and logs what goes wrong with calls of a monitor."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from driftgauge.errors import Reason, Refused
from driftgauge.library.session import Opened
from driftgauge.metrics.series import DROPPED, REJECTED
from driftgauge.monitor.capture import count_violations

FAILED_PROBLEM: Final = "observation_failed"
REFUSED_PROBLEM: Final = "observation_refused"


def count_failure(opened: Opened | None, error: Exception) -> None:
    """Count and log what went wrong with a call; nothing can be done about a second failure."""
    with suppress(Exception):
        if opened is None:
            return
        own = opened.monitoring.model()
        own.problems.record(REFUSED_PROBLEM if isinstance(error, Refused) else FAILED_PROBLEM, error)
        counters = own.store.counters
        with own.store.counters_lock:
            if isinstance(error, Refused):
                counters.add(REJECTED.name, 1, error.reason)
                count_violations(counters.add, error)
                if own.monitor.sent is not None:
                    own.monitor.sent.refused(error)
            else:
                counters.add(DROPPED.name, 1, Reason.MONITORING_FAILED)
