from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from driftgauge.drift.bins import category_name
from driftgauge.drift.reference.columns import Categories
from driftgauge.errors import TableError
from driftgauge.tables.cells import as_numbers
from driftgauge.tables.stream import TableStream, require_columns
from driftgauge.tables.table import (
    categories,
    column,
    in_order,
    index_columns,
    infer_kinds,
    numbers,
    read_table,
    seconds_since_1970,
)
from hypothesis import given
from hypothesis import strategies as st

COLUMNS = {"size": [1.5, None, 2.5], "name": ["a", None, "b"], "count": [1, 2, 3], "flag": [True, False, None]}


def named(data: Categories) -> list[str | None]:
    return [None if code < 0 else data.names[code] for code in data.codes.tolist()]


# ---------------------------------------------------------------- reading


def csv_of(folder: Path) -> Any:
    path = folder / "table.csv"
    path.write_text("size,name,count,flag\n1.5,a,1,true\n,,2,false\n2.5,b,3,\n")
    return path


def parquet_of(folder: Path) -> Any:
    path = folder / "table.parquet"
    pyarrow.parquet.write_table(pa.table(COLUMNS), path)
    return str(path)


SOURCES: dict[str, Callable[[Path], Any]] = {
    "csv": csv_of,
    "parquet": parquet_of,
    "frame": lambda _: pd.DataFrame(COLUMNS),
    "categories": lambda _: pd.DataFrame(COLUMNS).astype({"name": "category"}),
    "arrow": lambda _: pa.table(COLUMNS),
    "dict": lambda _: COLUMNS,
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_same_numbers_and_kinds(source: str, tmp_path: Path) -> None:
    table = read_table(SOURCES[source](tmp_path))
    assert table.column_names == list(COLUMNS)
    assert np.array_equal(numbers(table, "size"), [1.5, math.nan, 2.5], equal_nan=True)
    assert np.array_equal(numbers(table, "count"), [1.0, 2.0, 3.0])
    kinds = infer_kinds(table, ["size", "name", "count"], {})
    assert kinds == {"size": "numeric", "name": "categorical", "count": "numeric"}
    assert named(categories(table, "name")) == ["a", None, "b"]
    assert named(categories(table, "flag")) == ["true", "false", None]


def csv_with(folder: Path, content: str) -> Path:
    path = folder / "some.csv"
    path.write_text(content)
    return path


AS_WRITTEN = {
    "numbers": [1.5, None, -2.0],
    "texts": ["a", None, "b"],
    "not available": ["NA", None, "a"],
    "flags": [True, False, None],
    "whole numbers with gaps": [5.0, None, 7.0],
    "fractions": [0.5, 1.0, None],
    "integers": [10, -3, 10],
    "nothing": [None, None, None],
}


@pytest.mark.parametrize("stated", [[], list(AS_WRITTEN)], ids=["inferred", "stated as text"])
@pytest.mark.parametrize("name", AS_WRITTEN)
def test_rows_are_the_same_as_a_frame_and_as_its_csv(name: str, stated: list[str], tmp_path: Path) -> None:
    frame = pd.DataFrame(AS_WRITTEN)
    frame.to_csv(tmp_path / "t.csv", index=False)
    of_frame, of_csv = read_table(frame), read_table(tmp_path / "t.csv", stated)
    assert named(categories(of_csv, name)) == named(categories(of_frame, name))
    kinds = [infer_kinds(table, [name], {}) for table in (of_csv, of_frame)]
    if not stated and name != "nothing":  # a frame calls a column of nothing an object
        assert kinds[0] == kinds[1]
    if kinds[1] == {name: "numeric"} and not stated:
        assert np.array_equal(numbers(of_csv, name), numbers(of_frame, name), equal_nan=True)


def test_only_an_empty_cell_without_quotes_is_missing_text_and_any_spelling_of_na_a_missing_number(
    tmp_path: Path,
) -> None:
    path = csv_with(tmp_path, 'text,number,code\na,1,5\n,,\n"",NA,NA\nNA,null,6\nnan,nan,7\n')
    table = read_table(path, ["code", "absent"])
    assert named(categories(table, "text")) == ["a", None, "", "NA", "nan"]
    assert np.array_equal(numbers(table, "number"), [1.0, *[math.nan] * 4], equal_nan=True)
    assert named(categories(table, "code")) == ["5", None, None, "6", "7"]
    assert table.column_names == ["text", "number", "code"]
    countries = csv_with(tmp_path, "country,rows\nNA,1\n,2\n")
    assert named(categories(read_table(countries, ["country"]), "country")) == ["NA", None]


@pytest.mark.parametrize(
    "cells",
    [["02134", "10001"], ["9007199254740993", "9007199254740992"], ["1.10", "1.1"], ["99999999999999999999", "1"]],
)
def test_a_number_stated_as_text_stays_as_it_is_written(cells: list[str], tmp_path: Path) -> None:
    table = read_table(csv_with(tmp_path, "\n".join(["a,b", *(f"{cell},1" for cell in cells)])), ["a"])
    assert named(categories(table, "a")) == cells


def test_text_columns_are_those_of_csv_alone(tmp_path: Path) -> None:
    assert read_table(parquet_of(tmp_path), ["count"])["count"].to_pylist() == [1, 2, 3]


def test_a_column_that_a_csv_has_twice_is_refused_where_it_is_used(tmp_path: Path) -> None:
    table = read_table(csv_with(tmp_path, "a,a,b\nx,y,z\n"))
    assert named(categories(table, "b")) == ["z"]
    with pytest.raises(TableError, match="several columns a"):
        require_columns(table.column_names, ["a"], "the table")


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"", "empty.csv"), (b"a,b\n1\n", "ragged.csv"), (b"PAR1", "short.parquet"), (None, "absent.csv")],
)
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, name: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=name):
        read_table(tmp_path / name)


