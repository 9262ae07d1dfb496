"""The front of the server: counts and times every request, and answers those that predict by the shortest way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.edges.http.measure import HttpCounters, handler
from app.edges.http.operation import Operation

Shortcuts = Mapping[str, tuple[str, Operation[Any]]]
"""For a path to POST to: the template of its route, and what answers."""


class FrontedApp(FastAPI):
    """FastAPI with the front before all of its middleware.

    What an operator adds (`add_middleware`) may be a check of access: then there are no shortcuts,
    so that nobody predicts past it.
    """

    def __init__(self, counters: HttpCounters, shortcuts: Shortcuts, **options: Any) -> None:
        super().__init__(**options)
        self._counters = counters
        self._shortcuts = shortcuts

    def build_middleware_stack(self) -> ASGIApp:
        """Return all of the application as FastAPI builds it, behind the front."""
        shortcuts = {} if self.user_middleware else self._shortcuts
        return Front(super().build_middleware_stack(), self._counters, shortcuts)


class Front:
    """ASGI middleware: shortcuts for operations that predict, and a count of every answer."""

    def __init__(self, app: ASGIApp, counters: HttpCounters, shortcuts: Shortcuts) -> None:
        self._app = app
        self._counters = counters
        self._shortcuts = shortcuts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the wrapped application does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "POST" and (found := self._shortcuts.get(scope["path"])) is not None:
            await self._predict(*found, scope, receive, send)
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
            self._counters.count(scope["method"], handler(template or ""), code, time.perf_counter() - started)

    async def _predict(
        self, template: str, operation: Operation[Any], scope: Scope, receive: Receive, send: Send
    ) -> None:
        started = time.perf_counter()
        code = 500
        try:
            try:
                reply = await operation.reply(scope, receive)
            except ClientDisconnect:
                code = 400
                return
            except Exception as error:
                reply = operation.broken(error)
            code = reply.status
            await send({"type": "http.response.start", "status": code, "headers": reply.headers})
            await send({"type": "http.response.body", "body": reply.body})
        finally:
            self._counters.count("POST", template, code, time.perf_counter() - started)
