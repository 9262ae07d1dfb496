from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from driftgauge.errors import TableError
from driftgauge.tables import files
from driftgauge.tables.stream import TableStream, require_columns
from driftgauge.tables.table import (
    categories,
    infer_kinds,
    numbers,
    read_table,
    seconds_since_1970,
)

from tests.tables.test_table import csv_with

# ---------------------------------------------------------------- parts of a file


def test_nothing_reads_ahead_once_a_stream_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[bytes] = []
    read = files._Unsplit.read

    def slow(self: files._Unsplit, size: int = -1) -> bytes:
        time.sleep(0.01)
        answers.append(read(self, size))
        return answers[-1]

    monkeypatch.setattr(files._Unsplit, "read", slow)
    path = tmp_path / "large.csv"
    path.write_text("a,b\n" + "1,2\n" * 100_000)
    stream = TableStream(path, 4_096)
    assert answers[-1] == b"", "the header's reader is told that the file is over, and asks no more"
    parts = stream.parts(["a"])
    assert next(parts).table["a"][0].as_py() == "1"
    answers.clear()
    del parts
    assert answers[-1] == b""
    assert len(answers) < 50, "it does not read to the end of the file"


def as_written(values: Any) -> list[Any]:
    """Return cells as a stream of a csv file gives them: text, or None for a cell with nothing in it."""
    return [None if value is None else str(value) for value in values]


@pytest.mark.parametrize("size", [64, 1_000, 2_097_152])
@pytest.mark.parametrize("source", ["csv", "parquet"])
def test_a_stream_gives_all_rows_of_the_asked_columns_in_order(source: str, size: int, tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": np.arange(500), "b": [f'line\n"{i}", b' for i in range(500)], "c": 1.5})
    path = tmp_path / f"t.{source}"
    if source == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, row_group_size=90)
    stream = TableStream(path, size)
    assert stream.column_names == ("a", "b", "c")
    assert stream.bytes == path.stat().st_size
    parts = list(stream.parts(["b", "a"]))
    assert [part.first for part in parts] == [1, *np.cumsum([part.table.num_rows for part in parts])[:-1] + 1]
    whole = pa.concat_tables([part.table for part in parts])
    assert whole.column_names == ["b", "a"]
    assert whole["b"].to_pylist() == frame["b"].tolist()
    assert as_written(whole["a"].to_pylist()) == as_written(range(500))
    assert (len(parts) > 3) == (size < 2_097_152)
    read = [part.bytes_read for part in parts]
    assert read == sorted(read)
    assert read[-1] == stream.bytes


def test_the_text_of_a_csv_is_left_as_it_is(tmp_path: Path) -> None:
    path = csv_with(tmp_path, 'a,b\n1.50,x\n,\n"",""\nNA, y \n"""q""",z\n')
    (part,) = TableStream(path).parts(["a", "b"])
    assert part.table["a"].to_pylist() == ["1.50", None, "", "NA", '"q"']
    assert part.table["b"].to_pylist() == ["x", None, "", " y ", "z"]


@pytest.mark.parametrize("source", ["csv", "parquet"])
def test_a_stream_holds_a_small_part_of_a_file(source: str, tmp_path: Path) -> None:
    table = pa.table({name: np.random.default_rng(0).random(1_000_000) for name in "ab"})
    path = tmp_path / f"t.{source}"
    if source == "csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pyarrow.parquet.write_table(table, path, row_group_size=1_000_000)
    del table
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in TableStream(path, 65_536).parts(["a", "b"])]
    assert len(held) > 50
    assert max(held) < path.stat().st_size / 2


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"", "empty.csv"), (b"a,b\n1\n", "ragged.csv"), (b"PAR1", "short.parquet"), (None, "absent.csv")],
)
def test_a_stream_that_cannot_be_opened_is_named(content: bytes | None, name: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=name):
        TableStream(tmp_path / name)


def test_a_stream_of_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"must be \.csv, \.parquet, \.jsonl"):
        TableStream(tmp_path / "table.xlsx")


