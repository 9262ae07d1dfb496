from __future__ import annotations

import numpy as np
from driftgauge.drift.profile.build import ProfileBuilder, profile_of

from tests.drift.profile.test_profile import BASELINE, rows_of


def test_parts_of_a_partition_give_the_profile_of_all_its_rows() -> None:
    rows, at = rows_of(1_000), np.linspace(0.0, 1e5, 1_000)
    builder = ProfileBuilder(BASELINE, "a")
    for part in np.array_split(np.random.default_rng(0).permutation(1_000), 7):
        builder.add(rows[part], at[part])
    assert builder.profile() == profile_of(BASELINE, rows, at, partition="a")


def test_a_profile_does_not_change_when_rows_are_added_later() -> None:
    builder = ProfileBuilder(BASELINE, "a")
    builder.add(rows_of(10))
    before = builder.profile()
    builder.add(rows_of(10, seed=1))
    assert before == profile_of(BASELINE, rows_of(10), partition="a")


def test_the_hash_is_that_of_the_whole_baseline() -> None:
    fewer = profile_of(BASELINE, rows_of(10)[:, :1], partition="a", columns=["age"])
    assert fewer.baseline_hash == BASELINE.hash


def test_the_ends_are_those_of_the_finite_numbers() -> None:
    rows = np.array([[3.0, 1.0], [np.inf, 2.0], [-2.5, np.nan], [np.nan, 0.0]])
    found = profile_of(BASELINE, rows, partition="a")
    assert (found.lowest.tolist(), found.highest.tolist()) == ([-2.5, np.inf], [3.0, -np.inf])
