"""`driftgauge baseline build` on tables that a database counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftgauge.models.bundle import read_baseline
from driftgauge.models.creation.baseline import create_baseline

from tests.cli.runs import runs


def test_a_parquet_file_is_counted_by_duckdb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "table.parquet", tmp_path / "own.json"
    table = pa.table({"a": np.random.default_rng(0).normal(size=500), "id": np.arange(500)})
    pq.write_table(table, path)
    build = runs(monkeypatch, capfd, "baseline", "build", str(path), "--engine", "duckdb", "--out", str(out))
    code, _, errors = build("--ignore", "id")
    assert (code, f"wrote {out}" in errors) == (0, True)
    assert read_baseline(out).hash == create_baseline(table.select(["a"])).hash


def test_a_column_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"a": [1.0]}), path)
    code, _, errors = runs(monkeypatch, capfd, "baseline", "build", str(path), "--engine", "duckdb")("--ignore", "b")
    assert code == 2
    assert "--ignore" in errors
