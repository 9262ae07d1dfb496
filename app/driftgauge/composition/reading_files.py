"""Puts together what reads files into the monitoring of one model, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from driftgauge.common.private_files import FileLock, LockTimeout
from driftgauge.composition.ingestion import FOLDER, model_intake
from driftgauge.composition.monitoring import prediction_log
from driftgauge.drift.reference.baseline import RESERVED
from driftgauge.edges.files.ingest import FileIngest, Into
from driftgauge.edges.files.pieces import TableColumns
from driftgauge.edges.files.positions import FILE, FilePositions
from driftgauge.edges.files.sources import source_of
from driftgauge.edges.formats.ingest.formats import Format, decoder_of
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.errors import PredictionLogError, StateError
from driftgauge.ingestion.dead_letters import FILE as LETTERS
from driftgauge.predictions.log import ModelLog
from driftgauge.settings.options import Settings
from driftgauge.state.seen_records import seen_file

PARQUET: Final = "parquet"
FileFormat = Literal[Format, "parquet"]
FILE_FORMATS: Final[tuple[FileFormat, ...]] = (*get_args(Format), PARQUET)
LOG_SECONDS: Final = 60.0
"""Longest wait for predictions to be written to their log."""


@dataclass(frozen=True)
class Reading:
    """Which files are read, and how."""

    files: Sequence[str]
    format: FileFormat
    columns: Mapping[str, str] = field(default_factory=dict)
    """Columns of Parquet by the key of a record that they are read as."""


@dataclass(frozen=True)
class FileReader:
    """What reads files into a model, and the log of its predictions."""

    ingest: FileIngest
    own: ModelMonitoring
    log: ModelLog | None

    def evaluate(self) -> None:
        """Join ground truth with predictions and evaluate the windows, unless another process does for too long."""
        if self.log is not None and self.own.labels is not None:
            with suppress(TimeoutError, PredictionLogError):  # a server settles them later
                self.log.written().result(LOG_SECONDS)
                self.own.labels.settle()
        if self.own.evaluator is not None:
            with suppress(LockTimeout):
                self.own.monitor.evaluate(self.own.clock())


@contextmanager
def reading_into(settings: Settings, own: ModelMonitoring, reading: Reading) -> Iterator[FileReader]:
    """Yield what reads files into a model, and keep its state at the end.

    StateError if its state cannot be used, or if another process reads files into it.
    """
    if settings.state_folder is not None and not own.store.is_persistent:
        raise StateError("; ".join(own.current_problems()) or f"the state in {settings.state_folder} cannot be used")
    positions_file = None if settings.state_folder is None else _positions(settings.state_folder, own)
    lock = None if positions_file is None else FileLock(positions_file.with_suffix(".lock"))
    if lock is not None and not lock.acquire():
        raise StateError(f"another driftgauge ingest reads files of {own.model_name}: stop it first, or name all there")
    log = prediction_log(settings, own.clock, own.problems, None)
    if log is not None:
        own.use_log(log)
        log.start()
    intake = model_intake(own, log)
    positions = FilePositions(positions_file)
    is_table = reading.format == PARQUET
    kind: Format = "jsonl" if reading.format == "parquet" else reading.format
    baseline = own.monitor.baseline
    features = [name for name in baseline.names if name not in RESERVED]
    zone, classes = ZoneInfo(settings.ingest_time_zone), own.logged.model.classes or ()
    decoder = decoder_of(kind, baseline, zone, classes, settings.outcome_kinds)
    columns = TableColumns(features, reading.columns) if is_table else None
    into = Into(decoder, intake, positions, own.clock, columns)
    try:
        yield FileReader(FileIngest([source_of(text) for text in reading.files], into), own, intake.parts.log)
    finally:
        positions.close()
        intake.parts.events.close()
        if log is not None:
            log.close(LOG_SECONDS)
        own.leave()
        if lock is not None:
            lock.release()


def _positions(folder: Path, own: ModelMonitoring) -> Path:
    return seen_file(folder, own.model_name, own.model_version).with_name(FILE)


def letters_file(settings: Settings, own: ModelMonitoring) -> Path | None:
    """Return the file of a model's refused records; None for in memory."""
    folder = settings.state_folder
    return None if folder is None else folder / FOLDER / own.model_name / LETTERS
