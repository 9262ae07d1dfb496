"""`driftgauge ingest`: reads files into the state of a model, to their end or as they grow."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import FrameType

import structlog

from driftgauge.common.processes import service_id
from driftgauge.composition.elsewhere import elsewhere
from driftgauge.composition.loading import Loaded, load_models
from driftgauge.composition.monitoring import compose_model
from driftgauge.composition.reading_files import FILE_FORMATS, FileReader, Reading, letters_file, reading_into
from driftgauge.composition.watched import WatchedModel
from driftgauge.edges.files.tally import FileTally
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.errors import IngestError, SettingsError
from driftgauge.process.logs import configure_logs
from driftgauge.process.serve import Started
from driftgauge.process.trial import reset_state
from driftgauge.settings.options import Settings, load
from driftgauge.settings.server import IN_MEMORY


@dataclass(frozen=True)
class Run:
    """What a run does."""

    files: Sequence[str]
    format: str
    columns: Mapping[str, str] = field(default_factory=dict)
    """Columns of Parquet by the key of a record that they are read as."""
    model: str | None = None
    """Which model, None for the only one."""
    follow: bool = False
    interval_seconds: float = 1.0
    """Time between two looks at the files, if they are followed."""

    @property
    def reading(self) -> Reading:
        """Which files are read, and how; SettingsError for a format that there is not."""
        kind = next((own for own in FILE_FORMATS if own == self.format), None)
        if kind is None:
            raise SettingsError(f"--format {self.format}: there is {', '.join(FILE_FORMATS)}")
        return Reading(self.files, kind, self.columns)


@dataclass(frozen=True)
class Outcome:
    """What became of a run."""

    lines: Sequence[str]
    """What is printed."""
    problems: Sequence[str]
    """A sentence for each file that cannot be read."""
    is_good: bool
    """Whether all files and records could be read."""


Progressed = Callable[[int, int, int], None]
"""Is told the bytes that were read, those that there are, and the rows that were counted."""


def run(started: Started, own: Run, on_progress: Progressed) -> Outcome:
    """Read files and return what became of them.

    A signal ends it after the piece at hand. DriftgaugeError if it cannot start or go on.
    """
    reading = own.reading
    settings = load(started.flags, started.config)
    if settings.state_folder is None and settings.state_dir != IN_MEMORY:
        raise SettingsError("give the folder of windows, counters and positions: --state-dir FOLDER")
    configure_logs(settings.log_level, settings.log_format, file=settings.log_file)
    if started.fresh_state:
        reset_state(settings)
    loaded = _chosen(settings, own.model)
    model = _monitoring(loaded)
    with _signals() as stopping, reading_into(loaded.source.settings, model, reading) as reader:
        ingest = reader.ingest
        ingest.stopping = stopping
        ingest.on_progress = lambda done, total: on_progress(done, total, ingest.tally.rows)
        _read(reader, own)
        reader.evaluate()
        return _outcome(ingest.tally, letters_file(loaded.source.settings, model))


def _outcome(tally: FileTally, letters: Path | None) -> Outcome:
    lines = list(tally.lines())
    if tally.refused and letters is not None:
        lines.append(f"they are in {letters}, with the reason")
    lines += [f"{path}: the last line has no end yet, and is read next time" for path in sorted(tally.unfinished)]
    return Outcome(lines, [f"{path}: {why}" for path, why in tally.failed.items()], tally.is_good)


def _chosen(settings: Settings, name: str | None) -> Loaded:
    """Return the model that is meant, the only one by default; SettingsError if it is not clear."""
    models = load_models(settings)
    found = [own for own in models if name in (None, own.name)]
    if len(found) != 1:
        names = ", ".join(own.name for own in models)
        raise SettingsError(f"--model: name one of {names}" if name is None else f"--model {name}: there is {names}")
    if found[0].error is not None:
        raise found[0].error
    return found[0]


def _monitoring(own: Loaded) -> ModelMonitoring:
    settings = own.source.settings
    if own.bundle is not None:
        model = WatchedModel.of_bundle(settings, own.bundle, service_id())
    else:
        assert own.baseline is not None  # noqa: S101  # one of both was read
        model = elsewhere(own, own.baseline, service_id())
    return compose_model(settings, model, time.time, callers_wait=True)


def _read(reader: FileReader, own: Run) -> None:
    """Look at the files once, or until a signal comes."""
    ingest = reader.ingest
    if not own.follow:
        ingest.look()
        if ingest.missing:
            raise SettingsError(f"there is no file {ingest.missing[0]}")
        return
    failed: dict[str, str] = {}
    log, evaluate_at, has_more = structlog.get_logger(), 0.0, False
    while not ingest.stopping.is_set():
        try:
            has_more |= ingest.look()
        except IngestError as error:  # a storage that is away comes back
            log.warning("ingest_waits", detail=str(error))
        if has_more and time.monotonic() >= evaluate_at:
            reader.evaluate()
            evaluate_at, has_more = time.monotonic() + reader.own.settings.evaluation_interval_seconds, False
        for path, why in ingest.tally.failed.items():
            if failed.get(path) != why:
                log.warning("file_not_read", path=path, detail=why)
        failed = dict(ingest.tally.failed)
        ingest.stopping.wait(own.interval_seconds)


@contextmanager
def _signals() -> Iterator[Event]:
    """Yield what the first signal to end sets."""
    stopping = Event()

    def stop(_: int, __: FrameType | None) -> None:
        stopping.set()

    before = {own: signal.signal(own, stop) for own in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for own, handler in before.items():
            signal.signal(own, handler)
