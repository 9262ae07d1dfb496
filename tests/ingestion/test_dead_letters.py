"""Refused records: kept with their reason, the newest first, within a limit of bytes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from driftgauge.errors import Reason, Refused
from driftgauge.ingestion.dead_letters import FILE, OLDER, DeadLetters, shown
from driftgauge.ingestion.records import RefusedRecord

NOW = 1_700_000_000.0


def refused(position: int, record: bytes = b'{"a": "x"}') -> RefusedRecord:
    return RefusedRecord(position, Refused(Reason.WRONG_TYPE, "a: expected a number, got the text 'x'"), record)


@pytest.fixture(params=["memory", "file"])
def letters(request: pytest.FixtureRequest, tmp_path: Path) -> DeadLetters:
    return DeadLetters(None if request.param == "memory" else tmp_path, 100_000)


def test_the_newest_come_first_with_reason_position_and_time(letters: DeadLetters) -> None:
    assert letters.last(5) == []
    letters.keep([refused(0), refused(3)], NOW)
    letters.keep([], NOW)
    assert [letter["position"] for letter in letters.last(5)] == [3, 0]
    assert letters.last(1) == [
        {
            "time": "2023-11-14T22:13:20.000Z",
            "position": 3,
            "reason": "wrong_type",
            "message": "a: expected a number, got the text 'x'",
            "record": '{"a": "x"}',
        }
    ]


def test_the_oldest_are_dropped_within_the_limit(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path, 8_192)
    for position in range(200):
        letters.keep([refused(position)], NOW)
    size = sum((tmp_path / name).stat().st_size for name in (FILE, OLDER))
    assert size <= 8_192
    found = [letter["position"] for letter in letters.last(200)]
    assert found == list(range(199, 199 - len(found), -1))
    assert len(found) > 20


def test_a_large_batch_keeps_its_newest_within_the_limit(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path, 8_192)
    letters.keep([refused(position, b"x" * 5_000) for position in range(50)], NOW)
    assert (tmp_path / FILE).stat().st_size <= 4_096
    assert letters.last(1)[0]["position"] == 49


def test_bytes_that_are_no_text_are_kept_readable(letters: DeadLetters) -> None:
    letters.keep([refused(0, b"\xff\x00a\n")], NOW)
    assert letters.last(1)[0]["record"] == "\\xff\x00a\n"


def test_features_that_must_not_be_written_down_are_not(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path, 8_192, with_records=False)
    letters.keep([refused(0)], NOW)
    assert b"x" not in (tmp_path / FILE).read_bytes()
    assert (letters.last(1)[0]["reason"], letters.last(1)[0]["record"]) == ("wrong_type", None)


def test_workers_append_at_the_same_time(tmp_path: Path) -> None:
    def write() -> None:
        own = DeadLetters(tmp_path, 1_000_000)
        for position in range(50):
            own.keep([refused(position)], NOW)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(DeadLetters(tmp_path, 1_000_000).last(1_000)) == 200
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_damaged_lines_are_left_out(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path, 8_192)
    letters.keep([refused(0)], NOW)
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'half a li\n[1]\n{"time": 1}\n')
    assert [letter["position"] for letter in letters.last(10)] == [0]


def test_values_are_shown_to_those_who_may_read_them_and_shortened() -> None:
    letter = {"time": "t", "position": 0, "reason": "wrong_type", "message": "m", "record": "x" * 5_000}
    assert shown(letter, with_record=False) == {**letter, "message": None, "record": None}
    found = shown(letter, with_record=True)
    assert found["message"] == "m"
    assert len(found["record"]) < 1_000
