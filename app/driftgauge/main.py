"""The composition root: assembles the parts of a server, starts and stops them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog
from fastapi import FastAPI

from driftgauge import __version__
from driftgauge.composition.actions import compose_actions
from driftgauge.composition.elsewhere import elsewhere
from driftgauge.composition.ingestion import model_intake
from driftgauge.composition.loading import Loaded, bundle_of, load_models, source_of
from driftgauge.composition.monitoring import compose_model, compose_service
from driftgauge.composition.releases import compose_releases
from driftgauge.composition.served import load_model
from driftgauge.composition.states import check_service, check_state
from driftgauge.composition.watched import WatchedModel
from driftgauge.edges.http.access import access_of, caller_bounds
from driftgauge.edges.http.caller_log import CallerLog
from driftgauge.edges.http.connection.connections import (
    ConnectionLimits,
    Connections,
    file_limit,
    most_connections,
)
from driftgauge.edges.http.context import ServerContext
from driftgauge.edges.http.errors import install_error_handlers
from driftgauge.edges.http.fast_path import FastPathApp
from driftgauge.edges.http.intakes import Intakes
from driftgauge.edges.http.lifespan import lifespan
from driftgauge.edges.http.origins import OriginPolicy
from driftgauge.edges.http.request_metrics import HttpCounters, http_series
from driftgauge.edges.http.routes import DocumentedModel, describe_models, install_routes, measured
from driftgauge.edges.http.served_models import ServedModel, ServedModels
from driftgauge.edges.http.traced import TracedCounters
from driftgauge.errors import BundleError, SettingsError, StateError
from driftgauge.models.bundle import Bundle
from driftgauge.monitor.problems import Problems
from driftgauge.releases.release import Candidate
from driftgauge.serving.caller_limits import CallerLimits
from driftgauge.settings.models import ModelSource
from driftgauge.settings.options import Settings, load
from driftgauge.shutdown import FLUSH_SECONDS

DESCRIPTION: Final = "Serves a model and monitors whether its inputs and predictions still look like the training data."


def create_app(
    settings: Settings | None = None,
    *,
    bundle: Bundle | None = None,
    clock: Callable[[], float] = time.time,
    service: int | None = None,
    loaded: Sequence[Loaded] = (),
) -> FastAPI:
    """Return the server as an ASGI application.

    `settings` default to the environment, `bundle` to the models that the settings name, which may be `loaded`
    already. `clock` returns the time in seconds since 1970. `service` is the id that the workers of one server share,
    by default one of this process alone. Raises SettingsError, BundleError or StateError if the server could not work.
    """
    settings = settings or load()
    context = compose(settings, bundle, clock, service, loaded=loaded)
    app = FastPathApp(
        context.http,
        context.models,
        OriginPolicy(settings.host, settings.allowed_hosts, settings.allowed_origins),
        context.access,
        settings.root_path,
        title=_titled(context),
        description=DESCRIPTION,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # ours needs no internet
        redoc_url=None,
        redirect_slashes=False,
        # The server has its own metrics; OpenTelemetry would add a cost to each request.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.context = context
    app.state.monitoring = context.monitoring
    _compose_running(app, settings, context, clock, service, is_replaceable=bundle is None)
    open_metrics = settings.metrics_access == "open"
    install_routes(app, _documented(context), context.access, open_metrics=open_metrics)
    app.describe = partial(_describe, app, context)
    install_error_handlers(app, context.failures)
    return app


def _compose_running(
    app: FastPathApp,
    settings: Settings,
    context: ServerContext,
    clock: Callable[[], float],
    service: int | None,
    *,
    is_replaceable: bool,
) -> None:
    """Put together what runs beside requests: what replaces versions, actions on alerts, and notifications."""
    releases = None
    if is_replaceable:

        def load_version(candidate: Candidate) -> ServedModel:
            own = source_of(settings, candidate.model).settings
            return load_model(own, bundle_of(own, candidate), context.access, clock, service)

        releases = app.state.releases = compose_releases(settings, context, load_version, clock)
    app.state.actions = compose_actions(settings, context, releases, clock)
    if settings.notify:
        from driftgauge.composition.notifications import compose_notifications  # parses queries: only where needed

        app.state.notifications = compose_notifications(settings, context.monitoring, clock)
    if settings.otlp_endpoint:
        from driftgauge.composition.telemetry import compose_telemetry, traced_by  # imports OpenTelemetry

        if telemetry := compose_telemetry(settings, context.monitoring, clock):
            app.state.telemetry, app.traced = telemetry, traced_by(telemetry)


def _describe(app: FastPathApp, context: ServerContext) -> None:
    """Let the OpenAPI document describe the versions that answer now."""
    app.title = _titled(context)
    describe_models(app, _documented(context))


def _titled(context: ServerContext) -> str:
    """Return the title of the OpenAPI document: the model and its version, or how many models there are."""
    models = context.monitoring.models.all_live
    own = f"{models[0].model_name} {models[0].model_version}" if len(models) == 1 else f"{len(models)} models"
    return f"Driftgauge: {own}"


def _documented(context: ServerContext) -> Sequence[DocumentedModel]:
    return [(model.info, model.max_rows) for model in context.models.all_live]


def compose(
    settings: Settings,
    bundle: Bundle | None,
    clock: Callable[[], float],
    service: int | None = None,
    *,
    loaded: Sequence[Loaded] = (),
) -> ServerContext:
    """Assemble a server around a bundle, or around the models that were loaded or that the settings name.

    Of several models, one that cannot be used is left out, logged and shown. BundleError, StateError or
    SettingsError if none can be used.
    """
    models = [Loaded(ModelSource(settings, settings.bundle), bundle)] if bundle else loaded or load_models(settings)
    several, names = len(models) > 1, [own.name for own in models]
    series = http_series(measured(), several=several)
    monitoring = compose_service(settings, names, clock, series, service)
    counting = TracedCounters if settings.otlp_endpoint else HttpCounters
    http = counting(measured(), monitoring.service.store.counters, monitoring.service.publisher.soon)
    access = access_of(settings, settings.host, monitoring.service.problems, http.denied, _limits(settings, http))
    context = ServerContext(
        settings=settings,
        monitoring=monitoring,
        models=ServedModels(has_short_routes=sum(own.source.baseline is None for own in models) <= 1),
        failures=Problems(clock),
        http=http,
        connections=Connections(_connection_limits(settings), http.refused),
        access=access,
        intakes=Intakes(settings, lambda own: model_intake(own, monitoring.predictions)),
    )
    for own in models:
        _install(context, own, clock, service, is_only=not several)
    if not monitoring.models:
        raise BundleError("; ".join(f"{name}: {why}" for name, why in monitoring.unusable.items()))
    return context


def _install(
    context: ServerContext, own: Loaded, clock: Callable[[], float], service: int | None, *, is_only: bool
) -> None:
    """Serve and monitor a model that was read; of several, one that cannot be used is logged and shown instead."""
    settings = own.source.settings
    try:
        if own.error is not None:
            raise own.error
        if own.bundle is not None:
            context.install(load_model(settings, own.bundle, context.access, clock, service))
        elif own.baseline is not None:
            context.monitoring.add(compose_model(settings, elsewhere(own, own.baseline, service), clock))
    except SettingsError as error:
        raise error if is_only else SettingsError(f"models.{own.name}: {error}") from error
    except (BundleError, StateError) as error:
        if is_only:
            raise
        context.monitoring.unusable[own.name] = str(error)
        structlog.get_logger().error("model_unusable", model=own.name, detail=str(error))


def check_served_state(settings: Settings, models: Sequence[Loaded], service: int) -> None:
    """Raise StateError if a service must not use its state, or that of its only model; takes none.

    Of several models, the workers leave out one whose state they must not use.
    """
    names = [own.name for own in models]
    check_service(settings, names, http_series(measured()), service)
    if len(models) == 1 and (bundle := models[0].bundle):
        own = models[0].source.settings
        check_state(own, WatchedModel.of_bundle(own, bundle, service))


def _limits(settings: Settings, http: HttpCounters) -> CallerLimits:
    return CallerLimits(caller_bounds(settings, settings.workers), CallerLog(http.limited))


def _connection_limits(settings: Settings) -> ConnectionLimits:
    most = most_connections(settings.max_connections, file_limit())
    if settings.max_connections is not None and most < settings.max_connections:
        structlog.get_logger().warning(
            "max_connections_lowered",
            max_connections=most,
            hint="the limit of open files does not allow more: raise it (ulimit -n), or lower max_connections",
        )
    return ConnectionLimits.of(settings, most, (settings.shutdown_grace_seconds - FLUSH_SECONDS) / 2)
