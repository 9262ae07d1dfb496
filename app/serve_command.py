"""`driftgauge serve`: one process, or several under uvicorn's supervisor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
import uvicorn

from app.bundles import read_info
from app.edges.http.transport import GatheringProtocol
from app.logs import configure_logs
from app.main import create_app
from app.settings import CONFIG_VARIABLE, IN_MEMORY, Settings, load, variable
from app.state_folder import reset
from app.supervisor import Supervisor
from app.worker import IMPORT_STRING

FLUSH_SECONDS: Final = 1
"""What is left of the grace for writing state to the disk, once the last answer is sent."""


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
    configure_logs(settings.log_level, settings.log_format)
    if started.fresh_state or settings.workers > 1:
        create_app(settings.model_copy(update={"state_dir": IN_MEMORY}))  # what is wrong is said here, before anything
    if started.fresh_state:
        _forget(settings)
    options: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "log_config": None,
        "access_log": False,
        "http": GatheringProtocol,
        "ws": "none",
        # Nothing asks who the client is, and each of these costs every request something.
        "proxy_headers": False,
        "server_header": False,
        "timeout_graceful_shutdown": settings.shutdown_grace_seconds - FLUSH_SECONDS,
    }
    if settings.workers == 1:
        uvicorn.run(create_app(settings), **options)
        return
    os.environ.update(environment(started))
    workers = uvicorn.Config(IMPORT_STRING, factory=True, workers=settings.workers, **options)
    Supervisor(workers, [workers.bind_socket()], settings.shutdown_grace_seconds).run()


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
