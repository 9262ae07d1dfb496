"""The distances of SageMaker, against scipy and recounts."""

from __future__ import annotations

import numpy as np
import pytest
from driftgauge.checks.sagemaker.distances import chi_squared_p_value, number_distance, text_distance
from driftgauge.checks.sagemaker.points import Points
from driftgauge.drift.bins import IntArray
from driftgauge.models.creation.baseline import create_baseline
from scipy.stats import chi2_contingency, ks_2samp


@pytest.mark.parametrize("shift", [0.0, 0.3, 2.0])
def test_the_distance_of_numbers_is_the_statistic_of_kolmogorov_and_smirnov(shift: float) -> None:
    random = np.random.default_rng(1)
    reference, values = random.normal(size=500), np.sort(random.normal(shift, size=700))
    column = create_baseline({"x": reference}).columns[0]
    points = Points(values, np.ones(700))
    expected = ks_2samp(values, reference).statistic
    assert number_distance(points, column, "Simple") == pytest.approx(expected, abs=1e-12)
    robust = max(0.0, expected - 1.8 * np.sqrt((500 + 700) / (500 * 700)))
    assert number_distance(points, column, "Robust") == pytest.approx(robust, abs=1e-12)


def test_weights_count_as_rows() -> None:
    column = create_baseline({"x": np.arange(10.0)}).columns[0]
    points = Points(np.array([0.0, 9.0]), np.array([3.0, 1.0]))
    assert number_distance(points, column, "Simple") == pytest.approx(0.65)


def counts_of(names: list[str | None], values: list[str | None]) -> IntArray:
    column = create_baseline({"plan": names}).columns[0]
    cells = np.nan_to_num(column.bins.encode(values), nan=len(column.bins.names) - 1).astype(int)
    return np.bincount(cells, minlength=len(column.bins.names))


def test_the_distance_of_text_is_the_largest_difference_of_a_share() -> None:
    names: list[str | None] = ["a"] * 60 + ["b"] * 40 + [None] * 50
    counts = counts_of(names, ["a"] * 30 + ["b"] * 60 + ["z"] * 10 + [None] * 5)
    column = create_baseline({"plan": names}).columns[0]
    assert text_distance(counts, column, "Simple") == pytest.approx(0.3, abs=0.01)
    own, reference = counts[:-1], np.array(column.counts)[:-1]
    used = (own + reference) > 0
    expected = chi2_contingency(np.array([own[used], reference[used]]), correction=False).pvalue
    assert chi_squared_p_value(counts, column) == pytest.approx(expected)


def test_one_value_alone_is_no_difference() -> None:
    names: list[str | None] = ["a"] * 60
    column = create_baseline({"plan": names}).columns[0]
    assert chi_squared_p_value(counts_of(names, ["a"] * 10), column) == 1.0
