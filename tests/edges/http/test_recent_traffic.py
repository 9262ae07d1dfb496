from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from driftgauge.edges.http.recent_traffic import SPAN_SECONDS, STEP_SECONDS, RecentTraffic
from driftgauge.errors import Reason
from driftgauge.metrics.series import DROPPED, FAILED, LATENCY, PREDICTIONS, REJECTED

from tests.monitors import START


class Counters:
    """Counters of a model, and the clock of its server."""

    def __init__(self) -> None:
        self.now = START
        self.arrays: dict[str, Any] = {
            LATENCY.name: np.zeros((len(LATENCY.children), len(LATENCY.buckets) + 2)),
            REJECTED.name: np.zeros((len(REJECTED.children), 1)),
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


def test_efficiency_is_that_of_the_last_minutes(counters: Counters, traffic: RecentTraffic) -> None:
    counters.add(1_000, 0.5, failed=900)
    traffic.note(counters.arrays)
    counters.now += 100.0
    counters.add(150, 0.001)
    counters.add(50, 0.04, size=2, failed=50)
    reasons = [reason for (reason,) in REJECTED.children]
    counters.arrays[REJECTED.name][reasons.index(Reason.OVERLOADED)] += 40.0
    counters.arrays[REJECTED.name][reasons.index(Reason.MISSING_FEATURE)] += 500.0
    found = traffic.efficiency(counters.arrays, (0.25, 0.5))
    assert (found.seconds, found.rows_per_second, found.requests_per_second) == (100.0, 2.0, 2.0)
    assert found.failed_ratio == 0.2
    assert found.overloaded_ratio == pytest.approx(1 / 6)
    assert found.latency_p50 <= 0.001
    assert 0.025 < found.latency_p95 < found.latency_p99 <= 0.05
    assert (found.queued_requests_ratio, found.queued_rows_ratio) == (0.25, 0.5)


def test_without_traffic_ratios_and_latency_are_unknown(counters: Counters, traffic: RecentTraffic) -> None:
    first = traffic.efficiency(counters.arrays, (0.0, 0.0))
    assert first.seconds == 0.0
    assert math.isnan(first.rows_per_second)
    traffic.note(counters.arrays)
    counters.now += 1.0
    assert math.isnan(traffic.efficiency(counters.arrays, (0.0, 0.0)).requests_per_second)
    counters.now += 9.0
    found = traffic.efficiency(counters.arrays, (0.0, 0.0))
    assert (found.rows_per_second, found.requests_per_second) == (0.0, 0.0)
    assert all(map(math.isnan, (found.failed_ratio, found.overloaded_ratio, found.latency_p50, found.latency_p99)))


def test_counts_that_cannot_be_read_are_never_negative(counters: Counters, traffic: RecentTraffic) -> None:
    fewer = {name: own.copy() for name, own in counters.arrays.items()}
    counters.add(100, 0.04, failed=5, dropped=2)
    traffic.note(counters.arrays)
    counters.now += 10.0
    found = traffic.efficiency(fewer, (0.0, 0.0))
    assert (found.rows_per_second, found.requests_per_second) == (0.0, 0.0)
    assert math.isnan(found.failed_ratio)
    recent = traffic.recent(fewer)
    assert (recent.requests, recent.dropped) == (0, 0)
    assert math.isnan(recent.failed_ratio)
