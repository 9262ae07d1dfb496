"""Requests and responses are joined by their id, in any order, whichever worker gets them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from driftgauge.errors import IngestError
from driftgauge.ingestion.joins import FILE, Joined, OpenEvents
from driftgauge.ingestion.records import HalfEvent

NOW = 1_700_000_000.0


def request(id_: str, at: float = NOW) -> HalfEvent:
    return HalfEvent(id_, True, at, {"instances": [[1.0]]})


def response(id_: str, at: float = NOW) -> HalfEvent:
    return HalfEvent(id_, False, at, {"predictions": [1]})


@pytest.fixture(params=["memory", "file"])
def events(request: pytest.FixtureRequest, tmp_path: Path) -> OpenEvents:
    path = None if request.param == "memory" else tmp_path / FILE
    return OpenEvents(path, wait_seconds=300.0, most=10)


def take(events: OpenEvents, *halves: HalfEvent, now: float = NOW) -> Joined:
    with events.joined(halves, now) as joined:
        return joined


@pytest.mark.parametrize("halves", [(request("a"), response("a")), (response("a"), request("a"))])
def test_halves_of_one_batch_are_joined_in_any_order(events: OpenEvents, halves: tuple[HalfEvent, ...]) -> None:
    assert take(events, *halves) == Joined([(request("a"), response("a"))], 0, 0, 0)
    assert take(events, response("a")).pairs == []


@pytest.mark.parametrize("halves", [(request("a"), response("a")), (response("a"), request("a"))])
def test_halves_of_two_batches_are_joined_in_any_order(events: OpenEvents, halves: tuple[HalfEvent, ...]) -> None:
    first, second = halves
    assert take(events, first, request("b")).pairs == []
    assert take(events, second, response("c")).pairs == [(request("a"), response("a"))]
    assert take(events, response("b"), request("c")).pairs == [
        (request("b"), response("b")),
        (request("c"), response("c")),
    ]


def test_a_half_that_comes_twice_waits_once(events: OpenEvents) -> None:
    assert take(events, request("a"), request("a")).pairs == []
    assert take(events, request("a")).pairs == []
    assert take(events, response("a")).pairs == [(request("a"), response("a"))]


def test_a_time_that_is_not_known_stays_unknown(events: OpenEvents) -> None:
    take(events, request("a", math.nan))
    ((found, _),) = take(events, response("a")).pairs
    assert math.isnan(found.at)


def test_halves_that_wait_too_long_are_counted_and_dropped(events: OpenEvents) -> None:
    take(events, request("a"), request("b"))
    assert take(events, request("c"), now=NOW + 200).expired == 0
    assert take(events, now=NOW + 301).expired == 2
    assert take(events, response("a"), now=NOW + 301).pairs == []
    assert take(events, response("c"), now=NOW + 302).pairs == [(request("c"), response("c"))]


def test_the_oldest_of_too_many_are_counted_and_dropped(events: OpenEvents) -> None:
    assert take(events, *(request(f"old {number}") for number in range(8))).dropped == 0
    assert take(events, *(request(f"new {number}") for number in range(5)), now=NOW + 1).dropped == 3
    assert len(take(events, *(response(f"new {number}") for number in range(5)), now=NOW + 2).pairs) == 5


def test_nothing_has_changed_if_the_rows_cannot_be_taken(events: OpenEvents) -> None:
    take(events, request("a"))
    with pytest.raises(RuntimeError), events.joined([response("a"), request("b")], NOW):
        raise RuntimeError("no room")
    assert take(events, response("a"), response("b")).pairs == [(request("a"), response("a"))]


def test_workers_share_them_and_the_next_process_has_them(tmp_path: Path) -> None:
    first, second = (OpenEvents(tmp_path / FILE, wait_seconds=300.0, most=10) for _ in range(2))
    take(first, request("a"), request("b"))
    assert take(second, response("a")).pairs == [(request("a"), response("a"))]
    first.close()
    second.close()
    assert take(first, response("b")).pairs == [(request("b"), response("b"))]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    first.close()


def test_a_damaged_database_is_an_error_that_says_where(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all, but long enough to be one" * 100)
    with pytest.raises(IngestError, match="cannot be joined"):
        take(OpenEvents(tmp_path / FILE, wait_seconds=300.0, most=10), request("a"))


def test_those_that_wait_now_are_counted_also_while_others_are_joined(events: OpenEvents) -> None:
    assert events.waiting(NOW) == 0
    take(events, request("a"), request("b"), response("b"))
    assert events.waiting(NOW) == 1
    with events.joined([request("c")], NOW):
        assert events.waiting(NOW) in (1, 2)  # a file has it once it is written
    assert events.waiting(NOW) == 2


def test_expired_ones_wait_no_more_in_a_file(tmp_path: Path) -> None:
    events = OpenEvents(tmp_path / FILE, wait_seconds=300.0, most=10)
    take(events, request("a"))
    assert (events.waiting(NOW + 299.0), events.waiting(NOW + 301.0)) == (1, 0)
    events.close()


def test_a_damaged_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"x" * 5_000)
    assert OpenEvents(tmp_path / FILE, wait_seconds=300.0, most=10).waiting(NOW) is None


def test_without_a_folder_they_are_kept_in_memory(tmp_path: Path) -> None:
    events = OpenEvents(tmp_path / "absent" / FILE, wait_seconds=300.0, most=10)
    assert events.waiting(NOW) == 0
    events.keep_in_memory()
    take(events, request("a"))
    assert events.waiting(NOW) == 1
    assert take(events, response("a")).pairs == [(request("a"), response("a"))]
    assert list(tmp_path.iterdir()) == []
    events.close()
