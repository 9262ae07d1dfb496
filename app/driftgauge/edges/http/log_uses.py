"""What one model version does with the prediction log: it takes in ground truth, judges it, and keeps days of rows."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from uuid import uuid4

from driftgauge.common.shared_text import SharedText
from driftgauge.monitor.ground_truth import TruthParts
from driftgauge.monitor.ground_truth_loop import GroundTruthLoop
from driftgauge.monitor.label_intake import LabelIntake
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.rolling import RollingMonitor, RollingOptions
from driftgauge.monitor.rolling_loop import RollingLoop
from driftgauge.predictions.description import Described
from driftgauge.predictions.label_store import LabelStore
from driftgauge.predictions.log import PredictionLog
from driftgauge.settings.options import Settings
from driftgauge.state.rolling_files import RollingFiles

Clock = Callable[[], float]


def label_intake(
    log: PredictionLog,
    logged: Described,
    monitor: ColumnMonitor,
    settings: Settings,
    problems: Problems,
    clock: Clock,
    shared: SharedText | None,
) -> LabelIntake:
    """Return what takes in the ground truth of a model's predictions; workers share what is known of it."""

    def opened() -> LabelStore:
        store = log.store()
        return LabelStore(store.engine, store.register(logged.model), log.options.sample_ratio)

    def mature() -> float:
        return monitor.clock.now(monitor.store.latest_at, clock()) - settings.label_maturity_seconds

    return LabelIntake(
        opened,
        monitor.store,
        problems,
        clock,
        wait_seconds=settings.label_wait_seconds,
        outcomes={name: own.rule for name, own in settings.outcomes.items()},
        mature=mature,
        shared=shared,
    )


def truth_loop(
    log: PredictionLog, parts: TruthParts, settings: Settings, problems: Problems, clock: Clock
) -> GroundTruthLoop:
    """Return what evaluates the ground truth of a model."""
    owner = uuid4().hex
    return GroundTruthLoop(
        lambda: parts.monitor(log.store(), owner),
        problems,
        clock,
        interval_seconds=settings.performance_interval_seconds,
        rest_factor=settings.evaluation_rest_factor,
    )


def rolling_loop(
    log: PredictionLog,
    files: RollingFiles,
    monitor: ColumnMonitor,
    settings: Settings,
    problems: Problems,
    clock: Clock,
) -> RollingLoop:
    """Return what keeps the rolling reference of a model."""
    options = RollingOptions(
        settings.rolling_reference_days, settings.rolling_reference_refresh_seconds, settings.windows[-1]
    )
    return RollingLoop(
        lambda: RollingMonitor(
            log.store(),
            monitor.model_name,
            monitor.baseline,
            files,
            monitor.history.read,
            options,
            watched=monitor.watched,
        ),
        problems,
        lambda: monitor.clock.now(monitor.store.latest_at, nan if monitor.clock.name == "event" else clock()),
        refresh_seconds=options.refresh_seconds,
    )
