from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftgauge.cli.log_export import Exported, Format, export
from driftgauge.errors import PredictionLogError
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.reader import BATCH_ROWS, Selection
from driftgauge.predictions.rows import LoggedRows
from driftgauge.predictions.store import PredictionStore

from tests.predictions.logs import NOW, model, rows

FEATURES = 10
PART = 1_024
"""Rows that are read at once where memory is measured."""


def fill(store: PredictionStore, count: int, first: int = 0) -> None:
    """Log predictions a millisecond apart."""
    version = store.register(model(features=FEATURES))
    for start in range(first, first + count, BATCH_ROWS):
        ids = [f"r{row}" for row in range(start, min(start + BATCH_ROWS, first + count))]
        store.write([rows(version, ids, at=NOW + 1_000 * start, features=FEATURES, seed=start)])


def peak(store: PredictionStore, until: float, out: Path, kind: Format) -> tuple[int, int]:
    """Return the rows of an export, and the most bytes of Python and of Arrow that it held."""
    pool = pa.system_memory_pool()
    before, held = pa.default_memory_pool(), 0
    pa.set_memory_pool(pool)

    def on_batch(done: Exported) -> None:
        nonlocal held
        held = max(held, pool.bytes_allocated())

    selection = Selection("m", until=until, batch_rows=PART)
    tracemalloc.start()
    try:
        done = export(store, selection, out, kind, with_labels=True, on_batch=on_batch)
        return done.rows, tracemalloc.get_traced_memory()[1] + held
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Format) -> None:
    monkeypatch.setattr("driftgauge.cli.log_files.GROUP_ROWS", 2 * PART)
    store = PredictionStore.open(tmp_path)
    fill(store, 16 * PART)
    few = peak(store, (NOW + 1_000 * 4 * PART) / 1e6, tmp_path / "few", kind)
    many = peak(store, (NOW + 1e12) / 1e6, tmp_path / "many", kind)
    store.close()
    assert (few[0], many[0]) == (4 * PART, 16 * PART)
    assert many[1] < 1.2 * few[1]


def test_parquet_has_large_row_groups(tmp_path: Path) -> None:
    store = PredictionStore.open(tmp_path)
    fill(store, 5 * BATCH_ROWS)
    export(store, Selection("m"), tmp_path / "out", "parquet", with_labels=False)
    store.close()
    assert pq.ParquetFile(tmp_path / "out").num_row_groups == 1


def test_an_export_goes_on_while_rows_are_written(tmp_path: Path) -> None:
    store, writer = PredictionStore.open(tmp_path), PredictionStore.open(tmp_path)
    fill(store, 4 * BATCH_ROWS)
    over = threading.Event()
    added = [4 * BATCH_ROWS]

    def write() -> None:
        while not over.is_set():
            fill(writer, 100, added[0])
            added[0] += 100

    thread = threading.Thread(target=write)
    thread.start()
    try:
        until = (NOW + 1_000 * 4 * BATCH_ROWS) / 1e6
        done = export(store, Selection("m", until=until), tmp_path / "out", "jsonl", with_labels=True)
    finally:
        over.set()
        thread.join()
    assert done.rows == len((tmp_path / "out").read_text().splitlines()) == 4 * BATCH_ROWS
    assert added[0] > 4 * BATCH_ROWS
    store.close()
    writer.close()


def test_a_file_that_was_there_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    store = PredictionStore.open(tmp_path)
    fill(store, 2 * BATCH_ROWS)
    out = tmp_path / "out"
    out.write_text("old")

    def on_batch(done: Exported) -> None:
        raise PredictionLogError("the database is away")

    with pytest.raises(PredictionLogError, match="away"):
        export(store, Selection("m"), out, "jsonl", with_labels=False, on_batch=on_batch)
    assert out.read_text() == "old"
    export(store, Selection("m"), out, "jsonl", with_labels=False)
    assert len(out.read_text().splitlines()) == 2 * BATCH_ROWS
    assert not list(tmp_path.glob(".out*"))
    store.close()


def test_what_was_exported_is_said(tmp_path: Path) -> None:
    store = PredictionStore.open(tmp_path)
    version = store.register(model(features=1))
    one = np.array([NOW])
    row = LoggedRows(
        version, [key_of("a")], one, one, np.array([0.5]), np.array([1.0]), np.array([1]), np.zeros((1, 1))
    )
    store.write([row])
    done = export(store, Selection("m"), tmp_path / "out", "parquet", with_labels=True)
    assert done == Exported(rows=1, left_out=0, first=NOW, last=NOW)
    store.close()