def test_a_truncated_parquet_file_is_named(tmp_path: Path) -> None:
    path = Path(parquet_of(tmp_path))
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(TableError, match=r"table\.parquet"):
            read_table(path)


def test_another_kind_of_file_is_refused_with_what_is_taken(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"must be \.csv, \.parquet, \.jsonl"):
        read_table(tmp_path / "table.xlsx")


@pytest.mark.parametrize("source", [5, {"a": [1, 2], "b": [1]}, {"a": [1, "x"]}, pd.DataFrame({"a": [1, "x"]})])
def test_what_is_no_table_is_refused(source: Any) -> None:
    with pytest.raises(TableError, match="cannot read the table"):
        read_table(source)


# ---------------------------------------------------------------- columns


def test_an_absent_column_is_named_with_those_there_are() -> None:
    with pytest.raises(TableError, match="the reference has no columns x, y; it has a, b"):
        require_columns(["a", "b"], ["x", "a", "y"], "the reference")


def test_a_column_that_is_there_twice_is_refused() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(TableError, match="several columns a"):
        infer_kinds(table, ["a"], {})


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.array([1]), "numeric"),
        (pa.array([1], pa.uint8()), "numeric"),
        (pa.array([1.5], pa.float32()), "numeric"),
        (pa.array([True]), "numeric"),
        (pa.array([Decimal("1.5")]), "numeric"),
        (pa.nulls(1), "numeric"),
        (pa.array(["a"]), "categorical"),
        (pa.array(["a"], pa.large_string()), "categorical"),
        (pa.array(["a"], pa.string_view()), "categorical"),
        (pa.array(["a"]).dictionary_encode(), "categorical"),
        (pa.array([1]).dictionary_encode(), "categorical"),
    ],
)
def test_numbers_are_numeric_and_text_is_categorical(values: pa.Array, kind: str) -> None:
    assert infer_kinds(pa.table({"a": values}), ["a"], {}) == {"a": kind}


def test_a_stated_kind_wins() -> None:
    table = pa.table({"zip": [8001, 8002, 8001], "grade": ["1", "2", None], "rest": [1, 2, 3]})
    kinds = infer_kinds(table, table.column_names, {"zip": "categorical", "grade": "numeric"})
    assert kinds == {"zip": "categorical", "grade": "numeric", "rest": "numeric"}
    assert named(categories(table, "zip")) == ["8001", "8002", "8001"]
    assert np.array_equal(numbers(table, "grade"), [1.0, 2.0, math.nan], equal_nan=True)


