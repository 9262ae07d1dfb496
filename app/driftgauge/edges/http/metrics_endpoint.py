"""`GET /metrics`: every metric, written in turns with the requests that wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from fastapi import Request
from starlette.responses import Response

from driftgauge.edges.http.encodings import Gzip, Plain, negotiated, wants_gzip
from driftgauge.edges.http.monitoring import monitoring_of
from driftgauge.metrics.render import render_chunks

TURN_SECONDS: Final = 0.0005
"""Time for which metrics are written before other tasks of the event loop run."""


async def metrics(request: Request) -> Response:
    """Answer with every metric, as Prometheus text or OpenMetrics, by the `Accept` header."""
    monitoring = monitoring_of(request)
    small = wants_gzip(request.headers.get("accept-encoding"))
    facts, server = await monitoring.facts()
    accept = request.headers.get("accept", "")
    pieces, content_type = render_chunks(accept, facts, server, monitoring.exposed)
    body = await _in_turns(pieces, Gzip(monitoring.writing) if small else Plain())
    return Response(body, headers={"content-type": content_type, **negotiated(small)})


async def _in_turns(pieces: Iterable[bytes], answer: Gzip | Plain) -> bytes:
    """Join pieces on the event loop, which runs other tasks between them.

    A thread would hold up predictions at every socket instead.
    """
    began = time.perf_counter()
    for piece in pieces:
        await answer.add(piece)
        if time.perf_counter() - began > TURN_SECONDS:
            await asyncio.sleep(0)
            began = time.perf_counter()
    return answer.finish()
