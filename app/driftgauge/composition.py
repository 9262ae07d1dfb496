"""Puts the monitoring of one model together: its state, its monitor, and what evaluates and publishes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.reference.baseline import PREDICTION, Baseline
from driftgauge.drift.verdict.policy import ColumnPolicy, Policy
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.edges.http.monitoring import Monitoring
from driftgauge.errors import SettingsError
from driftgauge.metrics.process import process_numbers
from driftgauge.metrics.series import (
    LIBRARY,
    PREDICTIONS,
    RECOVERED,
    SOURCES,
    CounterSpec,
    monitor_series,
    score_buckets,
)
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions, state_shape
from driftgauge.monitor.problems import Log, Problems
from driftgauge.monitor.publisher import LOST, Publisher
from driftgauge.monitor.registry import Registry
from driftgauge.monitor.scheduler import BackgroundRoom, Evaluator
from driftgauge.settings.features import require_kinds, require_known
from driftgauge.settings.options import Settings
from driftgauge.state.files import StateKey
from driftgauge.state.shape import StateShape
from driftgauge.state.slots import Slots, StateUnavailable
from driftgauge.state.store import Store
from driftgauge.state.traffic import TrafficFile

WITHOUT_FILES: Final = (
    "Windows and counters are kept in memory: a restart loses them, and each worker reports its own rows only. "
    "Set state_dir to another folder, or to `memory` to keep it that way"
)
IN_MEMORY_PROBLEM: Final = LOST
WATCHING_THREADS: Final = 6
"""Threads that read state: one each for rows, evaluation, catch-up, metrics and status, and a spare one."""
EVALUATION_SHARE: Final = 0.75
"""Share of the readers' waiting time that an evaluation may take; the rest is for reading the counters."""


@dataclass(frozen=True)
class WatchedModel:
    """The model that is watched, and where its state is kept."""

    baseline: Baseline
    name: str
    version: str
    task: str
    state_folder: Path | None
    """Folder of the states of all models; None for in memory."""
    service: int | None = None
    """The id that the workers of one service share, by default one of this process alone."""
    source: str = SOURCES[0]
    """Who observes its rows, one of `metrics.SOURCES`."""


def compose_monitoring(
    settings: Settings,
    model: WatchedModel,
    clock: Callable[[], float],
    server_series: Sequence[CounterSpec] = (),
    *,
    callers_wait: bool = False,
    log: Log | None = None,
) -> Monitoring:
    """Assemble the monitoring of a model; StateError if its state must not be used, SettingsError for its settings.

    `server_series` are counted by the server around it, in the state of the model. If `callers_wait`, rows wait for
    room in a full log; otherwise they are dropped when it takes too long.
    """
    problems = Problems(clock, log)
    monitor = _monitor(settings, model, clock(), problems, server_series)
    if model.source == LIBRARY and (uncounted := monitor.store.uncounted):  # a server publishes with each answer
        with monitor.store.counting() as counters:
            counters.add(PREDICTIONS.name, uncounted)
    publisher = Publisher(monitor.store, problems, process_numbers)
    publisher.now()  # or the slot would show the numbers of its previous process
    monitors = Registry()
    monitors.add(monitor)
    watching = _watching_threads(monitor, problems, clock, callers_wait=callers_wait)
    return Monitoring(
        settings=settings,
        clock=clock,
        task=model.task,
        monitors=monitors,
        evaluators=_evaluators(settings, monitors, problems, clock, watching),
        problems=problems,
        store=monitor.store,
        publisher=publisher,
        watching=watching,
        writing=ThreadPoolExecutor(1, thread_name_prefix="writing"),
        server_series=server_series,
    )


def check_state(settings: Settings, model: WatchedModel, server_series: Sequence[CounterSpec] = ()) -> None:
    """Raise StateError if a service must not use the state of the model; takes none."""
    if slots := _slots(model, _state_shape(model, _options(settings, model.baseline), server_series)):
        slots.check()


def _monitor(
    settings: Settings, model: WatchedModel, now: float, problems: Problems, server_series: Sequence[CounterSpec]
) -> ColumnMonitor:
    options = _options(settings, model.baseline)
    folder = model.state_folder
    return ColumnMonitor(
        model.baseline,
        model_name=model.name,
        model_version=model.version,
        now=now,
        options=options,
        store=_store(model, _state_shape(model, options, server_series), problems),
        traffic=None if folder is None else TrafficFile(folder / model.name, model.version),
        source=model.source,
    )


def _state_shape(model: WatchedModel, options: MonitorOptions, server_series: Sequence[CounterSpec]) -> StateShape:
    baseline, series = model.baseline, monitor_series()
    if PREDICTION in baseline.names:
        score = baseline.columns[baseline.names.index(PREDICTION)]
        if model.task == "regression" or score.min < 0.0 or score.max > 1.0:
            series = monitor_series(score_buckets(score.bins.edges))
    return state_shape(baseline, options, (*series, *server_series))


def _options(settings: Settings, baseline: Baseline) -> MonitorOptions:
    return MonitorOptions(
        policy=Policy(
            windows=settings.windows,
            time_windows=tuple(map(TimeSpan.named, settings.time_windows)),
            max_age_seconds=settings.max_age_seconds,
            psi_thresholds=(settings.psi_threshold_warning, settings.psi_threshold_critical),
            columns=_columns(settings, baseline),
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


def _store(model: WatchedModel, shape: StateShape, problems: Problems) -> Store:
    """Return the state of the model: in files, or in memory if files cannot be used."""
    slots = _slots(model, shape)
    if slots is None:
        return Store.in_memory(shape)
    try:
        store = Store.open(slots)
    except StateUnavailable as error:
        problems.record_lasting(IN_MEMORY_PROBLEM, f"{error}. {WITHOUT_FILES}")
        return Store.in_memory(shape)
    for recovery in store.recoveries:
        problems.log.warning("state_recovered", reason=recovery.reason, detail=recovery.text)
        with store.counting() as counters:
            counters.add(RECOVERED.name, 1, recovery.reason)
    return store


def _slots(model: WatchedModel, shape: StateShape) -> Slots | None:
    """Return the slots of the model's version, None for state in memory."""
    if model.state_folder is None:
        return None
    folder = model.state_folder / model.name / model.version
    key = StateKey(model.name, model.version, model.baseline.hash)
    return Slots(folder, key, shape, state_dir=model.state_folder, service=model.service)


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


def _watching_threads(
    monitor: ColumnMonitor, problems: Problems, clock: Callable[[], float], *, callers_wait: bool
) -> ThreadPoolExecutor:
    """Return the threads that read the state and make room in the log; a replay waits, and drops nothing."""
    watching = ThreadPoolExecutor(WATCHING_THREADS, thread_name_prefix="watching")
    if not monitor.clock.latches_by_rows:
        monitor.room = BackgroundRoom(monitor, problems, watching, clock, callers_catch_up=callers_wait)
    return watching


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
