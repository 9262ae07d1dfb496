"""What the status and the page say of the prediction log: the same from each worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.edges.http.ground_truth import counts_of
from driftgauge.edges.web.facts import LoggedPredictions
from driftgauge.metrics.facts import MonitorFacts
from driftgauge.metrics.series import LOG_DROPPED
from driftgauge.predictions.log import LogFacts


def log_json(log: LogFacts | None, model: MonitorFacts) -> dict[str, Any] | None:
    """Return where predictions are logged, its size and limits, and what a model's rows missed; None without a log."""
    if log is None:
        return None
    look = log.look
    return {
        "kept": log.kept,
        "rows_queued": log.queued_rows,
        "rows": None if look is None else look.rows,
        "bytes": None if look is None else look.bytes,
        "oldest_at": None if look is None or look.oldest is None else rfc3339(look.oldest),
        "rows_dropped": counts_of(model, LOG_DROPPED),
        "max_bytes": log.max_bytes,
        "free_bytes": log.free_bytes,
        "max_age_seconds": log.max_age_seconds,
    }


def logged_of(log: LogFacts | None, model: MonitorFacts) -> LoggedPredictions | None:
    """Return the same for the page; None without a log."""
    if log is None:
        return None
    look = log.look
    dropped: Mapping[str, int] = {reason: rows for reason, rows in counts_of(model, LOG_DROPPED).items() if rows}
    return LoggedPredictions(
        rows=None if look is None else look.rows,
        size_bytes=None if look is None else look.bytes,
        oldest=None if look is None else look.oldest,
        max_bytes=log.max_bytes,
        queued_rows=log.queued_rows,
        dropped=dropped,
    )
