"""Columns of Parquet files whose type DuckDB does not know are those in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftgauge.checks.engine_check import check_in_engine
from driftgauge.checks.options import CheckOptions
from driftgauge.engines.options import EngineOptions
from driftgauge.engines.source import opened
from driftgauge.errors import TableError
from driftgauge.models.creation.baseline import create_baseline
from driftgauge.models.creation.engine_baseline import baseline_in_engine

DUCKDB = EngineOptions(engine="duckdb")
SECONDS = [0, 90, None, 3_600]


def durations(unit: str) -> pa.Table:
    """Return a column of durations and one of numbers."""
    times = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    cells = [None if one is None else one * times for one in SECONDS]
    return pa.table({"wait": pa.array(cells, pa.duration(unit)), "x": [1, 2, 3, 4]})


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations_are_seconds(tmp_path: Path, unit: str) -> None:
    pq.write_table(durations(unit), path := tmp_path / "a.parquet")
    with opened(path, DUCKDB) as table:
        assert table.column_names == ("wait", "x")
        found = baseline_in_engine(table).built.baseline
    assert found.hash == create_baseline(path).hash
    assert found.columns[0].max == 3_600.0


@pytest.mark.parametrize("other", [durations("us"), pa.table({"wait": SECONDS, "x": [1, 2, 3, 4]})])
def test_durations_of_several_units_are_refused(tmp_path: Path, other: pa.Table) -> None:
    pq.write_table(durations("ms"), tmp_path / "a.parquet")
    pq.write_table(other, tmp_path / "b.parquet")
    with pytest.raises(TableError, match=r"wait: it holds durations in .*: write one type"), opened(tmp_path, DUCKDB):
        pass


def test_times_in_nanoseconds_with_a_zone_are_times(tmp_path: Path) -> None:
    at = [datetime(2026, 3, 29, hour, 30, tzinfo=UTC) for hour in range(4)]
    table = pa.table({"at": pa.array(at, pa.timestamp("ns", "Europe/Berlin")), "x": [1, 2, 3, 4]})
    pq.write_table(table, path := tmp_path / "a.parquet")
    baseline = create_baseline(table.select(["x"]))
    with opened(path, DUCKDB) as source:
        found = check_in_engine(baseline, [source], CheckOptions(time="at", every="1h")).report(0.0)
    assert [own.window for own in found.windows] == [f"2026-03-29T{hour:02}:00:00Z" for hour in range(4)]
