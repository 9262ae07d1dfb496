"""Rows that are in the state: counted as predictions, and put in line for the prediction log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import numpy as np

from driftgauge.drift.reference.baseline import PREDICTION
from driftgauge.edges.formats.prediction_ids import time_ordered_ids
from driftgauge.ingestion.records import Decoded, IngestedRows
from driftgauge.metrics.series import PREDICTIONS, SCORE
from driftgauge.monitor.capture import Answered
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems
from driftgauge.predictions.log import ModelLog
from driftgauge.predictions.rows import ClassLabel

REFUSED: Final = "messages_refused"


class KeptRows:
    """Counts the rows of messages as those of a server that answers are."""

    def __init__(self, monitor: ColumnMonitor, log: ModelLog | None, problems: Problems) -> None:
        """Put rows in line for `log`, None without one."""
        names = monitor.baseline.names
        self._store: Final = monitor.store
        self._score: Final = names.index(PREDICTION) if PREDICTION in names else None
        self._log: Final = log
        self._problems: Final = problems

    def keep(self, rows: IngestedRows, arrival: float) -> None:
        """Count rows that were observed, and put them in line for the prediction log."""
        scores = np.full(len(rows), np.nan) if self._score is None else rows.columns[:, self._score]
        with self._store.counting() as counters:
            counters.add(PREDICTIONS.name, len(rows))
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
                    ids=_ids(rows, arrival),
                    labels=cast("Sequence[ClassLabel]", rows.classes),  # the log takes an unknown one for none
                )
            )

    def take(self, decoded: Decoded) -> None:
        """Record what cannot be read."""
        for refused in decoded.refused[:1]:
            self._problems.record(REFUSED, refused.error)


def _ids(rows: IngestedRows, arrival: float) -> list[str]:
    """Return the ids of rows; those without one get a new one."""
    made = iter(time_ordered_ids(arrival, len(rows.ids) - sum(map(bool, rows.ids))))
    return [id_ or next(made) for id_ in rows.ids]
