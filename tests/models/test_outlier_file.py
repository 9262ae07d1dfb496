"""Fitted detectors of outliers: how they score, and their file beside the baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.novelty.attach import watching_outliers
from driftgauge.drift.novelty.novelty import Detector
from driftgauge.drift.reference.baseline import Baseline, dumps
from driftgauge.errors import BaselineError, BundleError
from driftgauge.models import outlier_file
from driftgauge.models.beside import path_beside
from driftgauge.models.bundle import read_baseline
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline

FITTED: tuple[Detector, ...] = ("isolation_forest", "one_class_svm")


def table(rows: int = 1_000) -> dict[str, Any]:
    """Return two numbers that depend on each other, with gaps, and a category."""
    random = np.random.default_rng(1)
    age = random.normal(40.0, 5.0, rows)
    pay = age * 100.0 + random.normal(0.0, 50.0, rows)
    pay[::50] = np.nan
    return {"age": age, "pay": pay, "city": np.where(np.arange(rows) % 10 == 0, "Rome", "Oslo").tolist()}


def built(detector: Detector) -> Baseline:
    """Return a baseline with a detector."""
    return create_baseline(table(), BaselineOptions(outlier_detector=detector, outlier_quantile=0.95))


def written(detector: Detector, folder: Path, name: str = "baseline.json") -> tuple[Baseline, Path]:
    """Return a baseline and where it was written with its detector."""
    baseline, path = built(detector), folder / name
    path.write_text(dumps(baseline))
    path_beside(path, outlier_file.OUTLIERS_FILE).write_bytes(outlier_file.dumps(baseline) or b"")
    return baseline, path


ROWS = np.array([[40.0, 4_000.0, 0.0], [40.0, np.nan, np.nan], [40.0, 400_000.0, 1.0], [9e300, -np.inf, 0.0]])


@pytest.mark.parametrize("detector", FITTED)
def test_a_far_row_is_an_outlier_and_an_ordinary_one_is_none(detector: Detector) -> None:
    scorer = built(detector).novelty_scorer
    assert scorer is not None
    scores = scorer.scores(ROWS)
    assert scorer.flags(scores).tolist()[0] == 0.0
    assert scorer.flags(scores).tolist()[2:] == [1.0, 1.0]
    assert (scores >= 0.0).all()
    assert (scores <= 1.0).all()


@pytest.mark.parametrize("detector", FITTED)
def test_new_rows_like_the_reference_are_outliers_as_often_as_the_quantile_says(detector: Detector) -> None:
    baseline = built(detector)
    assert baseline.novelty is not None
    assert baseline.novelty.ratio == pytest.approx(0.05, abs=0.001)
    scorer = baseline.novelty_scorer
    assert scorer is not None
    new = np.random.default_rng(2).normal(40.0, 5.0, 4_000)
    pay = new * 100.0 + np.random.default_rng(3).normal(0.0, 50.0, 4_000)
    city = (np.arange(4_000) % 10 == 0).astype(np.float64)
    known = baseline.columns[2].bins.encode(("Oslo", "Rome"))
    found = scorer.flags(scorer.scores(np.stack([new, pay, np.where(city > 0, known[1], known[0])], axis=1)))
    assert found.mean() == pytest.approx(0.05, abs=0.03)


@pytest.mark.parametrize("detector", FITTED)
@pytest.mark.parametrize("name", ["baseline.json", "loans.json"])
def test_a_detector_that_was_read_scores_as_the_one_that_was_written(
    detector: Detector, name: str, tmp_path: Path
) -> None:
    baseline, path = written(detector, tmp_path, name)
    again = read_baseline(path)
    assert again == baseline
    assert again.hash == baseline.hash
    before, after = baseline.novelty_scorer, again.novelty_scorer
    assert before is not None
    assert after is not None
    np.testing.assert_allclose(after.scores(ROWS), before.scores(ROWS), rtol=1e-12)
    assert watching_outliers(again).has_outliers


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    _, path = written("isolation_forest", tmp_path)
    path_beside(path, outlier_file.OUTLIERS_FILE).unlink()
    with pytest.raises(BundleError, match="copy both files"):
        read_baseline(path)


def test_the_detector_of_another_baseline_is_refused(tmp_path: Path) -> None:
    _, path = written("isolation_forest", tmp_path)
    path_beside(path, outlier_file.OUTLIERS_FILE).write_bytes(outlier_file.dumps(built("one_class_svm")) or b"")
    with pytest.raises(BundleError, match="is not the isolation_forest"):
        read_baseline(path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    _, path = written("one_class_svm", tmp_path)
    path_beside(path, outlier_file.OUTLIERS_FILE).write_bytes(b"no zip")
    with pytest.raises(BundleError, match="cannot read the model"):
        read_baseline(path)


def test_without_its_detector_a_baseline_cannot_watch_outliers() -> None:
    baseline = built("isolation_forest")
    assert baseline.novelty is not None
    with pytest.raises(BaselineError, match="is in a file beside it"):
        watching_outliers(replace(baseline, novelty=replace(baseline.novelty, fitted=None)))


def test_mahalanobis_has_no_file_and_its_baseline_is_as_before() -> None:
    baseline = create_baseline(table())
    assert outlier_file.dumps(baseline) is None
    assert "detector" not in dumps(baseline)


@pytest.mark.parametrize("rows", [1, 2, 7])
@pytest.mark.parametrize("detector", FITTED)
def test_a_few_rows_are_enough(detector: Detector, rows: int) -> None:
    few = create_baseline({"age": np.arange(rows, dtype=np.float64)}, BaselineOptions(outlier_detector=detector))
    assert few.novelty is not None
    assert few.novelty.ratio == 0.0
