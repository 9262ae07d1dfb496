"""`driftgauge serve`: one process, or several under uvicorn's supervisor."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE

from driftgauge.edges.http.connection.protocol import LimitedProtocol
from driftgauge.errors import BundleError, SettingsError
from driftgauge.main import create_app
from driftgauge.models.bundle import read_info
from driftgauge.process.logs import configure_logs
from driftgauge.process.supervisor import Supervisor
from driftgauge.process.worker import IMPORT_STRING, SERVED_VARIABLE, served
from driftgauge.settings.options import CONFIG_VARIABLE, Settings, ignored_variables, load, variable
from driftgauge.settings.server import IN_MEMORY
from driftgauge.shutdown import FLUSH_SECONDS
from driftgauge.state.folder import reset

LINKS: Final = (
    "Kubernetes sets these for a Service named driftgauge; they are addresses, not settings. "
    "enableServiceLinks: false in the pod's spec switches them off"
)


@dataclass(frozen=True)
class Started:
    """What the command line said."""

    flags: Mapping[str, Any]
    """Settings; None where it said nothing."""
    config: Path | None
    fresh_state: bool = False


def run(started: Started) -> None:
    """Serve until told to stop; raises what `load` and `create_app` do, and Busy where state is in use."""
    settings = load(started.flags, started.config)
    configure_logs(settings.log_level, settings.log_format, pid=settings.workers > 1)
    _say_ignored()
    if started.fresh_state or settings.workers > 1:
        create_app(settings.model_copy(update={"state_dir": IN_MEMORY}))  # what is wrong is said here, before anything
    with bound(settings.host, settings.port) as own:
        if started.fresh_state:
            _forget(settings)
        if settings.workers > 1:
            _serve_together(settings, started, own)
            return
    _hear_hangup()
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, **_options(settings))


def _say_ignored() -> None:
    """Say once which variables are taken for Kubernetes' own."""
    if ignored := ignored_variables():
        structlog.get_logger().warning("variables_ignored", names=ignored, hint=LINKS)


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "log_config": None,
        "access_log": False,
        "http": LimitedProtocol,
        "ws": "none",
        # Nothing asks who the client is, and each of these costs every request something.
        "proxy_headers": False,
        "server_header": False,
        "timeout_graceful_shutdown": settings.shutdown_grace_seconds - FLUSH_SECONDS,
    }


def _serve_together(settings: Settings, started: Started, own: socket.socket) -> None:
    """Serve with several workers, which listen on one socket; SystemExit if none of them can start."""
    os.environ.update(environment(started))
    _tell(started)
    port = own.getsockname()[1]
    structlog.get_logger().info("starting", address=f"http://{settings.host}:{port}", workers=settings.workers)
    workers = uvicorn.Config(IMPORT_STRING, factory=True, workers=settings.workers, **_options(settings))
    supervisor = Supervisor(workers, [own], settings.shutdown_grace_seconds, look=partial(_look, started))
    supervisor.run()
    if supervisor.failed:
        raise SystemExit(STARTUP_FAILURE)


def _tell(started: Started) -> None:
    """Tell workers that are started from now on what they are to serve; raises what `load` and `served` do."""
    os.environ[SERVED_VARIABLE] = served(load(started.flags, started.config))


def _look(started: Started) -> bool:
    """Look anew at what is to be served, before a reload; says whether there is anything."""
    try:
        _tell(started)
    except (BundleError, SettingsError) as error:
        structlog.get_logger().error("cannot_reload", detail=str(error))
        return False
    return True


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address, and does not listen yet; SettingsError if it cannot be."""
    own = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind((host, port))
    except (OSError, UnicodeError) as error:
        own.close()
        why = getattr(error, "strerror", None) or error
        raise SettingsError(f"cannot listen on {host}:{port}: {why} (--host, --port)") from error
    own.set_inheritable(True)
    return own


def _hear_hangup() -> None:
    """Go on when told to reload, unless that means that the terminal was closed or somebody else has a say in it."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL and not sys.stderr.isatty():
        signal.signal(signal.SIGHUP, _say_no_reload)


def _say_no_reload(number: int, frame: FrameType | None) -> None:
    structlog.get_logger().warning("cannot_reload", hint="with one worker there is no reload: restart the server")


def environment(started: Started) -> dict[str, str]:
    """Return what the workers are told by: the command line as variables, since uvicorn starts them anew."""
    told = {variable(name): str(value) for name, value in started.flags.items() if value is not None}
    return {**told, **({CONFIG_VARIABLE: str(started.config)} if started.config else {})}


def _forget(settings: Settings) -> None:
    """Delete the state of the bundle's model and version; Busy if another server uses it."""
    folder = settings.state_folder
    if folder is None or settings.bundle is None:
        return
    info = read_info(settings.bundle)
    own = folder / info.name / info.version
    if own.is_dir():
        structlog.get_logger().info("state_reset", files=reset(own))
