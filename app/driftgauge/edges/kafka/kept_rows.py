"""Rows that are in the state: counted as predictions, and put in line for the prediction log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

import numpy as np

from driftgauge.drift.reference.baseline import PREDICTION
from driftgauge.ingestion.records import Decoded, IngestedRows
from driftgauge.metrics.series import INGESTED, PREDICTIONS, SCORE, TAKEN
from driftgauge.monitor.capture import Answered
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.predictions.ids import id_of_key
from driftgauge.predictions.log import ModelLog
from driftgauge.predictions.rows import ClassLabel


class KeptRows:
    """Counts the rows of messages as those of a server that answers are."""

    def __init__(self, monitor: ColumnMonitor, log: ModelLog | None, take: Callable[[Decoded], object]) -> None:
        """Put rows in line for `log`, None without one; `take` takes in all that is no row."""
        names = monitor.baseline.names
        self._store: Final = monitor.store
        self._score: Final = names.index(PREDICTION) if PREDICTION in names else None
        self._log: Final = log
        self.take: Final = take

    def keep(self, rows: IngestedRows, arrival: float) -> None:
        """Count rows that were observed, and put them in line for the prediction log."""
        scores = np.full(len(rows), np.nan) if self._score is None else rows.columns[:, self._score]
        with self._store.counting() as counters:
            counters.add(PREDICTIONS.name, len(rows))
            counters.add(INGESTED.name, len(rows), TAKEN)
            counters.observe(SCORE, scores[np.isfinite(scores)])
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
