"""`driftgauge serve`: one process, or several workers under a supervisor."""

from __future__ import annotations

import multiprocessing
import signal
import socket
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import structlog

from driftgauge.common.processes import service_id
from driftgauge.errors import DriftgaugeError, SettingsError
from driftgauge.process.banner import announce
from driftgauge.process.endings import STARTUP_FAILURE
from driftgauge.process.generation import Generation
from driftgauge.process.logs import configure_logs, log_stream
from driftgauge.process.supervisor import Supervisor
from driftgauge.process.tls import Certificate, certificate_of
from driftgauge.registry.address import is_address, parse_address
from driftgauge.settings.options import CONFIG_VARIABLE, Settings, ignored_variables, load, variable
from driftgauge.settings.server import IN_MEMORY

LINKS: Final = (
    "Kubernetes sets these for a Service named driftgauge; they are addresses, not settings. "
    "enableServiceLinks: false in the pod's spec switches them off"
)


@dataclass(frozen=True)
class Started:
    """The options of the command line."""

    flags: Mapping[str, Any]
    """Settings by name; None for an option that was not given."""
    config: Path | None
    fresh_state: bool = False


def run(started: Started) -> None:
    """Serve until a signal says to stop; DriftgaugeError if the server cannot start."""
    settings = load(started.flags, started.config)
    settings.require_protection(settings.host)
    settings.require_folder_to_follow()
    if is_address(settings.bundle):
        started = with_fetched_bundle(started, settings)
        settings = load(started.flags, started.config)
    certificate_of(settings)  # a wrong one is refused at once
    configure_logs(settings.log_level, settings.log_format, pid=settings.workers > 1, file=settings.log_file)
    _warn_of_ignored_variables()
    with bound(settings.host, settings.port) as own:
        if settings.workers > 1:
            _serve_with_workers(settings, started, own)
            return
        from driftgauge.process.single import prepare  # imports for seconds, which a supervisor does not need

        server = prepare(settings, fresh_state=started.fresh_state)
    _install_reload_handler(server.certificate)
    with suppress(KeyboardInterrupt):  # which uvicorn raises again after it has stopped in good order
        server.run()
    if not server.started:
        raise SystemExit(STARTUP_FAILURE)


def with_fetched_bundle(started: Started, settings: Settings) -> Started:
    """Return the options with the folder of the bundle that an address of a registry names, fetched if it is new.

    SettingsError without a state folder, RegistryError if there is no bundle to start with.
    """
    if settings.state_dir is None or settings.state_dir == IN_MEMORY:
        raise SettingsError("a bundle of a registry is kept in the state folder: name one with --state-dir")
    from driftgauge.registry.client import MlflowRegistry, require_mlflow
    from driftgauge.registry.fetching import bundle_to_start

    address = parse_address(str(settings.bundle))
    require_mlflow(settings.registry_uri)
    registry = MlflowRegistry(settings.registry_uri)
    follows = address.alias is not None and settings.follow_alias == address.alias
    # A process of its own, so that this one, which may only supervise workers, does not keep MLflow in memory.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        first = pool.submit(bundle_to_start, registry, address, settings.state_dir, ask_first=not follows).result()
    if first.problem is not None:
        structlog.get_logger().warning("registry_unreachable", detail=first.problem, bundle=str(first.folder))
    named = {} if settings.registered_model or not follows else {"registered_model": address.name}
    return replace(started, flags={**started.flags, **named, "bundle": first.folder})


def _warn_of_ignored_variables() -> None:
    """Log which variables are ignored because Kubernetes set them."""
    if ignored := ignored_variables():
        structlog.get_logger().warning("variables_ignored", names=ignored, hint=LINKS)


def _serve_with_workers(settings: Settings, started: Started, own: socket.socket) -> None:
    """Serve with several workers on one listening socket; SystemExit if their application fails to start."""
    if settings.bundle is not None:
        from driftgauge.models.bundle import read_info

        read_info(settings.bundle)  # a wrong folder is refused at once, not after a fork server's imports
    variables = environment(started)
    service = service_id()
    fresh = [started.fresh_state]  # for the first generation alone: a reload deletes nothing

    def begin() -> Generation:
        generation = Generation([own], variables, service, fresh_state=any(fresh))
        fresh.clear()
        return generation

    ready = partial(announce, settings, own.getsockname()[1])
    supervisor = Supervisor(settings.workers, settings.shutdown_grace_seconds, begin, ready)
    supervisor.run()
    if supervisor.refusal:
        raise DriftgaugeError(supervisor.refusal)
    if supervisor.failed:
        raise SystemExit(STARTUP_FAILURE)


def bound(host: str, port: int) -> socket.socket:
    """Bind a socket to an address without listening yet; SettingsError if that fails."""
    own = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind((host, port))
    except (OSError, UnicodeError) as error:
        own.close()
        why = getattr(error, "strerror", None) or error
        raise SettingsError(f"cannot listen on {host}:{port}: {why} (--host, --port)") from error
    return own


def _install_reload_handler(certificate: Certificate | None = None) -> None:
    """Keep serving on SIGHUP, with the present certificate; on a terminal that closes, stop.

    A handler that the caller of this function set stays. An ignored signal, as under `nohup`, gets the handler.
    """
    if not callable(signal.getsignal(signal.SIGHUP)) and not log_stream().isatty():
        signal.signal(signal.SIGHUP, partial(_reload, certificate))


def _reload(certificate: Certificate | None, number: int, frame: FrameType | None) -> None:
    """Read the certificate again; a server with one worker can reload nothing else."""
    log = structlog.get_logger()
    if certificate is None:
        log.warning("cannot_reload", hint="a server with one worker cannot reload: restart it")
        return
    try:
        certificate.reload()
    except SettingsError as error:
        log.error("certificate_not_reloaded", detail=str(error), hint="the one read before stays in use")
    else:
        log.info("certificate_reloaded", hint="a server with one worker reloads nothing else: restart it for that")


def environment(started: Started) -> dict[str, str]:
    """Return the command line as variables, from which workers read their settings."""
    given = {variable(name): str(value) for name, value in started.flags.items() if value is not None}
    return {**given, **({CONFIG_VARIABLE: str(started.config)} if started.config else {})}
