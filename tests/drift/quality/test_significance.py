from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.quality.significance import evidence, share_bound, threshold_log10
from scipy import stats

ONE = np.ones(1)


@pytest.mark.parametrize(("violations", "rows", "share"), [(3, 100, 0.01), (30, 1_000, 0.02), (1, 1, 0.5)])
def test_evidence_is_the_logarithm_of_a_binomial_tail(violations: int, rows: int, share: float) -> None:
    tail = stats.binomtest(violations, rows, share, alternative="greater").pvalue
    found = evidence(np.array([float(violations)]), float(rows), np.array([share]), ONE)
    assert found[0] == pytest.approx(-np.log10(tail))


def test_no_violation_and_an_empty_window_are_no_evidence() -> None:
    assert evidence(np.zeros(1), 100.0, np.array([0.1]), ONE)[0] == 0.0
    assert evidence(np.zeros(1), 0.0, np.array([0.1]), ONE)[0] == 0.0


def test_unknown_violations_are_no_evidence() -> None:
    assert evidence(np.array([np.nan]), 100.0, np.array([0.1]), ONE)[0] == 0.0


def test_dependent_rows_are_less_evidence() -> None:
    few = evidence(np.array([50.0]), 1_000.0, np.array([0.01]), np.array([10.0]))
    assert few[0] == pytest.approx(evidence(np.array([5.0]), 100.0, np.array([0.01]), ONE)[0])


def test_evidence_has_an_upper_limit() -> None:
    assert evidence(np.array([10_000.0]), 10_000.0, np.array([1e-9]), ONE)[0] == 300.0


@pytest.mark.parametrize(("violations", "rows"), [(0, 1_000), (7, 500), (499, 500)])
def test_the_bound_is_that_of_clopper_and_pearson(violations: int, rows: int) -> None:
    found = share_bound(np.array([float(violations)]), np.array([float(rows)]), ONE)[0]
    exact = stats.binomtest(violations, rows).proportion_ci(1.0 - 2e-4, "exact").high
    assert found == pytest.approx(exact)


def test_where_all_rows_of_the_reference_violate_it_nothing_is_too_much() -> None:
    assert share_bound(np.array([10.0]), np.array([10.0]), ONE)[0] == 1.0
    assert share_bound(np.array([10.0]), np.array([10.0]), np.array([20.0]))[0] == 1.0


def test_more_constraints_share_the_budget() -> None:
    assert threshold_log10(1e6, 50) == pytest.approx(8.0)
    assert threshold_log10(1e6, 0) == threshold_log10(1e6, 1)


def test_a_window_of_the_reference_raises_a_false_alarm_less_often_than_the_budget_says() -> None:
    rng, rows, share, budget = np.random.default_rng(5), 400, 0.02, 2_000.0
    hits = (rng.random(400_000) < share).astype(np.float64)
    windows = np.convolve(hits, np.ones(rows))[rows - 1 : len(hits)]
    raised = evidence(windows, float(rows), np.full(len(windows), share), np.ones(len(windows)))
    assert 0.0 < (raised >= threshold_log10(budget, 1)).mean() <= 1.0 / (2.0 * budget)