def test_a_kind_stated_for_an_absent_column_is_refused() -> None:
    with pytest.raises(TableError, match="no column zap"):
        infer_kinds(pa.table({"zip": [1]}), ["zip"], {"zap": "categorical"})


@pytest.mark.parametrize(
    "values", [[datetime(2026, 1, 1)], [date(2026, 1, 1)], [[1]], [{"x": 1}], [b"bytes"]], ids=lambda v: str(v[0])
)
def test_a_type_that_is_neither_number_nor_text_is_named(values: list[Any]) -> None:
    table = pa.table({"when": values})
    with pytest.raises(TableError, match=r"when: it holds .*, which are neither numbers nor text: .*--ignore when"):
        infer_kinds(table, ["when"], {})
    with pytest.raises(TableError, match=r"when: it holds .*, which are not numbers: .*--ignore when"):
        numbers(table, "when")


@pytest.mark.parametrize("values", [[[1]], [{"x": 1}]])
def test_nested_values_are_no_categories(values: list[Any]) -> None:
    with pytest.raises(TableError, match=r"nest: .*cannot be categories"):
        categories(pa.table({"nest": values}), "nest")


def test_what_is_no_number_names_its_cell_and_what_to_do() -> None:
    message = r"code, row 2: 'x' is not a number: .*--kinds code=categorical.*--ignore code"
    with pytest.raises(TableError, match=message):
        numbers(pa.table({"code": ["1", "x", "y"]}), "code")


@pytest.mark.parametrize("of", [pa.int64(), pa.uint64()])
def test_integers_that_a_double_does_not_hold_are_rounded(of: pa.DataType) -> None:
    values = [2**53 + 1, 2**60 + 1, 2**63 - 1, None]
    found = numbers(pa.table({"code": pa.array(values, of)}), "code")
    assert np.array_equal(found, [float(2**53 + 1), 2.0**60, 2.0**63, math.nan], equal_nan=True)


@given(st.lists(st.none() | st.floats() | st.booleans().map(float) | st.integers(-(2**53), 2**53).map(float)))
def test_numbers_are_those_of_numpy_with_nan_for_null(values: list[float | None]) -> None:
    found = numbers(pa.table({"a": pa.array(values, pa.float64())}), "a")
    assert np.array_equal(found, np.array(values, dtype=np.float64), equal_nan=True)


def test_booleans_and_nothing_are_numbers_too() -> None:
    table = pa.table({"flag": [True, None, False], "nothing": pa.nulls(3)})
    assert np.array_equal(numbers(table, "flag"), [1.0, math.nan, 0.0], equal_nan=True)
    assert np.isnan(numbers(table, "nothing")).all()


same_type = st.one_of(
    st.lists(st.none() | st.text()),
    st.lists(st.none() | st.floats()),
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
    st.lists(st.none() | st.booleans()),
)


@given(same_type)
def test_a_category_is_named_as_a_request_would_send_it(values: list[Any]) -> None:
    data = categories(pa.table({"a": pa.array(values) if values else pa.array([], pa.string())}), "a")
    assert named(data) == [category_name(value) for value in values]
    assert list(data.names) == sorted(set(data.names))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1.0, 1.5, -0.0, 0.0, math.nan], ["1", "1.5", "0", "0", None]),
        ([10, -2, None], ["10", "-2", None]),
        ([True, False, None], ["true", "false", None]),
        (["true", "1", ""], ["true", "1", ""]),
    ],
)
def test_a_category_has_the_name_that_json_would_give_it(values: list[Any], names: list[str | None]) -> None:
    assert named(categories(pa.table({"a": values}), "a")) == names


def test_categories_in_chunks_with_dictionaries_of_their_own_are_one_column() -> None:
    chunks = [pa.array(part).dictionary_encode() for part in (["b", "a"], ["c", None, "b"])]
    data = categories(pa.table({"a": pa.chunked_array(chunks)}), "a")
    assert named(data) == ["b", "a", "c", None, "b"]
    assert data.names == ("a", "b", "c")


