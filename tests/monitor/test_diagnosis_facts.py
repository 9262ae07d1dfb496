from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.monitor.diagnosis_facts import BINARY, ModelFacts
from driftgauge.monitor.newest_rows import newest_rows

from tests.monitors import CREATED, START, small_monitor, some_rows


def test_the_newest_rows_fill_the_main_window_and_none_is_too_old() -> None:
    monitor = small_monitor()
    size, age = monitor.options.policy.windows[-1], monitor.options.policy.max_age_seconds
    assert len(newest_rows(monitor, START)) == 0
    monitor.observe(some_rows(size + 10), arrival=START)
    monitor.catch_up(START)
    assert len(newest_rows(monitor, START)) == size
    monitor.observe(some_rows(5), arrival=START + age)
    monitor.catch_up(START + age)
    assert len(newest_rows(monitor, START + age)) == size
    assert len(newest_rows(monitor, START + age + 1.0)) == 5


def test_the_positive_rate_is_that_of_the_targets_reference() -> None:
    labels = build_baseline({"label": Categories(np.repeat([0, 1], [300, 100]), ("no", "yes"))}, created=CREATED)
    known = ModelFacts(task=BINARY, labels=labels, positive_class="yes")
    assert known.positive_rate == pytest.approx(0.25, abs=0.01)
    assert ModelFacts(task=BINARY, labels=labels).positive_rate is None
    assert ModelFacts(task="multiclass", labels=labels, positive_class="yes").positive_rate is None
    assert ModelFacts(task=BINARY, positive_class="yes").positive_rate is None
