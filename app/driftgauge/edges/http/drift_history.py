"""`GET /drift/history`: the verdicts of the past, and what changed since then."""

from __future__ import annotations

import asyncio
import math
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from driftgauge.edges.formats.drift_history import changes_json, history_json, news_json
from driftgauge.edges.http.encodings import wants_gzip
from driftgauge.edges.http.monitoring import monitoring_of
from driftgauge.edges.http.queries import columns_in, large_json, since_of
from driftgauge.errors import Reason, Refused
from driftgauge.monitor.monitor import ColumnMonitor

MOST_COLUMNS: Final = 50
"""Columns of one answer."""


async def history(request: Request) -> Response:
    """Answer with the history of the model and of the columns that the query names."""
    model = monitoring_of(request).model(request.query_params.get("model"))
    monitor = model.monitor
    small = wants_gzip(request.headers.get("accept-encoding"))
    features = columns_in(request.query_params, monitor.watched.names)
    if len(features) > MOST_COLUMNS:
        message = f"feature: {len(features)} columns; one answer has at most {MOST_COLUMNS}, so send several requests"
        raise Refused(Reason.TOO_MANY_COLUMNS, message, {"field": "feature"})
    await model.evaluations.current()
    since = since_of(request.query_params, monitor.last.report.evaluated_at)
    names = [name for name in monitor.watched.names if name in features]

    def answer() -> Response:
        return large_json(drift_history(monitor, names, since), small=small)

    return await asyncio.get_running_loop().run_in_executor(model.watching, answer)


def drift_history(monitor: ColumnMonitor, features: list[str], since: float | None) -> dict[str, Any]:
    """Return the history of a monitor; what changed is said if there is a time since when."""
    begin = -math.inf if since is None else since
    log = monitor.history.changes(begin)
    return {
        "model_name": monitor.model_name,
        "model_version": monitor.model_version,
        **history_json(monitor.history.read(begin), features),
        "changes": changes_json(log.changes),
        "changes_dropped": log.dropped,
        "news": None if since is None else news_json(monitor.history.news(monitor.last.report, since)),
    }
