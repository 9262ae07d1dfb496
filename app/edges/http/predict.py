"""`POST /predict`: from a body to an answer."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from fastapi import Request
from starlette.responses import Response

from app.edges.formats.predict_json import PredictRequest, read_request, write_answer
from app.edges.http.errors import error_response
from app.edges.http.service import Service, service_of
from app.errors import ModelFailed, Reason, Refused

INLINE_BYTES: Final = 65_536
"""Bodies up to this size are understood on the event loop: it takes a millisecond or so."""


async def predict(request: Request) -> Response:
    """Predict one row or many: all rows are answered, or none."""
    started = time.perf_counter()
    service = service_of(request)
    arrival = service.clock()
    try:
        body = await read_body(request, service.settings.max_body_bytes)
        asked = await _read(body, service)
        return await _answer(service, asked, arrival, started)
    except Refused as error:
        service.capture.refused(error.reason)
        raise


async def _read(body: bytes, service: Service) -> PredictRequest:
    """Understand a body, a large one in a thread, so that the event loop goes on answering others."""
    arguments = (body, service.decoder, service.settings.max_rows)
    if len(body) <= INLINE_BYTES:
        return read_request(*arguments)
    return await asyncio.to_thread(read_request, *arguments)


async def _answer(service: Service, asked: PredictRequest, arrival: float, started: float) -> Response:
    try:
        predictions = await service.predict(asked.batch)
    except ModelFailed as error:
        service.capture.failed(len(asked.batch))
        service.failures.happened(Reason.MODEL_FAILED, error)
        return error_response(Reason.MODEL_FAILED, f"{error}; nothing was predicted")
    latency = time.perf_counter() - started
    answer = write_answer(asked, predictions, service.info, arrival, latency)
    service.capture.answered(predictions, arrival=arrival, event=asked.event, latency_seconds=latency)
    return Response(answer, media_type="application/json")


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """Return the body, refused as soon as it is known to be longer than the limit."""
    too_large = Refused(
        Reason.BODY_TOO_LARGE,
        f"the body is larger than {limit_bytes} bytes: send fewer rows at once",
        {"limit": limit_bytes},
    )
    stated = request.headers.get("content-length", "0")
    if stated.isdecimal() and int(stated) > limit_bytes:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise too_large
    return bytes(body)
