"""Finds and opens the states of a server: that of each model, and what is the server's own."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from driftgauge.composition.options import monitor_options
from driftgauge.composition.watched import WatchedModel
from driftgauge.drift.reference.baseline import PREDICTION
from driftgauge.metrics.series import (
    RECOVERED,
    CounterSpec,
    monitor_series,
    score_buckets,
)
from driftgauge.monitor.monitor import MonitorOptions, state_shape
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.publisher import LOST
from driftgauge.settings.options import Settings
from driftgauge.state.files import StateKey
from driftgauge.state.shape import StateShape, service_shape
from driftgauge.state.slot import StateUnavailable
from driftgauge.state.slots import Slots
from driftgauge.state.store import Store

WITHOUT_FILES: Final = (
    "Windows and counters are kept in memory: a restart loses them, and each worker reports its own rows only. "
    "Set state_dir to another folder, or to `memory` to keep it that way"
)
IN_MEMORY_PROBLEM: Final = LOST
SERVICE: Final = "server"
SERVICE_FOLDER: Final = "@server"
"""Folder of what is the server's own, in a state folder; no model can have this name."""
LONGEST_NAME: Final = 150


def check_service(
    settings: Settings, names: Collection[str], series: Sequence[CounterSpec], service: int | None
) -> None:
    """Raise StateError if a service must not use the state of a server; takes none."""
    if slots := service_slots(settings, names, series, service):
        slots.check()


def service_folder(folder: Path, names: Collection[str]) -> Path:
    """Return the folder of what is the own of a server of these models, inside a state folder."""
    joined = "+".join(sorted(names))
    return (
        folder
        / SERVICE_FOLDER
        / (joined if len(joined) <= LONGEST_NAME else hashlib.sha256(joined.encode()).hexdigest()[:16])
    )


def service_slots(
    settings: Settings, names: Collection[str], series: Sequence[CounterSpec], service: int | None
) -> Slots | None:
    """Return the slots of what is the server's own, None for state in memory."""
    if (folder := settings.state_folder) is None:
        return None
    own = service_folder(folder, names)
    return Slots(own, StateKey(own.name, SERVICE, ""), service_shape(series), state_dir=folder, service=service)


def check_state(settings: Settings, model: WatchedModel) -> None:
    """Raise StateError if a service must not use the state of the model; takes none."""
    if slots := model_slots(model, shape_of(model, monitor_options(settings, model.baseline))):
        slots.check()


def shape_of(model: WatchedModel, options: MonitorOptions) -> StateShape:
    """Return the shape of a model's state; the buckets of its scores are those of its reference."""
    baseline, series = model.baseline, monitor_series()
    if PREDICTION in baseline.names:
        score = baseline.columns[baseline.names.index(PREDICTION)]
        if model.task == "regression" or score.min < 0.0 or score.max > 1.0:
            series = monitor_series(score_buckets(score.bins.edges))
    return state_shape(baseline, options, series)


def open_store(slots: Slots | None, shape: StateShape, problems: Problems) -> Store:
    """Return a state: in files, or in memory if files cannot be used."""
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
            if counters.has(RECOVERED.name, recovery.reason):  # the server's own state does not count them
                counters.add(RECOVERED.name, 1, recovery.reason)
    return store


def model_slots(model: WatchedModel, shape: StateShape) -> Slots | None:
    """Return the slots of the model's version, None for state in memory."""
    if model.state_folder is None:
        return None
    folder = model.state_folder / model.name / model.version
    key = StateKey(model.name, model.version, model.baseline.hash)
    return Slots(folder, key, shape, state_dir=model.state_folder, service=model.service, source=model.source)


def version_folder(model: WatchedModel, store: Store) -> Path | None:
    """Return the folder of the model's version, which its workers share; None for state in memory."""
    folder = model.state_folder
    return folder / model.name / model.version if folder is not None and store.is_persistent else None
