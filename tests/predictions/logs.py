"""Prediction logs for tests: in SQLite and in PostgreSQL, and rows to write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.errors import Reason
from driftgauge.predictions.chunk_reader import ChunkReader
from driftgauge.predictions.compaction import compact
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.rows import LoggedFeature, LoggedModel, LoggedRows
from sqlalchemy.engine import Engine

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


def compact_all(engine: Engine) -> None:
    """Move the features of every day up to the one after NOW into files."""
    while compact(engine, NOW / 1e6 + 2 * 86_400):
        pass


def decoded_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of decoded rows from each reader of chunks as it closes."""
    decoded: list[int] = []
    close = ChunkReader.close

    def closing(reader: ChunkReader) -> None:
        decoded.append(reader.decoded)
        close(reader)

    monkeypatch.setattr(ChunkReader, "close", closing)
    return decoded


@dataclass(frozen=True)
class Answered:
    """Answered rows, as the monitor's capture holds them."""

    rows: Sequence[int]
    latency_seconds: Sequence[float]
    scores: FloatArray
    columns: FloatArray
    arrival: FloatArray
    event: FloatArray | None
    ids: Sequence[str]
    labels: Sequence[str | int | float | bool]
    callers: Sequence[str] = ()
    probabilities: FloatArray | None = None


def answers(ids: Sequence[str], *, labels: Sequence[str | int | float | bool] | None = None, seed: int = 0) -> Answered:
    """Return the answers of one request: three features, and the score as the fourth column."""
    count = len(ids)
    columns = np.random.default_rng(seed).random((count, 4))
    return Answered(
        rows=[count],
        latency_seconds=[0.002],
        scores=columns[:, 3].copy(),
        columns=columns,
        arrival=np.full(count, NOW / 1e6),
        event=None,
        ids=ids,
        labels=["no"] * count if labels is None else labels,
    )


@dataclass
class Counted:
    """Counts what becomes of rows."""

    written_rows: int = 0
    lags: list[float] = field(default_factory=list)
    drops: Counter[Reason] = field(default_factory=Counter)

    def written(self, rows: int, lag_seconds: FloatArray) -> None:
        self.written_rows += rows
        self.lags += lag_seconds.tolist()

    def dropped(self, rows: int, reason: Reason) -> None:
        self.drops[reason] += rows
