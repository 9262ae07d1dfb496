"""The logged predictions of one day, as codes of a baseline's bins."""

from __future__ import annotations

from typing import Final

import numpy as np

from driftgauge.drift.bins import CodeArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.windows.time_spans import DAY_SECONDS
from driftgauge.predictions.learned_baseline import monitored_rows
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.store import PredictionStore

HOURS: Final = 24
HOUR_SECONDS: Final = 3_600.0


def day_codes(store: PredictionStore, model: str, known: Baseline, day: int, most_rows: int) -> CodeArray:
    """Return the bin codes of the monitored columns, shape [n, columns], in the order of time.

    `day` is in days since 1970 (UTC). Of a day with more than `most_rows` rows, each hour gives its first ones.
    BaselineError if columns are not logged.
    """
    parts: list[CodeArray] = [np.empty((0, len(known.columns)), np.uint8)]
    for hour in range(HOURS):
        since, left = day * DAY_SECONDS + hour * HOUR_SECONDS, max(1, most_rows // HOURS)
        for batch in store.read(Selection(model, since=since, until=since + HOUR_SECONDS)):
            rows, _ = monitored_rows(known, batch)
            parts.append(known.binner.codes(rows.columns[:left]))
            left -= len(parts[-1])
            if left <= 0:
                break
    return np.concatenate(parts)
