"""`driftgauge baseline build` on tables that a database counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftgauge.checks.profile_files import read_profile
from driftgauge.drift.reference.baseline import dumps
from driftgauge.models.bundle import read_baseline
from driftgauge.models.creation.baseline import create_baseline

from tests.cli.runs import runs
from tests.cli.test_profile import without_clock
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
    assert (code, "rows.csv is not: run the command for each" in errors) == (2, True)


def test_profiles_of_a_database_by_period_give_its_report(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    url, out, folder = postgres.new_database(), tmp_path / "own.json", tmp_path / "days"
    table = f"{url.replace('tests@', 'tests:secret@')}?table=flights"
    with psycopg.connect(url) as own:
        own.execute(
            "CREATE TABLE flights AS SELECT (i * 37 % 1000)::float8 AS delay, "
            "timestamp '2026-01-30' + i * interval '1 minute' AS at FROM generate_series(0, 2879) AS i"
        )
    runs(monkeypatch, capfd, "baseline", "build", table, "--ignore", "at", "--out", str(out))()
    of = ("--baseline", str(out))
    by_day = ("--time", "at", "--every", "1d")
    build = runs(monkeypatch, capfd, "profile", "build", table, *of, *by_day)
    code, _, errors = build("--out", str(folder))
    assert (code, "secret" in errors) == (0, False)
    assert errors.splitlines() == [f"wrote {folder}/2026-01-{day}.profile: 1,440 rows" for day in (30, 31)]
    partition = f"{url}?table=flights#2026-01-30"
    assert read_profile(folder / "2026-01-30.profile").partitions == (partition,)
    found, expected = (
        json.loads(runs(monkeypatch, capfd, "check", source, *of, "--json", *more)()[1])
        for source, more in ((str(folder), by_day[2:]), (table, by_day))
    )
    assert without_clock(found) == without_clock(expected)
    assert runs(monkeypatch, capfd, "profile", "build", table, *of)("--out", str(tmp_path / "tables"))[0] == 0
    assert [path.name for path in (tmp_path / "tables").iterdir()] == ["flights.profile"]
