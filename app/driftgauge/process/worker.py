"""What each worker process imports: the application, with settings and logs from the environment."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from typing import Final

import structlog
from fastapi import FastAPI

from driftgauge.errors import BundleError, SettingsError
from driftgauge.main import create_app
from driftgauge.models.bundle import read_info
from driftgauge.process.logs import configure_logs
from driftgauge.process.supervisor import OUTDATED
from driftgauge.settings.options import Settings, load
from driftgauge.shutdown import exit_with_parent

IMPORT_STRING: Final = "driftgauge.process.worker:create"
SERVED_VARIABLE: Final = "_DRIFTGAUGE_SERVED"
"""What the workers of a supervisor are to serve, as `served` says it."""


def create() -> FastAPI:
    """Return a worker's application, or end: the supervisor tries again, and other workers serve on."""
    try:
        settings = load()
        configure_logs(settings.log_level, settings.log_format, pid=True)
        exit_with_parent()
        _leave_signals_to_the_supervisor()
        told = os.environ.get(SERVED_VARIABLE)
        if told is not None and told != served(settings):
            sys.exit(OUTDATED)
        return create_app(settings)
    except (BundleError, SettingsError) as error:
        structlog.get_logger().error("cannot_start", detail=str(error))
        sys.exit(1)


def _leave_signals_to_the_supervisor() -> None:
    """Ignore what comes to all processes of a terminal or service at once: SIGHUP, and a Ctrl-C before this moment."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which forgets one that was blocked since the start
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    signal.signal(signal.SIGINT, handler)


def served(settings: Settings) -> str:
    """Return what tells what these settings serve from anything else: of the files their sizes and times.

    A worker that takes the place of one that was killed must not serve something else than the others. BundleError
    if there is no bundle.
    """
    if settings.bundle is None:
        return ""
    read_info(settings.bundle)
    try:
        files = sorted((own.name, own.stat().st_size, own.stat().st_mtime_ns) for own in settings.bundle.iterdir())
    except OSError as error:
        raise BundleError(f"cannot read the bundle {settings.bundle}: {error.strerror}") from error
    return hashlib.sha256(repr((settings.model_dump_json(), files)).encode()).hexdigest()
