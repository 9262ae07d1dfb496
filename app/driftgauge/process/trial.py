"""A trial start of the application: finds what would stop a worker before any worker starts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

import structlog

from driftgauge.composition.actions import history_folder
from driftgauge.composition.loading import Loaded, config_digest, identity_of, load_models
from driftgauge.composition.states import service_folder
from driftgauge.errors import DriftgaugeError
from driftgauge.main import check_served_state, create_app
from driftgauge.process.fork_server import Trial
from driftgauge.process.logs import configure_logs
from driftgauge.process.tls import certificate_of
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
        models, modules = _started(settings, known)
        digest = config_digest(settings)
        if fresh_state:
            configure_logs(settings.log_level, settings.log_format, pid=True, file=settings.log_file)
            reset_state(settings)
        else:
            check_served_state(settings, models, service)
    except DriftgaugeError as error:
        return Trial(str(error))
    return Trial(digest=digest, modules=modules)


def check_application(settings: Settings) -> None:
    """Raise what would stop the application from starting; takes no state."""
    create_app(_in_memory(settings))


def reset_state(settings: Settings) -> None:
    """Delete the state of the models' versions, and the server's own; LockTimeout if another server uses one."""
    names, folders = [], []
    for source in settings.sources:
        identity, folder = identity_of(source), source.settings.state_folder
        names.append(identity[0] if identity else source.label)
        if identity and folder:
            folders.append(folder / identity[0] / identity[1])
    if settings.state_folder is not None:
        folders.append(service_folder(settings.state_folder, names))
    for own in folders:
        if own.is_dir():
            structlog.get_logger().info("state_reset", files=reset(own))


def _started(settings: Settings, known: set[str]) -> tuple[Sequence[Loaded], tuple[str, ...]]:
    """Start the application; returns its models and the modules imported, none if importing them started a thread.

    A fork server must not run threads, so such modules are left to each worker.
    """
    before = threading.active_count()
    loaded = load_models(settings)
    threads = threading.active_count()
    create_app(_in_memory(settings), loaded=[own.in_memory for own in loaded])
    return loaded, tuple(name for name in sys.modules if name not in known) if threads == before else ()


def _in_memory(settings: Settings) -> Settings:
    """Return the settings of a server that leaves no files; SettingsError if the real one has no folder it needs."""
    history_folder(settings)
    return settings.model_copy(update={"state_dir": IN_MEMORY, "actions": ()})
