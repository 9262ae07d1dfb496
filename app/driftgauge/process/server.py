"""uvicorn's server with our options."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Final

import uvicorn
from fastapi import FastAPI

from driftgauge.edges.http.connection.protocol import LimitedProtocol
from driftgauge.process.tls import certificate_of
from driftgauge.settings.options import Settings
from driftgauge.shutdown import FLUSH_SECONDS


class Server(uvicorn.Server):
    """A server that calls back with its port once it listens."""

    def __init__(self, app: FastAPI, settings: Settings, listening: Callable[[int], None] = lambda _: None) -> None:
        """Take what is called with the port; SettingsError if the certificate cannot be used."""
        self.certificate: Final = certificate_of(settings)
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            http=LimitedProtocol,
            ws="none",
            # Each of these costs every request something.
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=[*settings.trusted_proxies],
            server_header=False,
            timeout_graceful_shutdown=settings.shutdown_grace_seconds - FLUSH_SECONDS,
            ssl_context_factory=None if self.certificate is None else self._context,
        )
        super().__init__(config)
        self._listening = listening

    def _context(self, *_: object) -> ssl.SSLContext:
        assert self.certificate is not None  # noqa: S101  # or uvicorn would not ask
        return self.certificate.context

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then call back."""
        await super().startup(sockets)
        if self.started:
            self._listening(self.servers[0].sockets[0].getsockname()[1])
