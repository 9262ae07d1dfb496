"""The format of errors, and the HTTP status of each reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import orjson
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from driftgauge.common.quoting import shortened
from driftgauge.edges.formats import infer_v2
from driftgauge.edges.http.connection.connections import REFUSED_KEY
from driftgauge.errors import LIMITED, Reason, Refused
from driftgauge.monitor.problems import Problems
from driftgauge.serving.caller_limits import RETRY_KEY

STATUS: Final[Mapping[Reason, int]] = {
    Reason.NOT_UTF8: 400,
    Reason.NOT_JSON: 400,
    Reason.CROSS_SITE: 403,
    Reason.HOST_NOT_ALLOWED: 421,
    Reason.MISSING_TOKEN: 401,
    Reason.INVALID_TOKEN: 401,
    Reason.MISSING_SCOPE: 403,
    Reason.UNSUPPORTED_ENCODING: 415,
    Reason.DAMAGED_ENCODING: 400,
    Reason.NOT_ACCEPTABLE: 406,
    Reason.MALFORMED_HTTP: 400,
    Reason.REQUEST_TIMEOUT: 408,
    Reason.BODY_TOO_LARGE: 413,
    Reason.URL_TOO_LONG: 414,
    Reason.HEADERS_TOO_LARGE: 431,
    **dict.fromkeys(LIMITED, 429),
    Reason.MODEL_FAILED: 500,
    Reason.NOT_READY: 503,
    Reason.OVERLOADED: 503,
    Reason.TOO_MANY_PENDING: 429,
    Reason.INTAKE_FULL: 503,
    Reason.TOO_MANY_CONNECTIONS: 503,
    Reason.LABELS_NOT_STORED: 503,
    Reason.PREDICTION_LOG_NOT_READ: 503,
    Reason.PREDICTION_LOG_DISABLED: 404,
    Reason.ACTIONS_DISABLED: 404,
    Reason.ACTIONS_NOT_STORED: 503,
    Reason.MODEL_NOT_NAMED: 400,
    Reason.MODEL_UNUSABLE: 503,
    Reason.MONITORING_DISABLED: 404,
    Reason.NOT_FOUND: 404,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.BUNDLE_NOT_ALLOWED: 403,
    Reason.VERSION_CONFLICT: 409,
    Reason.REGISTRY_UNREACHABLE: 502,
    Reason.NO_KEPT_ROWS: 409,
    Reason.ROWS_NOT_COMPARED: 503,
    Reason.INTERNAL_ERROR: 500,
}
"""HTTP status by reason; reasons that are not listed have 422."""
_UNPROCESSABLE: Final = 422
_REALM: Final = 'realm="driftgauge"'
CHALLENGES: Final[Mapping[Reason, str]] = {
    Reason.MISSING_TOKEN: f"Bearer {_REALM}",
    Reason.INVALID_TOKEN: f'Bearer {_REALM}, error="invalid_token"',
    Reason.MISSING_SCOPE: f'Bearer {_REALM}, error="insufficient_scope"',
}
"""The `WWW-Authenticate` header of a refusal (RFC 6750, 3)."""
BASIC: Final = f"Basic {_REALM}"
"""The challenge at which browsers ask for a name and a password: here the name of a token, and the token."""
REQUEST_FAILED: Final = "request_failed"
"""Log event of a request that failed unexpectedly."""
_LONGEST_PATH: Final = 200
INTERNAL: Final = "internal error: see the server's log"
RETRY_AFTER_SECONDS: Final = 1
"""Retry delay when the queue is full; queues are short, so it is short too."""
_BY_STATUS: Final = {404: Reason.NOT_FOUND, 405: Reason.METHOD_NOT_ALLOWED}


def error_response(
    reason: Reason, message: str, detail: Mapping[str, object] | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return `{"error": {"code", "message", "detail"}}` with the reason's status."""
    return json_response(error_body(reason, message, detail or {}), status_of(reason), headers)