def test_a_stream_names_absent_and_repeated_columns(tmp_path: Path) -> None:
    stream = TableStream(csv_with(tmp_path, "a,a,b\n1,2,3\n"))
    with pytest.raises(TableError, match=r"some\.csv has no column x; it has a, a, b"):
        list(stream.parts(["b", "x"]))
    with pytest.raises(TableError, match="several columns a"):
        list(stream.parts(["a"]))
    assert [part.table["b"].to_pylist() for part in stream.parts(["b"])] == [["3"]]


@pytest.mark.parametrize("broken", [b"1,2,3\n", b"1\n", b"\xff,2\n"])
def test_a_stream_that_breaks_off_is_named(broken: bytes, tmp_path: Path) -> None:
    path = csv_with(tmp_path, "a,b\n" + "1,2\n" * 5_000)
    path.write_bytes(path.read_bytes() + broken + b"1,2\n" * 5_000)
    stream = TableStream(path, 4_096)
    with pytest.raises(TableError, match=r"cannot read the table .*some\.csv"):
        list(stream.parts(["a", "b"]))


# ---------------------------------------------------------------- csv


@pytest.mark.parametrize("size", [64, 67, 2_097_152])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_bom_crlf_and_gzip_do_not_matter(size: int, zipped: bool, tmp_path: Path) -> None:
    content = "\ufeffa,b\r\n" + "".join(f'{row},"x\r\ny"\r\n' for row in range(200))
    path = tmp_path / ("T.CSV.GZ" if zipped else "t.CSV")
    path.write_bytes(gzip.compress(content.encode()) if zipped else content.encode())
    table = pa.concat_tables([part.table for part in TableStream(path, size).parts(["a", "b"])])
    assert table["a"].to_pylist() == [str(row) for row in range(200)]
    assert set(table["b"].to_pylist()) == {"x\r\ny"}
    assert numbers(read_table(path), "a").tolist() == list(range(200))


def test_zipped_parts_one_after_the_other_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n"))
    assert numbers(read_table(path), "a").tolist() == [1.0, 3.0]


@pytest.mark.parametrize("ending", ["csv.gz", "jsonl.gz"])
def test_a_zipped_file_that_is_cut_short_or_is_none_is_named(ending: str, tmp_path: Path) -> None:
    lines = "a,b\n" + "1,2\n" * 5_000 if ending == "csv.gz" else '{"a": 1, "b": 2}\n' * 5_000
    path = tmp_path / f"t.{ending}"
    path.write_bytes(gzip.compress(lines.encode())[:-20])
    with pytest.raises(TableError, match=r"cannot read the table .*: it is damaged, incomplete or of another format"):
        list(TableStream(path).parts(["a", "b"]))
    path.write_text(lines)
    if ending == "csv.gz":
        with pytest.raises(TableError, match="it is not compressed, although its ending says so"):
            TableStream(path)
    else:  # which is read all the same
        assert sum(part.table.num_rows for part in TableStream(path).parts(["a"])) == 5_000


def test_a_cell_that_is_longer_than_a_block_is_read(tmp_path: Path) -> None:
    long = "line\n" * 2_000
    path = csv_with(tmp_path, "a,b\n" + "1,x\n" * 300 + f'2,"{long}"\n' + "3,y\n" * 300)
    parts = list(TableStream(path, 500).parts(["a", "b"]))
    assert [part.first for part in parts] == [1, *np.cumsum([part.table.num_rows for part in parts])[:-1] + 1]
    whole = pa.concat_tables([part.table for part in parts])
    assert whole["a"].to_pylist() == ["1"] * 300 + ["2"] + ["3"] * 300
    assert whole["b"][300].as_py() == long


@pytest.mark.parametrize(("row", "cells"), [("1", "1 cell"), ("1,2,3", "3 cells")])
@pytest.mark.parametrize("place", [1, 7_000])
def test_a_row_with_too_few_or_too_many_cells_is_named(row: str, cells: str, place: int, tmp_path: Path) -> None:
    lines = ["a,b", *['"1\n",2'] * (place - 1), row, "1,2"]
    path = csv_with(tmp_path, "\n".join(lines))
    message = rf"cannot read the table .*some\.csv: row {place:,} has {cells}, the header has 2: '{row}'; quote cells"
    with pytest.raises(TableError, match=message):
        list(TableStream(path, 4_096).parts(["a", "b"]))


