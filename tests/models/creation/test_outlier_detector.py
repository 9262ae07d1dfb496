"""A detector is fitted on some rows of the reference, and its own rows are scored by ones that did not see them."""

from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.novelty.novelty import Detector
from driftgauge.models.creation.outlier_detector import FOLDS, MOST_FIT_ROWS, detect
from driftgauge.models.outlier_file import FittedDetector

FITTED: tuple[Detector, ...] = ("isolation_forest", "one_class_svm")


@pytest.mark.parametrize("name", FITTED)
def test_each_row_is_scored_as_a_new_one_is(name: Detector) -> None:
    rows = np.random.default_rng(0).normal(size=(1_000, 2))
    rows[:FOLDS] = np.linspace(8.0, 12.0, FOLDS)[:, np.newaxis]
    found = detect(name, rows)
    assert (found.name, found.scores.shape) == (name, (1_000,))
    assert np.isfinite(found.scores).all()
    assert found.scores[:FOLDS].min() > np.quantile(found.scores[FOLDS:], 0.95)


def test_a_row_alone_is_scored_too() -> None:
    assert np.isfinite(detect("isolation_forest", np.zeros((1, 2))).scores).all()


def test_it_is_fitted_on_a_limited_number_of_rows() -> None:
    rows = np.random.default_rng(0).normal(size=(MOST_FIT_ROWS + 1_500, 1))
    fitted = detect("one_class_svm", rows).fitted
    assert isinstance(fitted, FittedDetector)
    assert fitted.model.shape_fit_ == (MOST_FIT_ROWS, 1)


@pytest.mark.parametrize("name", FITTED)
def test_the_same_rows_give_the_same_detector(name: Detector) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 2))
    assert detect(name, rows).scores.tolist() == detect(name, rows).scores.tolist()
