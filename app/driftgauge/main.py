"""The composition root: assembles the parts of a server, starts and stops them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Final

import structlog
from fastapi import FastAPI
from threadpoolctl import threadpool_limits

from driftgauge import __version__
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.policy import ColumnPolicy, Policy
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.edges.formats.large.extent import Extent
from driftgauge.edges.http.body_reader import BodyReader
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
from driftgauge.edges.http.routes import install_routes, measured, shortcuts
from driftgauge.errors import SettingsError
from driftgauge.metrics.process import process_numbers
from driftgauge.metrics.series import RECOVERED, monitor_series, score_buckets
from driftgauge.models.bundle import Bundle, BundleInfo, load_bundle
from driftgauge.models.model_file import UntrustedTypes
from driftgauge.models.predictor import Predictor, verify
from driftgauge.monitor.capture import Capture
from driftgauge.monitor.monitor import Monitor, MonitorOptions, state_shape
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.publisher import LOST, Publisher
from driftgauge.monitor.registry import Registry
from driftgauge.monitor.scheduler import BackgroundRoom, Evaluator
from driftgauge.serving.batcher import Batcher, BatchLimits
from driftgauge.serving.latency_probe import LatencyModel, measure_latency
from driftgauge.settings.features import require_kinds, require_known
from driftgauge.settings.options import Settings, load
from driftgauge.shutdown import FLUSH_SECONDS
from driftgauge.state.files import StateKey
from driftgauge.state.shape import StateShape
from driftgauge.state.slots import Slots, StateUnavailable
from driftgauge.state.store import Store
from driftgauge.state.traffic import TrafficFile

WITHOUT_FILES: Final = (
    "Windows and counters are kept in memory: a restart loses them, and each worker reports its own rows only. "
    "Set state_dir to another folder, or to `memory` to keep it that way"
)
DESCRIPTION: Final = "Serves a model and monitors whether its inputs and predictions still look like the training data."

IN_MEMORY_PROBLEM: Final = LOST
WATCHING_THREADS: Final = 6
"""Threads that read state: one each for rows, evaluation, catch-up, metrics and status, and a spare one."""
EVALUATION_SHARE: Final = 0.75
"""Share of the readers' waiting time that an evaluation may take; the rest is for reading the counters."""


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
    context = compose(settings, bundle or load_served_bundle(settings), clock, service)
    app = FastPathApp(
        context.http,
        shortcuts(context),
        OriginPolicy(settings.host, settings.allowed_hosts, settings.allowed_origins),
        settings.root_path,
        title=f"Driftgauge: {context.info.name} {context.info.version}",
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
    install_routes(app, context.info, settings.max_rows)
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
    info = bundle.info
    predictor = _verified(bundle)
    problems, failures = Problems(clock), Problems(clock)
    monitor = _monitor(settings, bundle, clock(), problems, service)
    publisher = Publisher(monitor.store, problems, process_numbers)
    publisher.now()  # or the slot would show the numbers of its previous process
    monitors = Registry()
    monitors.add(monitor)
    capture = Capture(monitor, problems, watching=settings.monitoring_enabled)
    executor = _model_thread(settings)
    watching = _watching_threads(monitor, problems, clock)
    batcher = _batcher(settings, predictor, capture, executor, info)
    decoder = FeatureDecoder(info)
    http = HttpCounters(measured(), monitor.store.counters, publisher.soon)
    endpoint = partial(
        PredictionEndpoint,
        reader=BodyReader(settings.max_body_bytes, settings.max_pending_bytes, settings.max_queued_rows),
        extent=Extent(settings.max_rows, len(info.features)),
        batcher=batcher,
        predictor=predictor,
        capture=capture,
        failures=failures,
        clock=clock,
    )
    return ServerContext(
        settings=settings,
        clock=clock,
        info=info,
        predictor=predictor,
        batcher=batcher,
        predict=endpoint(PredictJson(decoder, info, settings.max_rows)),
        infer=endpoint(InferV2(decoder, info, settings.max_rows)),
        monitors=monitors,
        evaluators=_evaluators(settings, monitors, problems, clock, watching),
        capture=capture,
        problems=problems,
        failures=failures,
        http=http,
        connections=Connections(_connection_limits(settings), http.refused),
        store=monitor.store,
        publisher=publisher,
        executor=executor,
        watching=watching,
        writing=ThreadPoolExecutor(1, thread_name_prefix="writing"),
    )


def _verified(bundle: Bundle) -> Predictor:
    predictor = Predictor(bundle)
    verify(predictor, bundle.info)
    return predictor


def _model_thread(settings: Settings) -> ThreadPoolExecutor:
    """Return the thread of slow predictions; the OpenMP limit holds for the thread that sets it."""
    return ThreadPoolExecutor(
        1, thread_name_prefix="model", initializer=threadpool_limits, initargs=(settings.model_threads,)
    )


def _watching_threads(monitor: Monitor, problems: Problems, clock: Callable[[], float]) -> ThreadPoolExecutor:
    """Return the threads that read the state and make room in the log; a replay waits, and drops nothing."""
    watching = ThreadPoolExecutor(WATCHING_THREADS, thread_name_prefix="watching")
    if not monitor.clock.latches_by_rows:
        monitor.room = BackgroundRoom(monitor, problems, watching, clock)
    return watching


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


def _evaluators(
    settings: Settings, monitors: Registry, problems: Problems, clock: Callable[[], float], executor: Executor
) -> Mapping[tuple[str, str], Evaluator]:
    if not settings.monitoring_enabled:
        return {}
    return {
        (monitor.model_name, monitor.model_version): Evaluator(
            monitor,
            problems,
            clock=clock,
            interval_seconds=settings.evaluation_interval_seconds,
            rest_factor=settings.evaluation_rest_factor,
            wait_seconds=EVALUATION_SHARE * settings.evaluation_wait_seconds,
            executor=executor,
        )
        for monitor in monitors
    }


def _monitor(settings: Settings, bundle: Bundle, now: float, problems: Problems, service: int | None) -> Monitor:
    options = _options(settings, bundle)
    return Monitor(
        bundle.baseline,
        model_name=bundle.info.name,
        model_version=bundle.info.version,
        now=now,
        options=options,
        store=_store(settings, bundle, _state_shape(bundle, options), problems, service),
        traffic=_traffic(settings, bundle),
    )


def _state_shape(bundle: Bundle, options: MonitorOptions) -> StateShape:
    score = bundle.baseline.columns[len(bundle.info.features)]
    buckets = score_buckets(score.bins.edges) if bundle.info.task == "regression" else None
    series = monitor_series(buckets) if buckets else monitor_series()
    return state_shape(bundle.baseline, options, (*series, *http_series(measured())))


def _options(settings: Settings, bundle: Bundle) -> MonitorOptions:
    return MonitorOptions(
        policy=Policy(
            windows=settings.windows,
            time_windows=tuple(map(TimeSpan.named, settings.time_windows)),
            max_age_seconds=settings.max_age_seconds,
            psi_thresholds=(settings.psi_threshold_warning, settings.psi_threshold_critical),
            columns=_columns(settings, bundle.baseline),
            budget=Budget(
                false_alarm_rows=settings.false_alarm_rows,
                false_alarm_interval_seconds=settings.false_alarm_interval_seconds,
                tolerance=settings.evidence_tolerance_ratio,
            ),
            missing_thresholds=(settings.missing_threshold_warning, settings.missing_threshold_critical),
            unseen_thresholds=(settings.unseen_threshold_warning, settings.unseen_threshold_critical),
            alert_on_small=settings.alert_on_small,
            learning_seconds=settings.learning_seconds,
        ),
        clock=settings.clock,
        max_event_ahead_seconds=settings.max_event_ahead_seconds,
    )


def _store(settings: Settings, bundle: Bundle, shape: StateShape, problems: Problems, service: int | None) -> Store:
    """Return the state of the model: in files, or in memory if files cannot be used."""
    slots = _slots(settings, bundle, shape, service)
    if slots is None:
        return Store.in_memory(shape)
    try:
        store = Store.open(slots)
    except StateUnavailable as error:
        problems.record_lasting(IN_MEMORY_PROBLEM, f"{error}. {WITHOUT_FILES}")
        return Store.in_memory(shape)
    for recovery in store.recoveries:
        structlog.get_logger().warning("state_recovered", reason=recovery.reason, detail=recovery.text)
        with store.counting() as counters:
            counters.add(RECOVERED.name, 1, recovery.reason)
    return store


def check_state(settings: Settings, bundle: Bundle, service: int) -> None:
    """Raise StateError if a service must not use the state of the model; takes none."""
    if slots := _slots(settings, bundle, _state_shape(bundle, _options(settings, bundle)), service):
        slots.check()


def _slots(settings: Settings, bundle: Bundle, shape: StateShape, service: int | None) -> Slots | None:
    """Return the slots of a bundle's model and version, None for state in memory."""
    name, version, state_dir = bundle.info.name, bundle.info.version, settings.state_folder
    if state_dir is None:
        return None
    key = StateKey(name, version, bundle.baseline.hash)
    return Slots(state_dir / name / version, key, shape, state_dir=state_dir, service=service)


def _traffic(settings: Settings, bundle: Bundle) -> TrafficFile | None:
    """Return the file of all versions of a model, None for state in memory."""
    name, version, state_dir = bundle.info.name, bundle.info.version, settings.state_folder
    return None if state_dir is None else TrafficFile(state_dir / name, version)


def _columns(settings: Settings, baseline: Baseline) -> Mapping[str, ColumnPolicy]:
    """Return what is different for single columns. Raises SettingsError if the baseline contradicts it."""
    pairs, features = settings.psi_thresholds_by_feature, settings.features
    require_known("psi_thresholds_by_feature", pairs, baseline)
    require_known("features", features, baseline)
    require_kinds(features, baseline)
    columns = {name: own.policy for name, own in features.items()}
    columns |= {name: replace(columns.get(name, ColumnPolicy()), psi_thresholds=pair) for name, pair in pairs.items()}
    if not Policy(columns=columns).monitored(baseline.names).any():
        raise SettingsError("features: at least one column must be monitored; monitoring_enabled = false turns all off")
    return columns
