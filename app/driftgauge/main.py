"""The composition root: assembles the parts of a server, starts and stops them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Final

import structlog
from fastapi import FastAPI
from threadpoolctl import threadpool_limits

from driftgauge import __version__
from driftgauge.composition import WatchedModel, check_service, check_state, compose_model, compose_service
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.edges.formats.large.extent import Extent
from driftgauge.edges.http.access import Access, access_of, caller_bounds
from driftgauge.edges.http.body_reader import BodyReader
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
from driftgauge.edges.http.infer import InferV2
from driftgauge.edges.http.lifespan import lifespan
from driftgauge.edges.http.origins import OriginPolicy
from driftgauge.edges.http.predict import PredictJson
from driftgauge.edges.http.prediction_endpoint import PredictionEndpoint
from driftgauge.edges.http.request_metrics import HttpCounters, http_series
from driftgauge.edges.http.routes import install_routes, measured
from driftgauge.edges.http.served_models import ServedModel, ServedModels
from driftgauge.errors import SettingsError
from driftgauge.models.bundle import Bundle, BundleInfo, load_bundle
from driftgauge.models.model_file import UntrustedTypes
from driftgauge.models.predictor import Predictor, verify
from driftgauge.monitor.capture import Capture
from driftgauge.monitor.problems import Problems
from driftgauge.serving.batcher import Batcher, BatchLimits
from driftgauge.serving.caller_limits import CallerLimits
from driftgauge.serving.latency_probe import LatencyModel, measure_latency
from driftgauge.settings.options import Settings, load
from driftgauge.shutdown import FLUSH_SECONDS

DESCRIPTION: Final = "Serves a model and monitors whether its inputs and predictions still look like the training data."


def create_app(
    settings: Settings | None = None,
    *,
    bundle: Bundle | None = None,
    clock: Callable[[], float] = time.time,
    service: int | None = None,
) -> FastAPI:
    """Return the server as an ASGI application.

    `settings` default to the environment, `bundle` to the one that the settings name. `clock` returns the
    time in seconds since 1970. `service` is the id that the workers of one server share, by default one of this
    process alone. Raises SettingsError, BundleError or StateError if the server could not work.
    """
    settings = settings or load()
    bundle = bundle or load_served_bundle(settings)
    context = compose(settings, bundle, clock, service)
    app = FastPathApp(
        context.http,
        context.models,
        OriginPolicy(settings.host, settings.allowed_hosts, settings.allowed_origins),
        context.access,
        settings.root_path,
        title=f"Driftgauge: {bundle.info.name} {bundle.info.version}",
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
    open_metrics = settings.metrics_access == "open"
    install_routes(app, bundle.info, settings.max_rows, context.access, open_metrics=open_metrics)
    install_error_handlers(app, context.failures)
    return app


def load_served_bundle(settings: Settings) -> Bundle:
    """Load the bundle that the settings name; SettingsError without one, BundleError if it cannot be loaded."""
    if settings.bundle is None:
        raise SettingsError("no model to serve: name its bundle (--bundle FOLDER, or DRIFTGAUGE_BUNDLE)")
    try:
        return load_bundle(settings.bundle, settings.trusted_types)
    except UntrustedTypes as error:
        raise error.phrased_for("setting") from error


def compose(
    settings: Settings, bundle: Bundle, clock: Callable[[], float], service: int | None = None
) -> ServerContext:
    """Assemble a server around a bundle; BundleError for a wrong model, StateError if its state must not be used."""
    monitoring = compose_service(settings, [bundle.info.name], clock, http_series(measured()), service)
    http = HttpCounters(measured(), monitoring.service.store.counters, monitoring.service.publisher.soon)
    access = access_of(settings, settings.host, monitoring.service.problems, http.denied, _limits(settings, http))
    context = ServerContext(
        settings=settings,
        monitoring=monitoring,
        models=ServedModels(),
        failures=Problems(clock),
        http=http,
        connections=Connections(_connection_limits(settings), http.refused),
        access=access,
    )
    context.install(load_model(settings, bundle, access, clock, service))
    return context


def load_model(
    settings: Settings, bundle: Bundle, access: Access, clock: Callable[[], float], service: int | None = None
) -> ServedModel:
    """Make all parts of one model version from its bundle, at the start or beside others that are served.

    It takes seconds, so it is called off the event loop. `ServerContext.install` then serves it, the tasks of its
    `monitoring.work()` are started, and `ServedModel.leave` ends it. BundleError for a wrong model, StateError if its
    state must not be used.
    """
    info = bundle.info
    predictor = _verified(bundle)
    failures = Problems(clock)
    monitoring = compose_model(settings, watched(settings, bundle, service), clock)
    capture = Capture(monitoring.monitor, monitoring.problems, watching=settings.monitoring_enabled)
    executor = _model_thread(settings)
    batcher = _batcher(settings, predictor, capture, executor, info)
    decoder = FeatureDecoder(info)
    endpoint = partial(
        PredictionEndpoint,
        reader=BodyReader(settings.max_body_bytes, settings.max_pending_bytes, settings.max_queued_rows),
        extent=Extent(settings.max_rows, len(info.features)),
        batcher=batcher,
        predictor=predictor,
        capture=capture,
        failures=failures,
        clock=clock,
        access=access,
        shares=access.shares(settings.max_queued_requests, settings.max_queued_rows),
    )
    return ServedModel(
        info=info,
        predictor=predictor,
        batcher=batcher,
        predict=endpoint(PredictJson(decoder, info, settings.max_rows)),
        infer=endpoint(InferV2(decoder, info, settings.max_rows)),
        capture=capture,
        monitoring=monitoring,
        failures=failures,
        executor=executor,
    )


def watched(settings: Settings, bundle: Bundle, service: int | None) -> WatchedModel:
    """Return the bundle's model as it is watched."""
    info = bundle.info
    return WatchedModel(
        bundle.baseline, info.name, info.version, info.task, settings.state_folder, tuple(info.classes), service
    )


