from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.predictions import feature_reader
from driftgauge.predictions.database import writing
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import PredictionBatch
from driftgauge.predictions.schema import chunks
from driftgauge.predictions.store import PredictionStore
from sqlalchemy import delete

from tests.predictions.logs import NOW, compact_all, decoded_rows, model, rows

CHUNKS = 40
CHUNK_ROWS = 50
WIDTHS = {"a": 3, "b": 2}
"""Features by version."""


@pytest.fixture
def scattered(store: PredictionStore, monkeypatch: pytest.MonkeyPatch) -> PredictionStore:
    """A log of two versions in which each page has a row of each chunk; 600 rows or more are read ahead."""
    monkeypatch.setattr(feature_reader, "AHEAD_BYTES", 600 * 8 * 3)
    numbers = {name: store.register(model(version=name, features=width)) for name, width in WIDTHS.items()}
    for chunk in range(CHUNKS):
        name = "ab"[chunk % 2]
        ids = [f"{name}{chunk} {row}" for row in range(CHUNK_ROWS)]
        store.write([rows(numbers[name], ids, at=NOW + chunk, features=WIDTHS[name], seed=chunk)])
    return store


def features_of(batches: Iterator[PredictionBatch]) -> dict[str, FloatArray]:
    found: dict[str, FloatArray] = {}
    for batch in batches:
        for version, values in batch.features.items():
            found |= dict(zip(np.array(batch.ids)[batch.rows_of(version)].tolist(), values, strict=True))
    return found


def expected() -> dict[str, FloatArray]:
    return {
        f"{name}{chunk} {row}": values
        for chunk, name in zip(range(CHUNKS), itertools.cycle("ab"))
        for row, values in enumerate(rows(1, ["x"] * CHUNK_ROWS, features=WIDTHS[name], seed=chunk).features)
    }


@pytest.mark.parametrize("is_compacted", [False, True])
def test_scattered_rows_are_decoded_a_few_times_and_have_their_own_features(
    scattered: PredictionStore, monkeypatch: pytest.MonkeyPatch, *, is_compacted: bool
) -> None:
    if is_compacted:
        compact_all(scattered.engine)
    decoded = decoded_rows(monkeypatch)
    monkeypatch.setattr("driftgauge.predictions.chunk_reader.HELD_BYTES", 0)
    found = features_of(scattered.read(Selection("m", batch_rows=CHUNKS, sorts_on_disk=True)))
    assert {id_: values.tolist() for id_, values in found.items()} == {
        id_: values.tolist() for id_, values in expected().items()
    }
    # The first page, then 600 rows, then all that is left; 50 pages would decode 100,000 rows.
    assert decoded[0] <= 3 * CHUNKS * CHUNK_ROWS


def test_rows_that_are_written_after_a_reading_ahead_are_read_too(scattered: PredictionStore) -> None:
    batches = scattered.read(Selection("m", batch_rows=CHUNKS))
    found = features_of(itertools.islice(batches, 3))
    scattered.write([rows(1, [f"new {row}" for row in range(CHUNK_ROWS)], at=NOW + CHUNKS, seed=99)])
    found |= features_of(batches)
    new = rows(1, ["x"] * CHUNK_ROWS, seed=99).features
    read = {id_: values.tolist() for id_, values in found.items() if id_.startswith("new")}
    assert len(read) == CHUNK_ROWS - 2
    assert read == {f"new {row}": new[row].tolist() for row in range(2, CHUNK_ROWS)}
    assert len(found) == CHUNKS * CHUNK_ROWS + len(read)


def test_features_that_are_lost_are_missing_in_what_is_read_ahead(scattered: PredictionStore) -> None:
    with writing(scattered.engine) as connection:
        connection.execute(delete(chunks).where(chunks.c.chunk == 7))
    found = features_of(scattered.read(Selection("m", batch_rows=CHUNKS)))
    lost = {id_ for id_, values in found.items() if np.isnan(values).all()}
    assert lost == {f"a6 {row}" for row in range(CHUNK_ROWS)}
