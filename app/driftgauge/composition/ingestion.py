"""Puts together what takes in the rows of one model that another server serves."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from driftgauge.common.private_files import make_private
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.ingestion.dead_letters import DeadLetters
from driftgauge.ingestion.intake import PROBLEM, IntakeParts, ModelIntake
from driftgauge.ingestion.joins import FILE, OpenEvents
from driftgauge.metrics.series import INGEST
from driftgauge.monitor.log_counts import LogCounts
from driftgauge.predictions.log import PredictionLog
from driftgauge.settings.options import Settings
from driftgauge.state.store import Store

FOLDER: Final = "@ingest"
"""Folder of refused records and open events, in a state folder; no model can have this name."""


def model_intake(own: ModelMonitoring, log: PredictionLog | None) -> ModelIntake:
    """Return what takes in the rows of a model, whose records are remembered with its state or in memory."""
    settings, folder = own.settings, _folder(own)
    if folder is None:
        own.events.keep_in_memory()
    parts = IntakeParts(
        monitor=own.monitor,
        problems=own.problems,
        seen=own.seen,
        events=own.events,
        letters=DeadLetters(
            folder,
            settings.ingest_dead_letter_bytes,
            with_records=not (settings.prediction_log_drop or settings.prediction_log_hash),
        ),
        log=None if log is None else log.of_model(own.logged, LogCounts(own.store), INGEST),
        labels=own.labels,
        is_watched=own.evaluator is not None,
    )
    return ModelIntake(parts, own.clock)


def open_events(settings: Settings, model: str, store: Store) -> OpenEvents:
    """Return the requests and responses of a model that wait for each other; it makes no file yet."""
    folder = ingest_folder(settings, model, store)
    return OpenEvents(
        None if folder is None else folder / FILE,
        wait_seconds=settings.ingest_join_wait_seconds,
        most=settings.ingest_max_open_events,
    )


def ingest_folder(settings: Settings, model: str, store: Store) -> Path | None:
    """Return the folder of a model's ingestion; None for in memory."""
    root = settings.state_folder
    return None if root is None or not store.is_persistent else root / FOLDER / model


def _folder(own: ModelMonitoring) -> Path | None:
    """Return the folder of a model's ingestion, which is made if it is missing; None for in memory."""
    root, folder = own.settings.state_folder, ingest_folder(own.settings, own.model_name, own.store)
    if root is None or folder is None:
        return None
    try:
        make_private(folder, root)
    except OSError as error:
        own.problems.record(PROBLEM, error)
        return None
    return folder
