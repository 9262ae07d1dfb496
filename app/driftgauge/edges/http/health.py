"""`GET /health` and its probes: whether the process runs, predicts and monitors."""

from __future__ import annotations

import os

from fastapi import Request
from starlette.responses import Response

from driftgauge import __version__
from driftgauge.edges.http.context import context_of
from driftgauge.edges.http.errors import error_response, json_response
from driftgauge.errors import Reason


async def health(request: Request) -> Response:
    """Return the served model, and whether monitoring works."""
    context = context_of(request)
    problems = context.monitoring.current_problems()
    return json_response(
        {
            "health": "ok" if context.ready else "starting",
            "version": __version__,
            "model_name": context.info.name,
            "model_version": context.info.version,
            "worker": {"slot": context.monitoring.store.number, "pid": os.getpid()},
            "monitoring": {"healthy": not problems, "problems": problems},
        }
    )


async def live() -> Response:
    """Return 200 while the process runs."""
    return json_response({"health": "ok"})


async def ready(request: Request) -> Response:
    """Return 200 once the server predicts, 503 while it starts or stops."""
    if context_of(request).ready:
        return json_response({"health": "ok"})
    return error_response(Reason.NOT_READY, "the server is starting or stopping: try again in a moment")
