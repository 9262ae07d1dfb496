"""Records that are remembered: every one of the latest is known, whichever worker looks."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from driftgauge.common.private_files import LockTimeout
from driftgauge.state.seen_records import HEADER_BYTES, SeenRecords

NOW = 1_700_000_000.0


def keys(first: int, count: int) -> list[bytes]:
    """Return keys that differ in few bits only, as those of messages of one partition do."""
    return [struct.pack("<QQ", 7, number) for number in range(first, first + count)]


@pytest.fixture(params=["memory", "file"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> SeenRecords:
    return SeenRecords(None if request.param == "memory" else tmp_path / "seen", 10_000)


def test_a_record_is_new_once(table: SeenRecords) -> None:
    with table.alone(1.0):
        assert table.unseen(keys(0, 500)).all()
        table.add(keys(0, 500), NOW)
        assert table.unseen(keys(400, 200)).tolist() == [False] * 100 + [True] * 100


def test_a_record_that_comes_twice_at_once_is_new_the_first_time(table: SeenRecords) -> None:
    with table.alone(1.0):
        assert table.unseen([*keys(0, 2), *keys(1, 2)]).tolist() == [True, True, False, True]
        assert table.unseen([]).tolist() == []


def test_nearly_all_of_the_latest_records_are_known(table: SeenRecords) -> None:
    with table.alone(1.0):
        for first in range(0, 50_000, 1_000):
            table.add(keys(first, 1_000), NOW)
        known = ~table.unseen(keys(40_000, 10_000))
        assert known.mean() > 0.999
        assert table.unseen(keys(0, 10_000)).mean() > 0.9  # the oldest are forgotten


def test_many_records_at_once_are_all_known(table: SeenRecords) -> None:
    with table.alone(1.0):
        table.add(keys(0, 9_000), NOW)
        assert table.unseen(keys(0, 9_000)).mean() < 0.001
        assert table.unseen(keys(9_000, 9_000)).all()


def test_random_keys_are_never_taken_for_others(table: SeenRecords) -> None:
    chance = random.Random(0)
    some = [chance.randbytes(16) for _ in range(20_000)]
    with table.alone(1.0):
        table.add(some[:10_000], NOW)
        assert table.unseen(some[10_000:]).all()


def test_a_key_of_another_size_is_an_error(table: SeenRecords) -> None:
    with table.alone(1.0), pytest.raises(ValueError, match="16 bytes"):
        table.unseen([b"short"])


def test_it_says_when_the_newest_record_arrived(table: SeenRecords) -> None:
    assert table.last_received is None
    with table.alone(1.0):
        table.add(keys(0, 1), NOW)
    assert table.last_received == NOW


def test_another_worker_and_the_next_process_know_the_records(tmp_path: Path) -> None:
    first, second = SeenRecords(tmp_path / "seen", 10_000), SeenRecords(tmp_path / "seen", 10_000)
    with first.alone(1.0):
        first.add(keys(0, 100), NOW)
    with second.alone(1.0):
        assert not second.unseen(keys(0, 100)).any()
        second.add(keys(100, 100), NOW + 1)
    assert first.last_received == NOW + 1
    with first.alone(1.0):
        assert not first.unseen(keys(0, 200)).any()
    assert (tmp_path / "seen").stat().st_mode & 0o777 == 0o600


def test_only_one_worker_looks_at_a_time(tmp_path: Path) -> None:
    first, second = SeenRecords(tmp_path / "seen", 10_000), SeenRecords(tmp_path / "seen", 10_000)
    with first.alone(1.0), pytest.raises(LockTimeout), second.alone(0.01):
        pass


@pytest.mark.parametrize("content", [b"", b"short", b"x" * HEADER_BYTES])
def test_a_damaged_file_begins_empty(content: bytes, tmp_path: Path) -> None:
    table = SeenRecords(tmp_path / "seen", 10_000)
    with table.alone(1.0):
        table.add(keys(0, 100), NOW)
    (tmp_path / "seen").write_bytes(content)
    assert table.last_received is None
    with table.alone(1.0):
        assert table.unseen(keys(0, 100)).all()
        table.add(keys(0, 100), NOW)
        assert not table.unseen(keys(0, 100)).any()


def test_another_number_of_records_begins_empty(tmp_path: Path) -> None:
    small, large = SeenRecords(tmp_path / "seen", 10_000), SeenRecords(tmp_path / "seen", 20_000)
    with small.alone(1.0):
        small.add(keys(0, 100), NOW)
    with large.alone(1.0):
        assert large.unseen(keys(0, 100)).all()


def test_a_file_that_is_deleted_is_made_again(tmp_path: Path) -> None:
    table = SeenRecords(tmp_path / "seen", 10_000)
    with table.alone(1.0):
        table.add(keys(0, 100), NOW)
    (tmp_path / "seen").unlink()
    with table.alone(1.0):
        assert table.unseen(keys(0, 100)).all()
        table.add(keys(0, 1), NOW)
    assert (tmp_path / "seen").exists()