def check_served_state(settings: Settings, bundle: Bundle, service: int) -> None:
    """Raise StateError if a service must not use its state, or that of its model; takes none."""
    check_service(settings, [bundle.info.name], http_series(measured()), service)
    check_state(settings, watched(settings, bundle, service))


def _limits(settings: Settings, http: HttpCounters) -> CallerLimits:
    return CallerLimits(caller_bounds(settings), CallerLog(http.limited))


def _verified(bundle: Bundle) -> Predictor:
    predictor = Predictor(bundle)
    verify(predictor, bundle.info)
    return predictor


def _model_thread(settings: Settings) -> ThreadPoolExecutor:
    """Return the thread of slow predictions; the OpenMP limit holds for the thread that sets it."""
    return ThreadPoolExecutor(
        1, thread_name_prefix="model", initializer=threadpool_limits, initargs=(settings.model_threads,)
    )


def _batcher(
    settings: Settings, predictor: Predictor, capture: Capture, executor: Executor, info: BundleInfo
) -> Batcher:
    return Batcher(
        predictor,
        capture,
        _latency(settings, predictor, info),
        executor,
        BatchLimits(settings.max_batch_rows, settings.max_queued_requests, settings.max_queued_rows),
        by_event=settings.clock == "event" and settings.monitoring_enabled,
    )


def _latency(settings: Settings, predictor: Predictor, info: BundleInfo) -> LatencyModel:
    with threadpool_limits(settings.model_threads):
        return measure_latency(predictor, info)


def _connection_limits(settings: Settings) -> ConnectionLimits:
    most = most_connections(settings.max_connections, file_limit())
    if settings.max_connections is not None and most < settings.max_connections:
        structlog.get_logger().warning(
            "max_connections_lowered",
            max_connections=most,
            hint="the limit of open files does not allow more: raise it (ulimit -n), or lower max_connections",
        )
    return ConnectionLimits.of(settings, most, (settings.shutdown_grace_seconds - FLUSH_SECONDS) / 2)
