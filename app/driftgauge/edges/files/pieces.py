"""Reads files piece by piece: lines of text, whole JSON arrays, and rows of Parquet as JSON lines."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, BinaryIO, Final, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS
from driftgauge.errors import TableError

PIECE_BYTES: Final = 2_097_152
MOST_LINE_BYTES: Final = 67_108_864
"""Bytes of a line, or of a file that is one JSON array."""
PIECE_ROWS: Final = 4_096
_ZIPPED: Final = b"\x1f\x8b"
_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Piece:
    """Consecutive records of a file."""

    lines: Sequence[bytes]
    offsets: Sequence[int]
    """Where each begins: its byte in the inflated content, or its row."""
    end: int
    """Where the next piece begins."""
    is_body: bool = False
    """Whether the only line is a body of several records."""


def inflated(file: BinaryIO) -> BinaryIO:
    """Return the content of a file, decompressed if it is gzip by its first bytes."""
    start = file.read(2)
    file.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if start == _ZIPPED else file


def text_pieces(file: BinaryIO, position: int, *, is_complete: bool) -> Iterator[Piece]:
    """Yield the lines from a position on.

    The last line without an end waits for it, unless the file `is_complete` or the line is whole JSON.
    """
    file.seek(position)
    left = b""
    while block := file.read(PIECE_BYTES):
        if position == 0 and not left and _is_array(block):
            yield from _body(file, block, is_complete=is_complete)
            return
        text = left + block
        cut = len(text) if len(text) > MOST_LINE_BYTES else text.rfind(b"\n") + 1
        if cut:
            yield _lines(text[:cut], position)
        position, left = position + cut, text[cut:]
    if left.strip() and (is_complete or _is_json(left)):
        yield _lines(left, position)


def _lines(text: bytes, position: int) -> Piece:
    lines, offsets, end = [], [], position
    for line in text.split(b"\n"):
        if line and not line.isspace():
            lines.append(line.removeprefix(_MARK) if end == 0 else line)
            offsets.append(end)
        end += len(line) + 1
    return Piece(lines, offsets, position + len(text))


def _is_array(block: bytes) -> bool:
    return block.removeprefix(_MARK).lstrip()[:1] == b"["


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _body(file: BinaryIO, block: bytes, *, is_complete: bool) -> Iterator[Piece]:
    """Yield a JSON array as one body, once it is whole; TableError if it is too large."""
    body = block + file.read(MOST_LINE_BYTES)
    if len(body) > MOST_LINE_BYTES:
        raise TableError(f"it is a JSON array of more than {MOST_LINE_BYTES:,} bytes: write JSON lines")
    if is_complete or _is_json(body):
        yield Piece([body], [0], len(body), is_body=True)


# ---------------------------------------------------------------- Parquet


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table that are read."""

    features: Sequence[str]
    """Names of the features in the baseline; `feature.NAME` is found too, as the prediction log exports it."""
    named: Mapping[str, str] = field(default_factory=dict)
    """Columns by the key of a record that they are read as, where they have other names."""


FIELDS: Final = (
    *(PREDICTION, PREDICTION_CLASS, "score", "label"),
    *("prediction_id", "timestamp", "arrived_at", "observed_at"),
)
"""Keys of a record, which are also the names of its columns unless others are given."""

OUTCOME: Final = "outcome."
"""The columns of business outcomes begin with it, as the prediction log exports them."""

NULLABLE: Final = (PREDICTION, "score")
"""Those of them that say something by being null."""


def table_pieces(file: BinaryIO, row: int, columns: TableColumns) -> Iterator[Piece]:
    """Yield rows of a Parquet file from a row on, as JSON lines; TableError if it cannot be read."""
    try:
        table = pq.ParquetFile(file)
        present = table.schema_arrow.names
        fields, features = _columns(columns, present)
        first = 0
        wanted = list(dict.fromkeys([*fields.values(), *features.values()]))
        for batch in table.iter_batches(PIECE_ROWS, columns=wanted):
            skipped = min(max(0, row - first), len(batch))
            if skipped < len(batch):
                lines = _json_lines(batch.slice(skipped), fields, features)
                at = first + skipped
                yield Piece(lines, range(at, at + len(lines)), at + len(lines))
            first += len(batch)
    except pa.ArrowException as error:
        raise TableError(f"it is no whole Parquet file: {error}") from error


def _columns(columns: TableColumns, present: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the columns of a record's keys, and those of the features."""
    outcomes = (name for name in present if name.startswith(OUTCOME))
    fields = {**{name: name for name in (*FIELDS, *outcomes) if name in present}, **columns.named}
    features = {name: own if (own := f"feature.{name}") in present else name for name in columns.features}
    if absent := [name for name in [*fields.values(), *features.values()] if name not in present]:
        raise TableError(f"it has no column {absent[0]}; it has {', '.join(present)}")
    return fields, features


def _json_lines(batch: Any, fields: Mapping[str, str], features: Mapping[str, str]) -> list[bytes]:
    cells = {name: _cells(batch.column(name)) for name in {*fields.values(), *features.values()}}
    rows = range(len(batch))
    by_name = [{key: cells[name][row] for key, name in features.items()} for row in rows]
    given = [{key: cells[name][row] for key, name in fields.items()} for row in rows]
    for own, record in zip(by_name, given, strict=True):
        for key in [key for key, value in record.items() if value is None and key not in NULLABLE]:
            del record[key]
        if outcomes := {key.removeprefix(OUTCOME): record.pop(key) for key in list(record) if key.startswith(OUTCOME)}:
            record["outcomes"] = outcomes
        record["features"] = own
    return [orjson.dumps(record, default=_plain) for record in given]


def _cells(column: Any) -> list[Any]:
    if pa.types.is_timestamp(column.type):  # Python has no nanoseconds
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    found: list[Any] = column.to_pylist()
    return found


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else str(value)
