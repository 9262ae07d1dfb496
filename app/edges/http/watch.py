"""What the monitors say: `/drift/status` and `/metrics`."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.responses import Response

from app.edges.http.errors import json_response
from app.edges.http.service import service_of
from app.edges.http.status import drift_status
from app.metrics import render


async def status(request: Request) -> Response:
    """Say whether what the model sees still looks like its baseline, and what moved."""
    service = service_of(request)
    monitor = service.monitor(request.query_params.get("model"))
    await service.evaluator(monitor).current()
    return json_response(drift_status(monitor, service.problems.current()))


async def metrics(request: Request) -> Response:
    """Give every metric, as Prometheus text or OpenMetrics, by the `Accept` header."""
    service = service_of(request)
    facts = await service.facts()
    server = service.server_facts()
    body, content_type = await asyncio.to_thread(render, request.headers.get("accept", ""), facts, server)
    return Response(body, headers={"content-type": content_type})
