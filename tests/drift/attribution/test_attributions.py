from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.attribution.attributions import FEWEST_ROWS, SIGNIFICANCE, attributions_of, compare, ndcg
from driftgauge.drift.bins import FloatArray
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

NAMES = ("a", "b", "c")


def magnitudes(rows: int, seed: int, *scales: float) -> FloatArray:
    return np.abs(np.random.default_rng(seed).normal(size=(rows, len(scales)))) * scales


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=12))
def test_the_ndcg_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    relevance, ranking = (np.array(own, dtype=np.float64) for own in zip(*pairs, strict=True))
    expected = float(ndcg_score([relevance], [ranking])) if relevance.any() else 1.0
    assert ndcg(relevance, ranking) == pytest.approx(expected)


def test_the_ndcg_of_amazons_example_is_far_below_the_threshold() -> None:
    # SAT score, grade point average and class rank, whose order is reversed.
    found = ndcg(np.array([0.70, 0.50, 0.05]), np.array([0.10, 0.20, 0.70]))
    assert found == pytest.approx((0.05 + 0.50 / np.log2(3) + 0.35) / (0.70 + 0.50 / np.log2(3) + 0.025))
    assert found == pytest.approx(0.688, abs=0.001)


def test_attributions_are_means_and_spreads_of_magnitudes() -> None:
    found = attributions_of("linear", NAMES, np.array([[1.0, 0.0, 1.0], [3.0, 0.0, 1.0]]))
    assert (found.rows, found.means, found.spreads) == (2, (2.0, 0.0, 1.0), (1.0, 0.0, 0.0))
    assert found.shares.tolist() == pytest.approx([2 / 3, 0.0, 1 / 3])


def test_the_standard_error_of_a_share_is_that_of_repeated_samples() -> None:
    shares = [attributions_of("linear", NAMES, magnitudes(400, seed, 4.0, 2.0, 1.0)).shares for seed in range(400)]
    one = attributions_of("linear", NAMES, magnitudes(400, 1_000, 4.0, 2.0, 1.0))
    assert np.array(one.share_spreads) / 400**0.5 == pytest.approx(np.std(shares, axis=0), rel=0.15)


def test_a_feature_whose_share_grows_is_named_and_a_quiet_stream_is_not() -> None:
    reference = attributions_of("linear", NAMES, magnitudes(2_000, 0, 4.0, 2.0, 1.0))
    grown = compare(reference, attributions_of("linear", NAMES, magnitudes(500, 1, 4.0, 2.0, 8.0)))
    assert [shift.is_significant for shift in grown.shifts] == [True, True, True]
    assert grown.shifts[2].shift == pytest.approx(8 / 14 - 1 / 7, abs=0.03)
    assert grown.ndcg is not None
    assert grown.ndcg < 0.9
    quiet = [
        compare(
            attributions_of("linear", NAMES, magnitudes(2_000, 2 * seed, 4.0, 2.0, 1.0)),
            attributions_of("linear", NAMES, magnitudes(500, 2 * seed + 1, 4.0, 2.0, 1.0)),
        )
        for seed in range(300)
    ]
    wrong = np.mean([any(shift.is_significant for shift in report.shifts) for report in quiet])
    assert wrong <= 3.0 * SIGNIFICANCE
    assert min(report.ndcg or 0.0 for report in quiet) > 0.99


def test_dependent_rows_are_worth_less() -> None:
    reference = attributions_of("linear", NAMES, magnitudes(2_000, 0, 4.0, 2.0, 1.0))
    live = attributions_of("linear", NAMES, magnitudes(500, 1, 4.0, 2.0, 1.3))
    alone = compare(reference, live).shifts[2]
    dependent = compare(reference, live, np.array([1.0, 1.0, 50.0])).shifts[2]
    assert alone.is_significant
    assert not dependent.is_significant
    assert dependent.error > 5.0 * alone.error


def test_too_few_rows_are_not_compared() -> None:
    reference = attributions_of("linear", NAMES, magnitudes(2_000, 0, 4.0, 2.0, 1.0))
    report = compare(reference, attributions_of("linear", NAMES, magnitudes(FEWEST_ROWS - 1, 1, 4.0, 2.0, 1.0)))
    assert (report.ndcg, report.shifts, report.rows) == (None, (), FEWEST_ROWS - 1)


def test_a_model_that_depends_on_nothing_ranks_nothing() -> None:
    nothing = attributions_of("linear", NAMES, np.zeros((200, 3)))
    report = compare(nothing, nothing)
    assert report.ndcg == 1.0
    assert not any(shift.is_significant for shift in report.shifts)
