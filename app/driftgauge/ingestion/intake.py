"""Takes rows of a model that another server serves the way that predictions go: each record once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.common.private_files import LockTimeout
from driftgauge.drift.bins import BoolArray
from driftgauge.drift.reference.baseline import PREDICTION
from driftgauge.errors import CONSTRAINT_OF, UNREADABLE, IngestError, PredictionLogError, Reason, Refused
from driftgauge.ingestion.dead_letters import DeadLetters
from driftgauge.ingestion.joins import Joined, OpenEvents
from driftgauge.ingestion.records import Decoded, IngestedRows, Pair, PairDecoder, RefusedRecord, rows_together
from driftgauge.ingestion.tally import IngestTally
from driftgauge.metrics.series import (
    CROWDED_OUT,
    DROPPED,
    DUPLICATE,
    EXPIRED,
    INGEST,
    INGEST_EVENTS,
    INGEST_REFUSED,
    INGESTED,
    JOINED,
    PREDICTIONS,
    REQUEST_ROWS_REFUSED,
    REQUEST_VIOLATIONS,
    SCORE,
    TAKEN,
)
from driftgauge.monitor.capture import Answered
from driftgauge.monitor.label_intake import LabelIntake
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems
from driftgauge.predictions.ids import id_of_key
from driftgauge.predictions.labels import Fate
from driftgauge.predictions.log import ModelLog
from driftgauge.state.seen_records import SeenRecords

PROBLEM: Final = "ingest_failed"
LETTERS_PROBLEM: Final = "dead_letters_not_kept"
LOCK_SECONDS: Final = 5.0
"""Longest wait for another worker that takes rows of the same model."""
CATCH_UP_SECONDS: Final = 1.0
"""Longest wait for room in the log."""
STEP_ROWS: Final = 1_024
"""Rows that are observed and then remembered; a kill in between has them counted twice."""


@dataclass(frozen=True)
class IntakeParts:
    """What ingestion of one model uses."""

    monitor: ColumnMonitor
    problems: Problems
    seen: SeenRecords
    events: OpenEvents
    letters: DeadLetters
    log: ModelLog | None = None
    """None without a prediction log."""
    labels: LabelIntake | None = None
    """None without a prediction log."""
    is_watched: bool = True
    """Whether rows are observed; otherwise they are counted and logged only."""


class ModelIntake:
    """Takes what decoders return for one model; callers of several threads take turns."""

    def __init__(self, parts: IntakeParts, clock: Callable[[], float]) -> None:
        """Use the parts of a model; `clock` gives seconds since 1970."""
        self.parts: Final = parts
        self._clock = clock
        self._lock = threading.Lock()
        names = parts.monitor.baseline.names
        self._score = names.index(PREDICTION) if PREDICTION in names else None

    def take(self, decoded: Decoded, pairs: PairDecoder | None = None) -> IngestTally:
        """Take rows, labels and refused records; `pairs` makes rows of requests and responses that are joined.

        Refused if there is no room now, and then nothing is taken but labels, which may be sent again.
        """
        with self._lock:
            now = self._clock()
            fates, unlabelled = self._label(decoded)
            try:
                with self.parts.seen.alone(LOCK_SECONDS):
                    with self.parts.events.joined(decoded.halves, now) if decoded.halves else nullcontext() as joined:
                        more = _of_pairs(joined.pairs if joined else (), pairs)
                        batches = _batches([decoded, *more])
                        taken = self._take_rows(batches, now)
                    refused = [own for part in (decoded, *more) for own in part.refused]
                    fresh = self._new_refused(refused)
                    self._keep(fresh, now)
                    self._count_refused(_reasons(fresh, unlabelled))
                    tally = self._count(batches, taken, _reasons(refused, unlabelled), joined, fates)
                    self._remember(fresh, now)
            except (LockTimeout, OSError, IngestError) as error:
                self.parts.problems.record(PROBLEM, error)
                raise _full("what is remembered of earlier records cannot be used now") from error
            self.parts.problems.resolve(PROBLEM)
            return tally

    # ------------------------------------------------------------ rows

    def _take_rows(self, batches: Sequence[IngestedRows], now: float) -> int:
        """Observe and log the rows that are new, and remember them; return their number."""
        seen, taken = self.parts.seen, 0
        fresh = [_part(rows, seen.unseen(rows.keys)) for rows in batches]
        self._require_room(sum(map(len, fresh)))
        for rows in (step for part in fresh for step in _steps(part)):
            self._observe(rows, now)
            seen.add(rows.keys, now)
            taken += len(rows)
        return taken

    def _require_room(self, rows: int) -> None:
        """Raise Refused if the rows have no room in the log of this worker, or in the queue of the prediction log."""
        store, log = self.parts.monitor.store, self.parts.log
        if self.parts.is_watched and store.room < (wanted := min(rows, STEP_ROWS)):
            self._catch_up()
            if store.room < wanted:
                raise _full("the log of the rows is full")
        if log is not None and not log.has_room(rows):
            raise _full("too many predictions wait to be written to the prediction log")

    def _observe(self, rows: IngestedRows, now: float) -> None:
        """Observe and log rows; a failure of monitoring is counted and shown, and the rows are not taken again."""
        monitor = self.parts.monitor
        if self._score is not None:
            scores = rows.columns[:, self._score]
            with monitor.store.counting() as counters:
                counters.observe(SCORE, scores[np.isfinite(scores)])
        try:
            if self.parts.is_watched:
                if monitor.store.room < len(rows):
                    self._catch_up()
                monitor.observe(rows.columns, arrival=now, event=rows.event, source=INGEST)
            if self.parts.log is not None:
                self.parts.log.put(self._answered(rows, now))
                self.parts.log.acknowledge()
        except Exception as error:
            self.parts.problems.record(PROBLEM, error)
            with monitor.store.counting() as counters:
                counters.add(DROPPED.name, len(rows), Reason.MONITORING_FAILED)

    def _catch_up(self) -> None:
        with suppress(LockTimeout):
            self.parts.monitor.catch_up(self._clock(), CATCH_UP_SECONDS)

    def _answered(self, rows: IngestedRows, now: float) -> Answered:
        """Return rows as the prediction log takes them; a row without an id has one made of its key."""
        count = len(rows)
        ids = [given or id_of_key(key) for given, key in zip(rows.ids, rows.keys, strict=True)]
        scores = np.full(count, np.nan) if self._score is None else rows.columns[:, self._score]
        arrival, classes = np.full(count, now), list(rows.classes)
        return Answered([count], [0.0], scores, rows.columns, arrival, rows.event, ids, classes)

    # ------------------------------------------------------------ labels, refusals and counts

    def _new_refused(self, refused: Sequence[RefusedRecord]) -> Sequence[RefusedRecord]:
        """Return the refused records that were not delivered before, as far as that can be told."""
        keyed = [place for place, own in enumerate(refused) if own.key]
        if not keyed:
            return refused
        unseen = self.parts.seen.unseen([refused[place].key for place in keyed]).tolist()
        known = {place for place, is_new in zip(keyed, unseen, strict=True) if not is_new}
        return [own for place, own in enumerate(refused) if place not in known]

    def _remember(self, refused: Sequence[RefusedRecord], now: float) -> None:
        """Remember refused records that are kept and counted: after a kill before it they come again."""
        keys = [own.key for own in refused if own.key]
        if keys:
            self.parts.seen.add(keys, now)

    def _label(self, decoded: Decoded) -> tuple[Counter[Fate], int]:
        """Store labels; return what became of them, and how many have no prediction log to be stored in."""
        if not decoded.labels:
            return Counter(), 0
        if self.parts.labels is None:
            return Counter({Fate.REFUSED: len(decoded.labels)}), len(decoded.labels)
        try:
            tally = self.parts.labels.add_now(decoded.labels)
        except PredictionLogError as error:
            self.parts.problems.record(PROBLEM, error)
            raise _full("the labels could not be stored") from error
        return tally.fates + tally.outcome_fates, 0

    def _keep(self, refused: Sequence[RefusedRecord], now: float) -> None:
        if not refused:
            return
        try:
            self.parts.letters.keep(refused, now)
            self.parts.problems.resolve(LETTERS_PROBLEM)
        except (OSError, LockTimeout) as error:
            self.parts.problems.record(LETTERS_PROBLEM, error)

    def _count_refused(self, reasons: Mapping[Reason, int]) -> None:
        with self.parts.monitor.store.counting() as counters:
            for reason, count in reasons.items():
                counters.add(INGEST_REFUSED.name, count, reason)
                if reason in CONSTRAINT_OF:
                    counters.add(REQUEST_VIOLATIONS.name, count, CONSTRAINT_OF[reason])
                    counters.add(REQUEST_ROWS_REFUSED.name, count)

    def _count(
        self,
        batches: Sequence[IngestedRows],
        taken: int,
        refused: Mapping[Reason, int],
        joined: Joined | None,
        fates: Counter[Fate],
    ) -> IngestTally:
        """Count what became of a delivery, and return it; refused records are counted before."""
        duplicates = sum(map(len, batches)) - taken
        halves = 2 * len(joined.pairs) if joined else 0
        with self.parts.monitor.store.counting() as counters:
            counters.add(PREDICTIONS.name, taken)
            counters.add(INGESTED.name, taken, TAKEN)
            counters.add(INGESTED.name, duplicates, DUPLICATE)
            if joined is not None:
                counters.add(INGEST_EVENTS.name, halves, JOINED)
                counters.add(INGEST_EVENTS.name, joined.expired, EXPIRED)
                counters.add(INGEST_EVENTS.name, joined.dropped, CROWDED_OUT)
        with suppress(Exception):  # the state shows its own problems
            self.parts.monitor.store.publish()
        waiting = joined.waiting if joined else 0
        return IngestTally(taken, duplicates, {str(own): n for own, n in refused.items()}, halves, waiting, fates)


def _reasons(refused: Sequence[RefusedRecord], unlabelled: int) -> Mapping[Reason, int]:
    """Return the number of refused records by reason, and of labels that have no log."""
    reasons = Counter(reason_of(own.error) for own in refused)
    if unlabelled:
        reasons[Reason.PREDICTION_LOG_DISABLED] += unlabelled
    return reasons


def reason_of(error: Refused) -> Reason:
    """Return the reason under which a refused record is counted."""
    return error.reason if error.reason in UNREADABLE else Reason.UNREADABLE_RECORD


def _of_pairs(pairs: Sequence[Pair], decoder: PairDecoder | None) -> Sequence[Decoded]:
    return [decoder.joined(pairs)] if pairs and decoder is not None else ()


def _batches(parts: Sequence[Decoded]) -> Sequence[IngestedRows]:
    """Return the rows of all parts in as few batches as numpy wants: those with classes apart from those without."""
    found = [part.rows for part in parts if part.rows is not None and len(part.rows)]
    groups = [[rows for rows in found if bool(rows.classes) == has_classes] for has_classes in (False, True)]
    return [group[0] if len(group) == 1 else rows_together(group) for group in groups if group]


def _steps(rows: IngestedRows) -> Iterator[IngestedRows]:
    """Yield the rows, at most STEP_ROWS at a time."""
    for first in range(0, len(rows), STEP_ROWS):
        step = slice(first, first + STEP_ROWS)
        yield IngestedRows(rows.columns[step], rows.event[step], rows.ids[step], rows.keys[step], rows.classes[step])


def _full(why: str) -> Refused:
    return Refused(Reason.INTAKE_FULL, f"{why}: send the same request again in a moment")


def _part(rows: IngestedRows, chosen: BoolArray) -> IngestedRows:
    """Return some of the rows."""
    if chosen.all():
        return rows
    at = np.flatnonzero(chosen).tolist()
    return IngestedRows(
        columns=rows.columns[chosen],
        event=rows.event[chosen],
        ids=[rows.ids[i] for i in at],
        keys=[rows.keys[i] for i in at],
        classes=[rows.classes[i] for i in at] if rows.classes else (),
    )
