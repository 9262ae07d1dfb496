"""The same table in every format: the same baseline, and nothing that a check could call a change."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from driftgauge.checks.check import Check
from driftgauge.checks.options import CheckOptions
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import Kind
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline
from driftgauge.tables.stream import TableStream
from driftgauge.tables.table import _read, read_table
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.monitors import START

KINDS: dict[str, Kind] = {"text": "categorical", "code": "categorical", "part": "categorical", "yes": "categorical"}


def _csv(table: pa.Table, folder: Path) -> Path:
    pyarrow.csv.write_csv(table, folder / "t.csv")
    return folder / "t.csv"


def _csv_gz(table: pa.Table, folder: Path) -> Path:
    (folder / "t.csv.gz").write_bytes(gzip.compress(_csv(table, folder).read_bytes()))
    return folder / "t.csv.gz"


def _pandas_csv(table: pa.Table, folder: Path) -> Path:
    # With numpy's dtypes, as most have them: whole numbers with gaps are 5.0, booleans with gaps True and False.
    table.to_pandas().to_csv(folder / "p.csv", lineterminator="\r\n", encoding="utf-8-sig")
    return folder / "p.csv"


def _parquet(table: pa.Table, folder: Path) -> Path:
    pyarrow.parquet.write_table(table, folder / "t.parquet", row_group_size=7)
    return folder / "t.parquet"


def _pandas_parquet(table: pa.Table, folder: Path) -> Path:
    frame = table.to_pandas()
    frame.index = pd.Index(np.arange(len(frame))[::-1])
    frame.to_parquet(folder / "p.parquet")
    return folder / "p.parquet"


def _jsonl(table: pa.Table, folder: Path) -> Path:
    first, *others = table.to_pylist()
    lines = [first, *({key: value for key, value in row.items() if value is not None} for row in others)]
    (folder / "t.ndjson").write_text("\n\n".join(map(json.dumps, lines)))
    return folder / "t.ndjson"


def _spark(table: pa.Table, folder: Path) -> Path:
    out = folder / "spark"
    out.mkdir()
    half = table.num_rows // 2
    pyarrow.parquet.write_table(table[:half], out / "part-00000-af.snappy.parquet")
    pyarrow.parquet.write_table(table[half:], out / "part-00001-af.snappy.parquet")
    (out / "_SUCCESS").write_bytes(b"")
    (out / ".part-00000-af.snappy.parquet.crc").write_bytes(b"crc")
    return out


FORMATS: dict[str, Callable[[pa.Table, Path], Path]] = {
    "csv": _csv,
    "csv.gz": _csv_gz,
    "parquet": _parquet,
    "pandas' parquet": _pandas_parquet,
    "json lines": _jsonl,
    "spark": _spark,
}

TEXTS = ("a", "b,c", 'd"e', "first\nsecond", "NA", "", "é", " x ", "null")
rows = st.fixed_dictionaries(
    {
        "whole": st.none() | st.integers(-5, 5),
        "big": st.none() | st.integers(2**53, 2**63 - 1),
        "float": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "flag": st.none() | st.booleans(),
        "text": st.none() | st.sampled_from(TEXTS),
        "code": st.none() | st.integers(-3, 10),
        "part": st.none() | st.integers(-8, 8).map(lambda n: n / 4),
        "yes": st.none() | st.booleans(),
    }
)
SCHEMA = pa.schema(
    [
        ("whole", pa.int64()),
        ("big", pa.int64()),
        ("float", pa.float64()),
        ("flag", pa.bool_()),
        ("text", pa.string()),
        ("code", pa.int64()),
        ("part", pa.float64()),
        ("yes", pa.bool_()),
    ]
)


def table_of(cells: list[dict[str, Any]], times: int = 4) -> pa.Table:
    return pa.Table.from_pylist(cells * times, schema=SCHEMA)


def counts_of(baseline: Baseline, path: Path, at_once: int) -> dict[str, list[int]]:
    """Return the rows in each bin as a check counts them, which must find no change."""
    (found,) = Check(baseline, [path], CheckOptions(bytes_at_once=at_once)).windows(START)
    assert not found.drifted
    sizes = [len(column.bins.names) for column in baseline.columns]
    pairs = zip(baseline.names, sizes, found.report.main.counts, strict=True)
    return {name: [int(count) for count in counts[:size]] for name, size, counts in pairs}


def own_counts(baseline: Baseline) -> dict[str, list[int]]:
    return {column.name: [round(count) for count in column.counts] for column in baseline.columns}


@settings(max_examples=examples(25))
@given(cells=st.lists(rows, min_size=1, max_size=8), at_once=st.sampled_from([200, 2_000, 2_097_152]))
@example(cells=[{**dict.fromkeys(SCHEMA.names), "float": -0.0}], at_once=200)
def test_a_table_is_the_same_in_every_format(cells: list[dict[str, Any]], at_once: int) -> None:
    table = table_of(cells)
    options = BaselineOptions(kinds=KINDS)
    in_memory = create_baseline(table, options)
    with TemporaryDirectory() as name:
        paths = {form: write(table, Path(name)) for form, write in FORMATS.items()}
        for form, path in paths.items():
            built = create_baseline(path, options)
            assert built.hash == in_memory.hash, form
            assert own_counts(built) == own_counts(in_memory), form
            assert counts_of(in_memory, path, at_once) == own_counts(in_memory), form


@settings(max_examples=examples(25))
@given(cells=st.lists(rows, min_size=1, max_size=8), at_once=st.sampled_from([200, 2_000, 2_097_152]))
def test_a_csv_of_pandas_is_the_same_table_too(cells: list[dict[str, Any]], at_once: int) -> None:
    # It tells no missing text from an empty one, and large integers beside gaps are rounded.
    cells = [{**row, "text": row["text"] or "a", "big": row["big"] or 2**60} for row in cells]
    table, options = table_of(cells), BaselineOptions(kinds=KINDS)
    in_memory = create_baseline(table, options)
    with TemporaryDirectory() as name:
        path = _pandas_csv(table, Path(name))
        built = create_baseline(path, options)
        assert built.names == in_memory.names
        assert own_counts(built) == own_counts(in_memory)
        assert counts_of(in_memory, path, at_once) == own_counts(in_memory)


# ---------------------------------------------------------------- in parts of any size

CELLS = (
    *("", '""', " ", "NA", "5", "5.0", "05", "1e3", "nan", "a", '"a,b"', '"NA"', "9007199254740993", "-0.0"),
    *("true", "True", "FALSE", "2026-01-31", "2026-01-31T12:00:00Z", "08:30", '"two\nlines"', "99999999999999999999"),
)


@settings(max_examples=examples(150))
@given(
    cells=st.lists(st.sampled_from(CELLS), min_size=1, max_size=30),
    size=st.integers(60, 400),
    known=st.sampled_from([None, (), ("5.0",), ("True", "False")]),
)
def test_a_table_read_in_tiny_blocks_is_the_table_read_at_once(
    cells: list[str], size: int, known: tuple[str, ...] | None
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text("\n".join(["z,c", *(f"1,{cell}" for cell in cells)]) + "\n")
        whole = read_table(path, {"c": known})
        assert _read(TableStream(path, size), {"c": known}).equals(whole) or _is_nan_equal(
            _read(TableStream(path, size), {"c": known}), whole
        )


def _is_nan_equal(one: pa.Table, other: pa.Table) -> bool:
    return one.schema == other.schema and repr(one.to_pylist()) == repr(other.to_pylist())


@pytest.mark.parametrize("late", ["x", "2026-01-31", "true", "5 years"])
def test_what_turns_out_to_be_text_late_is_read_as_it_is_written(late: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["z,c", *(["1,05", "1,", "1,NA"] * 1_000), f"1,{late}"]))
    expected = [*(["05", None, "NA"] * 1_000), late]
    assert _read(TableStream(path, 1_000), {})["c"].to_pylist() == expected
    assert read_table(path)["c"].to_pylist() == expected
