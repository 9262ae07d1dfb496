"""Rows that a killed worker appended and did not count: its counters are published once a second."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import numpy as np

from driftgauge.common.private_files import opened
from driftgauge.metrics.counters import Counters
from driftgauge.metrics.series import INGEST, INGESTED, LIBRARY, OBSERVATIONS, PREDICTIONS, TAKEN
from driftgauge.state.double_buffer import Damaged
from driftgauge.state.folder import POSITIONS
from driftgauge.state.log import LogReader
from driftgauge.state.shape import StateShape

MOST_BYTES: Final = 8_388_608


def credit(counters: Counters, rows: int, source: str) -> None:
    """Count rows that were observed; a server that predicts publishes its predictions with each answer."""
    if not counters.has(OBSERVATIONS.name, source):  # as in a state that has other counters
        return
    counters.add(OBSERVATIONS.name, rows, source)
    if source in (LIBRARY, INGEST):
        counters.add(PREDICTIONS.name, rows)
    if source == INGEST:
        counters.add(INGESTED.name, rows, TAKEN)


def count_left(shape: StateShape, log: LogReader, source: str) -> None:
    """Count the rows of a log that no worker holds. The caller holds its lock, and may write to its file."""
    try:
        words = np.array(log.counters.read_words()[1])
    except Damaged:
        return
    arrays = shape.counted.arrays(words)
    if (left := log.rows - int(arrays["rows"][0])) <= 0:
        return
    credit(Counters(shape.series, arrays), left, source)
    arrays["rows"][0] = log.rows
    log.counters.write_words(words)


def source_of(folder: Path, number: int, key: int) -> str:
    """Return who observed the rows of a log, empty where it is not known.

    A consumer of messages keeps their positions in a file.
    """
    try:
        with os.fdopen(opened(folder / f"{POSITIONS}{number}.json", os.O_RDONLY), "rb") as file:
            return INGEST if json.loads(file.read(MOST_BYTES))["log"] == key else ""
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return ""
