"""The files of a rolling reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from driftgauge.drift.rolling.reference import DayRows, RollingReference
from driftgauge.state.folder import reset
from driftgauge.state.rolling_files import RollingFiles

CODES = np.arange(12, dtype=np.uint8).reshape(4, 3)
REFERENCE = RollingReference(
    counts=np.arange(6).reshape(3, 2),
    days=np.array([1, 2, 0]),
    expected_range={1_000: np.array([0.25, 0.0, 1e-9])},
    first_day=19_000,
    last_day=19_001,
    built_at=1_700_000_000.5,
)


@pytest.fixture(params=["files", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> RollingFiles:
    return RollingFiles(tmp_path if request.param == "files" else None, "abc")


def test_what_was_written_is_read(files: RollingFiles) -> None:
    assert (files.days(), files.read_day(7), files.read_reference()) == (set(), None, None)
    files.write_day(DayRows(7, CODES))
    files.write_day(DayRows(8, CODES[:0]))
    files.write_reference(REFERENCE)
    assert files.days() == {7, 8}
    found, empty = files.read_day(7), files.read_day(8)
    assert found is not None
    assert empty is not None
    assert found.codes.tolist() == CODES.tolist()
    assert empty.codes.shape == (0, 3)
    read = files.read_reference()
    assert read is not None
    assert read.counts.tolist() == REFERENCE.counts.tolist()
    assert read.days.tolist() == [1, 2, 0]
    assert {size: values.tolist() for size, values in read.expected_range.items()} == {1_000: [0.25, 0.0, 1e-9]}
    assert (read.first_day, read.last_day, read.built_at) == (19_000, 19_001, 1_700_000_000.5)


def test_other_days_are_deleted(files: RollingFiles) -> None:
    for day in (1, 2, 3):
        files.write_day(DayRows(day, CODES))
    files.keep_days([2, 3])
    files.forget_day(3)
    assert files.days() == {2}


def test_files_of_another_baseline_are_not_used(tmp_path: Path) -> None:
    RollingFiles(tmp_path, "abc").write_day(DayRows(7, CODES))
    assert RollingFiles(tmp_path, "abd").read_day(7) is None


@pytest.mark.parametrize("keep", [0, 10, 32, 40, -1])
def test_a_damaged_file_is_as_if_it_were_missing(tmp_path: Path, keep: int) -> None:
    files = RollingFiles(tmp_path, "abc")
    files.write_day(DayRows(7, CODES))
    files.write_reference(REFERENCE)
    for name in ("rolling-day-7", "rolling-reference"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:keep])
    assert files.read_day(7) is None
    assert files.read_reference() is None
    assert files.days() == {7}


def test_one_worker_builds_at_a_time(tmp_path: Path) -> None:
    one, two = RollingFiles(tmp_path, "abc"), RollingFiles(tmp_path, "abc")
    with one.alone() as first, two.alone() as second:
        assert (first, second) == (True, False)
    with two.alone() as second:
        assert second


def test_a_reset_of_the_state_deletes_them(tmp_path: Path) -> None:
    folder = tmp_path / "m" / "1"
    folder.mkdir(parents=True)
    (folder / "evaluation.lock").touch(0o600)
    RollingFiles(folder, "abc").write_day(DayRows(7, CODES))
    with RollingFiles(folder, "abc").alone():
        pass
    reset(tmp_path)
    assert list(folder.iterdir()) == []