def test_a_column_is_read_by_its_kind() -> None:
    table = pa.table({"a": [2, 1]})
    assert np.array_equal(np.asarray(column(table, "a", "numeric")), [2.0, 1.0])
    assert isinstance(column(table, "a", "categorical"), Categories)


# ---------------------------------------------------------------- order of time


@pytest.mark.parametrize(
    "times",
    [
        ["2026-01-03", "2026-01-01", "2026-01-02", "2026-01-01"],
        ["2026-01-01T10:00:03Z", "2026-01-01T10:00:01Z", "2026-01-01T10:00:02Z", "2026-01-01T10:00:01Z"],
        [datetime(2026, 1, 3), datetime(2026, 1, 1), datetime(2026, 1, 2), datetime(2026, 1, 1)],
        [date(2026, 1, 3), date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 1)],
        [30, 10, 20, 10],
        [0.3, 0.1, 0.2, 0.1],
    ],
)
def test_rows_come_in_order_of_time_and_ties_as_they_were(times: list[Any]) -> None:
    ordered = in_order(pa.table({"at": times, "row": [0, 1, 2, 3]}), "at")
    assert ordered["row"].to_pylist() == [1, 3, 2, 0]


@pytest.mark.parametrize("of", [pa.string(), pa.large_string()])
def test_texts_of_time_are_ordered_as_times_not_as_texts(of: pa.DataType) -> None:
    texts = ["2026-01-31T23:30:00-05:00", "2026-02-01T01:00:00+00:00", "2026-02-01T02:00:00+03:00"]
    table = pa.table({"at": pa.array(texts, of), "row": [0, 1, 2]})
    assert in_order(table, "at")["row"].to_pylist() == [2, 1, 0]


@pytest.mark.parametrize(
    "texts", [["31.12.2025", "01.01.2026"], ["2026-01-01", "soon"], ["2026-01-01T00:00:00", "2026-01-01T00:00:00Z"]]
)
def test_texts_that_are_no_times_are_refused(texts: list[str]) -> None:
    with pytest.raises(TableError, match="at: not every text is an ISO 8601 time"):
        in_order(pa.table({"at": texts}), "at")


