from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from driftgauge.checks.window_builder import EvidenceAccumulator, WindowBuilder
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.windows.blocks import hours_of
from scipy import stats

from tests.monitors import START, timed_baseline


@pytest.mark.parametrize("size", [1, 999, 1_000, 1_001, 7_000, 20_000])
def test_of_many_rows_a_uniform_sample_is_held(size: int) -> None:
    rows = np.arange(20_000.0)[:, None]
    baseline = build_baseline({"row": rows[:, 0]}, created="")
    builder = WindowBuilder(0, "w", baseline, 1_000)
    for first in range(0, 20_000, size):
        part = rows[first : first + size]
        builder.add(part, baseline.binner.codes(part), START + part[:, 0], Path("t.csv"))
    window = builder.window()
    assert window.sample is not None
    held = window.sample.values[:, 0]
    assert (window.rows, builder.held) == (20_000, 1_000)
    assert window.hours is not None
    assert window.hours.tolist() == np.bincount(hours_of(START + rows[:, 0]), minlength=24).tolist()
    # By hand: each row draws a key, the smallest keys stay.
    assert held.tolist() == np.argsort(np.random.default_rng(0).random(20_000))[:1_000].tolist()
    assert stats.kstest(held / 20_000, "uniform").pvalue > 0.01
    assert np.array_equal(window.sample.codes, baseline.binner.codes(window.sample.values))
    assert np.array_equal(window.sample.at, START + held)
    again = builder.window().sample
    assert again is not None
    assert np.array_equal(again.values, window.sample.values)


@pytest.mark.parametrize("size", [1, 49, 50, 5_000])
def test_rows_are_weighed_the_same_whatever_parts_they_come_in(size: int) -> None:
    baseline = timed_baseline()
    generator = np.random.default_rng(4)
    values = np.column_stack([generator.normal(0.5, 1.15, (3_000, 2)), generator.integers(0, 3, 3_000)])
    codes, at = baseline.binner.codes(values), START + 7.0 * np.arange(3_000.0)
    detector = baseline.detector()
    parts, whole = EvidenceAccumulator(baseline.binner, detector), EvidenceAccumulator(baseline.binner, detector)
    for first in range(0, 3_000, size):
        parts.add(codes[first : first + size], at[first : first + size])
    whole.add(codes, at)
    builder = WindowBuilder(0, "w", baseline, 10)
    builder.add(values, codes, at, Path("t.csv"))
    found, expected = (evidence.close_window(builder.window(), float(at[-1])) for evidence in (parts, whole))
    np.testing.assert_array_equal(found.wealth, expected.wealth)
    assert (found.values > 1.0).all()
