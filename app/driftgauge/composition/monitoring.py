"""Puts monitoring together: the monitor of each model, what evaluates it, and what is the server's own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from driftgauge.common.shared_text import SharedText
from driftgauge.composition.ground_truth import truth_parts
from driftgauge.composition.ingestion import open_events
from driftgauge.composition.options import monitor_options
from driftgauge.composition.states import (
    model_slots,
    open_store,
    service_folder,
    service_slots,
    shape_of,
    version_folder,
)
from driftgauge.composition.watched import WatchedModel
from driftgauge.drift.bins import FloatArray, category_name
from driftgauge.drift.multivariate.compared import with_whole_rows
from driftgauge.drift.multivariate.thresholds import AucThresholds
from driftgauge.drift.quality.checker import Checker, QualityOptions
from driftgauge.drift.verdict.policy import Policy
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.edges.http.monitoring import Monitoring, ServiceState
from driftgauge.errors import SettingsError
from driftgauge.metrics.gpu import gpus_of_server
from driftgauge.metrics.process import process_numbers
from driftgauge.metrics.series import (
    LIBRARY,
    CounterSpec,
)
from driftgauge.monitor.clients import ClientRows
from driftgauge.monitor.diagnoses import Diagnoses
from driftgauge.monitor.diagnosis_facts import DiagnosisFacts, ModelFacts
from driftgauge.monitor.ground_truth import TruthParts
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import LOG_PROBLEM, Log, Problems
from driftgauge.monitor.publisher import Publisher
from driftgauge.monitor.scheduler import BackgroundRoom, Evaluator
from driftgauge.monitor.sent_rows import SentRowsLog
from driftgauge.monitor.whole_row_loop import WholeRowLoop
from driftgauge.monitor.whole_rows import WholeRowMonitor, WholeRowOptions
from driftgauge.predictions.description import Described, Privacy, described
from driftgauge.predictions.log import LogOptions, PredictionLog
from driftgauge.settings.features import require_known
from driftgauge.settings.options import Settings
from driftgauge.state.clients_file import ClientsFile
from driftgauge.state.rolling_files import RollingFiles
from driftgauge.state.seen_records import SeenRecords, seen_file
from driftgauge.state.shape import service_shape
from driftgauge.state.snapshot import sum_totals
from driftgauge.state.store import Store
from driftgauge.state.traffic import TrafficFile

WATCHING_THREADS: Final = 6
"""Threads that read state: one each for rows, evaluation, catch-up, metrics and status, and a spare one."""
EVALUATION_SHARE: Final = 0.75
"""Share of the readers' waiting time that an evaluation may take; the rest is for reading the counters."""


def compose_model(
    settings: Settings,
    model: WatchedModel,
    clock: Callable[[], float],
    *,
    callers_wait: bool = False,
    log: Log | None = None,
    process: Callable[[], FloatArray] | None = None,
) -> ModelMonitoring:
    """Assemble the monitoring of a model, also while others are served.

    StateError if its state must not be used, SettingsError for its settings. If `callers_wait`, rows wait for room in a
    full log; otherwise they are dropped when it takes too long. `process` is given where the state also has the numbers
    of the process.
    """
    problems = Problems(clock, log)
    monitor = _monitor(settings, model, clock(), problems)
    publisher = Publisher(monitor.store, problems, process)
    publisher.now()  # or the slot would show the numbers of its previous process
    if settings.tokens_file is not None and settings.monitoring_enabled and model.source != LIBRARY:
        monitor.clients = _clients(settings, model, monitor.store, problems)
    monitor.sent = _sent_rows(settings, model, monitor, clock)
    watching = _watching_threads(monitor, problems, clock, callers_wait=callers_wait)
    return ModelMonitoring(
        settings=settings,
        clock=clock,
        task=model.task,
        monitor=monitor,
        evaluator=_evaluator(settings, monitor, problems, clock, watching),
        problems=problems,
        publisher=publisher,
        watching=watching,
        logged=_described(settings, model),
        shared_labels=SharedText(version_folder(model, monitor.store), "labels"),
        truth_parts=_truth_parts(settings, model, monitor),
        rolling_files=_rolling_files(settings, model, monitor.store),
        whole_rows=_whole_rows(settings, model, monitor, problems, clock),
        source=model.source,
        seen=_seen(settings, model, monitor.store),
        events=open_events(settings, model.name, monitor.store),
        diagnoses=_diagnoses(settings, model, monitor, watching),
    )


