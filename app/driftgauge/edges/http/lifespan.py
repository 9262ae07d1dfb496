"""The life of a server: what runs beside its requests, and what is saved when it stops."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final, Protocol

import structlog
from threadpoolctl import threadpool_limits

from driftgauge.edges.http.connection.connections import STATE_KEY
from driftgauge.edges.http.context import ServerContext
from driftgauge.edges.http.fast_path import FastPathApp
from driftgauge.shutdown import enforce_deadline


class Running(Protocol):
    """What runs beside requests: what follows the versions of the models, and actions on alerts."""

    def start(self) -> None:
        """Start it, and what it needs."""

    async def stop(self) -> None:
        """Stop it, and what it needs."""


class RunningNotifications(Protocol):
    """What sends notifications beside requests."""

    async def run(self) -> None:
        """Send them until it is cancelled."""

    def close(self) -> None:
        """Leave the place to another worker."""


class RunningTelemetry(Protocol):
    """What sends metrics and traces beside requests."""

    async def run(self) -> None:
        """Send them until it is cancelled."""

    async def stop(self) -> None:
        """Send what is left."""


SWITCH_SECONDS: Final = 0.0001
"""GIL switch interval: the default 5 ms would delay every socket read during an evaluation."""


@contextlib.asynccontextmanager
async def lifespan(app: FastPathApp) -> AsyncIterator[Mapping[str, Any]]:
    """Serve from here on, and at the end save the state."""
    context: ServerContext = app.state.context
    releases: Running | None = getattr(app.state, "releases", None)
    if releases is None:
        watching = [asyncio.create_task(work) for work in context.monitoring.work()]
    else:
        watching = [asyncio.create_task(work) for work in context.monitoring.service_work()]
        releases.start()
    watching.append(asyncio.create_task(context.access.watch()))
    actions: Running | None = getattr(app.state, "actions", None)
    if actions is not None:
        actions.start()
    notifications: RunningNotifications | None = getattr(app.state, "notifications", None)
    if notifications is not None:
        watching.append(asyncio.create_task(notifications.run()))
    telemetry: RunningTelemetry | None = getattr(app.state, "telemetry", None)
    if telemetry is not None:
        watching.append(asyncio.create_task(telemetry.run()))
    log, slot = structlog.get_logger(), context.monitoring.service.store.number
    for model in context.monitoring.models:
        log.info("started", model=model.model_name, version=model.model_version, slot=slot)
    try:
        grace = context.settings.shutdown_grace_seconds
        with prepared(app), threadpool_limits(context.settings.model_threads), _responsive(), enforce_deadline(grace):
            context.monitoring.start()
            context.ready = True
            yield {STATE_KEY: context.connections}  # for the protocol, which uvicorn makes
    finally:
        context.ready = False
        for task in watching:
            task.cancel()
        if actions is not None:
            await actions.stop()
        if releases is not None:
            await releases.stop()
        await asyncio.gather(*watching, return_exceptions=True)
        if notifications is not None:
            await asyncio.to_thread(notifications.close)
        if telemetry is not None:
            await telemetry.stop()
        await asyncio.to_thread(context.intakes.close)
        try:
            await asyncio.to_thread(context.monitoring.leave)
        except Exception as error:  # the disk may be what fails; nothing more can be done
            log.error("state_not_saved", exc_info=error)
        log.info("stopped", slot=slot)


@contextlib.contextmanager
def prepared(app: FastPathApp) -> Iterator[None]:
    """Do at the start what would delay requests later; answers are the same without."""
    app.document(app.state.context.settings.root_path)
    gc.collect()
    gc.freeze()  # objects from the start are kept anyway; scanning them takes 50 ms each time
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def _responsive() -> Iterator[None]:
    """Keep the threads that compute from delaying the event loop."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
