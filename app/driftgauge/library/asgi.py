"""The endpoints of a monitor as an ASGI application, for FastAPI, Starlette and Django."""

from __future__ import annotations

from starlette.types import Message, Receive, Scope, Send

from driftgauge.library.endpoints import Endpoints


class AsgiEndpoints:
    """An application that can be mounted under any path, or served by itself."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        else:
            answer = await self._endpoints.awaited(scope)
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})


async def _live(receive: Receive, send: Send) -> None:
    """Start and stop with the server; the monitor is opened and closed by the program."""
    while True:
        message: Message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
