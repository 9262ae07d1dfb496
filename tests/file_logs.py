"""Log files of another server, and runs that read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path

from driftgauge.edges.files.ingest import FileIngest, Into
from driftgauge.edges.files.pieces import TableColumns
from driftgauge.edges.files.positions import FilePositions
from driftgauge.edges.files.sources import source_of
from driftgauge.edges.formats.ingest.formats import decoder_of
from driftgauge.errors import Reason, Refused
from driftgauge.ingestion.dead_letters import DeadLetters
from driftgauge.ingestion.intake import IntakeParts, ModelIntake
from driftgauge.ingestion.joins import OpenEvents
from driftgauge.ingestion.records import Decoded, PairDecoder
from driftgauge.ingestion.tally import IngestTally
from driftgauge.monitor.problems import Problems
from driftgauge.state.seen_records import SeenRecords

from tests.monitors import small_baseline, small_monitor

NOW = 1_700_000_000.0


class Intake:
    """An intake whose rows are kept for a look at them; `fails` says before which delivery it has no room."""

    def __init__(self, folder: Path) -> None:
        parts = IntakeParts(
            monitor=small_monitor("files"),
            problems=Problems(lambda: NOW),
            seen=SeenRecords(folder / "seen", 10_000),
            events=OpenEvents(None, wait_seconds=300.0, most=100),
            letters=DeadLetters(folder, 100_000),
        )
        self.own = ModelIntake(parts, lambda: NOW)
        self.ages: list[float] = []
        self.fails: Callable[[], bool] = lambda: False

    def take(self, decoded: Decoded, pairs: PairDecoder | None = None) -> IngestTally:
        if self.fails():
            raise Refused(Reason.INTAKE_FULL, "no room")
        if decoded.rows is not None:
            self.ages += decoded.rows.columns[:, 0].tolist()
        return self.own.take(decoded, pairs)


class Process:
    """A run of the command: its positions and what is remembered of records are those of the last one."""

    def __init__(self, folder: Path, *files: Path, columns: TableColumns | None = None) -> None:
        self.intake = Intake(folder)
        positions = FilePositions(folder / "files.sqlite3")
        decoder = decoder_of("jsonl", small_baseline(), UTC)
        into = Into(decoder, self.intake, positions, lambda: NOW, columns)
        self.ingest = FileIngest([source_of(str(own)) for own in files], into)

    def look(self) -> tuple[int, int]:
        """Return the new rows and those that were known."""
        before = self.ingest.tally.rows, self.ingest.tally.duplicates
        self.ingest.look()
        return self.ingest.tally.rows - before[0], self.ingest.tally.duplicates - before[1]


def lines(ages: Sequence[float]) -> str:
    features = ({"age": age, "flag": 1.0, "city": "north"} for age in ages)
    return "".join(json.dumps({"features": own, "prediction": 0.5}) + "\n" for own in features)
