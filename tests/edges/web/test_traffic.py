from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.edges.web.traffic import quantile, traffic_of
from driftgauge.metrics.counters import Counters, counter_fields
from driftgauge.metrics.series import DROPPED, FAILED, LATENCY, PREDICTIONS, REJECTED, monitor_series


def test_a_quantile_lies_on_a_line_within_its_bucket() -> None:
    counts = np.array([10.0, 30.0, 0.0, 10.0])
    assert quantile(counts, (0.1, 0.2, 0.4), 0.1) == pytest.approx(0.05)
    assert quantile(counts, (0.1, 0.2, 0.4), 0.5) == pytest.approx(0.15)
    assert quantile(counts, (0.1, 0.2, 0.4), 0.99) == 0.4
    assert math.isnan(quantile(np.zeros(4), (0.1, 0.2, 0.4), 0.5))


def test_traffic_is_what_the_counters_hold() -> None:
    series = monitor_series()
    counters = Counters(series, {field.name: np.zeros(field.shape) for field in counter_fields(series)})
    counters.add(PREDICTIONS.name, 90.0)
    counters.add(FAILED.name, 10.0, *FAILED.children[0])
    counters.add(REJECTED.name, 2.0, *REJECTED.children[1])
    counters.add(REJECTED.name, 1.0, *REJECTED.children[0])
    counters.add(DROPPED.name, 4.0, *DROPPED.children[0])
    counters.observe(LATENCY.name, [0.02] * 99 + [2.0], "small")
    traffic = traffic_of(counters.copy(), 0.25)
    assert (traffic.predictions, traffic.failures, traffic.rejected, traffic.dropped) == (90.0, 10.0, 3.0, 4.0)
    assert traffic.rejected_most == REJECTED.children[1][0]
    assert 0.01 < traffic.latency_p50 < 0.025
    assert traffic.latency_p99 == 0.025
