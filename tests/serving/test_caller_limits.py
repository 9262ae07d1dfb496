from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from driftgauge.errors import Reason, Refused
from driftgauge.serving.caller_limits import MAX_CALLERS, RETRY_KEY, CallerBounds, CallerLimits
from hypothesis import given
from hypothesis import strategies as st


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Limited:
    """Limits by a clock that stands still until it is set, and what they refused."""

    bounds: CallerBounds
    clock: Clock = field(default_factory=Clock)
    refused: list[tuple[Reason, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.limits = CallerLimits(self.bounds, lambda *what: self.refused.append(what), self.clock)

    def enters(self, caller: str = "a") -> bool:
        try:
            self.limits.enter(caller)
        except Refused:
            return False
        return True

    def asks(self, caller: str = "a") -> bool:
        """Whether a request is admitted; it is answered at once."""
        entered = self.enters(caller)
        if entered:
            self.limits.leave(caller)
        return entered


def test_no_limit_is_off() -> None:
    assert not CallerLimits(CallerBounds()).is_on
    assert CallerLimits(CallerBounds(requests_per_second=1.0)).is_on
    assert CallerLimits(CallerBounds(concurrent_requests=1)).is_on


def test_a_burst_is_admitted_and_then_the_rate() -> None:
    limited = Limited(CallerBounds(requests_per_second=2.0, burst=3))
    assert [limited.asks() for _ in range(5)] == [True, True, True, False, False]
    limited.clock.now += 0.5
    assert [limited.asks() for _ in range(2)] == [True, False]
    limited.clock.now += 60.0
    assert [limited.asks() for _ in range(4)] == [True, True, True, False]


def test_the_burst_is_one_second_by_default() -> None:
    assert CallerBounds(requests_per_second=2.5).burst_requests == 3
    assert CallerBounds(requests_per_second=0.1).burst_requests == 1


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_together_admit_the_rate_and_the_burst(workers: int) -> None:
    bounds = CallerBounds(requests_per_second=8.0, burst=4, workers=workers)
    service = [Limited(bounds) for _ in range(workers)]
    assert sum(limited.asks() for limited in service for _ in range(20)) == 4
    for _ in range(200):
        for limited in service:
            limited.clock.now += 0.05
        [limited.asks() for limited in service for _ in range(5)]
    admitted = sum(1 for limited in service for _ in range(5) if limited.asks())
    assert admitted <= 4
    asked = workers * 20 + 200 * workers * 5 + workers * 5
    assert asked - sum(len(limited.refused) for limited in service) == 4 + 8 * 10


def test_each_worker_admits_a_request_however_small_the_burst() -> None:
    bounds = CallerBounds(requests_per_second=1.0, workers=8)
    assert (bounds.burst_requests, bounds.worker_rate, bounds.stated[0]) == (1, 0.125, 1.0)
    limited = Limited(bounds)
    assert [limited.asks() for _ in range(2)] == [True, False]
    with pytest.raises(Refused, match=r"more than 0\.125 requests a second to one of 8 workers, which are 1 in all"):
        limited.limits.enter("a")


def test_a_refusal_says_when_to_try_again_and_then_the_request_is_admitted() -> None:
    limited = Limited(CallerBounds(requests_per_second=0.2))
    assert limited.asks()
    limited.clock.now += 0.5
    with pytest.raises(Refused, match=r"more than 0\.2 requests a second") as error:
        limited.limits.enter("a")
    assert error.value.reason is Reason.RATE_LIMITED
    assert error.value.detail == {"limit_per_second": 0.2, RETRY_KEY: 5}
    limited.clock.now += 4.5
    assert limited.asks()


def test_callers_do_not_share_a_limit() -> None:
    limited = Limited(CallerBounds(requests_per_second=1.0, concurrent_requests=5))
    assert limited.asks("a")
    assert not limited.asks("a")
    assert limited.asks("b")
    assert limited.refused == [(Reason.RATE_LIMITED, "a")]


def test_requests_at_the_same_time_are_bounded_until_they_leave() -> None:
    limited = Limited(CallerBounds(concurrent_requests=2))
    assert [limited.enters() for _ in range(3)] == [True, True, False]
    limited.limits.leave("a")
    assert [limited.enters() for _ in range(2)] == [True, False]
    assert limited.refused == [(Reason.TOO_MANY_CONCURRENT_REQUESTS, "a")] * 2


def test_a_request_that_is_refused_for_its_concurrency_uses_up_no_rate() -> None:
    limited = Limited(CallerBounds(requests_per_second=1.0, burst=2, concurrent_requests=1))
    assert limited.enters()
    assert not any(limited.enters() for _ in range(10))
    limited.limits.leave("a")
    assert limited.enters()


def test_no_more_callers_than_the_maximum_are_remembered() -> None:
    limited = Limited(CallerBounds(requests_per_second=1.0, concurrent_requests=1))
    busy = [f"busy {number}" for number in range(50)]
    assert all(limited.enters(caller) for caller in busy)
    for number in range(2 * MAX_CALLERS):
        assert limited.asks(f"10.0.{number}")
    assert MAX_CALLERS <= len(limited.limits) <= MAX_CALLERS + len(busy)
    assert not any(limited.enters(caller) for caller in busy), "a caller with a running request is not forgotten"


@given(
    st.floats(0.1, 100.0),
    st.integers(1, 5),
    st.lists(st.floats(0.0, 2.0), min_size=1, max_size=60),
)
def test_never_more_than_burst_and_rate_are_admitted(rate: float, burst: int, pauses: list[float]) -> None:
    limited = Limited(CallerBounds(requests_per_second=rate, burst=burst))
    admitted: list[float] = []
    for pause in pauses:
        limited.clock.now += pause
        if limited.asks():
            admitted.append(limited.clock.now)
    for first in range(len(admitted)):
        for last in range(first, len(admitted)):
            assert last - first + 1 <= burst + rate * (admitted[last] - admitted[first]) + 1e-3