def test_times_of_a_csv_file_are_put_in_order(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("at,row\n2026-01-02T00:00:00,1\n2025-12-31T23:00:00,0\n2026-01-10T00:00:00,2\n")
    assert in_order(read_table(path), "at")["row"].to_pylist() == [0, 1, 2]


@pytest.mark.parametrize("times", [[1, None, None], ["2026-01-31", None, None], [1.0, math.nan, None], pa.nulls(2)])
def test_rows_without_a_time_are_refused_and_counted(times: Any) -> None:
    with pytest.raises(TableError, match="at: 2 rows have no time"):
        in_order(pa.table({"at": times}), "at")


def test_a_time_column_without_an_order_is_refused() -> None:
    with pytest.raises(TableError, match="at: it holds lists or objects, which are not points in time"):
        in_order(pa.table({"at": [[1], [2]]}), "at")


def test_an_absent_time_column_is_named() -> None:
    with pytest.raises(TableError, match="no column at"):
        in_order(pa.table({"a": [1]}), "at")


# ---------------------------------------------------------------- cells


@given(st.lists(st.none() | st.floats() | st.integers(-(2**63), 2**63).map(float), min_size=1))
def test_numbers_are_read_back_from_their_spelling(values: list[float | None]) -> None:
    texts = pa.table({"a": pa.array(None if value is None else repr(value) for value in values)})
    expected = np.array([math.nan if value is None else value for value in values])
    assert np.array_equal(as_numbers(texts.cast(pa.schema([("a", pa.string())]))["a"], "a"), expected, equal_nan=True)


SPELLED = {
    "numbers": (["1.5", "", "NA", '"2"', "-3e2", " 7 ", "inf"], [1.5, None, None, 2.0, -300.0, 7.0, math.inf]),
    "booleans": (["true", "False", "", "TRUE", "null"], [1.0, 0.0, None, 1.0, None]),
    "booleans and numbers": (["true", "0", "1", "2.5"], [1.0, 0.0, 1.0, 2.5]),
    "nothing": (["", '""', "nan", "#N/A"], [None] * 4),
}


@pytest.mark.parametrize("case", SPELLED)
def test_numbers_may_be_spelled_in_many_ways(case: str, tmp_path: Path) -> None:
    cells, values = SPELLED[case]
    (part,) = TableStream(csv_with(tmp_path, "\n".join(["z,n", *(f"1,{cell}" for cell in cells)]))).parts(["n"])
    assert [None if math.isnan(value) else value for value in as_numbers(part.table["n"], "n")] == values


@pytest.mark.parametrize("value", ["x", "1_000", "0x1", "yes", "1,5", "12h"])
def test_text_that_spells_no_number_is_named(value: str) -> None:
    with pytest.raises(TableError, match=f"a, row 3: '{value}' is not a number"):
        as_numbers(pa.table({"a": ["1", "NA", value]})["a"], "a")


INSTANT = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)
NAIVE = INSTANT.replace(tzinfo=None)
AT = INSTANT.timestamp()
DAY = datetime(2026, 1, 31, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("cells", "seconds"),
    [
        (pa.array([AT]), AT),
        (pa.array([1]), 1.0),
        (pa.array([-1.5], pa.float32()), -1.5),
        (pa.array([NAIVE]), AT),
        (pa.array([NAIVE], pa.timestamp("ns")), AT),
        (pa.array([NAIVE], pa.timestamp("ms")), AT),
        (pa.array([INSTANT], pa.timestamp("us", "America/New_York")), AT),
        (pa.array([INSTANT]).dictionary_encode(), AT),
        (pa.array([NAIVE.date()]), DAY),
        (pa.array([NAIVE.date()], pa.date64()), DAY),
        (pa.array(["2026-01-31"]), DAY),
        (pa.array(["2026-01-31T12:00:00.25"]), AT),
        (pa.array(["2026-01-31 13:00:00.25+01:00"]), AT),
        (pa.array(["2026-01-31T12:00:00.25Z"], pa.string_view()), AT),
        (pa.array([repr(AT)], pa.large_string()), AT),
    ],
    ids=str,
)
def test_times_are_seconds_since_1970(cells: pa.Array, seconds: float) -> None:
    assert seconds_since_1970(pa.table({"at": cells}), "at").tolist() == [seconds]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ([1.0, None], "1 rows have no time"),
        ([math.nan, math.nan], "2 rows have no time"),
        (["2026-01-31", None], "1 rows have no time"),
        ([1.8e12], r"1\.8e\+12 is not a time between the years 1 and 9999, in seconds since 1970"),
        ([math.inf], "inf is not a time"),
        (["yesterday"], "not every text is an ISO 8601 time"),
        (["2026-01-31", "2026-01-31T12:00:00Z"], "not every text is an ISO 8601 time"),
        ([True], "it holds booleans, which are not points in time"),
        ([b"x"], "it holds bytes, which are not points in time"),
    ],
    ids=str,
)
def test_what_is_no_time_is_named(cells: list[Any], problem: str) -> None:
    with pytest.raises(TableError, match=f"at: .*{problem}"):
        seconds_since_1970(pa.table({"at": cells}), "at")


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize(
    ("cells", "parts"),
    [
        (["2026-01-31", "2026-02-01"], ("it holds dates or times", "--time when", "--ignore when")),
        (["2026-01-31T00:00:00Z", ""], ("it holds dates or times", "--time when", "--ignore when")),
        (["08:30", "17:00:01.5"], ("times of day", "--kinds when=numeric", "--kinds when=categorical")),
    ],
)
def test_a_column_that_is_no_feature_names_the_options_that_help(
    cells: list[str], parts: tuple[str, ...], tmp_path: Path
) -> None:
    table = read_table(csv_with(tmp_path, "\n".join(["z,when", *(f"1,{cell}" for cell in cells)])))
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    for found in (table, read_table(tmp_path / "t.parquet")):
        with pytest.raises(TableError) as error:
            infer_kinds(found, ["when"], {})
        assert all(part in str(error.value) for part in ("when: ", *parts))


