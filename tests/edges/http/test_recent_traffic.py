from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from driftgauge.edges.http.recent_traffic import SPAN_SECONDS, STEP_SECONDS, RecentTraffic
from driftgauge.metrics.series import DROPPED, FAILED, LATENCY, PREDICTIONS

from tests.monitors import START


class Counters:
    """Counters of a model, and the clock of its server."""

    def __init__(self) -> None:
        self.now = START
        self.arrays: dict[str, Any] = {
            LATENCY.name: np.zeros((len(LATENCY.children), len(LATENCY.buckets) + 2)),
            **{own.name: np.zeros((1, 1)) for own in (PREDICTIONS, FAILED, DROPPED)},
        }

    def add(self, requests: int, seconds: float, size: int = 0, failed: int = 0, dropped: int = 0) -> None:
        bucket = int(np.searchsorted(LATENCY.buckets, seconds))
        self.arrays = {name: own.copy() for name, own in self.arrays.items()}
        self.arrays[LATENCY.name][size, bucket] += requests
        for spec, rows in ((PREDICTIONS, requests), (FAILED, failed), (DROPPED, dropped)):
            self.arrays[spec.name] += rows


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def traffic(counters: Counters) -> RecentTraffic:
    return RecentTraffic(lambda: counters.now)


def test_before_the_first_count_nothing_is_known(counters: Counters, traffic: RecentTraffic) -> None:
    counters.add(500, 0.001)
    found = traffic.recent(counters.arrays)
    assert found.requests == 0
    assert math.isnan(found.p95_seconds)


def test_recent_requests_are_told_from_those_before(counters: Counters, traffic: RecentTraffic) -> None:
    counters.add(1_000, 0.001)
    traffic.note(counters.arrays)
    counters.now += STEP_SECONDS
    counters.add(200, 0.04, failed=50, dropped=3)
    found = traffic.recent(counters.arrays)
    assert (found.requests, found.dropped, found.failed_ratio) == (200, 3, 0.2)
    assert found.past_p95_seconds <= 0.001
    assert found.p95_seconds > 10 * found.past_p95_seconds
    assert found.p99_seconds >= found.p95_seconds


def test_latency_is_compared_for_requests_of_one_size(counters: Counters, traffic: RecentTraffic) -> None:
    counters.add(1_000, 0.001)
    counters.add(300, 0.2, size=2)
    traffic.note(counters.arrays)
    counters.add(10, 0.001)
    counters.add(40, 0.2, size=2)
    found = traffic.recent(counters.arrays)
    assert found.requests == 40
    assert found.p95_seconds == pytest.approx(found.past_p95_seconds)


def test_of_few_requests_the_past_is_unknown(counters: Counters, traffic: RecentTraffic) -> None:
    counters.add(20, 0.001)
    traffic.note(counters.arrays)
    counters.add(200, 0.04)
    assert math.isnan(traffic.recent(counters.arrays).past_p95_seconds)


def test_what_is_older_than_the_span_is_the_past(counters: Counters, traffic: RecentTraffic) -> None:
    for _ in range(int(3 * SPAN_SECONDS / STEP_SECONDS)):
        counters.add(10, 0.04)
        traffic.note(counters.arrays)
        counters.now += STEP_SECONDS
    recent = traffic.recent(counters.arrays).requests
    assert recent == 10 * (SPAN_SECONDS / STEP_SECONDS)
