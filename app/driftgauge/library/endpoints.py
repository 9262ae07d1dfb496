"""The endpoints of a monitor inside another application: they run in the monitor's thread."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError as Ended
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from driftgauge.common.quoting import shortened
from driftgauge.edges.http.errors import INTERNAL, REQUEST_FAILED, error_response, http_errors, refused
from driftgauge.edges.http.monitoring import Monitoring
from driftgauge.edges.http.monitoring_health import health
from driftgauge.edges.http.monitoring_routes import MONITORING_ROUTES, Handler
from driftgauge.errors import Reason, Refused
from driftgauge.library.exchange import Answer, answered, own_scope
from driftgauge.library.session import Opened, Opener

WAIT_SECONDS: Final = 60.0
"""Longest wait for an answer; evaluations end long before."""
CLOSED: Final = "the monitor is closed, or could not be opened: see the application's log"
HEALTH: Final = "/health"


class Endpoints:
    """Answers requests with what this process has opened. An error is an answer, and is never raised."""

    def __init__(self, opener: Opener) -> None:
        """Use what `opener` returns, at each request."""
        self._opener = opener
        self._made: tuple[Opened, Starlette] | None = None

    async def awaited(self, scope: Scope) -> Answer:
        """Answer a request of an event loop, which goes on meanwhile."""
        opened = self._opened()
        if opened is None:
            return _closed()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await opened.background.result(self._answer(opened, own_scope(scope)))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # the caller ends the request
            return _closed()
        except (RuntimeError, TimeoutError):  # the thread has ended
            return _closed()

    def waited(self, scope: Scope) -> Answer:
        """Answer a request of a thread, which waits."""
        opened = self._opened()
        if opened is None:
            return _closed()
        try:
            return opened.background.wait(self._answer(opened, own_scope(scope)), WAIT_SECONDS)
        except (Ended, RuntimeError, TimeoutError):  # the thread has ended
            return _closed()

    def _opened(self) -> Opened | None:
        """Return what this process has opened, None if the monitor is closed or cannot be opened."""
        try:
            return self._opener()
        except Exception:  # it is closed, or was logged where it was opened
            return None

    async def _answer(self, opened: Opened, scope: Scope) -> Answer:
        try:
            return await answered(self._app(opened), scope)
        except Exception as error:
            opened.monitoring.service.problems.record(REQUEST_FAILED, error, path=shortened(scope["path"]))
            return _whole(error_response(Reason.INTERNAL_ERROR, INTERNAL))

    def _app(self, opened: Opened) -> Starlette:
        """Return the application of what is open; a fork opens another."""
        made = self._made
        if made is None or made[0] is not opened:
            made = self._made = (opened, monitoring_app(opened.monitoring))
        return made[1]


def monitoring_app(monitoring: Monitoring) -> Starlette:
    """Return an application of the server's endpoints that read monitoring alone."""
    handlers = {Refused: refused, HTTPException: http_errors(_hint)}
    app = Starlette(
        routes=[Route(path, handler, methods=["GET"]) for path, handler in _routes().items()],
        exception_handlers=handlers,
    )
    app.state.monitoring = monitoring
    return app


def _routes() -> dict[str, Handler]:
    return {**{route.path: route.handler for route in MONITORING_ROUTES}, HEALTH: health}


def _hint(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return f"there is {', '.join(root + path for path in _routes() if '{' not in path)}"


def _closed() -> Answer:
    return _whole(error_response(Reason.NOT_READY, CLOSED))


def _whole(response: Response) -> Answer:
    return Answer(response.status_code, response.raw_headers, bytes(response.body))
