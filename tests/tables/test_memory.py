from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from driftgauge.errors import TableError
from driftgauge.models.creation.baseline import create_baseline
from driftgauge.tables.cells import as_categories, as_numbers
from driftgauge.tables.memory import MemoryTable, open_table
from driftgauge.tables.stream import TableStream


def cells(source: Any, name: str = "a") -> list[Any]:
    found: list[Any] = MemoryTable(source).table([name])[name].to_pylist()
    return found


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([1, None], [1, None]),
        ((1.5, 2.5), [1.5, 2.5]),
        (range(2), [0, 1]),
        (np.array([1.0, math.nan]), [1.0, None]),
        (np.array(["x", "y"]), ["x", "y"]),
        (np.array(["x", math.nan], dtype=object), ["x", None]),
        (["x", math.nan], ["x", None]),
        (np.ma.array([1.0, 2.0], mask=[False, True]), [1.0, None]),
        (np.array([True, False]), [True, False]),
        (pd.Series(["x", None], dtype="category"), ["x", None]),
        (pd.array([1, None], dtype="Int64"), [1, None]),
        (pd.Series(["x", "y"], dtype="string[pyarrow]"), ["x", "y"]),
        (pa.chunked_array([[1], [2]]), [1, 2]),
        (pa.array(["x", None]).dictionary_encode(), ["x", None]),
    ],
)
def test_a_column_of_a_dict_may_be_a_list_or_any_array(column: Any, expected: list[Any]) -> None:
    assert cells({"a": column}) == expected


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"a": np.zeros((2, 2))}, "a is an array of 2 dimensions: give an array with a cell per row"),
        ({"a": np.array(1.0)}, "a is an array of 0 dimensions"),
        ({"a": "text"}, "a is a str: give a list or an array with a cell per row"),
        ({"a": 3}, "a is a int"),
        ({"a": {"x": 1}}, "a is a dict"),
        ({"a": {1, 2}}, "a is a set"),
        ({"a": iter([1, 2])}, "a is a list_iterator"),
        ({"a": np.array([1j])}, "a holds cells of the types complex128"),
        ({"a": [1, "x"]}, "a holds cells of the types int, str: make all of them text or numbers"),
        (pd.DataFrame({"a": [1, "x"]}), "a holds cells of the types int, str"),
    ],
)
def test_a_column_that_cannot_be_read_is_named(source: Any, problem: str) -> None:
    with pytest.raises(TableError, match=f"cannot read the table: {problem}"):
        cells(source)


@pytest.mark.parametrize("source", [5, None, [{"a": 1}], np.zeros((2, 2)), pd.Series([1]), b"t.csv"])
def test_what_is_no_table_is_refused(source: Any) -> None:
    kind = type(source).__name__
    with pytest.raises(TableError, match=f"cannot read the table: {kind} is neither a path, a DataFrame"):
        open_table(source)


def test_a_name_that_is_not_text_is_refused() -> None:
    with pytest.raises(TableError, match="the name of a column is 1, not text"):
        MemoryTable({1: [1]})


def test_columns_of_different_lengths_are_refused_where_both_are_read() -> None:
    table = MemoryTable({"a": [1, 2], "b": [1]})
    assert table.table(["a"]).num_rows == 2
    with pytest.raises(TableError, match="its columns are of different lengths"):
        table.table()


def test_a_column_that_is_not_read_may_hold_anything() -> None:
    frame = pd.DataFrame({"a": [1, 2], "note": [object(), {"x": 1}]})
    assert cells(frame) == [1, 2]


def test_a_column_that_a_frame_has_twice_is_refused_where_it_is_read() -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=["a", "b", "b"])
    assert [part.table.to_pydict() for part in MemoryTable(frame).parts(["a"])] == [{"a": [1]}]
    with pytest.raises(TableError, match="the table has several columns b: rename or drop all but one"):
        next(MemoryTable(frame).parts(["b"]))
    with pytest.raises(TableError, match="the table has several columns b: rename or drop all but one"):
        create_baseline(frame)


def test_an_index_with_a_name_is_a_column_and_one_without_is_not() -> None:
    index = pd.MultiIndex.from_tuples([(1, 2), (3, 4)], names=["time", None])
    frame = pd.DataFrame({"a": [5, 6], 7: [8, 9]}, index=index)
    assert MemoryTable(frame).table().to_pydict() == {"a": [5, 6], "7": [8, 9], "time": [1, 3]}
    assert MemoryTable(frame.assign(time=0)).column_names == ("a", "7", "time")


def test_parts_are_the_rows_in_order_with_their_numbers() -> None:
    table = MemoryTable({"a": list(range(10)), "b": ["x"] * 10}, bytes_at_once=24)
    parts = list(table.parts(["b", "a"]))
    assert [part.first for part in parts] == [1, 4, 7, 10]
    assert [part.table.column_names for part in parts] == [["b", "a"]] * 4
    assert [cell for part in parts for cell in part.table["a"].to_pylist()] == list(range(10))
    assert {part.written for part in parts} == {frozenset()}


def test_a_table_without_rows_has_no_parts() -> None:
    assert list(MemoryTable({"a": []}).parts(["a"])) == []


def test_an_absent_column_is_named_with_those_there_are() -> None:
    with pytest.raises(TableError, match="the table has no column b; it has a"):
        MemoryTable({"a": [1]}).require(["b"])
    with pytest.raises(TableError, match="the table has no column b; it has none"):
        MemoryTable({}).require(["b"])


def test_a_path_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    for path in (tmp_path / "t.csv", str(tmp_path / "t.csv")):
        found = open_table(path)
        assert isinstance(found, TableStream)
        assert (found.path, found.label) == (tmp_path / "t.csv", str(tmp_path / "t.csv"))


def test_text_of_the_newer_arrow_types_is_text() -> None:
    views = pa.chunked_array([pa.array(["x", None], pa.string_view())])
    table = MemoryTable(pa.table({"a": views})).table()
    assert as_categories(table["a"], "a").names == ("x",)
    assert as_numbers(MemoryTable({"a": pa.array(["1.5", None], pa.string_view())}).table()["a"], "a")[0] == 1.5


def test_a_frame_of_polars_is_read_with_its_types() -> None:
    polars: Any = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {
            "number": [1, None],
            "text": ["x", None],
            "category": polars.Series(["x", "y"], dtype=polars.Categorical),
            "enum": polars.Series(["x", "y"], dtype=polars.Enum(["y", "x"])),
            "decimal": polars.Series([1, 2], dtype=polars.Decimal(10, 2)),
            "flag": [True, None],
        }
    )
    table = MemoryTable(frame).table()
    assert np.array_equal(as_numbers(table["number"], ""), [1.0, math.nan], equal_nan=True)
    assert as_numbers(table["decimal"], "").tolist() == [1.0, 2.0]
    for name in ("category", "enum"):
        found = as_categories(table[name], name)
        assert [found.names[code] for code in found.codes] == ["x", "y"]
    assert table["text"].to_pylist() == ["x", None]
    with pytest.raises(TableError, match="a LazyFrame has no rows yet: give its collect"):
        open_table(frame.lazy())
