from __future__ import annotations

import math
from datetime import time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from driftgauge.drift.bins import category_name
from driftgauge.errors import ColumnError
from driftgauge.tables.cells import KnownCategories, as_categories, as_numbers, concatenated, own_names, seconds_of
from driftgauge.tables.times import as_seconds
from hypothesis import given
from hypothesis import strategies as st


def column(*values: Any, of: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, of)])


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_span_of_time_is_its_seconds_in_every_unit(unit: str) -> None:
    spans = [timedelta(days=2, seconds=3), None, timedelta(seconds=-1)]
    found = as_numbers(column(*spans, of=pa.duration(unit)), "a")
    assert np.array_equal(found, [172_803.0, math.nan, -1.0], equal_nan=True)


@pytest.mark.parametrize("of", [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")], ids=str)
def test_a_time_of_day_is_its_seconds_as_it_is_as_text(of: pa.DataType) -> None:
    times = [time(8, 30), None, time(23, 59, 59)]
    expected = [30_600.0, math.nan, 86_399.0]
    assert np.array_equal(as_numbers(column(*times, of=of), "a"), expected, equal_nan=True)
    texts = [None if at is None else at.isoformat() for at in times]
    assert np.array_equal(as_numbers(column(*texts), "a"), expected, equal_nan=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("08:30", 30_600.0),
        ("8:30:00.5", 30_600.5),
        ("0 days 00:05:00", 300.0),
        ("-1 days +23:59:59", -1.0),
        ("2 days", 172_800.0),
        ("1 day, 1:00:00", 90_000.0),
        ("", None),
        ("8", None),
        ("8:5", None),
        ("8:30 pm", None),
        ("days 8:30", None),
        ("٨:٣٠", None),
    ],
)
def test_seconds_are_spelled_as_python_and_pandas_write_them(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


@given(st.timedeltas())
def test_every_span_that_python_writes_is_read_back(span: timedelta) -> None:
    found = seconds_of(str(span))
    if span < timedelta(0):  # Python writes "-1 day, 23:59:59"
        assert str(span).startswith("-")
    assert found == pytest.approx(span.total_seconds(), abs=1e-3)


def test_spans_among_numbers_are_no_numbers() -> None:
    with pytest.raises(ColumnError, match="a, row 2: '08:30' is not a number") as found:
        as_numbers(column("5", "08:30", "inf", "nan"), "a")
    assert (found.value.name, found.value.row) == ("a", 2)


@pytest.mark.parametrize("text", [" ", "\t", " NA ", "None", "<NA>", "n/a", ""])
def test_blank_cells_among_numbers_are_missing(text: str) -> None:
    assert np.array_equal(as_numbers(column("1", text, " 2.5 "), "a"), [1.0, math.nan, 2.5], equal_nan=True)


def test_a_long_cell_is_shortened_in_a_message() -> None:
    with pytest.raises(ColumnError) as found:
        as_numbers(column("x" * 10_000), "a")
    assert len(str(found.value)) < 100


# ---------------------------------------------------------------- categories


@pytest.mark.parametrize(
    ("known", "cell", "meant"),
    [
        (["1", "2"], "1.0", "1"),
        (["1.0", "2.0"], "1.0", "1.0"),
        (["1.0", "2.0"], "1", "1.0"),
        (["1.0", "2.0"], "1.00", "1.00"),
        (["02134"], "2134", "2134"),
        (["1", "2"], " ", None),
        (["1", "a"], "NA", "NA"),
        (["NA", "1"], "NA", "NA"),
        (["true", "false"], "TRUE", "true"),
        (["True", "False", "Unknown"], "true", "True"),
        (["TRUE"], "True", "TRUE"),
        (["true"], "NA", None),
        (["yes"], "True", "True"),
        ([], "NA", "NA"),
    ],
)
def test_a_written_cell_is_the_known_category_that_it_spells(known: list[str], cell: str, meant: str | None) -> None:
    assert KnownCategories(known).written(cell) == meant


@pytest.mark.parametrize(
    ("known", "value", "meant"),
    [
        (["True", "False", "Unknown"], True, "True"),
        (["true", "True"], True, "true"),
        (["yes"], True, "true"),
        (["1.0", "2.0"], 1.0, "1.0"),
        (["1.0", "2.0"], 1, "1.0"),
        (["1", "1.0"], 1.0, "1"),
        (["5"], "5.0", "5.0"),
        (["5"], math.nan, None),
        (["08:30:00"], time(8, 30), "08:30:00"),
    ],
)
def test_a_typed_cell_is_the_known_category_that_it_stands_for(known: list[str], value: Any, meant: str | None) -> None:
    assert KnownCategories(known).typed(value) == meant


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_written_by_python_are_named_as_json_names_them(values: list[float | None]) -> None:
    texts = ["" if value is None else repr(value) for value in values]
    present = [value for value in values if value is not None]
    is_plain = all(repr(value) in (category_name(value), f"{category_name(value)}.0") for value in present)
    names = own_names(texts)
    expected = [category_name(value) for value in values] if is_plain else [text or None for text in texts]
    assert [names.written(text) for text in texts] == (expected if present else texts)


def test_parts_of_different_types_are_joined_to_what_holds_all() -> None:
    def types(*parts: pa.ChunkedArray) -> tuple[str, list[Any]]:
        found = concatenated(list(parts))
        return str(found.type), found.to_pylist()

    assert types(column(1, 2), column(None, of=pa.null()), column(2.5)) == ("double", [1.0, 2.0, None, 2.5])
    assert types(column(1, of=pa.int8()), column(2**40)) == ("int64", [1, 2**40])
    assert types(column(2**64 - 1, of=pa.uint64()), column(-1)) == ("double", [2.0**64, -1.0])
    assert types(column(1), column("a")) == ("string", ["1", "a"])
    assert types(column(True), column(1.0)) == ("string", ["true", "1"])
    assert types(column("a").cast(pa.large_string()), column("b")) == ("string", ["a", "b"])
    assert types() == ("null", [])


@pytest.mark.parametrize("values", [[[1]], [{"x": 1}]])
def test_nested_cells_are_told_in_words(values: list[Any]) -> None:
    for read in (as_numbers, as_categories):
        with pytest.raises(ColumnError, match="a: it holds lists or objects"):
            read(column(*values), "a")


@pytest.mark.parametrize("of", [pa.binary(), pa.large_binary(), pa.binary(3)], ids=str)
def test_bytes_are_categories_if_they_are_utf_8(of: pa.DataType) -> None:
    assert as_categories(column("é!".encode(), None, of=of), "a").names == ("é!",)
    with pytest.raises(ColumnError, match="a: it holds bytes"):
        as_categories(column(b"\xff\xfe!", of=of), "a")
    with pytest.raises(ColumnError, match="a: it holds bytes"):
        as_numbers(column(b"123", of=of), "a")


# ---------------------------------------------------------------- times


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_a_timestamp_is_the_same_seconds_in_every_unit_and_zone(unit: str, zone: str | None) -> None:
    cells = pa.chunked_array([pa.array([1_769_860_800]).cast(pa.timestamp("s")).cast(pa.timestamp(unit, zone))])
    assert as_seconds(cells, "at").tolist() == [1_769_860_800.0]


@pytest.mark.parametrize(
    "text", ["2026-01-31T12:00:00.123456789", "2026-01-31 12:00:00.123456", " 2026-01-31T12:00:00.123456Z "]
)
def test_nothing_finer_than_a_microsecond_is_kept(text: str) -> None:
    assert as_seconds(column(text), "at").tolist() == [1_769_860_800.123456]


def test_the_first_text_that_is_no_time_is_named() -> None:
    with pytest.raises(ValueError, match=r"at: not every text is an ISO 8601 time .*: row 3 is 'soon'"):
        as_seconds(column("2026-01-31", "2026-02-01", "soon", "later"), "at")
    with pytest.raises(ValueError, match="at: 2 rows have no time"):
        as_seconds(column("2026-01-31", " ", "NA"), "at")
    with pytest.raises(ValueError, match="at: 2 rows have no time"):
        as_seconds(column(" ", "NA"), "at")


def test_text_with_gaps_that_is_no_time_is_said_to_be_none() -> None:
    with pytest.raises(ValueError, match=r"at: not every text is an ISO 8601 time .*: row 2 is 'Bern'"):
        as_seconds(column("", "Bern", "Zurich"), "at")
