"""A baseline scores rows by its distance or by its fitted detector, and says which are outliers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.novelty.attach import Detected, with_novelty
from driftgauge.drift.novelty.outlier_scorer import NoveltyScorer
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline

TABLE = {"a": np.random.default_rng(0).normal(size=2_000), "b": np.random.default_rng(1).normal(size=2_000)}


def scorer_of(baseline: Baseline) -> NoveltyScorer:
    assert baseline.novelty is not None
    return NoveltyScorer(baseline.novelty, baseline.columns)


def by_first(rows: FloatArray) -> FloatArray:
    """A detector that knows the first column alone."""
    return rows[:, 0]


def test_the_distance_is_quick_and_has_a_score_for_every_row() -> None:
    scorer = scorer_of(with_novelty(build_baseline(TABLE, created=""), TABLE))
    assert scorer.is_quick
    scores = scorer.scores(np.array([[0.0, 0.0], [9.0, 9.0], [math.nan, 0.0]]))
    assert np.isfinite(scores).all()
    assert scorer.flags(scores).tolist() == [0.0, 1.0, 1.0]  # no row of the reference lacks a number


def test_a_detector_is_not_quick_and_its_rows_without_a_score_are_no_outliers_and_no_others() -> None:
    detected = Detected("isolation_forest", by_first, by_first(np.column_stack(list(TABLE.values()))))
    scorer = scorer_of(with_novelty(build_baseline(TABLE, created=""), TABLE, detect=lambda _: detected))
    assert not scorer.is_quick
    assert scorer.scores(np.array([[3.0, 0.0]])) == pytest.approx([3.0], abs=0.2)
    found = scorer.flags(np.array([scorer.threshold, scorer.threshold + 1e-9, math.nan]))
    assert found[:2].tolist() == [0.0, 1.0]
    assert math.isnan(found[2])


def test_the_threshold_is_that_of_the_baseline() -> None:
    baseline = with_novelty(build_baseline(TABLE, created=""), TABLE)
    assert baseline.novelty is not None
    lower = replace(baseline, novelty=replace(baseline.novelty, threshold=-1.0))
    assert scorer_of(lower).flags(np.zeros(2)).tolist() == [1.0, 1.0]