def _diagnoses(settings: Settings, model: WatchedModel, monitor: ColumnMonitor, executor: Executor) -> Diagnoses:
    """Return what says what is wrong with a model."""
    known = ModelFacts(
        task=model.task,
        importances=model.importances,
        sample=model.sample,
        labels=model.truth.labels,
        positive_class=category_name(model.classes[-1]) if model.classes else None,
        redacted=frozenset(settings.redacted_columns),
    )
    return Diagnoses(monitor, DiagnosisFacts(monitor, known), executor, rest_factor=settings.evaluation_rest_factor)


def _seen(settings: Settings, model: WatchedModel, store: Store) -> SeenRecords:
    """Return what remembers the records from the logs of other servers."""
    folder = model.state_folder if store.is_persistent else None
    path = None if folder is None else seen_file(folder, model.name, model.version)
    return SeenRecords(path, settings.ingest_seen_records)


def _rolling_files(settings: Settings, model: WatchedModel, store: Store) -> RollingFiles | None:
    """Return where the rolling reference is kept; None if the settings ask for none, or monitoring is off."""
    if settings.reference != "rolling" or not settings.monitoring_enabled:
        return None
    return RollingFiles(version_folder(model, store), model.baseline.hash)


def _whole_rows(
    settings: Settings, model: WatchedModel, monitor: ColumnMonitor, problems: Problems, clock: Callable[[], float]
) -> WholeRowLoop | None:
    """Return what compares whole rows, where rows of the reference are kept; None without monitoring.

    SettingsError if they are to be compared by interval, and none are kept.
    """
    if not settings.monitoring_enabled or (model.sample is None and settings.multivariate == "off"):
        return None
    if model.sample is None:
        raise SettingsError(
            f"multivariate={settings.multivariate}: no rows of the reference are kept for {model.name}: build the "
            "bundle or the baseline again with --keep-rows 2000, or set multivariate=off"
        )
    thresholds = AucThresholds(
        settings.multivariate_auc_threshold_warning, settings.multivariate_auc_threshold_critical
    )
    options = WholeRowOptions(
        settings.multivariate_interval_seconds,
        settings.multivariate_timeout_seconds,
        thresholds,
        in_verdict=settings.multivariate == "verdict",
    )
    compared = WholeRowMonitor(monitor, model.sample, version_folder(model, monitor.store), options)
    if options.in_verdict:
        monitor.raised = lambda report, now: with_whole_rows(report, compared.current(now))
    return WholeRowLoop(compared, problems, clock, by_interval=settings.multivariate != "off")


def _clients(settings: Settings, model: WatchedModel, store: Store, problems: Problems) -> ClientRows:
    """Return what counts the rows of each caller, in a file where the state is in files."""
    folder, slot = version_folder(model, store), store.number
    file = None if folder is None or slot is None else ClientsFile(folder, slot)
    return ClientRows(settings.windows[-1], file, problems)


def compose_library(
    settings: Settings, model: WatchedModel, clock: Callable[[], float], *, log: Log | None = None
) -> Monitoring:
    """Assemble the monitoring of a model that the program itself serves; raises what `compose_model` does.

    Rows wait for room in a full log. The state of the model also has the numbers of the processes.
    """
    own = compose_model(settings, model, clock, callers_wait=True, log=log, process=process_numbers)
    monitoring = Monitoring(
        settings=settings,
        clock=clock,
        service=ServiceState(own.store, own.publisher, own.problems),
        watching=own.watching,
        writing=_writing_thread(),
        predictions=prediction_log(settings, clock, own.problems, version_folder(model, own.store)),
    )
    monitoring.add(own)
    return monitoring


def compose_service(
    settings: Settings,
    names: Collection[str],
    clock: Callable[[], float],
    series: Sequence[CounterSpec],
    service: int | None = None,
) -> Monitoring:
    """Assemble what is the server's own, without models yet; StateError if its state must not be used.

    `names` are those of its models: a server of others has another state in the same folder. `series` are counted by
    the server. `service` is the id that its workers share.
    """
    problems = Problems(clock)
    store = open_store(service_slots(settings, names, series, service), service_shape(series), problems)
    publisher = Publisher(store, problems, process_numbers)
    publisher.now()
    folder = settings.state_folder
    shared = service_folder(folder, names) if folder is not None and store.is_persistent else None
    return Monitoring(
        settings=settings,
        clock=clock,
        service=ServiceState(store, publisher, problems, series),
        watching=ThreadPoolExecutor(2, thread_name_prefix="service"),
        writing=_writing_thread(),
        predictions=prediction_log(settings, clock, problems, shared),
        gpus=gpus_of_server(has_siblings=settings.workers > 1),
    )


