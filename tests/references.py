"""Small reference tables."""

from __future__ import annotations

import math

import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.ordered_bins import NormalScores
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, ColumnBaseline
from driftgauge.drift.reference.expected_range import STEPS

CREATED = "2026-01-01T00:00:00Z"
SIZE = 5 * STEPS
"""Rows of a window of which the small table holds enough."""


def categories_of(values: list[str | None]) -> Categories:
    """Return a column of categories as a table holds it."""
    names = tuple(sorted({value for value in values if value is not None}))
    return Categories(np.array([-1 if v is None else names.index(v) for v in values], dtype=np.int64), names)


def some_table(rows: int = max(400, 40 * STEPS), seed: int = 0) -> dict[str, FloatArray | Categories]:
    """Return numbers that follow one another, a flag and letters, the first and last with gaps."""
    rng = np.random.default_rng(seed)
    number = np.where(rng.random(rows) < 0.1, math.nan, np.sin(np.arange(rows) / SIZE) + rng.normal(size=rows))
    letters = [None if rng.random() < 0.05 else str(rng.choice(list("aaaabbbc"))) for _ in range(rows)]
    return {"number": number, "flag": (rng.random(rows) < 0.3).astype(np.float64), "letter": categories_of(letters)}


def ordered_baseline() -> Baseline:
    """Return the baseline of some table in order of time."""
    return build_baseline(some_table(), created=CREATED, ordered_by="time", window_sizes=(SIZE, 2 * SIZE))


def normal_scores(column: ColumnBaseline) -> FloatArray:
    """Return the normal score of each bin of a column, shape [bins]."""
    scores: FloatArray = NormalScores([column.bins], len(column.counts))(np.array([column.counts]))[0]
    return scores
