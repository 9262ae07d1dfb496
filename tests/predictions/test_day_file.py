from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from driftgauge.errors import PredictionLogDayDamaged, PredictionLogError
from driftgauge.predictions import day_file
from driftgauge.predictions.day_file import DayFile, write_day_file
from pyarrow import parquet


def _content(numbers: list[int], lengths: list[int], names: list[str], seed: int = 0) -> tuple[bytes, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    values = [rng.normal(size=(length, len(names))) for length in lengths]
    sink = BytesIO()
    assert write_day_file(sink, names, numbers, values) == sum(lengths)
    return sink.getvalue(), values


def test_chunks_read_back_exactly_from_several_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_file, "GROUP_ROWS", 7)
    content, values = _content([3, 5, 9], [10, 1, 12], ["a", "b"])
    own = DayFile(content)
    for wanted in ([3], [5], [9], [3, 9], [9, 5, 3]):
        found = own.rows({number: np.arange(len(values[[3, 5, 9].index(number)])) for number in wanted})
        assert sorted(found) == sorted(wanted)
        for number in wanted:
            assert np.array_equal(found[number], values[[3, 5, 9].index(number)])
    assert own.rows({4: np.array([0]), 10: np.array([0])}) == {}
    own.close()


def test_rows_of_a_chunk_come_in_the_order_in_which_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_file, "GROUP_ROWS", 7)
    content, values = _content([3, 5, 9], [10, 1, 12], ["a", "b"])
    positions = np.array([11, 0, 6, 6, 3])
    found = DayFile(content).rows({9: positions, 5: np.array([0, 1])})
    assert np.array_equal(found[9], values[2][positions])
    assert np.array_equal(found[5], [values[1][0], [np.nan, np.nan]], equal_nan=True)


def test_numbers_that_fit_in_32_bits_take_32_bits_by_column() -> None:
    values = np.array([[1.5, 0.1], [np.nan, np.nan], [np.inf, -np.inf]])
    sink = BytesIO()
    write_day_file(sink, ["whole", "fine"], [1], [values])
    schema = parquet.read_schema(BytesIO(sink.getvalue()))
    assert [(field.name, str(field.type)) for field in schema] == [
        *(("_chunk", "int64"), ("_position", "int32"), ("whole", "float"), ("fine", "double"))
    ]
    assert np.array_equal(DayFile(sink.getvalue()).rows({1: np.arange(3)})[1], values, equal_nan=True)


def test_it_is_compressed_with_zstd() -> None:
    content, _ = _content([1], [100], ["a"])
    group = parquet.ParquetFile(BytesIO(content)).metadata.row_group(0)
    assert {group.column(index).compression for index in range(group.num_columns)} == {"ZSTD"}


def test_features_may_have_any_name_and_there_may_be_none() -> None:
    for names in (["_chunk", "_position", "a.b", ""], []):
        content, values = _content([1, 2], [2, 3], names)
        assert np.array_equal(DayFile(content).rows({2: np.arange(3)})[2], values[1])


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "2026-11-28-1-1.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(PredictionLogDayDamaged, match=r"the Parquet file .*2026-11-28-1-1\.parquet is damaged"):
        DayFile(path)
    content, _ = _content([1], [1_000], ["a"])
    path.write_bytes(content[:100] + bytes(2_000) + content[2_100:])
    own = DayFile(path)
    with pytest.raises(PredictionLogDayDamaged, match="is damaged"):
        own.rows({1: np.array([0])})
    own.close()
    with pytest.raises(FileNotFoundError):
        DayFile(tmp_path / "missing.parquet")


@contextmanager
def _no_more_files() -> Iterator[None]:
    """Let this process open no more files."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open("/dev/null", os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_failure_of_the_machine_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "2026-11-28-1-1.parquet"
    content, values = _content([1], [1_000], ["a"])
    path.write_bytes(content)
    DayFile(path).close()
    with pytest.raises(PredictionLogError, match="Too many open files") as failed, _no_more_files():
        DayFile(path)
    assert not isinstance(failed.value, PredictionLogDayDamaged)
    assert np.array_equal(DayFile(path).rows({1: np.arange(1_000)})[1], values[0])


def test_too_little_memory_is_no_damage() -> None:
    content, _ = _content([1], [10], ["a"])
    with pytest.raises(PredictionLogError, match="the memory does not suffice") as failed:
        DayFile(content).rows({1: np.broadcast_to(np.int64(0), 1 << 52)})  # so many rows fit in no memory
    assert not isinstance(failed.value, PredictionLogDayDamaged)
