"""The tables of the benchmark of large tables: the same rows from the same seed, of every kind, in any size."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks import tables_data
from benchmarks.tables_columns import CATEGORIES, COLUMNS
from benchmarks.tables_data import part, write


def test_a_smaller_table_is_the_beginning_of_a_larger_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables_data, "PART_ROWS", 400)
    written = write(tmp_path / "small", 800, 7), write(tmp_path / "large", 1_000, 7)
    small, large = pq.read_table(tmp_path / "small"), pq.read_table(tmp_path / "large")

    assert written[0] < written[1]
    assert large.num_rows == 1_000
    assert small.equals(large.slice(0, 800))
    assert pc.all(pc.less(large["time"][:-1], large["time"][1:])).as_py()


def test_a_table_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    write(tmp_path / "table", 100, 1)
    (file,) = (tmp_path / "table").iterdir()
    before = file.stat().st_mtime_ns

    assert write(tmp_path / "table", 100, 1) == file.stat().st_size
    assert file.stat().st_mtime_ns == before


def test_columns_are_of_every_kind() -> None:
    table = part(0, 20_000, 1)

    assert tuple(table.column_names) == COLUMNS
    assert len(COLUMNS) == 30
    assert table["gaps_20"].null_count == pytest.approx(4_000, rel=0.1)
    assert pa.types.is_integer(table.schema.field("poisson").type)
    assert pa.types.is_boolean(table.schema.field("paid").type)
    for name, count in CATEGORIES.items():
        assert 0.5 * count < len(table[name].unique()) <= count
    assert pc.max(pc.abs(table["cauchy"])).as_py() > 1_000.0
