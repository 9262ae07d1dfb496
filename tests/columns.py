"""Columns of values of every kind that bins have to cope with."""

from __future__ import annotations

import math

import numpy as np
from driftgauge.drift.bins import FloatArray
from hypothesis import strategies as st

LARGEST = float(np.finfo(np.float64).max)
SMALLEST = 5e-324
EXTREMES = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, 1e300, -1e300, SMALLEST, -SMALLEST, LARGEST, -LARGEST]


def generated_values(kind: str, seed: int, rows: int) -> FloatArray:
    """Return the values of a column of one kind, shape [rows]."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=rows)
    return {
        "normal": normal,
        "rounded": np.round(normal, 1),
        "integer": rng.integers(-30, 30, rows).astype(np.float64),
        "few": rng.integers(0, 5, rows).astype(np.float64),
        "binary": (normal > 1.0).astype(np.float64),
        "constant": np.full(rows, 0.1),
        "zero-inflated": np.where(rng.random(rows) < 0.6, 0.0, np.abs(normal)),
        "heavy values": np.where(rng.random(rows) < 0.5, rng.integers(-1, 3, rows), normal),
        "huge": normal * 1e300,
        "tiny": rng.integers(-40, 40, rows) * SMALLEST,
        "holed": np.where(rng.random(rows) < 0.3, math.nan, normal),
        "unbounded": np.where(rng.random(rows) < 0.2, rng.choice([math.inf, -math.inf], rows), normal),
        "all missing": np.full(rows, math.nan),
    }[kind]


SPREAD = ["normal", "rounded", "integer", "zero-inflated", "heavy values", "huge", "tiny", "holed", "unbounded"]
GATHERED = ["few", "binary", "constant", "all missing"]

seeds = st.integers(0, 1_000)
generated = st.builds(generated_values, st.sampled_from(SPREAD + GATHERED), seeds, st.sampled_from([1, 2, 30, 300]))
arbitrary = st.lists(st.one_of(st.floats(), st.sampled_from(EXTREMES)), min_size=1, max_size=60).map(
    lambda values: np.array(values, dtype=np.float64)
)
references = st.one_of(generated, arbitrary)
