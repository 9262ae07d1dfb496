"""What the monitors say: `/drift/status` and `/metrics`."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Request
from starlette.responses import Response

from app.edges.formats.drift_status import report_json
from app.edges.http.errors import json_response
from app.edges.http.service import service_of
from app.metrics import render
from app.monitor import Monitor


async def status(request: Request) -> Response:
    """Say whether what the model sees still looks like its baseline, and what moved."""
    service = service_of(request)
    monitor = service.monitor(request.query_params.get("model"))
    await service.evaluator(monitor).current()
    # In a thread: of a thousand columns it takes longer than predictions should wait.
    return await asyncio.to_thread(lambda: json_response(drift_status(monitor, service.problems.current())))


def drift_status(monitor: Monitor, problems: list[str]) -> dict[str, Any]:
    """Return what a monitor's last report says, and how monitoring itself is."""
    return {
        "model_name": monitor.model_name,
        "model_version": monitor.model_version,
        **report_json(monitor.last.report),
        "monitoring": {"healthy": not problems, "problems": problems},
    }


async def metrics(request: Request) -> Response:
    """Give every metric, as Prometheus text or OpenMetrics, by the `Accept` header."""
    service = service_of(request)
    facts = await service.facts()
    server = service.server_facts()
    accept = request.headers.get("accept", "")
    body, content_type = await asyncio.to_thread(render, accept, facts, server, service.exposed)
    return Response(body, headers={"content-type": content_type})
