"""Files are read into a model, each record once, through rotation, truncation and restarts."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftgauge.edges.files import ingest as module
from driftgauge.edges.files import pieces
from driftgauge.edges.files.pieces import TableColumns
from driftgauge.edges.files.sources import source_of
from driftgauge.errors import IngestError

from tests.file_logs import Process, lines


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_the_same_files_again_are_nothing_new(tmp_path: Path, state: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(lines([1, 2, 2]))
    process = Process(state, path)
    assert process.look() == (3, 0)
    assert process.look() == (0, 0)
    again = Process(state, path)
    assert again.look() == (0, 0)
    assert again.ingest.tally.known
    append(path, lines([3]))
    assert again.look() == (1, 0)
    assert again.intake.ages == [3.0]


def test_records_are_known_without_positions_whatever_the_pieces(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(lines(range(50)))
    assert Process(state, path).look() == (50, 0)
    for own in state.glob("files.sqlite3*"):
        own.unlink()
    monkeypatch.setattr(pieces, "PIECE_BYTES", 300)
    assert Process(state, path).look() == (0, 50)


def test_equal_records_of_several_files_are_several(tmp_path: Path, state: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(lines([1, 2]))
    assert Process(state, tmp_path / "*.jsonl").look() == (4, 0)


def test_a_partial_line_waits_for_its_end(tmp_path: Path, state: Path) -> None:
    path, line = tmp_path / "a.jsonl", lines([1])
    path.write_text(line[:10])
    process = Process(state, path)
    assert process.look() == (0, 0)
    assert process.ingest.tally.unfinished == {str(path)}
    append(path, line[10:] + line[:10])
    assert process.look() == (1, 0)
    assert process.ingest.tally.unfinished == {str(path)}
    append(path, line[10:])
    assert process.look() == (1, 0)
    assert not process.ingest.tally.unfinished
    assert not process.ingest.tally.refused


@pytest.mark.parametrize("restarts", [False, True])
def test_a_rotated_file_is_read_to_its_end_and_the_new_one_from_its_beginning(
    tmp_path: Path, state: Path, *, restarts: bool
) -> None:
    path = tmp_path / "a.log"
    path.write_text(lines([1]))
    process = Process(state, path)
    assert process.look() == (1, 0)
    append(path, lines([2]))
    path.rename(tmp_path / "a.log.1")
    path.write_text(lines([3]))
    process = Process(state, path) if restarts else process
    assert process.look() == (2, 0)
    append(tmp_path / "a.log.1", lines([4]))  # its writer has not noticed yet
    assert process.look() == (1, 0)
    assert process.look() == (0, 0)


def test_a_truncated_file_is_read_from_its_beginning(tmp_path: Path, state: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(lines([1, 2, 3]))
    process = Process(state, path)
    assert process.look() == (3, 0)
    with path.open("r+") as file:
        file.truncate(0)
    assert process.look() == (0, 0)
    append(path, lines([4, 5]))
    assert process.look() == (2, 0)
    with path.open("w") as file:  # the same inode, with more than before
        file.write(lines([6, 7, 8, 9]))
    assert process.look() == (4, 0)


def test_compressed_files_are_read(tmp_path: Path, state: Path) -> None:
    path = tmp_path / "a.log.gz"
    path.write_bytes(gzip.compress(lines([1, 2]).encode()))
    process = Process(state, path)
    assert process.look() == (2, 0)
    with path.open("ab") as file:
        file.write(gzip.compress(lines([3]).encode()))
    assert process.look() == (1, 0)


def test_records_and_files_that_cannot_be_read_cost_the_others_nothing(tmp_path: Path, state: Path) -> None:
    (tmp_path / "a.jsonl").write_text(lines([1]) + "no json\n" + lines([2]))
    (tmp_path / "b.jsonl").write_bytes(gzip.compress(os.urandom(5_000))[:1_000])
    (tmp_path / "c.jsonl").write_text(lines([3]))
    process = Process(state, tmp_path)
    (state / "x").touch()
    process.ingest.sources = [source_of(str(tmp_path / "?.jsonl"))]
    assert process.look() == (3, 0)
    tally = process.ingest.tally
    assert dict(tally.refused) == {"not_json": 1}
    assert list(tally.failed) == [str(tmp_path / "b.jsonl")]
    assert not tally.is_good
    shutil.copy(tmp_path / "c.jsonl", tmp_path / "b.jsonl")  # mended
    process.look()
    assert process.ingest.tally.failed == {}


def test_an_array_is_read_once_it_is_whole(tmp_path: Path, state: Path) -> None:
    path = tmp_path / "a.json"
    body = "[" + ",".join(lines([1, 2]).split("\n")[:2]) + "]"
    path.write_text(body[:-5])
    process = Process(state, path)
    assert process.look() == (0, 0)
    path.write_text(body)
    assert process.look() == (2, 0)
    assert process.look() == (0, 0)


def test_rows_wait_for_room(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(lines([1]))
    process = Process(state, path)
    answers = iter([True, True, False])
    process.intake.fails = lambda: next(answers)
    assert process.look() == (1, 0)
    append(path, lines([2]))
    process.intake.fails = lambda: True
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(IngestError, match="run the same command again"):
        process.look()
    process.intake.fails = lambda: False
    assert process.look() == (1, 0)


def test_a_stop_ends_it_after_a_piece_and_the_next_run_goes_on(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 300)
    path = tmp_path / "a.jsonl"
    path.write_text(lines(range(50)))
    process = Process(state, path)
    process.ingest.on_progress = lambda done, total: process.ingest.stopping.set()
    first, _ = process.look()
    assert 0 < first < 50
    assert Process(state, path).look() == (50 - first, 0)


def test_rows_of_parquet_are_read(tmp_path: Path, state: Path) -> None:
    path = tmp_path / "a.parquet"
    ages = np.arange(10.0)
    pq.write_table(
        pa.table({"age": ages, "flag": ages % 2, "city": ["north"] * 10, "p": ages / 10, "day": ages * 86_400}), path
    )
    columns = TableColumns(["age", "flag", "city"], {"prediction": "p", "timestamp": "day"})
    process = Process(state, path, columns=columns)
    assert process.look() == (10, 0)
    assert process.intake.ages == ages.tolist()
    assert Process(state, path, columns=columns).look() == (0, 0)


def test_a_source_without_a_file_is_named(tmp_path: Path, state: Path) -> None:
    process = Process(state, tmp_path / "absent.log")
    assert process.look() == (0, 0)
    assert list(process.ingest.missing) == [str(tmp_path / "absent.log")]
