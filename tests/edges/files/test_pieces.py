"""Pieces of files: lines, whole arrays, and rows of Parquet."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftgauge.edges.files import pieces
from driftgauge.edges.files.pieces import Piece, TableColumns, inflated, table_pieces, text_pieces
from driftgauge.errors import TableError


def read(content: bytes, position: int = 0, *, is_complete: bool = False) -> list[Piece]:
    return list(text_pieces(io.BytesIO(content), position, is_complete=is_complete))


def test_lines_have_the_offsets_at_which_they_begin() -> None:
    (piece,) = read(b'{"a": 1}\n\n  \n{"b": 2}\r\n')
    assert piece.lines == [b'{"a": 1}', b'{"b": 2}\r']
    assert list(piece.offsets) == [0, 13]
    assert piece.end == 23


def test_reading_goes_on_at_a_position() -> None:
    (piece,) = read(b'{"a": 1}\n{"b": 2}\n', 9)
    assert (piece.lines, list(piece.offsets), piece.end) == ([b'{"b": 2}'], [9], 18)


def test_a_last_line_without_an_end_waits_unless_it_is_whole() -> None:
    assert [piece.end for piece in read(b'{"a": 1}\n{"b": ')] == [9]
    assert [piece.lines for piece in read(b'{"a": 1}\n{"b": 2}')] == [[b'{"a": 1}'], [b'{"b": 2}']]
    assert [piece.lines for piece in read(b'{"a": 1}\n{"b": ', is_complete=True)] == [[b'{"a": 1}'], [b'{"b": ']]


def test_lines_and_offsets_do_not_depend_on_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"".join(b'{"number": %d}\n' % number for number in range(100))
    whole = read(content)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 40)
    parts = read(content)
    assert len(parts) > 10
    assert [line for piece in parts for line in piece.lines] == whole[0].lines
    assert [offset for piece in parts for offset in piece.offsets] == whole[0].offsets


def test_a_line_that_is_too_long_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 8)
    monkeypatch.setattr(pieces, "MOST_LINE_BYTES", 20)
    assert [piece.lines for piece in read(b"x" * 30 + b"\nrest\n")][-1] == [b"rest"]


def test_an_array_is_one_body_once_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(b'[{"a": 1},\n') == []
    (piece,) = read(b'[{"a": 1},\n{"b": 2}]\n')
    assert (piece.is_body, piece.end) == (True, 21)
    monkeypatch.setattr(pieces, "MOST_LINE_BYTES", 5)
    with pytest.raises(TableError, match="write JSON lines"):
        read(b'[{"a": 1}]')


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    (piece,) = read(b'\xef\xbb\xbf{"a": 1}\n')
    assert (piece.lines, piece.end) == ([b'{"a": 1}'], 12)


def test_gzip_is_found_by_its_first_bytes() -> None:
    assert inflated(io.BytesIO(gzip.compress(b"text"))).read() == b"text"
    assert inflated(io.BytesIO(b"text")).read() == b"text"


def parquet(**columns: Any) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    file.seek(0)
    return file


def records(file: io.BytesIO, columns: TableColumns, row: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for piece in table_pieces(file, row, columns) for line in piece.lines]


def test_rows_of_parquet_are_records_by_the_names_that_are_given() -> None:
    at = datetime(2026, 11, 1, 12, tzinfo=UTC)
    file = parquet(age=[1.5, None], cost=[Decimal("2.5"), Decimal("3.5")], p=[0.5, None], at=[at, None])
    columns = TableColumns(["age", "cost"], {"prediction": "p", "timestamp": "at"})
    assert records(file, columns) == [
        {"prediction": 0.5, "timestamp": "2026-11-01T12:00:00+00:00", "features": {"age": 1.5, "cost": 2.5}},
        {"prediction": None, "features": {"age": None, "cost": 3.5}},
    ]


def test_features_of_an_export_have_a_prefix_where_a_field_has_their_name() -> None:
    file = parquet(**{"score": [0.5], "feature.score": [7.0]})
    assert records(file, TableColumns(["score"])) == [{"score": 0.5, "features": {"score": 7.0}}]


def test_outcomes_of_an_export_have_a_column_each() -> None:
    file = parquet(**{"a": [1.0, 2.0], "outcome.click": [1.0, None]})
    assert [own.get("outcomes") for own in records(file, TableColumns(["a"]))] == [{"click": 1.0}, None]


def test_times_in_nanoseconds_are_read() -> None:
    file = parquet(a=[1.0], timestamp=pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "UTC")))
    assert records(file, TableColumns(["a"]))[0]["timestamp"] == "2023-11-14T22:13:20.123456+00:00"


def test_rows_from_a_row_on_have_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_ROWS", 4)
    file = parquet(a=list(range(10)))
    found = list(table_pieces(file, 6, TableColumns(["a"])))
    assert [(list(piece.offsets), piece.end) for piece in found] == [([6, 7], 8), ([8, 9], 10)]
    assert [json.loads(line)["features"]["a"] for piece in found for line in piece.lines] == [6, 7, 8, 9]


def test_an_absent_column_and_a_damaged_file_are_named() -> None:
    with pytest.raises(TableError, match="it has no column b; it has a"):
        records(parquet(a=[1.0]), TableColumns(["b"]))
    with pytest.raises(TableError, match="no whole Parquet file"):
        records(io.BytesIO(b"PAR1 and no more"), TableColumns(["a"]))
