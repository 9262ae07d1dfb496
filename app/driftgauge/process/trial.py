"""A trial start of the application: finds what would stop a worker before any worker starts."""

from __future__ import annotations

import sys
import threading

import structlog

from driftgauge.composition import service_folder
from driftgauge.errors import DriftgaugeError
from driftgauge.main import check_served_state, create_app, load_served_bundle
from driftgauge.models.bundle import Bundle, read_info
from driftgauge.process.fork_server import Trial
from driftgauge.process.logs import configure_logs
from driftgauge.process.tls import certificate_of
from driftgauge.process.worker import config_digest
from driftgauge.settings.options import Settings, load
from driftgauge.settings.server import IN_MEMORY
from driftgauge.state.folder import reset


def try_application(service: int, *, fresh_state: bool) -> Trial:
    """Start the application once in memory; then delete the saved state if requested.

    Without that request, the saved state must be one that this service may use.
    """
    known = set(sys.modules)
    try:
        settings = load()
        configure_logs("error", settings.log_format, pid=True)  # the workers will say the rest
        certificate_of(settings)
        bundle, modules = _started(settings, known)
        digest = config_digest(settings)
        if fresh_state:
            configure_logs(settings.log_level, settings.log_format, pid=True, file=settings.log_file)
            reset_state(settings)
        else:
            check_served_state(settings, bundle, service)
    except DriftgaugeError as error:
        return Trial(str(error))
    return Trial(digest=digest, modules=modules)


def check_application(settings: Settings) -> None:
    """Raise what would stop the application from starting; takes no state."""
    create_app(settings.model_copy(update={"state_dir": IN_MEMORY}))


def reset_state(settings: Settings) -> None:
    """Delete the state of the bundle's model and version, and the server's own; LockTimeout if another one uses it."""
    folder = settings.state_folder
    if folder is None or settings.bundle is None:
        return
    info = read_info(settings.bundle)
    for own in (folder / info.name / info.version, service_folder(folder, [info.name])):
        if own.is_dir():
            structlog.get_logger().info("state_reset", files=reset(own))


def _started(settings: Settings, known: set[str]) -> tuple[Bundle, tuple[str, ...]]:
    """Start the application; returns its bundle and the modules imported, none if importing them started a thread.

    A fork server must not run threads, so such modules are left to each worker.
    """
    before = threading.active_count()
    bundle = load_served_bundle(settings)
    threads = threading.active_count()
    create_app(settings.model_copy(update={"state_dir": IN_MEMORY}), bundle=bundle)
    return bundle, tuple(name for name in sys.modules if name not in known) if threads == before else ()
