from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.drift.statistics.roc import area, delong, rows_by_score
from sklearn.metrics import roc_auc_score


@pytest.mark.parametrize("decimals", [1, 12])
def test_the_area_is_that_of_scikit_learn(decimals: int) -> None:
    random = np.random.default_rng(4)
    scores = random.normal(size=2_000).round(decimals)
    positive = random.random(2_000) < 1.0 / (1.0 + np.exp(-scores))
    counted = rows_by_score(scores, positive)
    assert area(*counted) == pytest.approx(roc_auc_score(positive, scores), rel=1e-12)
    assert delong(*counted)[0] == area(*counted)


def test_the_variance_is_that_of_repeated_samples() -> None:
    random = np.random.default_rng(5)
    positive = np.arange(400) < 150
    samples = [delong(*rows_by_score(random.normal(positive * 0.8), positive)) for _ in range(600)]
    areas, variances = np.array(samples).T
    assert variances.mean() == pytest.approx(areas.var(), rel=0.2)


def test_expected_rows_count_by_their_weight() -> None:
    assert area(np.array([0.5, 1.5]), np.array([2.0, 1.0])) == pytest.approx((0.5 * 1.0 + 1.5 * 2.5) / 6.0)


@pytest.mark.parametrize(("positives", "negatives"), [([0.0, 0.0], [1.0, 2.0]), ([1.0, 2.0], [0.0, 0.0]), ([], [])])
def test_one_class_has_no_area(positives: list[float], negatives: list[float]) -> None:
    assert math.isnan(area(np.array(positives), np.array(negatives)))