def test_bytes_that_are_not_utf_8_are_named_with_their_column_and_row(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,x\n" * 3_000 + "2,Zürich\n".encode("latin-1"))
    with pytest.raises(TableError, match="b, row 3,001: 'Zürich' is not UTF-8; save the table as UTF-8"):
        list(TableStream(path, 4_096).parts(["a", "b"]))
    assert len(numbers(pa.concat_tables([part.table for part in TableStream(path).parts(["a"])]), "a")) == 3_001
    path.write_bytes("a,b\n1,2\n".encode("utf-16"))
    with pytest.raises(TableError, match="it is UTF-16; save it as UTF-8"):
        TableStream(path)


@pytest.mark.parametrize(("name", "content"), [("t.csv", ""), ("t.csv", "\n\n"), ("t.jsonl", ""), ("t.jsonl", " \n")])
def test_an_empty_file_is_said_to_be_empty(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(TableError, match=f"cannot read the table .*{name}: it is empty"):
        TableStream(tmp_path / name)


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    assert list(TableStream(csv_with(tmp_path, "a,b\n")).parts(["a"])) == []
    table = read_table(csv_with(tmp_path, "a,b\n"))
    assert (table.column_names, table.num_rows) == (["a", "b"], 0)


def test_another_separator_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"no column a; it has a;b \(its separator seems to be ';'"):
        require_columns(read_table(csv_with(tmp_path, "a;b\n1;2\n")).column_names, ["a"], "the table")


# ---------------------------------------------------------------- JSON lines


def test_json_s_values_are_what_json_says(tmp_path: Path) -> None:
    rows = [
        {"whole": 1, "float": 1, "flag": True, "text": "1.0", "mixed": 1, "big": 2**64 - 1, "huge": 10**30},
        {"whole": None, "float": 2.5, "text": None, "mixed": "x", "big": 1, "huge": 1},
        {"float": float("nan"), "flag": False, "text": "é", "mixed": True, "late": "y"},
    ]
    (tmp_path / "t.jsonl").write_text("\ufeff" + "\n".join(map(json.dumps, rows)))
    table = read_table(tmp_path / "t.jsonl")
    assert np.array_equal(numbers(table, "whole"), [1.0, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(numbers(table, "float"), [1.0, 2.5, np.nan], equal_nan=True)
    assert np.array_equal(numbers(table, "big"), [2.0**64, 1.0, np.nan], equal_nan=True)
    assert np.array_equal(numbers(table, "huge"), [1e30, 1.0, np.nan], equal_nan=True)
    assert table["flag"].to_pylist() == [True, None, False]
    assert table["text"].to_pylist() == ["1.0", None, "é"]
    assert table["mixed"].to_pylist() == ["1", "x", "true"]
    assert table["late"].to_pylist() == [None, None, "y"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('{"a": 1}\n[1]', "line 2 is not a JSON object: '[1]'"),
        ('[{"a": 1},\n{"a": 2}]', r"line 1 is not a JSON object: '[{\"a\": 1},'; write one object per line"),
        ('{"a": 1}\n\n{"a":', "line 3 is not a JSON object"),
        ("[" * 100_000, "line 1 is not a JSON object"),
        ('{"a": "\xff"}', None),
    ],
)
def test_a_line_that_is_no_object_is_named(content: str, line: str | None, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(content.encode("latin-1"))
    with pytest.raises(TableError) as found:
        list(TableStream(tmp_path / "t.jsonl").parts(["a"]))
    assert "t.jsonl" in str(found.value)
    assert (line or "line 1 is not a JSON object").replace(r"\"", '"') in str(found.value)


def test_nested_values_are_no_features(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": 1, "tags": ["x"]}\n{"a": 2, "tags": "x"}\n{"a": 3, "tags": {"k": 1}}\n')
    table = read_table(tmp_path / "t.jsonl")
    with pytest.raises(TableError, match=r"tags: it holds lists or objects, .*--ignore tags"):
        infer_kinds(table, ["a", "tags"], {})
    assert infer_kinds(table, ["a"], {}) == {"a": "numeric"}


# ---------------------------------------------------------------- folders


def spark_folder(folder: Path) -> Path:
    """Write a folder as Spark does, with a partition by day and country."""
    for place, (day, country) in enumerate([("2026-01-01", "CH"), ("2026-01-01", "A%20B"), ("2026-01-02", "CH")]):
        inner = folder / f"day={day}" / f"country={country}" / "size=1"
        inner.mkdir(parents=True)
        pyarrow.parquet.write_table(pa.table({"x": [place, place + 0.5]}), inner / "part-00000.snappy.parquet")
        (inner / ".part-00000.snappy.parquet.crc").write_bytes(b"crc")
    (folder / "_SUCCESS").write_bytes(b"")
    (folder / "_temporary").mkdir()
    (folder / "_temporary" / "part-00009.parquet").write_bytes(b"unfinished")
    return folder


def test_a_folder_is_one_table_with_its_partitions_as_columns(tmp_path: Path) -> None:
    folder = spark_folder(tmp_path / "out.parquet")
    stream = TableStream(folder)
    assert stream.column_names == ("x", "day", "country", "size")
    assert stream.name == "out"
    parts = list(stream.parts(["day", "x"]))
    assert [part.first for part in parts] == [1, 3, 5]
    assert parts[-1].bytes_read == stream.bytes
    table = read_table(folder)
    assert numbers(table, "x").tolist() == [1.0, 1.5, 0.0, 0.5, 2.0, 2.5]
    assert numbers(table, "size").tolist() == [1.0] * 6
    found = categories(table, "country")
    assert [found.names[code] for code in found.codes] == ["A B", "A B", "CH", "CH", "CH", "CH"]
    day = pd.Timestamp("2026-01-01").timestamp()
    assert seconds_since_1970(table, "day").tolist() == [day] * 4 + [day + 86_400.0] * 2


def test_a_partition_without_a_value_is_missing(tmp_path: Path) -> None:
    for value in ("__HIVE_DEFAULT_PARTITION__", "a"):
        (tmp_path / "t" / f"k={value}").mkdir(parents=True)
        pyarrow.parquet.write_table(pa.table({"x": [1]}), tmp_path / "t" / f"k={value}" / "p.parquet")
    assert read_table(tmp_path / "t")["k"].to_pylist() == [None, "a"]


def test_files_of_a_folder_may_differ_in_type_but_not_in_columns(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"x": [1], "k": ["a"]}), tmp_path / "1.parquet")
    pyarrow.parquet.write_table(
        pa.table({"k": pa.array(["b"]).dictionary_encode(), "x": [1.5]}), tmp_path / "2.parquet"
    )
    table = read_table(tmp_path)
    assert (table["x"].to_pylist(), table["k"].to_pylist()) == ([1.0, 1.5], ["a", "b"])
    pyarrow.parquet.write_table(pa.table({"x": [1]}), tmp_path / "3.parquet")
    with pytest.raises(TableError, match=r"3\.parquet has no column k"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("files", "found"), [([], "no file"), (["a.csv", "b.parquet"], ".csv, .parquet"), (["x"], "x")]
)
def test_a_folder_that_is_no_table_is_refused(files: list[str], found: str, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).write_text("a\n1\n")
    with pytest.raises(TableError, match=f"all files of a folder must have one format, .*; it has {found}"):
        TableStream(tmp_path)


def test_a_folder_of_json_lines_has_the_keys_of_all(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "2.jsonl").write_text('{"b": "x"}\n')
    table = read_table(tmp_path)
    assert table.to_pydict() == {"a": [1, None], "b": [None, "x"]}


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["Size, cm", "a.b", "a=b", "a/b", "[0]", "é"])
@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_a_column_may_have_any_name(name: str, form: str, tmp_path: Path) -> None:
    path, table = tmp_path / f"t.{form}", pa.table({"a": [7], name: [1.5]})
    if form == "csv":
        pyarrow.csv.write_csv(table, path)
    elif form == "parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        path.write_text(json.dumps({"a": 7, name: 1.5}))
    for columns in ([name], ["a"], [name, "a"]):
        (part,) = TableStream(path).parts(columns)
        assert part.table.column_names == columns
    assert numbers(read_table(path), name).tolist() == [1.5]


@pytest.mark.parametrize("address", ["s3://me:secret@bucket/rows.parquet", "file:///rows.csv"])
def test_an_address_is_no_path_of_this_machine(address: str) -> None:
    with pytest.raises(TableError, match=r"://.*: files are read from this machine alone: give a DataFrame") as caught:
        TableStream(address)
    assert "secret" not in str(caught.value)
