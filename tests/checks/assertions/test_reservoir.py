"""A reservoir holds the rows with the smallest keys, however they come in parts."""

from __future__ import annotations

import numpy as np
from driftgauge.checks.assertions.reservoir import SEED, Reservoir
from driftgauge.drift.bins import FloatArray
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats


def filled(most: int, parts: list[int]) -> Reservoir:
    """Return a reservoir of rows that are numbered from 0, added in parts of these sizes."""
    reservoir, first = Reservoir(most, 2), 0
    for size in parts:
        rows = np.arange(first, first + size, dtype=np.float64)
        reservoir.add(np.stack([rows, -rows], axis=1))
        first += size
    return reservoir


def chosen(most: int, rows: int) -> list[float]:
    """Return the numbers of the rows with the smallest keys, by sorting all."""
    keys = np.random.default_rng(SEED).random(rows)
    return sorted(np.argsort(keys)[:most].astype(np.float64).tolist())


@given(st.integers(1, 20), st.lists(st.integers(0, 30), max_size=8))
def test_it_holds_the_rows_that_a_sort_of_all_keys_gives(most: int, parts: list[int]) -> None:
    reservoir = filled(most, parts)
    held: FloatArray = reservoir.values()
    assert held.shape == (min(most, sum(parts)), 2)
    assert sorted(held[:, 0].tolist()) == chosen(most, sum(parts))
    np.testing.assert_array_equal(held[:, 0], -held[:, 1])  # rows stay whole
    assert (reservoir.rows, reservoir.is_sample) == (sum(parts), sum(parts) > most)


def test_every_part_of_the_rows_has_its_share() -> None:
    held = filled(1_000, [997] * 20).values()[:, 0]
    assert stats.kstest(held, stats.uniform(0, 997 * 20).cdf).pvalue > 0.001


def test_rows_that_come_after_a_look_are_sampled_as_if_there_had_been_none() -> None:
    looked, other = filled(10, [50]), filled(10, [50])
    looked.values()
    for own in (looked, other):
        own.add(np.full((40, 2), 7.0))
    assert sorted(looked.values().tolist()) == sorted(other.values().tolist())
