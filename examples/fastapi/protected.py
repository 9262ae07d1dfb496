"""The same service for callers with a token: its own routes, and those of the monitor."""

from __future__ import annotations

import hmac
import os
from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.responses import PlainTextResponse, Response

from app import app

EXPECTED = f"Bearer {os.environ['SERVICE_TOKEN']}".encode()


@app.middleware("http")
async def protect(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse a request without the token; a dependency of the routes would not see what is mounted."""
    given = request.headers.get("authorization", "").encode()
    if not hmac.compare_digest(given, EXPECTED):
        return PlainTextResponse("a token is needed\n", 401, {"WWW-Authenticate": "Bearer"})
    return await answer(request)
