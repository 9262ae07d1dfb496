"""Cells of a monitor become rows of numbers, which a fitted detector takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.drift.novelty.detector_rows import DetectorRows
from driftgauge.drift.novelty.scorer import surprises
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories

ROWS = 1_000


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    rng = np.random.default_rng(0)
    cities = Categories(np.where(np.arange(ROWS) % 10 == 0, 1, 0), ("Oslo", "Rome"))
    return build_baseline(
        {
            "age": rng.normal(40.0, 5.0, ROWS),
            "prediction": rng.random(ROWS),
            "city": cities,
            "pay": np.arange(1.0 * ROWS),
        },
        created="",
    )


def test_numbers_are_standardised_and_a_missing_one_is_the_mean(baseline: Baseline) -> None:
    rows = DetectorRows(baseline.columns, ("age", "pay"))
    age, pay = baseline.columns[0], baseline.columns[3]
    found = rows.of(np.array([[age.mean + age.std, 0.5, 1.0, math.nan], [math.nan, 0.5, 1.0, pay.mean - pay.std]]))
    assert found == pytest.approx(np.array([[1.0, 0.0], [0.0, -1.0]]), abs=1e-9)


def test_a_number_far_outside_the_reference_is_clipped(baseline: Baseline) -> None:
    found = DetectorRows(baseline.columns, ("age",)).of(np.array([[9e300], [-math.inf]]))
    assert np.isfinite(found).all()
    assert found[0, 0] > 10.0
    assert found[1, 0] < -10.0


def test_a_category_is_its_surprise_and_a_gap_that_of_a_missing_value(baseline: Baseline) -> None:
    city = baseline.columns[2]
    known = city.bins.encode(["Oslo", "Rome", "Paris", None])
    found = DetectorRows(baseline.columns, ("city",)).of(
        np.array([[0.0, 0.0, code, 0.0] for code in [*known, math.nan]])
    )
    expected = surprises(city)
    assert found[:3, 0].tolist() == [expected[int(code)] for code in known[:3]]
    assert found[0, 0] == 0.0
    assert 0.0 < found[1, 0] < found[2, 0]
    assert found[3, 0] == found[4, 0]


def test_columns_stand_in_the_order_of_the_baseline_without_those_that_are_not_scored(baseline: Baseline) -> None:
    pay = baseline.columns[3]
    cells = np.array([[math.nan, 0.5, 0.0, pay.mean + pay.std]])
    found = DetectorRows(baseline.columns, ("pay", "city", "age")).of(cells)
    assert found.shape == (1, 3)
    assert (found[0, 0], found[0, 2]) == (0.0, pytest.approx(1.0))
