"""`driftgauge consume`: a server whose rows come from Kafka."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial

from driftgauge.common.processes import service_id
from driftgauge.composition.consuming import consume_into, kafka_options
from driftgauge.edges.http.monitoring import Monitoring
from driftgauge.edges.kafka.options import client_library
from driftgauge.errors import SettingsError
from driftgauge.main import create_app
from driftgauge.process.banner import announce
from driftgauge.process.endings import STARTUP_FAILURE
from driftgauge.process.logs import configure_logs
from driftgauge.process.serve import Started, bound
from driftgauge.process.server import Server
from driftgauge.process.tls import certificate_of
from driftgauge.process.trial import check_application, reset_state
from driftgauge.settings.options import Settings, load


def run(started: Started, model: str | None) -> None:
    """Consume until a signal says to stop; DriftgaugeError if the server cannot start."""
    settings = load(started.flags, started.config)
    _check(settings)
    configure_logs(settings.log_level, settings.log_format, file=settings.log_file)
    with bound(settings.host, settings.port):
        server = prepare(settings, model, fresh_state=started.fresh_state)
    with suppress(KeyboardInterrupt):  # which uvicorn raises again after it has stopped in good order
        server.run()
    if not server.started:
        raise SystemExit(STARTUP_FAILURE)


def _check(settings: Settings) -> None:
    settings.require_protection(settings.host)
    certificate_of(settings)
    client_library()
    kafka_options(settings).config()
    if settings.workers > 1:
        raise SettingsError(
            "consume is one process: start several with the same --group, and they share the partitions"
        )
    if not settings.monitoring_enabled:
        raise SettingsError("consume only monitors: leave monitoring_enabled as it is")


def prepare(settings: Settings, model: str | None, *, fresh_state: bool) -> Server:
    """Return a server that is ready to run, with a fresh state if requested."""
    if fresh_state:
        check_application(settings)
        reset_state(settings)
    app = create_app(settings, service=service_id())
    monitoring: Monitoring = app.state.monitoring
    consume_into(monitoring, settings, model, time.time)
    return Server(app, settings, partial(announce, settings))
