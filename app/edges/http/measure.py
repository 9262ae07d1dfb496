"""Counts and times every request: `http_requests_total` and `http_request_duration_seconds`."""

from __future__ import annotations

import time
from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.layout import Counters
from app.metrics import HTTP_DURATION, HTTP_REQUESTS, Stored, server_series

UNMATCHED = ("other", "unmatched", (404, 405))
"""Where requests are counted that fit no route, or no method of it."""


class HttpCounters:
    """The server's own counters; `routes` are (method, template, the codes that it answers)."""

    def __init__(self, routes: Sequence[tuple[str, str, Sequence[int]]]) -> None:
        self.series: tuple[Stored, ...] = server_series([*routes, UNMATCHED])
        self.counters = Counters.in_memory(self.series)
        self._known = {(method, template) for method, template, _ in routes}

    def count(self, method: str, template: str | None, code: int, seconds: float) -> None:
        """Count one answer."""
        known = (method, template) if template and (method, template) in self._known else UNMATCHED[:2]
        labels = (*known, str(code))
        if not self.counters.has(HTTP_REQUESTS, *labels):
            labels = (*known, "other")
        self.counters.add(HTTP_REQUESTS, 1, *labels)
        self.counters.observe(HTTP_DURATION, seconds, *labels)


class Measure:
    """ASGI middleware that counts a request when its answer is out."""

    def __init__(self, app: ASGIApp, counters: HttpCounters) -> None:
        self._app = app
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the wrapped application does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        code = 500

        async def remember(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, remember)
        finally:
            # FastAPI names the route of its own routes alone; the path of the others is their template.
            template = getattr(scope.get("route"), "path", None) or scope.get("path")
            self._counters.count(scope["method"], template, code, time.perf_counter() - started)
