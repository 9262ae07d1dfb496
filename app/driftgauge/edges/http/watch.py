"""What the monitors say: `/drift/status` and `/metrics`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from driftgauge.edges.formats.drift_status import report_json
from driftgauge.edges.http.context import service_of
from driftgauge.edges.http.encodings import Gzip, Plain, gzipped, negotiated, wants_gzip
from driftgauge.edges.http.errors import json_response
from driftgauge.metrics.render import render_chunks
from driftgauge.monitor.monitor import Monitor

TURN_SECONDS: Final = 0.0005
"""So long metrics are render_chunks at a time while others wait."""


async def status(request: Request) -> Response:
    """Say whether what the model sees still looks like its baseline, and what moved."""
    service = service_of(request)
    monitor = service.monitor(request.query_params.get("model"))
    small = wants_gzip(request.headers.get("accept-encoding"))
    problems, state = await service.state(monitor)

    def answer() -> Response:
        plain = json_response(drift_status(monitor, problems, state, service.clock()))
        body = gzipped(bytes(plain.body)) if small else bytes(plain.body)
        return Response(body, media_type="application/json", headers=negotiated(small))

    # In a thread: of a thousand columns it takes longer than predictions should wait.
    return await asyncio.get_running_loop().run_in_executor(service.writing, answer)


def drift_status(monitor: Monitor, problems: list[str], state: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return what a monitor's last report says, and how monitoring itself is, and the state that it rests on."""
    return {
        "model_name": monitor.model_name,
        "model_version": monitor.model_version,
        "report_age_seconds": max(0.0, now - monitor.last.at),
        **report_json(monitor.last.report),
        "monitoring": {"healthy": not problems, "problems": problems, "state": state},
    }


async def metrics(request: Request) -> Response:
    """Give every metric, as Prometheus text or OpenMetrics, by the `Accept` header."""
    service = service_of(request)
    small = wants_gzip(request.headers.get("accept-encoding"))
    facts, server = await service.facts()
    accept = request.headers.get("accept", "")
    pieces, content_type = render_chunks(accept, facts, server, service.exposed)
    body = await _in_turns(pieces, Gzip(service.writing) if small else Plain())
    return Response(body, headers={"content-type": content_type, **negotiated(small)})


async def _in_turns(pieces: Iterable[bytes], answer: Gzip | Plain) -> bytes:
    """Return pieces as one answer, made on the event loop, which goes on between them.

    In a thread they would take turns with predictions as well, but at every socket, and at a cost.
    """
    began = time.perf_counter()
    for piece in pieces:
        await answer.add(piece)
        if time.perf_counter() - began > TURN_SECONDS:
            await asyncio.sleep(0)
            began = time.perf_counter()
    return answer.finish()
