"""Numeric columns of DuckDB that are sorted in this process, against the baseline of the same numbers."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import ColumnBaseline, column_content
from driftgauge.engines import embedded
from driftgauge.engines.embedded import columns_at_once, sorted_columns
from driftgauge.engines.engine import EngineTable
from driftgauge.errors import TableError

from tests.engines.databases import Hold, in_duckdb


@pytest.fixture(scope="module")
def duckdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hold]:
    with in_duckdb(tmp_path_factory.mktemp("duckdb")) as own:
        yield own


def awkward(rows: int = 4_000) -> dict[str, FloatArray]:
    """Return columns with ties, gaps, infinities and heavy values."""
    random = np.random.default_rng(7)
    heavy = random.normal(size=rows)
    heavy[: rows // 3] = 0.0
    gaps = random.gamma(2.0, size=rows)
    gaps[::9], gaps[1::100], gaps[2::200] = np.nan, np.inf, -np.inf
    return {"heavy": heavy, "gaps": gaps, "whole": random.integers(0, 400, rows).astype(np.float64)}


def in_memory(name: str, values: FloatArray) -> ColumnBaseline:
    (column,) = build_baseline({name: values}, created="2026-01-01T00:00:00Z").columns
    return column


def test_columns_come_in_order_with_the_baselines_of_their_numbers(duckdb: Hold) -> None:
    columns = awkward()
    source = duckdb(pa.table({name: pa.array(own, mask=np.isnan(own)) for name, own in columns.items()}))
    seen: list[str] = []
    found = list(sorted_columns(source, [*columns], 4_000, seen.append))
    assert [name for name, _ in found] == seen == [*columns]
    for name, column in found:
        values = columns[name]
        known = values[np.isfinite(values)]
        assert column_content(column.baseline) == column_content(in_memory(name, values))
        assert column.facts.is_integral == bool((known == np.rint(known)).all())
        assert column.facts.completeness == float((~np.isnan(values)).mean())
        assert column.drawn.size == 0


def test_values_of_drawn_rows_are_those_before_the_sort(duckdb: Hold) -> None:
    columns, drawn = awkward(), np.array([0, 1, 9, 2_000, 3_999])
    source = duckdb(pa.table({name: pa.array(own, mask=np.isnan(own)) for name, own in columns.items()}))
    for name, column in sorted_columns(source, [*columns], 4_000, lambda _: None, drawn):
        np.testing.assert_array_equal(column.drawn, columns[name][drawn])


def test_a_column_with_fewer_rows_than_were_counted_is_refused(duckdb: Hold) -> None:
    source = duckdb(pa.table({"x": [1.0, 2.0]}))
    with pytest.raises(TableError, match="changed while its rows were read: read a copy"):
        list(sorted_columns(source, ["x"], 3, lambda _: None, np.array([2])))


def test_a_column_without_a_number_has_a_baseline_too(duckdb: Hold) -> None:
    source = duckdb(pa.table({"x": pa.nulls(6, pa.float64())}))
    ((name, column),) = sorted_columns(source, ["x"], 6, lambda _: None)
    assert (name, column.facts.is_integral, column.facts.completeness) == ("x", False, 0.0)
    assert math.isnan(column.baseline.mean)
    assert sum(np.asarray(column.baseline.counts).tolist()) == 6


def test_a_column_that_cannot_be_read_is_named_with_its_table(duckdb: Hold) -> None:
    source = duckdb(pa.table({"x": [[1.0]]}))
    with pytest.raises(TableError, match=r"^x: it holds cells of type array"):
        list(sorted_columns(source, ["x"], 1, lambda _: None))


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": [1.0]}), path)
    connection = ibis.duckdb.connect()
    source = EngineTable(connection.read_parquet(path), "t.parquet")
    path.unlink()
    with pytest.raises(TableError, match=r"^t\.parquet: "):
        list(sorted_columns(source, ["x"], 1, lambda _: None))
    connection.disconnect()


def test_as_many_columns_are_sorted_at_once_as_have_memory_and_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    processors = os.cpu_count() or 1
    assert columns_at_once(0) == columns_at_once(1) == processors
    assert columns_at_once(10**9) == 0
    sizes = [columns_at_once(10**power) for power in range(10)]
    assert sizes == sorted(sizes, reverse=True)
    monkeypatch.setattr(embedded, "MOST_BYTES", 0)
    assert columns_at_once(1) == 0
