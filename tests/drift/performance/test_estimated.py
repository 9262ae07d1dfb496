from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.performance.estimated import (
    FEWEST_HELD_OUT_ROWS,
    FEWEST_ROWS,
    Calibration,
    fit_calibration,
)
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score


def _odds(rows: int, seed: int, mean: float = 0.0) -> tuple[FloatArray, BoolArray]:
    """Return scores that are too sure of themselves, and truths that follow from them in a fixed way."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(mean, 2.0, rows)
    return 1.0 / (1.0 + np.exp(-odds)), rng.random(rows) < 1.0 / (1.0 + np.exp(-0.6 * odds))


def _fitted(rows: int = 20_000, threshold: float = 0.5) -> Calibration:
    scores, truth = _odds(rows, 0)
    found = fit_calibration(scores, truth, scores > threshold, binary=True)
    assert found is not None
    return found


def test_the_shares_are_the_isotonic_regression_of_the_bins() -> None:
    table = _fitted()
    rows = np.array(table.rows)
    oracle = IsotonicRegression().fit_transform(np.arange(len(rows)), np.array(table.hits) / rows, sample_weight=rows)
    assert np.allclose(table.shares, oracle, atol=1e-12)


@pytest.mark.parametrize("mean", [-1.5, 0.0, 1.5])
@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_accuracy_and_auc_are_estimated_although_scores_drift_and_are_too_sure(mean: float, threshold: float) -> None:
    table = _fitted(threshold=threshold)
    scores, truth = _odds(50_000, 1, mean)
    found = table.estimate(scores)
    assert found["accuracy"] == pytest.approx(((scores > threshold) == truth).mean(), abs=0.008)
    assert found["roc_auc"] == pytest.approx(roc_auc_score(truth, scores), abs=0.01)
    unadjusted = np.where(scores > threshold, scores, 1.0 - scores).mean()
    assert abs(unadjusted - ((scores > threshold) == truth).mean()) > 0.02


def test_the_held_out_rows_have_their_own_accuracy() -> None:
    scores, truth = _odds(20_000, 0)
    realised = float(((scores > 0.5) == truth).mean())
    assert _fitted().estimate(scores)["accuracy"] == pytest.approx(realised, abs=0.002)


def test_of_several_classes_the_score_says_how_often_the_class_is_right() -> None:
    rng = np.random.default_rng(2)
    scores = rng.uniform(0.4, 1.0, 20_000)
    table = fit_calibration(scores, rng.random(20_000) < scores**2, np.ones(20_000, np.bool_), binary=False)
    assert table is not None
    live = rng.uniform(0.4, 0.7, 20_000)
    assert table.estimate(live) == {"accuracy": pytest.approx(float((live**2).mean()), abs=0.01)}


def test_bins_end_where_answers_turn_positive() -> None:
    scores = np.linspace(0.0, 0.99, 100)
    for threshold, edge in ((0.5, 0.5), (0.805, 0.805)):
        table = fit_calibration(scores, scores > 0.3, scores > threshold, binary=True)
        assert table is not None
        assert any(abs(own - edge) < 1e-9 for own in table.edges)
        assert all(few in (0, rows) for few, rows in zip(table.answered, table.rows, strict=True))


def test_answers_that_the_score_does_not_decide_count_as_often_as_they_were_held_out() -> None:
    rng = np.random.default_rng(3)
    scores, answered = rng.random(20_000), rng.random(20_000) < 0.25
    truth = rng.random(20_000) < 0.5
    table = fit_calibration(scores, truth, answered, binary=True)
    assert table is not None
    assert table.estimate(scores)["accuracy"] == pytest.approx(0.5, abs=0.02)


def test_few_rows_have_no_estimate() -> None:
    scores, truth = _odds(FEWEST_HELD_OUT_ROWS - 1, 4)
    assert fit_calibration(scores, truth, truth, binary=True) is None
    table = _fitted()
    assert table.estimate(np.full(FEWEST_ROWS - 1, 0.4)) == {}
    assert set(table.estimate(np.full(FEWEST_ROWS, 0.4))) == {"accuracy", "roc_auc"}


def test_rows_without_a_score_are_left_out() -> None:
    table = _fitted()
    scores, _ = _odds(1_000, 5)
    assert table.estimate(np.append(scores, [np.nan, np.inf])) == table.estimate(scores)


def test_no_ranking_where_every_truth_is_expected_to_be_equal() -> None:
    table = Calibration((0.5,), (50, 50), (0, 0), (0, 50), binary=True)
    assert table.estimate(np.linspace(0.0, 1.0, 1_000)) == {"accuracy": pytest.approx(0.5, abs=0.01)}


@pytest.mark.parametrize(
    ("edges", "rows", "hits", "answered"),
    [
        ((0.5,), (1,), (1, 1), (1, 1)),
        ((0.5, 0.4), (1, 1, 1), (1, 1, 1), (1, 1, 1)),
        ((0.5,), (1, 1), (2, 1), (1, 1)),
        ((0.5,), (1, 1), (1, 1), (1, -1)),
        ((0.5,), (0, 0), (0, 0), (0, 0)),
    ],
)
def test_an_impossible_table_is_refused(
    edges: tuple[float, ...], rows: tuple[int, ...], hits: tuple[int, ...], answered: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="calibration table"):
        Calibration(edges, rows, hits, answered, binary=True)
