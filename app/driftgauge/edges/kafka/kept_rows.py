"""Rows that are in the state: counted as predictions, and put in line for the prediction log."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, cast

import numpy as np

from driftgauge.common.private_files import LockTimeout
from driftgauge.drift.reference.baseline import PREDICTION
from driftgauge.ingestion.records import Decoded, IngestedRows
from driftgauge.metrics.series import INGESTED, PREDICTIONS, SCORE, TAKEN
from driftgauge.monitor.capture import Answered
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.predictions.ids import id_of_key
from driftgauge.predictions.log import ModelLog
from driftgauge.predictions.rows import ClassLabel
from driftgauge.state.seen_records import SeenRecords

TELL_SECONDS: Final = 1.0
"""Time between two writes of when the newest record arrived."""
WAIT_SECONDS: Final = 0.05


class KeptRows:
    """Counts the rows of messages as those of a server that answers are."""

    def __init__(
        self, monitor: ColumnMonitor, log: ModelLog | None, seen: SeenRecords, take: Callable[[Decoded], object]
    ) -> None:
        """Put rows in line for `log`, None without one; `take` takes in all that is no row.

        `seen` tells other workers when the newest record arrived.
        """
        names = monitor.baseline.names
        self._store: Final = monitor.store
        self._score: Final = names.index(PREDICTION) if PREDICTION in names else None
        self._log: Final = log
        self._seen: Final = seen
        self._told_at = -math.inf
        self.take: Final = take

    def has_room(self, rows: int) -> bool:
        """Say whether this number of rows can be put in line for the prediction log now."""
        return self._log is None or self._log.has_room(rows)

    def keep(self, rows: IngestedRows, arrival: float) -> None:
        """Count rows that were observed, and put them in line for the prediction log."""
        scores = np.full(len(rows), np.nan) if self._score is None else rows.columns[:, self._score]
        with self._store.counting() as counters:
            counters.add(PREDICTIONS.name, len(rows))
            counters.add(INGESTED.name, len(rows), TAKEN)
            counters.observe(SCORE, scores[np.isfinite(scores)])
        self._tell(arrival)
        if self._log is not None:
            self._log.put(
                Answered(
                    rows=[len(rows)],
                    latency_seconds=[0.0],
                    scores=scores,
                    columns=rows.columns,
                    arrival=np.full(len(rows), arrival),
                    event=rows.event,
                    ids=[given or id_of_key(key) for given, key in zip(rows.ids, rows.keys, strict=True)],
                    labels=cast("Sequence[ClassLabel]", rows.classes),  # the log takes an unknown one for none
                )
            )
            self._log.acknowledge()

    def _tell(self, arrival: float) -> None:
        """Tell the other workers once a second when the newest record arrived, unless they keep the file too long."""
        if abs(arrival - self._told_at) >= TELL_SECONDS:
            self._told_at = arrival
            with suppress(LockTimeout, OSError), self._seen.alone(WAIT_SECONDS):
                self._seen.touch(arrival)
