"""`driftgauge check` of tables that databases count."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.profile_check import ProfileCheck
from driftgauge.checks.profiling import Profiling
from driftgauge.checks.reference import Reference, reference_of
from driftgauge.cli.engine_checks import counted_comparison, is_counted
from driftgauge.drift.reference.baseline import dumps
from driftgauge.engines.options import EngineOptions
from driftgauge.errors import CheckError, TableError
from driftgauge.models.creation.baseline import create_baseline
from rich.console import Console

from tests.cli.runs import runs

AUTO, DUCKDB = EngineOptions(), EngineOptions(engine="duckdb")
DATABASE = "postgresql://me:secret@host/db?table=t"


def rows_of(count: int, seed: int, age: float = 40.0) -> pa.Table:
    random = np.random.default_rng(seed)
    ages = random.normal(age, 10.0, count)
    return pa.table(
        {"age": pa.array(ages, mask=random.random(count) < 0.05), "city": random.choice(["a", "b", "c"], count)}
    )


@pytest.fixture
def reference(tmp_path: Path) -> Reference:
    """A reference whose baseline lies in a file."""
    path = tmp_path / "baseline.json"
    path.write_bytes(dumps(create_baseline(rows_of(4_000, 1))).encode())
    return reference_of(path)


def parquet(folder: Path, **tables: pa.Table) -> list[str]:
    """Write tables to files; return their paths."""
    paths = [folder / f"{name}.parquet" for name in tables]
    for path, table in zip(paths, tables.values(), strict=True):
        pq.write_table(table, path)
    return [str(path) for path in paths]


@pytest.mark.parametrize(
    ("tables", "engine", "expected"),
    [
        (["a.csv", "b.parquet"], AUTO, False),
        (["a.parquet"], DUCKDB, True),
        ([DATABASE], AUTO, True),
        ([DATABASE, "duckdb:///x.db?table=t"], AUTO, True),
        ([], AUTO, False),
    ],
)
def test_databases_count_urls_and_files_that_an_engine_is_named_for(
    tables: Sequence[str], engine: EngineOptions, expected: bool
) -> None:
    assert is_counted(tables, engine) is expected


def test_a_large_file_is_read_here_unless_an_engine_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from driftgauge.engines import source

    (path,) = parquet(tmp_path, t=rows_of(10, 2))
    monkeypatch.setattr(source, "AUTO_BYTES", 1)
    assert not is_counted([path], AUTO)
    assert is_counted([path], DUCKDB)


def test_tables_of_which_only_some_are_counted_are_refused_without_passwords() -> None:
    with pytest.raises(
        CheckError, match=r"counted in its database, and rows\.csv is not: run the command for each"
    ) as found:
        is_counted(["rows.csv", DATABASE], AUTO)
    assert "secret" not in str(found.value)


def test_the_comparison_is_that_of_a_profile_of_the_rows(reference: Reference, tmp_path: Path) -> None:
    tables = {"one": rows_of(900, 2, age=55.0), "two": rows_of(700, 3, age=55.0)}
    paths = parquet(tmp_path, **tables)
    shown = io.StringIO()
    counted = counted_comparison(paths, DUCKDB, reference, CheckOptions(), Console(file=shown)).report(0.0)
    names = counted.windows[0].partitions
    parts = [
        own.profile for own in Profiling(reference.baseline, [*tables.values()], CheckOptions(), None, names).profiles()
    ]
    expected = ProfileCheck(reference.baseline, parts).report(0.0)
    assert counted.to_dict() == expected.to_dict()
    assert counted.drifted_features == ("age",)
    assert counted.rows == 1_600


def test_a_column_that_the_database_lacks_is_named(reference: Reference, tmp_path: Path) -> None:
    paths = parquet(tmp_path, one=rows_of(50, 2).drop_columns(["city"]))
    with pytest.raises(TableError, match="city"):
        counted_comparison(paths, DUCKDB, reference, CheckOptions(), Console(file=io.StringIO()))


@pytest.mark.parametrize("option", ["--assert", "--suite", "--sagemaker-out"])
def test_options_that_read_rows_are_refused(
    option: str,
    reference: Reference,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (path,) = parquet(tmp_path, t=rows_of(10, 2))
    suite = tmp_path / "suite.yaml"
    suite.write_text("assertions:\n  - rows >= 5\n")
    given = {"--assert": "rows >= 5", "--suite": str(suite), "--sagemaker-out": str(tmp_path / "out")}[option]
    check = runs(monkeypatch, capfd, "check", path, "--engine", "duckdb", "--baseline", str(tmp_path / "baseline.json"))
    code, output, errors = check(option, given)
    assert (code, output) == (2, "")
    assert "a database counts rows, and --assert, --suite and --sagemaker-out read them: use a file" in errors
