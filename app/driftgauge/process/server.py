"""uvicorn's server with our options."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from driftgauge.edges.http.connection.protocol import LimitedProtocol
from driftgauge.settings.options import Settings
from driftgauge.shutdown import FLUSH_SECONDS


class Server(uvicorn.Server):
    """A server that calls back with its port once it listens."""

    def __init__(self, app: FastAPI, settings: Settings, listening: Callable[[int], None] = lambda _: None) -> None:
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            http=LimitedProtocol,
            ws="none",
            # Nothing asks who the client is, and each of these costs every request something.
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=settings.shutdown_grace_seconds - FLUSH_SECONDS,
        )
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then call back."""
        await super().startup(sockets)
        if self.started:
            self._listening(self.servers[0].sockets[0].getsockname()[1])
