"""Whether monitoring works: the part of `GET /health` that needs no model."""

from __future__ import annotations

import os

from fastapi import Request
from starlette.responses import Response

from driftgauge import __version__
from driftgauge.edges.http.errors import json_response
from driftgauge.edges.http.monitoring import Monitoring, monitoring_of


async def health(request: Request) -> Response:
    """Return the watched model, and whether monitoring works."""
    return monitoring_health(monitoring_of(request), "ok")


def monitoring_health(monitoring: Monitoring, health: str, *, in_full: bool = True) -> Response:
    """Return the state of the process in one word, its model, and the problems of monitoring.

    Unless `in_full`, the answer has names and states alone: texts may hold paths.
    """
    problems, models = monitoring.current_problems(), monitoring.models.all_live
    several = len(models) + len(monitoring.unusable) > 1
    names = [{"model_name": own.model_name, "model_version": own.model_version} for own in models]
    unusable = monitoring.unusable if in_full else dict.fromkeys(monitoring.unusable)
    process = {"version": __version__, "worker": {"slot": monitoring.service.store.number, "pid": os.getpid()}}
    return json_response(
        {
            "health": health,
            **(dict.fromkeys(("model_name", "model_version")) if several else names[0]),
            **({"models": names, "unusable_models": unusable} if several else {}),
            **(process if in_full else {}),
            "monitoring": {"healthy": not problems, **({"problems": problems} if in_full else {})},
        }
    )