def prediction_log(
    settings: Settings, clock: Callable[[], float], problems: Problems, folder: Path | None
) -> PredictionLog | None:
    """Return the prediction log; None if it is off, or there is no place for it.

    The workers of a service share `folder`; None for state in memory.
    """
    options = LogOptions(
        state_folder=settings.state_folder,
        url=settings.prediction_log_url,
        sample_ratio=settings.prediction_log_sample_ratio,
        acknowledges=settings.prediction_log_durability == "acknowledged",
        queue_rows=settings.prediction_log_queue_rows,
        max_age_seconds=settings.prediction_log_max_age_seconds,
        max_bytes=settings.prediction_log_max_bytes,
        min_free_bytes=settings.prediction_log_min_free_bytes,
    )
    if not settings.prediction_log or not options.is_possible:
        return None
    return PredictionLog(options, clock, partial(problems.record, LOG_PROBLEM), SharedText(folder, "prediction-log"))


def _described(settings: Settings, model: WatchedModel) -> Described:
    """Return a model as the prediction log describes it; SettingsError for a column that it does not have."""
    dropped, hashed = settings.prediction_log_drop, settings.prediction_log_hash
    require_known("prediction_log_drop", dropped, model.baseline)
    require_known("prediction_log_hash", hashed, model.baseline)
    privacy = Privacy(dropped, hashed, (settings.prediction_log_hash_key or "").encode()[:64])
    return described(model.baseline, model.name, model.version, model.task, classes=model.classes, privacy=privacy)


def _truth_parts(settings: Settings, model: WatchedModel, monitor: ColumnMonitor) -> TruthParts | None:
    """Return what evaluates ground truth; None with monitoring off, or without a known task."""
    if not settings.monitoring_enabled:
        return None
    policy = monitor.options.policy
    parts = truth_parts(settings, _described(settings, model).model, model.baseline, model.truth, policy)
    if parts is not None:
        parts.reports.shared = SharedText(version_folder(model, monitor.store), "performance")
    return parts


def _writing_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="writing")


def _monitor(settings: Settings, model: WatchedModel, now: float, problems: Problems) -> ColumnMonitor:
    options = monitor_options(settings, model.baseline)
    folder, shape = model.state_folder, shape_of(model, options)
    return ColumnMonitor(
        model.baseline,
        model_name=model.name,
        model_version=model.version,
        now=now,
        options=options,
        store=open_store(model_slots(model, shape), shape, problems),
        traffic=None if folder is None else TrafficFile(folder / model.name, model.version),
        source=model.source,
        held_out=model.held_out,
        checker=_checker(settings, model, options.policy),
        problems=problems,
    )


def _checker(settings: Settings, model: WatchedModel, policy: Policy) -> Checker | None:
    """Return what checks the model's rows against its constraints; None without constraints, or if they are off."""
    if model.constraints is None or not settings.quality_enabled:
        return None
    return Checker(model.baseline, model.constraints, _quality_options(settings, policy))


def _quality_options(settings: Settings, policy: Policy) -> QualityOptions:
    return QualityOptions.of(policy, settings.redacted_columns, has_examples=settings.quality_examples)


def _sent_rows(
    settings: Settings, model: WatchedModel, monitor: ColumnMonitor, clock: Callable[[], float]
) -> SentRowsLog | None:
    """Return what remembers rows as they are sent; None without constraints, or if they are off."""
    if model.constraints is None or not settings.quality_enabled:
        return None
    try:
        counted = monitor.store.counted()
    except Exception:  # the next evaluation reports the problem
        counted = monitor.store.own_and_known()
    shown = _quality_options(settings, monitor.options.policy)
    return SentRowsLog(model.constraints, shown, model.baseline.names, clock, sum_totals(counted))


def _watching_threads(
    monitor: ColumnMonitor, problems: Problems, clock: Callable[[], float], *, callers_wait: bool
) -> ThreadPoolExecutor:
    """Return the threads that read the state and make room in the log; a replay waits, and drops nothing."""
    watching = ThreadPoolExecutor(WATCHING_THREADS, thread_name_prefix="watching")
    if not monitor.clock.latches_by_rows:
        monitor.room = BackgroundRoom(monitor, problems, watching, clock, callers_catch_up=callers_wait)
    return watching


def _evaluator(
    settings: Settings, monitor: ColumnMonitor, problems: Problems, clock: Callable[[], float], executor: Executor
) -> Evaluator | None:
    """Return what evaluates a monitor, None if monitoring is off."""
    if not settings.monitoring_enabled:
        return None
    return Evaluator(
        monitor,
        problems,
        clock=clock,
        interval_seconds=settings.evaluation_interval_seconds,
        rest_factor=settings.evaluation_rest_factor,
        wait_seconds=EVALUATION_SHARE * settings.evaluation_wait_seconds,
        executor=executor,
    )
