"""`driftgauge baseline build` on tables that a database counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftgauge.drift.reference.baseline import dumps
from driftgauge.models.bundle import read_baseline
from driftgauge.models.creation.baseline import create_baseline

from tests.cli.runs import runs
from tests.postgres import Postgres


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


def test_a_check_counts_the_table_of_a_database_and_names_no_password(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    url, out = postgres.new_database(), tmp_path / "own.json"
    table = f"{url.replace('tests@', 'tests:secret@')}?table=flights"
    with psycopg.connect(url) as own:
        own.execute(
            "CREATE TABLE flights AS SELECT (i * 37 % 1000)::float8 AS delay FROM generate_series(1, 3000) AS i"
        )
    code, _, errors = runs(monkeypatch, capfd, "baseline", "build", table, "--out", str(out))()
    assert (code, "secret" in errors) == (0, False)
    check = runs(monkeypatch, capfd, "check", table, "--baseline", str(out))
    code, printed, errors = check()
    assert (code, "secret" in printed + errors) == (0, False)
    assert "3,000" in printed
    with psycopg.connect(url) as own:
        own.execute("UPDATE flights SET delay = delay + 200")
    assert check()[0] == 1
    assert check("--assert", "delay.missing_ratio <= 0.1")[0] == 2


def test_files_and_tables_of_databases_are_not_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "own.json"
    out.write_text(dumps(create_baseline({"a": [1.0, 2.0]})))
    check = runs(monkeypatch, capfd, "check", "duckdb:///x.db?table=t", "rows.csv", "--baseline", str(out))
    code, _, errors = check()
    assert (code, "rows.csv is not: check it apart" in errors) == (2, True)
