from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.drift.statistics.divergences import cramers_v, kl_divergence
from driftgauge.drift.statistics.psi import psi
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from scipy.stats.contingency import association

from tests.effort import examples

unhurried = settings(deadline=None, max_examples=examples(60))
counts_of_a_column = st.lists(st.integers(0, 5_000), min_size=6, max_size=6)
pairs = st.lists(st.tuples(counts_of_a_column, counts_of_a_column), min_size=1, max_size=4)


@unhurried
@given(pairs)
def test_the_kl_divergence_is_scipys_entropy_of_smoothed_shares(columns: list[tuple[list[int], list[int]]]) -> None:
    current, reference = (np.array(side, dtype=np.float64) for side in zip(*columns, strict=True))
    found = kl_divergence(current, reference)
    for place, (c, r) in enumerate(columns):
        used = [(a + 0.5, b + 0.5) for a, b in zip(c, r, strict=True) if a or b]
        if sum(c) == 0 or sum(r) == 0:
            assert math.isnan(found[place])
        else:
            expected = float(entropy([a for a, _ in used], [b for _, b in used]))
            assert found[place] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@unhurried
@given(pairs)
def test_psi_is_the_sum_of_the_kl_divergences_of_both_directions(columns: list[tuple[list[int], list[int]]]) -> None:
    current, reference = (np.array(side, dtype=np.float64) for side in zip(*columns, strict=True))
    both = kl_divergence(current, reference) + kl_divergence(reference, current)
    assert both == pytest.approx(psi(current, reference).psi, rel=1e-9, abs=1e-11, nan_ok=True)


@unhurried
@given(st.lists(st.integers(0, 300), min_size=5, max_size=5), st.lists(st.integers(0, 300), min_size=5, max_size=5))
def test_cramers_v_is_scipys_of_a_table_whose_sides_weigh_the_same(c: list[int], r: list[int]) -> None:
    found = cramers_v(np.array([c], dtype=np.float64), np.array([r], dtype=np.float64))[0]
    if sum(c) == 0 or sum(r) == 0:
        assert math.isnan(found)
        return
    used = [(a * sum(r), b * sum(c)) for a, b in zip(c, r, strict=True) if a or b]
    expected = 0.0 if len(used) < 2 else float(association(np.array(used), method="cramer"))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_both_go_from_the_same_to_nothing_in_common() -> None:
    counts = np.array([[30.0, 70.0, 0.0, 0.0], [1.0, 0.0, 9.0, 0.0]])
    reference = np.array([[300.0, 700.0, 0.0, 0.0], [0.0, 50.0, 0.0, 50.0]])
    assert cramers_v(counts, reference) == pytest.approx([0.0, 1.0], abs=1e-9)
    assert kl_divergence(counts, reference)[0] < 1e-4
    assert kl_divergence(counts, reference)[1] > 1.0


def test_several_windows_at_once_are_compared_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    windows = rng.integers(0, 50, (5, 3, 7)).astype(np.float64)
    reference = rng.integers(1, 500, (3, 7)).astype(np.float64)
    for statistic in (kl_divergence, cramers_v):
        together = statistic(windows, reference)
        for place, window in enumerate(windows):
            assert together[place] == pytest.approx(statistic(window, reference))


def test_the_size_of_the_reference_does_not_change_cramers_v() -> None:
    current, reference = np.array([[30.0, 70.0]]), np.array([[50.0, 50.0]])
    assert cramers_v(current, reference) == pytest.approx(cramers_v(current, 1_000.0 * reference))
