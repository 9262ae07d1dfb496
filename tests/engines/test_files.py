"""Files that DuckDB reads give the table that they are in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftgauge.checks.engine_profile import EngineProfiler
from driftgauge.checks.profiling import profile as count
from driftgauge.drift.reference.columns import column_content
from driftgauge.engines.options import EngineOptions
from driftgauge.engines.source import opened
from driftgauge.errors import TableError
from driftgauge.models.bundle import FeatureKind
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline
from driftgauge.models.creation.engine_baseline import EnginePlan, baseline_in_engine
from driftgauge.tables.table import read_table

DUCKDB = EngineOptions(engine="duckdb")


def write(folder: Path, **tables: pa.Table) -> Path:
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


def read(path: Path | str) -> pa.Table:
    with opened(path, DUCKDB) as table:
        return table.fetch(table.table)


@pytest.mark.parametrize("of", [pa.int64(), pa.float32(), pa.decimal128(20, 1), pa.null()])
def test_numbers_are_not_rounded_to_the_type_of_the_first_file(tmp_path: Path, of: pa.DataType) -> None:
    first = pa.nulls(1) if of == pa.null() else pa.array([2]).cast(of, safe=False)
    write(tmp_path, a=pa.table({"x": first, "c": ["u"]}), b=pa.table({"c": ["v"], "x": [0.123456789]}))
    found = read(tmp_path)
    assert found.column_names == ["x", "c"]
    assert found["x"].cast(pa.float64()).to_pylist() == [None if of == pa.null() else 2.0, 0.123456789]


def test_a_column_that_only_later_files_have_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, a=pa.table({"x": [1]}), b=pa.table({"x": [1.5], "later": [1]}))
    assert read(tmp_path).to_pydict() == {"x": [1.0, 1.5]}


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"x": ["1"], "y": [1]}, r"x: it is BIGINT in .*a\.parquet and VARCHAR in .*b\.parquet"),
        ({"x": [1.5]}, r"b\.parquet has no y, and .*a\.parquet has"),
    ],
)
def test_files_that_are_no_one_table_are_refused(tmp_path: Path, second: dict[str, list[object]], message: str) -> None:
    write(tmp_path, a=pa.table({"x": [1], "y": [1]}), b=pa.table(second))
    with pytest.raises(TableError, match=message):
        read(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"), [(["A", "a"], "A, a differ in case alone"), (["", "x"], "a column has no name")]
)
def test_names_that_duckdb_would_change_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    nested = pa.array([{"A": 1}])
    write(tmp_path, a=pa.table([nested, pa.array([1]), pa.array([2])], names=["s", *names]))
    with pytest.raises(TableError, match=message):
        read(tmp_path)


def test_hidden_files_and_folders_are_no_part_of_a_table(tmp_path: Path) -> None:
    for folder in (".", "_temporary", ".checkpoints"):
        (tmp_path / folder).mkdir(exist_ok=True)
        write(tmp_path / folder, a=pa.table({"x": [1]}), _b=pa.table({"x": [2]}))
    assert read(tmp_path).to_pydict() == {"x": [1]}


def test_folders_below_the_named_one_give_columns_with_their_zeros(tmp_path: Path) -> None:
    root = tmp_path / "env=prod" / "table"
    for folder in ("hour=07/shop=5", "hour=10/shop=6"):
        (root / folder).mkdir(parents=True)
        write(root / folder, a=pa.table({"x": [1]}))
    found = read(root)
    assert sorted(found.column_names) == ["hour", "shop", "x"]
    assert (found["hour"].to_pylist(), found["shop"].to_pylist()) == (["07", "10"], [5, 6])
    assert read(root / "hour=07" / "shop=5" / "a.parquet").column_names == ["x"]


FOLDERS = ["07 10", "7 10", "1.5 2", "true false", "07 a", "a%20b c", "07 __HIVE_DEFAULT_PARTITION__"]
CATEGORIES: dict[str, FeatureKind] = {"k": "categorical"}


@pytest.mark.parametrize(
    ("values", "kinds"), [*((own, {}) for own in [*FOLDERS, " 2", "NA 2"]), *((own, CATEGORIES) for own in FOLDERS)]
)
def test_columns_of_folders_are_those_of_the_table_in_memory(
    tmp_path: Path, values: str, kinds: dict[str, FeatureKind]
) -> None:
    for index, value in enumerate(values.split(" ")):
        (tmp_path / f"k={value}").mkdir()
        write(tmp_path / f"k={value}", a=pa.table({"x": np.arange(50.0) + index}))
    options = BaselineOptions(kinds=kinds)
    expected = create_baseline(tmp_path, options)
    for plan in (EnginePlan(), EnginePlan(fetched_cells=0)):
        with opened(tmp_path, DUCKDB) as source:
            found = baseline_in_engine(source, options, plan).built.baseline
            (profile,) = EngineProfiler(source, expected).profiles()
        assert [column_content(own) for own in found.columns] == [column_content(own) for own in expected.columns]
    np.testing.assert_array_equal(profile.counts, count(expected, tmp_path).counts)


def write_csv(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


@pytest.mark.parametrize(
    "files",
    [
        {"a": "x,c\n1,u\n2,v\n", "b": "c,x\nw,3\n,4.5\n"},
        {"a": "x,c\n1,\n", "b": "c,x\nw,3\n"},
        {"a": "x\n1\n", "b": "later,x\n7,2\n"},
        {"a": "x,c\nu,v\n", "b": "c,x\nw,z\n"},  # whose first rows look like all others
        {"a": "x,y\n1,2\n", "b": "y,x\n"},
    ],
)
def test_csv_files_give_their_columns_by_name_as_in_memory(tmp_path: Path, files: dict[str, str]) -> None:
    found, expected = read(write_csv(tmp_path, **files)), read_table(tmp_path)
    assert found.to_pydict() == expected.to_pydict()
    assert [pa.types.is_string(own.type) for own in found.schema] == [
        pa.types.is_string(own.type) for own in expected.schema
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a": "x,y\n1,2\n", "b": "x\n1\n"}, r"b\.csv has no y, and .*a\.csv has"),
        ({"a": "x,y\n1,2\n", "b": "X,y\n1,2\n"}, r"b\.csv has no x, and .*a\.csv has"),
        ({"a": "x,X\n1,2\n"}, "x, X differ in case alone"),
        ({"a": "x,\n1,2\n"}, "a column has no name"),
        ({"a": "x,y,x\n1,2,3\n"}, "it has several columns x"),
        ({"a": "x\n1\n", "b": ""}, r"b\.csv is empty"),
    ],
)
def test_csv_files_that_are_no_one_table_are_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(TableError, match=message):
        read(write_csv(tmp_path, **files))


def test_a_pattern_without_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"absent-\*\.csv: there is no such file"):
        read(f"{tmp_path}/absent-*.csv")


def test_folders_of_csv_files_give_columns_below_the_named_one(tmp_path: Path) -> None:
    folder = tmp_path / "year=2026" / "day=7"
    folder.mkdir(parents=True)
    write_csv(folder, a="x\n1\n")
    assert read(tmp_path / "year=2026").to_pydict() == read_table(tmp_path / "year=2026").to_pydict()
    assert read(tmp_path / "year=2026")["day"].to_pylist() == [7]
