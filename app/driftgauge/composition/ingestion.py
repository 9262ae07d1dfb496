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

FOLDER: Final = "@ingest"
"""Folder of refused records and open events, in a state folder; no model can have this name."""


def model_intake(own: ModelMonitoring, log: PredictionLog | None) -> ModelIntake:
    """Return what takes in the rows of a model, whose records are remembered with its state or in memory."""
    settings, folder = own.settings, _folder(own)
    parts = IntakeParts(
        monitor=own.monitor,
        problems=own.problems,
        seen=own.seen,
        events=OpenEvents(
            None if folder is None else folder / FILE,
            wait_seconds=settings.ingest_join_wait_seconds,
            most=settings.ingest_max_open_events,
        ),
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


def _folder(own: ModelMonitoring) -> Path | None:
    """Return the folder of a model's ingestion, which is made if it is missing; None for in memory."""
    root = own.settings.state_folder
    if root is None or not own.store.is_persistent:
        return None
    folder = root / FOLDER / own.model_name
    try:
        make_private(folder, root)
    except OSError as error:
        own.problems.record(PROBLEM, error)
        return None
    return folder
