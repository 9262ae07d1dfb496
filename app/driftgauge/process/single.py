"""A server of one process."""

from __future__ import annotations

from functools import partial

from driftgauge.common.processes import service_id
from driftgauge.main import create_app
from driftgauge.process.banner import announce
from driftgauge.process.server import Server
from driftgauge.process.trial import check_application, reset_state
from driftgauge.settings.options import Settings


def prepare(settings: Settings, *, fresh_state: bool) -> Server:
    """Return a server that is ready to run, with a fresh state if requested."""
    if fresh_state:
        check_application(settings)
        reset_state(settings)
    return Server(create_app(settings, service=service_id()), settings, partial(announce, settings))
