"""Real servers for tests: uvicorn in a thread, on a free port of 127.0.0.1."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import httpx
import uvicorn
from driftgauge.edges.http.connection.protocol import LimitedProtocol
from starlette.applications import Starlette


@contextlib.contextmanager
def serving(app: Starlette) -> Iterator[httpx.Client]:
    """Serve an application while the block runs; gives a client of it."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http=LimitedProtocol, ws="none", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30.0
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server took too long to start"
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30.0) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(timeout=30.0)
        assert not thread.is_alive(), "the server did not stop"
