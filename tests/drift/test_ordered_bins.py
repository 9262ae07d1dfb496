from __future__ import annotations

from statistics import NormalDist

import numpy as np
from driftgauge.drift.bins import Bins, fit_categorical, fit_numeric
from driftgauge.drift.ordered_bins import NormalScores, OrderedBins

INTERVALS = fit_numeric(np.arange(40.0))
VALUES = fit_numeric(np.array([1.0, 2.0, 5.0]))
LETTERS = fit_categorical([500, 400], ["a", "b"], 900)
EMPTY = fit_numeric(np.full(5, np.nan))
WIDTH = 13


def _padded(*counts: float) -> list[float]:
    return [*counts, *[0.0] * (WIDTH - len(counts))]


def _named(bins: Bins, row: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> dict[str, float]:
    return dict(zip(bins.names, row.tolist(), strict=False))


def test_below_and_above_are_folded_into_the_outermost_bins() -> None:
    columns = [VALUES, LETTERS, EMPTY]
    counts = np.array([_padded(1, 10, 20, 30, 2, 3, 4), _padded(5, 6, 7, 8, 9), _padded(1, 2, 3)])
    folded = OrderedBins(columns).folded(counts)
    expected = {"below": 0.0, "1": 11.0, "2": 20.0, "5": 32.0, "above": 0.0, "unseen": 3.0, "missing": 4.0}
    assert _named(VALUES, folded[0]) == expected
    np.testing.assert_array_equal(folded[1:], counts[1:])
    np.testing.assert_array_equal(counts[0, :2], [1.0, 10.0])  # a copy


def test_a_bins_score_is_the_normal_quantile_at_the_middle_of_its_share() -> None:
    scores = NormalScores([VALUES], WIDTH)(np.array([_padded(0, 10, 20, 70, 0, 0, 50)]))
    low, middle, high = (NormalDist().inv_cdf(at) for at in (0.05, 0.2, 0.65))
    found = _named(VALUES, scores[0])
    np.testing.assert_allclose([found[name] for name in ("1", "2", "5")], [low, middle, high], rtol=1e-12)
    assert (found["below"], found["above"]) == (found["1"], found["5"])
    assert np.isnan([found["unseen"], found["missing"]]).all()


def test_bins_without_an_order_have_no_score() -> None:
    scores = NormalScores([LETTERS, EMPTY], WIDTH)
    assert not scores.ordered.any()
    assert np.isnan(scores(np.ones((2, WIDTH)))).all()


def test_the_place_of_a_column_among_others_changes_nothing() -> None:
    counts = np.random.default_rng(0).integers(0, 1_000, (3, WIDTH)).astype(np.float64)
    columns = [INTERVALS, LETTERS, VALUES]
    together = NormalScores(columns, WIDTH)(counts)
    for row, bins in enumerate(columns):
        np.testing.assert_array_equal(NormalScores([bins], WIDTH)(counts[row : row + 1])[0], together[row])
