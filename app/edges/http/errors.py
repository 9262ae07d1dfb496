"""The one shape of an error, and the status that each reason has over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson
import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.errors import Reason, Refused

STATUS: Final[Mapping[Reason, int]] = {
    Reason.NOT_UTF8: 400,
    Reason.NOT_JSON: 400,
    Reason.BODY_TOO_LARGE: 413,
    Reason.MODEL_FAILED: 500,
    Reason.NOT_READY: 503,
    Reason.NOT_FOUND: 404,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.INTERNAL_ERROR: 500,
}
"""The statuses that are not 422."""
_UNPROCESSABLE: Final = 422
_BY_STATUS: Final = {404: Reason.NOT_FOUND, 405: Reason.METHOD_NOT_ALLOWED}


def error_response(
    reason: Reason, message: str, detail: Mapping[str, object] | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return `{"error": {"code", "message", "detail"}}` with the reason's status."""
    body = {"error": {"code": reason, "message": message, "detail": dict(detail or {})}}
    return json_response(body, STATUS.get(reason, _UNPROCESSABLE), headers)


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response; NaN is written as null, dictionary keys may be numbers."""
    content = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
    return Response(content, status_code=status, media_type="application/json", headers=dict(headers or {}))


def install_error_handlers(app: FastAPI) -> None:
    """Give every error of the application the one shape."""
    app.exception_handler(Refused)(_refused)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(ClientDisconnect)(_gone)
    app.exception_handler(Exception)(_internal)


async def _refused(_: Request, error: Refused) -> Response:
    return error_response(error.reason, error.message, error.detail)


async def _http(request: Request, error: HTTPException) -> Response:
    reason = _BY_STATUS.get(error.status_code, Reason.INTERNAL_ERROR)
    message = {
        Reason.NOT_FOUND: f"there is nothing at {request.url.path}; see /docs",
        Reason.METHOD_NOT_ALLOWED: f"{request.method} is not possible at {request.url.path}; see /docs",
    }.get(reason, str(error.detail))
    return error_response(reason, message, headers=error.headers)


async def _gone(_: Request, __: ClientDisconnect) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _internal(request: Request, error: Exception) -> Response:
    structlog.get_logger().error("request_failed", path=request.url.path, exc_info=error)
    message = "the server failed to answer; its log says why"
    # Starlette raises the error again behind this answer, and uvicorn then drops the connection: say so.
    return error_response(Reason.INTERNAL_ERROR, message, headers={"connection": "close"})
