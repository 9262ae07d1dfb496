"""Bodies that real programs sent, recorded from BentoML and Fluent Bit, and a baseline for their rows."""

from __future__ import annotations

import functools
import gzip
from pathlib import Path
from typing import Final

import numpy as np
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories

BODIES: Final = Path(__file__).parent / "edges" / "formats" / "ingest" / "bodies"
"""Recorded on 2026-11-21 from BentoML 1.4.39, Fluent Bit 5.1.1 and a Kafka broker; one model of iris data."""
FLUENT_BIT: Final = (
    "tail-parsed.json",
    "tail-plain.jsonl.gz",
    "tail-unparsed.json",
    "kafka-payload-object.json",
    "kafka-payload-text.json",
)
ROWS: Final = [
    [5.1, 3.5, 1.4, 0.2, 0.0],
    [6.2, 2.9, 4.3, 1.3, 1.0],
    [0.0, 0.0, 0.0, 18.0, 2.0],
    [7.7, 3.8, 6.7, 2.2, 2.0],
    [4.9, 3.0, 1.4, 0.2, 0.0],
    [7.7, 3.8, 6.7, 2.2, 2.0],
    [4.9, 3.0, 1.4, 0.2, 0.0],
]
"""Features and the predicted class of each row in every one of these bodies."""
EVENTS: Final = [
    1795251941.783379,
    1795251941.799905,
    1795251941.812163,
    *[1795251941.822674] * 2,
    *[1795251941.836597] * 2,
]
"""When each was predicted."""
CLASSES: Final = (0, 1, 2)


def recorded(name: str) -> bytes:
    """Return a body, inflated."""
    body = (BODIES / name).read_bytes()
    return gzip.decompress(body) if name.endswith(".gz") else body


@functools.cache
def iris_baseline(*, by_class: bool = True) -> Baseline:
    """Return a baseline of four measures and the predicted class, as a category or as a number."""
    generator = np.random.default_rng(4)
    names = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    table: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]] | Categories] = {
        name: generator.normal(4.0, 1.0, 600) for name in names
    }
    codes = np.repeat([0, 1, 2], [300, 200, 100])  # by their frequency, as bins are
    if by_class:
        table["prediction_class"] = Categories(codes, ("0", "1", "2"))
    else:
        table["prediction"] = codes.astype(np.float64)
    return build_baseline(table, created="2026-01-01T00:00:00Z")