def error_body(reason: Reason, message: str, detail: Mapping[str, object]) -> dict[str, object]:
    """Return the body of an error."""
    return {"error": {"code": reason, "message": message, "detail": dict(detail)}}


def status_of(reason: Reason) -> int:
    """Return the HTTP status of a reason."""
    return STATUS.get(reason, _UNPROCESSABLE)


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response; NaN becomes null, and dictionary keys may be numbers."""
    content = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
    return Response(content, status_code=status, media_type="application/json", headers=dict(headers or {}))


def install_error_handlers(app: FastAPI, failures: Problems) -> None:
    """Give every error the same format; unexpected ones are recorded as `failures`."""

    async def internal(request: Request, error: Exception) -> Response:
        failures.record(REQUEST_FAILED, error, path=request.url.path[:_LONGEST_PATH])
        # Starlette raises the error again after this answer, and uvicorn then closes the connection.
        return shaped(_path(request), Reason.INTERNAL_ERROR, INTERNAL, headers={"connection": "close"})

    app.exception_handler(Refused)(refused)
    app.exception_handler(HTTPException)(http_errors(lambda request: f"see {request.scope.get('root_path', '')}/docs"))
    app.exception_handler(ClientDisconnect)(_gone)
    app.exception_handler(Exception)(internal)


async def refused(request: Request, error: Exception) -> Response:
    """Answer a request that was refused."""
    assert isinstance(error, Refused)  # noqa: S101  # the type for which it is installed
    return shaped(_path(request), error.reason, error.message, error.detail, help_headers(error))


def help_headers(error: Refused) -> dict[str, str]:
    """Return the headers that say what to send, or when to try again."""
    return {**challenge(error.reason), **retry_after(error.detail)}


def retry_after(detail: Mapping[str, object]) -> dict[str, str]:
    """Return the header that says when to try again, for a refusal whose detail states it."""
    return {"retry-after": str(detail[RETRY_KEY])} if RETRY_KEY in detail else {}


def challenge(reason: Reason) -> dict[str, str]:
    """Return the headers that ask for a token; none for other reasons."""
    if reason not in CHALLENGES:
        return {}
    also = "" if reason is Reason.MISSING_SCOPE else f", {BASIC}"
    return {"www-authenticate": CHALLENGES[reason] + also}


def http_errors(hint: Callable[[Request], str]) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return the handler of paths and methods that do not exist; `hint` says where to look instead."""

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  # the type for which it is installed
        reason, path = _BY_STATUS.get(error.status_code, Reason.INTERNAL_ERROR), _path(request)
        message = {
            Reason.NOT_FOUND: f"there is no {shortened(path)}; {hint(request)}",
            Reason.METHOD_NOT_ALLOWED: f"{shortened(path)} does not support {request.method}; {hint(request)}",
        }.get(reason, str(error.detail))
        headers = dict(error.headers or {})
        if headers.get("Allow") in ("GET", "HEAD, GET"):  # Starlette's own routes name HEAD, in any order
            headers["Allow"] = "GET, HEAD"
        return shaped(path, reason, message, headers=headers)

    return http


async def _gone(request: Request, _: ClientDisconnect) -> Response:
    return Response(status_code=request.scope.get("state", {}).get(REFUSED_KEY, 400))  # not sent any more


def _path(request: Request) -> str:
    """Return the path of a request without the path under which a proxy exposes the server."""
    path: str = request.scope["path"]
    return path.removeprefix(request.scope.get("root_path", ""))


def shaped(
    path: str,
    reason: Reason,
    message: str,
    detail: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error response; under `/v2` in the format of the Open Inference Protocol."""
    if not (path + "/").startswith("/v2/"):
        return error_response(reason, message, detail, headers)
    body = infer_v2.error_body(reason, message)
    return Response(body, status_of(reason), dict(headers or {}), media_type="application/json")
