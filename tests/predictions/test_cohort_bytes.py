"""Cohorts as bytes."""

from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.performance.cohort import Cohort, count_segments
from driftgauge.drift.performance.counts import CountLayout, LabelledRows
from driftgauge.drift.performance.metrics import count
from driftgauge.drift.performance.outcomes import OutcomeSums
from driftgauge.predictions.cohort_bytes import cohort_bytes, cohort_of

LAYOUT = CountLayout.of("binary")


def cohort() -> Cohort:
    rng = np.random.default_rng(0)
    rows = LabelledRows(rng.random(300), rng.integers(0, 2, 300).astype(np.float64))
    segments = count_segments(LAYOUT, rows, "carrier", ("UA", "DL"), rng.integers(0, 2, 300))
    outcomes = {("click", "", ""): OutcomeSums(3, 1.1, 1.21, 400), ("click", "carrier", "UA"): OutcomeSums(1, 1.1)}
    return Cohort(3_600.0, 7_200.0, 400, 12.5, count(LAYOUT, rows), np.array([100.0, 200.0]), segments, outcomes)


def test_a_cohort_reads_back_as_it_was_written() -> None:
    before = cohort()
    after = cohort_of(cohort_bytes(before), LAYOUT, 2)
    assert (after.start, after.end, after.predicted, after.lag_seconds) == (3_600.0, 7_200.0, 400, 12.5)
    np.testing.assert_array_equal(after.counts.flat(), before.counts.flat())
    np.testing.assert_array_equal(after.labels, before.labels)
    assert after.outcomes == before.outcomes
    assert list(after.segments) == list(before.segments)
    for segment, counts in before.segments.items():
        np.testing.assert_array_equal(after.segments[segment].flat(), counts.flat())


def test_a_cohort_of_another_layout_or_damaged_is_refused() -> None:
    content = cohort_bytes(cohort())
    with pytest.raises(ValueError, match="in another way"):
        cohort_of(content, CountLayout.of("binary", quantiles=[0.1, 0.2]), 2)
    with pytest.raises(ValueError, match="in another way"):
        cohort_of(content, LAYOUT, 3)
    with pytest.raises(ValueError, match="damaged"):
        cohort_of(content[:-20], LAYOUT, 2)
