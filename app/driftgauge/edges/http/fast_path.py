"""The outermost layer: checks origins and tokens, counts every answer, and takes a short path to predictions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import orjson
from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftgauge.access.caller import Scope as TokenScope
from driftgauge.edges.http.access import Access
from driftgauge.edges.http.connection.connections import REFUSED_KEY
from driftgauge.edges.http.errors import shaped
from driftgauge.edges.http.openapi.security import with_schemes
from driftgauge.edges.http.origins import Header, OriginPolicy
from driftgauge.edges.http.prediction_endpoint import PredictionEndpoint, closing
from driftgauge.edges.http.request_metrics import HttpCounters, handler
from driftgauge.errors import Refused


class Shortcuts(Protocol):
    """The endpoints that answer prediction requests without routing; they may change while the server runs."""

    @property
    def paths(self) -> Mapping[str, tuple[str, PredictionEndpoint[Any]]]:
        """By path of a POST request: the template of its route, and its endpoint."""


_NO_CONTENT: Final = 204
STRICT_TRANSPORT: Final[list[Header]] = [(b"strict-transport-security", b"max-age=31536000")]
"""Tells browsers to come back by TLS alone; only sent over TLS."""
_DOCUMENTS: Final = 8
"""OpenAPI documents that are cached: one, unless the application is mounted into others."""


class FastPathApp(FastAPI):
    """FastAPI with the fast path before all of its middleware.

    Middleware that an operator adds (`add_middleware`) may check access. Predictions then take no shortcut past it.
    """

    def __init__(
        self,
        counters: HttpCounters,
        shortcuts: Shortcuts,
        policy: OriginPolicy,
        access: Access,
        served_at: str = "",
        **options: Any,
    ) -> None:
        self._documents: dict[str, bytes] = {}
        """The serialised OpenAPI document, by the path under which a proxy exposes the server."""
        self._documented: object = None
        """The paths of the models that it describes."""
        self.describe: Callable[[], None] | None = None
        """Describes the models that are live now; called when they have changed."""
        self.traced: Callable[[ASGIApp], ASGIApp] | None = None
        """Traces the requests to an application; None if none are traced."""
        self._access = access
        super().__init__(**options)
        self._counters = counters
        self._shortcuts = shortcuts
        self._policy = policy
        self._served_at = served_at

    def setup(self) -> None:
        """Add FastAPI's documentation routes; the document is serialised once, because it can be megabytes."""
        super().setup()
        self.router.routes[:] = [route for route in self.routes if getattr(route, "path", None) != self.openapi_url]
        self.add_route(str(self.openapi_url), self._document, include_in_schema=False)

    async def _document(self, request: Request) -> Response:
        self._access.admit(request.scope, TokenScope.READ)
        return Response(self.document(request.scope.get("root_path", "").rstrip("/")), media_type="application/json")

    def document(self, root: str) -> bytes:
        """Return the OpenAPI document of a server exposed under a path; it is cached until other versions are live."""
        if self._documented is not (paths := self._shortcuts.paths):
            self._documented, self.openapi_schema = paths, None
            self._documents.clear()
            if self.describe is not None:
                self.describe()
        if root not in self._documents:
            if len(self._documents) >= _DOCUMENTS:
                self._documents.clear()
            servers = {"servers": [{"url": root}]} if root else {}
            described = with_schemes(self.openapi()) if self._access.is_on else self.openapi()
            self._documents[root] = orjson.dumps({**described, **servers})
        return self._documents[root]

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application as FastAPI builds it, behind the fast path."""
        built = super().build_middleware_stack()
        fast = FastPath(
            built,
            self._counters,
            self._shortcuts,
            self._policy,
            self._access,
            self._served_at,
            is_direct=not self.user_middleware,
        )
        return fast if self.traced is None else self.traced(fast)


class FastPath:
    """ASGI middleware: checks the origin, answers prediction requests directly, and counts every answer."""

    def __init__(
        self,
        app: ASGIApp,
        counters: HttpCounters,
        shortcuts: Shortcuts,
        policy: OriginPolicy,
        access: Access,
        served_at: str = "",
        *,
        is_direct: bool = True,
    ) -> None:
        """`served_at` is the path under which a proxy exposes the server; `is_direct` switches the shortcuts on."""
        self._app = app
        self._counters = counters
        self._shortcuts = shortcuts
        self._policy = policy
        self._access = access
        self._served_at = served_at
        self._is_direct = is_direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the wrapped application does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope.get("scheme") == "https":
            send = _adding(STRICT_TRANSPORT, send)
        path, method, headers = self._path(scope), scope["method"], scope["headers"]
        refused = self._policy.refusal(method, headers)
        if self._policy.origins:
            send = _adding(self._policy.shared(headers), send)
        if refused is not None:
            await self._refuse(refused, path, scope, receive, send)
        elif method == "POST" and self._is_direct and (found := self._shortcuts.paths.get(path)) is not None:
            await self._predict(*found, scope, receive, send)
        elif (allowed := self._policy.preflight(method, headers)) is not None:
            started = time.perf_counter()
            await _adding(allowed, send)({"type": "http.response.start", "status": _NO_CONTENT, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            self._counters.count(method, path, _NO_CONTENT, time.perf_counter() - started)
        else:
            self._access.enter(scope)
            await self._pass(path, scope, receive, send)

    def _path(self, scope: Scope) -> str:
        """Return the path of a route, without the proxy's prefix."""
        path: str = scope["path"]
        root = self._served_at or scope.get("root_path")
        if root:
            if path == root or path.startswith(f"{root}/"):
                path = path[len(root) :] or "/"
            scope["root_path"], scope["path"] = root, root + path
        return path

    async def _pass(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the application; HEAD is GET without the body."""
        started = time.perf_counter()
        method, code = scope["method"], 500
        if method == "HEAD":
            scope = {**scope, "method": "GET"}

        async def remember(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(scope, receive, remember)
        finally:
            self._access.leave(scope)
            # Only FastAPI's own routes are in the scope; for others the path is the template.
            template = getattr(scope.get("route"), "path", None) or path
            self._counters.count(method, handler(template), code, time.perf_counter() - started)

    async def _predict(
        self, template: str, endpoint: PredictionEndpoint[Any], scope: Scope, receive: Receive, send: Send
    ) -> None:
        started = time.perf_counter()
        code = 500
        try:
            try:
                if self._access.is_checking:
                    self._access.admit(scope, TokenScope.PREDICT)
                reply = await endpoint.reply(scope, receive)
            except Refused as error:
                reply = endpoint.refused(error, closing(scope, error))
            except ClientDisconnect:
                # If the client is still there, the connection has answered it.
                code = scope.get("state", {}).get(REFUSED_KEY, 400)
                return
            except Exception as error:
                reply = endpoint.broken(error)
            code = reply.status
            await send({"type": "http.response.start", "status": code, "headers": reply.headers})
            await send({"type": "http.response.body", "body": reply.body})
        finally:
            self._access.leave(scope)
            self._counters.count("POST", template, code, time.perf_counter() - started)

    async def _refuse(self, refused: Refused, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that is not allowed, in the format of its route, before its body is read."""
        started = time.perf_counter()
        template, endpoint = (
            self._shortcuts.paths.get(path, (path, None)) if scope["method"] == "POST" else (path, None)
        )
        answer: Response = (
            endpoint.refused(refused, closing(scope, refused)).response()
            if endpoint
            else shaped(path, refused.reason, refused.message, refused.detail)
        )
        await answer(scope, receive, send)
        self._counters.count(scope["method"], template, answer.status_code, time.perf_counter() - started)


def _adding(headers: list[Header], send: Send) -> Send:
    """Return a `send` that adds headers to the head of an answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *headers]}
        await send(message)

    return sending
