from __future__ import annotations

from dataclasses import replace

import pytest
from driftgauge.edges.http.worse_release import worse_release
from driftgauge.releases.figures import Figures

BEFORE = Figures(5_000, 0.001, 0.010, 0.0)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (BEFORE, None),
        (replace(BEFORE, p50_seconds=0.0019, p99_seconds=0.019), None),
        (replace(BEFORE, p50_seconds=0.002), "p50 latency +100%"),
        (replace(BEFORE, p99_seconds=0.025), "p99 latency +150%"),
        (replace(BEFORE, p50_seconds=0.003, p99_seconds=0.020), "p50 latency +200%, p99 latency +100%"),
        (replace(BEFORE, error_ratio=0.05), "error ratio +5000%"),
        (replace(BEFORE, requests=999, p99_seconds=1.0), None),
        (replace(BEFORE, requests=49, p50_seconds=1.0, error_ratio=0.5), None),
        (replace(BEFORE, requests=100, error_ratio=0.2), "error ratio +20000%"),
    ],
)
def test_what_has_doubled_is_worse(now: Figures, said: str | None) -> None:
    assert worse_release(now, BEFORE, 1.0) == said


def test_one_failed_request_among_those_of_a_release_that_failed_as_often_is_not_worse() -> None:
    before = replace(BEFORE, requests=100, error_ratio=0.005)
    assert worse_release(replace(before, error_ratio=0.02), before, 1.0) is None
    assert worse_release(replace(before, requests=5_000, error_ratio=0.02), before, 1.0) == "error ratio +250%"


def test_a_release_in_which_nothing_succeeds_is_worse_once_enough_rows_failed() -> None:
    now = Figures(0, None, None, 1.0)
    assert worse_release(now, BEFORE, 1.0, failed_rows=99) is None
    assert worse_release(now, BEFORE, 1.0, failed_rows=100) == "error ratio +100000%"
    assert worse_release(now, replace(BEFORE, requests=99), 1.0) is None


def test_without_a_release_before_nothing_is_worse() -> None:
    assert worse_release(replace(BEFORE, error_ratio=1.0), None, 1.0) is None
    unknown = Figures(5_000, None, None, None)
    assert worse_release(unknown, BEFORE, 1.0) is None
