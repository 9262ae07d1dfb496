"""`GET /health` and its probes: whether the process runs, predicts and monitors."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from driftgauge.edges.http.context import context_of
from driftgauge.edges.http.errors import error_response, json_response
from driftgauge.edges.http.monitoring_health import monitoring_health
from driftgauge.errors import Reason


async def health(request: Request) -> Response:
    """Return the served model, and whether monitoring works; problems in words need the scope `read`."""
    context = context_of(request)
    health = "ok" if context.ready else "starting"
    return monitoring_health(context.monitoring, health, in_full=context.access.shows(request.scope))


async def live() -> Response:
    """Return 200 while the process runs."""
    return json_response({"health": "ok"})


async def ready(request: Request) -> Response:
    """Return 200 once the server predicts, 503 while it starts or stops.

    Of several models it needs one; those that could not be loaded are listed, and each has a probe of its own under
    `/v2/models/NAME/ready`.
    """
    if context_of(request).ready:
        unusable = sorted(context_of(request).monitoring.unusable)
        return json_response({"health": "ok", **({"unusable_models": unusable} if unusable else {})})
    return error_response(Reason.NOT_READY, "the server is starting or stopping: try again in a moment")
