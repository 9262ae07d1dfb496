"""Tables on a server that speaks S3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.engines.options import EngineOptions
from driftgauge.engines.source import opened
from driftgauge.errors import TableError
from driftgauge.models.bundle import read_baseline

from tests.cli.runs import Run, runs

pytestmark = pytest.mark.e2e
DUCKDB = EngineOptions(engine="duckdb")


def rows(seed: int) -> pa.Table:
    own = np.random.default_rng(seed)
    return pa.table({"amount": own.normal(size=400), "items": own.integers(0, 9, 400)})


@pytest.fixture
def parts(bucket: Any, tmp_path: Path) -> list[Path]:
    """Three files of a table, here and there, and a hidden one beside them there."""
    paths = [tmp_path / f"part-{number}.parquet" for number in range(3)]
    for number, path in enumerate(paths):
        pq.write_table(rows(number), path)
        bucket.put_file(str(path), f"bucket/day=3/rows/h=0{number}/{path.name}")
    bucket.pipe_file("bucket/day=3/rows/_SUCCESS", b"x")
    return paths


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    return runs(monkeypatch, capfd)


@pytest.mark.parametrize("address", ["s3://bucket/day=3/rows", "s3://bucket/day=3/rows/"])
def test_duckdb_reads_a_folder_by_fsspec(parts: list[Path], address: str) -> None:
    with opened(address, DUCKDB) as table:
        found = table.fetch(table.table.order_by("h").drop("h"))
        assert table.column_names == ("amount", "items", "h")
    assert found.equals(pa.concat_tables([rows(number) for number in range(3)]))


def test_duckdb_reads_a_pattern_and_single_files_by_fsspec(parts: list[Path], bucket: Any, tmp_path: Path) -> None:
    pa.csv.write_csv(rows(0), tmp_path / "it's.csv")
    bucket.put_file(str(tmp_path / "it's.csv"), "bucket/it's.csv")
    with opened("s3://bucket/day=3/rows/*/*.parquet", DUCKDB) as table:
        assert table.count() == 1_200
    for address in ("s3://bucket/day=3/rows/h=00/part-0.parquet", "s3://bucket/it's.csv"):
        with opened(address, DUCKDB) as table:
            assert table.fetch(table.table).equals(rows(0))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://nowhere/rows.parquet", "cannot open s3://nowhere/rows.parquet: .*The specified bucket does not exist"),
        ("s3://nowhere/rows", "cannot open s3://nowhere/rows: The specified bucket does not exist"),
        ("s3://bucket/none", "cannot read s3://bucket/none: there is no such file"),
    ],
)
def test_what_is_not_there_is_named(bucket: Any, address: str, message: str) -> None:
    with pytest.raises(TableError, match=message) as failed, opened(address, DUCKDB):
        raise AssertionError("it was opened")
    assert "Traceback" not in str(failed.value)


def built(run: Run, table: str, out: Path, *options: str) -> Baseline:
    code, _, errors = run("baseline", "build", table, "--out", str(out), *options)
    assert code == 0, errors
    return read_baseline(out)


@pytest.mark.parametrize("engine", ["auto", "memory", "duckdb"])
def test_the_baseline_of_an_object_is_that_of_the_file(
    parts: list[Path], run: Run, tmp_path: Path, engine: str
) -> None:
    address = "s3://bucket/day=3/rows/h=00/part-0.parquet"
    there = built(run, address, tmp_path / "there.json", "--engine", engine)
    assert there.hash == built(run, str(parts[0]), tmp_path / "here.json").hash


def test_a_baseline_is_not_written_to_object_storage(parts: list[Path], run: Run) -> None:
    code, _, errors = run("baseline", "build", str(parts[0]), "--out", "s3://me:secret@bucket/b.json")
    assert code == 2
    assert "s3://me@bucket/b.json: a baseline is written here" in errors


def test_a_check_names_objects_by_their_addresses(parts: list[Path], run: Run, tmp_path: Path) -> None:
    built(run, str(parts[0]), tmp_path / "b.json")
    table, baseline = "s3://bucket/day=3/rows/h=01/part-1.parquet", ("--baseline", tmp_path / "b.json")
    code, shown, _ = run("check", table, *baseline)
    assert (code, shown.splitlines()[0].split()) == (0, ["table", table])
    assert json.loads(run("check", table, *baseline, "--json")[1])["tables"] == [table]
    code, _, errors = run("check", table, *baseline, "--time", "at")
    assert code == 2
    assert f"{table} has no column at" in errors


def test_a_profile_of_a_folder_is_named_after_it(parts: list[Path], run: Run, tmp_path: Path) -> None:
    built(run, str(parts[0]), tmp_path / "b.json")
    options = ("--baseline", tmp_path / "b.json", "--out", "s3://bucket/profiles")
    code, _, errors = run("profile", "build", "s3://bucket/day=3/rows/", *options)
    assert (code, errors.strip()) == (0, "wrote s3://bucket/profiles/rows.profile: 1,200 rows")


@pytest.mark.parametrize("command", [("check",), ("check", "--engine", "duckdb"), ("profile", "build", "--out", "out")])
def test_no_message_has_the_password_of_an_address(
    parts: list[Path], run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    built(run, str(parts[0]), tmp_path / "b.json")
    for address in ("s3://me:hidden@bucket/rows.parquet", "s3://me:hidden@bucket/rows/"):
        code, _, errors = run(*command, address, "--baseline", tmp_path / "b.json")
        assert (code, "hidden" in errors) == (2, False), errors
        assert "me@bucket" in errors
