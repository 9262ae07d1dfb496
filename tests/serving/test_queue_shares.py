from __future__ import annotations

import contextlib

import pytest
from driftgauge.errors import Reason, Refused
from driftgauge.serving.queue_shares import QueueShares


def test_the_whole_queue_is_no_limit() -> None:
    assert not QueueShares(1.0, 10, 100).is_on


def test_a_caller_holds_no_more_requests_than_its_share_and_others_still_may() -> None:
    refused: list[tuple[Reason, str]] = []
    shares = QueueShares(0.5, 4, 1_000, lambda *what: refused.append(what))
    with shares.hold("a", 1), shares.hold("a", 1):
        with pytest.raises(Refused, match="2 requests of this client with 2 rows wait") as error:
            shares.admit("a")
        assert error.value.reason is Reason.QUEUE_SHARE_USED
        with shares.hold("b", 1):
            assert len(shares) == 2
    shares.admit("a")
    assert refused == [(Reason.QUEUE_SHARE_USED, "a")]
    assert len(shares) == 0, "nothing is remembered of those that wait for nothing"


def test_a_caller_holds_no_more_rows_than_its_share_except_in_a_single_request() -> None:
    shares = QueueShares(0.1, 1_000, 100)
    with shares.hold("a", 50):
        with pytest.raises(Refused), shares.hold("a", 1):
            raise AssertionError("not reached")
        shares.admit("b", 50)
    with shares.hold("a", 4), shares.hold("a", 6), pytest.raises(Refused):
        shares.admit("a", 1)


def test_a_request_that_fails_gives_its_share_back() -> None:
    shares = QueueShares(0.5, 2, 10)
    for _ in range(3):
        with contextlib.suppress(RuntimeError), shares.hold("a", 1):
            raise RuntimeError
    assert len(shares) == 0


def test_a_small_queue_has_room_for_one_request_of_each_caller() -> None:
    with QueueShares(0.01, 2, 2).hold("a", 1):
        pass
