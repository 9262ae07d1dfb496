"""Prediction logs for tests: in SQLite and in PostgreSQL, and rows to write."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.rows import LoggedFeature, LoggedModel, LoggedRows

NOW = 1_700_000_000_000_000
"""Microseconds since 1970."""


def model(
    name: str = "m", version: str = "1", *, features: int = 3, classes: Sequence[str] = ("no", "yes")
) -> LoggedModel:
    return LoggedModel(
        name=name,
        version=version,
        task="classification" if classes else "regression",
        classes=tuple(classes),
        features=tuple(LoggedFeature(f"f{index}", "numeric") for index in range(features)),
        baseline_hash="abc",
    )


def rows(version: int, ids: Sequence[str], *, at: int = NOW, features: int = 3, seed: int = 0) -> LoggedRows:
    """Return rows a millisecond apart, each with numbers of its own."""
    rng = np.random.default_rng(seed)
    count = len(ids)
    times = at + 1_000 * np.arange(count, dtype=np.int64)
    scores = rng.random(count)
    return LoggedRows(
        version=version,
        keys=[key_of(id_) for id_ in ids],
        arrival=times,
        time=times,
        scores=scores,
        predictions=(scores > 0.5).astype(np.float64),
        latency=np.full(count, 321),
        features=rng.normal(size=(count, features)),
    )