def test_times_of_day_are_seconds_or_text_alike_where_they_are_stated(tmp_path: Path) -> None:
    path = csv_with(tmp_path, "z,open\n1,08:30:00\n1,\n1,23:59:59\n")
    pyarrow.parquet.write_table(read_table(path), tmp_path / "t.parquet")
    for table in (read_table(path), read_table(tmp_path / "t.parquet")):
        assert np.array_equal(numbers(table, "open"), [30_600.0, math.nan, 86_399.0], equal_nan=True)
    assert named(categories(read_table(path, ["open"]), "open")) == ["08:30:00", None, "23:59:59"]
    assert named(categories(read_table(tmp_path / "t.parquet"), "open")) == ["08:30:00", None, "23:59:59"]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            {"b": [1, 2], "a": [1, "x"]},
            "a holds cells of the types int, str: make all of them text or numbers",
        ),
        (pd.DataFrame({"a": [1, "x"]}), "a holds cells of the types int, str"),
        ({"a": [1, 2], "b": [1]}, "its columns are of different lengths"),
        (5, "int is neither a path, a DataFrame, an Arrow table nor a dict of columns"),
    ],
)
def test_a_source_that_is_no_table_is_told_in_words(source: Any, problem: str) -> None:
    with pytest.raises(TableError, match=f"cannot read the table: {problem}"):
        read_table(source)


@pytest.mark.parametrize(
    ("names", "index"),
    [
        (["", "a"], [""]),
        (["a", ""], []),
        (["Unnamed: 0", "a"], ["Unnamed: 0"]),
        (["Unnamed: 0.1", "Unnamed: 0", "a"], ["Unnamed: 0.1", "Unnamed: 0"]),
        (["a", "__index_level_0__", "__index_level_1__"], ["__index_level_0__", "__index_level_1__"]),
        (["Unnamed: 03", "Unnamed: 1", "index", "id", "__index_level_x__"], []),
    ],
)
def test_a_dataframe_s_index_is_known_by_its_name(names: list[str], index: list[str]) -> None:
    assert index_columns(names) == index


@pytest.mark.parametrize(
    ("cells", "known", "names"),
    [
        (["1.0", "2.0"], ["1.0", "3.0"], ["1.0", "2.0"]),
        (["1.0", "2.0"], ["1", "2"], ["1", "2"]),
        (["1.0", "2.0"], ["x"], ["1", "2"]),
        (["1", "2"], ["1.0", "2.0"], ["1.0", "2.0"]),
        (["True", "FALSE"], ["True", "False"], ["True", "False"]),
        (["True", "FALSE"], [], ["true", "false"]),
        (["02134", "NA"], ["02134"], ["02134", None]),
        (["NA", "x"], ["NA"], ["NA", "x"]),
    ],
)
def test_categories_that_are_known_before_are_read_as_those(
    cells: list[str], known: list[str], names: list[str | None], tmp_path: Path
) -> None:
    path = csv_with(tmp_path, "\n".join(["z,k", *(f"1,{cell}" for cell in cells)]))
    assert named(categories(read_table(path, {"k": known}), "k")) == names


@pytest.mark.parametrize("cells", [["1", "2.5"], ["true", "false"], ["2026-01-01", "2026-01-02"]])
@pytest.mark.parametrize("gap", ["", "NA"])
def test_a_part_without_a_value_does_not_make_a_column_text(tmp_path: Path, cells: list[str], gap: str) -> None:
    for index, cell in enumerate([cells[0], gap, cells[1]]):
        (tmp_path / f"{index}.csv").write_text(f"x,y\n{cell},1\n")
    found = read_table(tmp_path)["x"]
    assert not pa.types.is_string(found.type)
    assert [own is None for own in found.to_pylist()] == [False, True, False]


def test_a_folder_without_a_value_is_missing_among_numbers(tmp_path: Path) -> None:
    for value in ("3", "__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / f"k={value}").mkdir()
        pyarrow.parquet.write_table(pa.table({"x": [1]}), tmp_path / f"k={value}" / "p.parquet")
    assert read_table(tmp_path)["k"].to_pylist() == [3, None]
