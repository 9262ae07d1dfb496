from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.novelty.novelty import OUTLIER, OUTLIER_BINS
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.comparison import WindowReport, compare
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.two_minutes import MEAN_RATIO, OUTLIER_RATIO, TwoMinutes, two_minutes
from driftgauge.drift.windows.window import Rows, Window, sliding_windows

ASKED = Policy(two_minutes=True, windows=(1_000,))


def baseline_of(**means: float) -> Baseline:
    """Return the baseline of columns with these means."""
    spread = np.linspace(-1.0, 1.0, 1_001)
    return build_baseline({name: mean + spread for name, mean in means.items()}, created="2026-01-01T00:00:00Z")


def windows_of(baseline: Baseline, values: FloatArray) -> list[WindowReport]:
    """Return the rows in a sliding window that is called 2m."""
    rows = Rows(values=values, codes=baseline.binner.codes(values), at=np.arange(len(values), dtype=np.float64))
    (window,) = sliding_windows(rows, (1_000,), -1.0, baseline.binner)
    named: Window = replace(window, name="2m")
    return compare(baseline, [named], ASKED)


def found_of(baseline: Baseline, *values: tuple[float, ...]) -> TwoMinutes:
    found = two_minutes(baseline, windows_of(baseline, np.array(values, dtype=np.float64)), ASKED)
    assert found is not None
    return found


def test_a_mean_is_off_from_beyond_the_limit_on_either_side() -> None:
    baseline = baseline_of(a=100.0, b=100.0, c=-100.0)
    assert found_of(baseline, (105.0, 95.0, -105.0)).features == {}
    off = found_of(baseline, (105.1, 94.8, -105.3))
    assert off.features == pytest.approx({"c": 0.053, "b": 0.052, "a": 0.051})
    assert list(off.features) == ["c", "b", "a"]
    assert off.alarms
    assert off.reason == "means more than 5 % off those of the training: c (5.3 %), b (5.2 %), a (5.1 %)"


def test_a_mean_of_zero_in_the_training_has_no_distance() -> None:
    baseline = build_baseline({"a": np.tile([-1.0, 1.0], 500)}, created="2026-01-01T00:00:00Z")
    found = found_of(baseline, (50.0,))
    assert math.isnan(found.mean_ratios[0])
    assert math.isnan(found.outlier_ratio)
    assert not found.alarms


def test_a_mean_that_is_zero_but_for_rounding_has_no_distance() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 5_000)
    standardised = (values - values.mean()) / values.std()
    baseline = build_baseline({"a": standardised}, created="2026-01-01T00:00:00Z")
    assert baseline.columns[0].mean != 0.0
    assert not found_of(baseline, (0.01,)).alarms


def test_many_features_are_not_all_named() -> None:
    names = "abcdef"
    found = found_of(baseline_of(**dict.fromkeys(names, 10.0)), tuple(20.0 + place for place in range(6)))
    assert found.reason.endswith("f (150 %), e (140 %), d (130 %), c (120 %) and 2 more")


def test_nothing_is_said_unless_it_is_asked_for_or_without_the_window() -> None:
    baseline = baseline_of(a=1.0)
    windows = windows_of(baseline, np.ones((3, 1)))
    assert two_minutes(baseline, windows, Policy()) is None
    assert two_minutes(baseline, [], ASKED) is None


def test_the_share_of_outliers_is_that_of_the_rows_with_a_score() -> None:
    flags = np.array([0.0] * 99 + [1.0])
    baseline = build_baseline({OUTLIER: flags}, created="", fixed_bins={OUTLIER: OUTLIER_BINS})
    found = found_of(baseline, *[(0.0,)] * 3, (1.0,), *[(math.nan,)] * 6)
    assert (found.rows, found.outlier_ratio, found.has_outliers) == (10, 0.25, True)
    assert math.isnan(found_of(baseline, (math.nan,)).outlier_ratio)


def test_the_limit_of_outliers_is_exceeded_and_not_reached() -> None:
    at, above = (TwoMinutes(10, ratio, np.empty(0), {}) for ratio in (OUTLIER_RATIO, 0.21))
    assert (at.alarms, above.alarms) == (False, True)
    assert above.reason == "21 % of 10 rows are outliers (limit 20 %)"
    assert at.reason == "both limits hold for the 10 rows of the last two minutes"
    assert TwoMinutes(0, math.nan, np.empty(0), {}).reason == "no rows in the last two minutes"
    assert MEAN_RATIO == 0.05
