"""What each worker process runs: the application, with settings and logs from the environment."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import structlog
from fastapi import FastAPI

from driftgauge.composition.loading import config_digest
from driftgauge.errors import BundleError, SettingsError, StateError
from driftgauge.main import create_app
from driftgauge.process.endings import OUTDATED
from driftgauge.process.fork_server import PING
from driftgauge.process.logs import configure_logs
from driftgauge.process.server import Server
from driftgauge.settings.options import load
from driftgauge.shutdown import exit_with_parent


def serve(
    parent: BaseProcess | None, sockets: Sequence[socket.socket], digest: str, service: int, supervisor: Connection
) -> None:
    """Serve until told to stop, in a process that was forked for it.

    `digest` identifies the bundle and the settings, `service` the supervisor in the files of the state.
    Loggers, the event loop, threads, the model and the files of the state are made here, after the fork.
    """
    exit_with_parent(parent)
    app = create(digest, service)
    server = Server(app, app.state.context.settings)
    threading.Thread(target=answer_pings, args=(supervisor, server), name="pings", daemon=True).start()
    server.run(list(sockets))


def create(digest: str | None = None, service: int | None = None) -> FastAPI:
    """Return a worker's application, or exit: the supervisor tries again, and other workers serve on.

    Exits with OUTDATED if there is a digest, and bundle or settings have another by now.
    """
    try:
        settings = load()
        configure_logs(settings.log_level, settings.log_format, pid=True, file=settings.log_file)
        if digest is not None and digest != config_digest(settings):
            sys.exit(OUTDATED)
        return create_app(settings, service=service)
    except (BundleError, SettingsError, StateError) as error:
        structlog.get_logger().error("cannot_start", detail=str(error))
        sys.exit(1)


def answer_pings(supervisor: Connection, server: Any) -> None:
    """Answer each ping with whether the server has started; stop once the supervisor closes the connection.

    It does so if the fork server answered too late: the supervisor does not know this worker and would never stop it.
    """
    with contextlib.suppress(EOFError, OSError):
        while supervisor.recv_bytes() == PING:
            supervisor.send(bool(server.started))
    os.kill(os.getpid(), signal.SIGTERM)
