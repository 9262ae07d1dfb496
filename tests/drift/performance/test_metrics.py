"""Metrics of performance against scikit-learn, and the coverage of their intervals by simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.performance.counts import (
    TASKS,
    CountLayout,
    LabelledRows,
    PerformanceTask,
    score_edges,
    total,
)
from driftgauge.drift.performance.metrics import (
    BY_NAME,
    PERFORMANCE_METRICS,
    class_recalls,
    count,
    measure,
    metrics_of,
    no_rows,
)
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

LAYOUTS = {
    "binary": CountLayout.of("binary"),
    "multiclass": CountLayout.of("multiclass", 4),
    "regression": CountLayout.of("regression", mean=10.0, sd=3.0),
}


def binary_rows(seed: int, rows: int, *, shift: float = 1.5) -> LabelledRows:
    """Return rows of a calibrated model."""
    rng = np.random.default_rng(seed)
    scores = 1.0 / (1.0 + np.exp(-rng.normal(0.0, shift, rows)))
    actual = (rng.random(rows) < scores).astype(np.float64)
    return LabelledRows(scores, actual, (scores > 0.5).astype(np.int64))


def class_rows(seed: int, rows: int, classes: int = 4) -> tuple[LabelledRows, Any]:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), rows)
    actual = np.array([rng.choice(classes, p=own) for own in probabilities], dtype=np.int64)
    predicted = probabilities.argmax(axis=1)
    found = LabelledRows(
        probabilities.max(axis=1), actual.astype(np.float64), predicted, probabilities[np.arange(rows), actual]
    )
    return found, probabilities


def number_rows(seed: int, rows: int) -> LabelledRows:
    rng = np.random.default_rng(seed)
    actual = rng.normal(10.0, 3.0, rows)
    return LabelledRows(actual + rng.normal(0.3, 1.0, rows), actual)


def rows_of(task: PerformanceTask, seed: int, rows: int) -> LabelledRows:
    if task == "binary":
        return binary_rows(seed, rows)
    return class_rows(seed, rows)[0] if task == "multiclass" else number_rows(seed, rows)


@given(st.integers(0, 10_000), st.integers(20, 400))
def test_metrics_of_a_binary_model_are_those_of_scikit_learn(seed: int, count_of: int) -> None:
    rows = binary_rows(seed, count_of)
    found = measure(count(LAYOUTS["binary"], rows))
    actual, predicted = rows.actual, rows.predicted
    assert predicted is not None
    assert found["accuracy"].value == pytest.approx(oracle.accuracy_score(actual, predicted))
    assert found["brier"].value == pytest.approx(oracle.brier_score_loss(actual, rows.scores))
    assert found["log_loss"].value == pytest.approx(oracle.log_loss(actual, rows.scores, labels=[0, 1]))
    for name, function in (("precision", oracle.precision_score), ("recall", oracle.recall_score)):
        expected = function(actual, predicted, zero_division=np.nan)
        assert found[name].value == pytest.approx(expected, nan_ok=True)
    assert found["f1"].value == pytest.approx(oracle.f1_score(actual, predicted, zero_division=np.nan), nan_ok=True)
    if 0 < actual.sum() < len(actual):
        binned = np.searchsorted(LAYOUTS["binary"].edges, rows.scores, side="left")
        assert found["roc_auc"].value == pytest.approx(oracle.roc_auc_score(actual, binned))


def test_bins_cost_little_of_the_area_under_the_curve() -> None:
    reference = binary_rows(1, 20_000)
    layout = CountLayout.of("binary", quantiles=np.sort(reference.scores).tolist())
    rows = binary_rows(2, 5_000)
    exact = oracle.roc_auc_score(rows.actual, rows.scores)
    assert measure(count(layout, rows))["roc_auc"].value == pytest.approx(exact, abs=2e-4)


def test_scores_beyond_those_of_the_reference_are_still_ranked() -> None:
    layout = CountLayout.of("binary", quantiles=np.linspace(0.0, 0.1, 512).tolist())
    rows = binary_rows(2, 5_000)
    exact = oracle.roc_auc_score(rows.actual, rows.scores)
    assert measure(count(layout, rows))["roc_auc"].value == pytest.approx(exact, abs=2e-3)


@given(st.integers(0, 10_000), st.integers(20, 300))
def test_metrics_of_a_model_of_several_classes_are_those_of_scikit_learn(seed: int, count_of: int) -> None:
    rows, probabilities = class_rows(seed, count_of)
    counts = count(LAYOUTS["multiclass"], rows)
    found = measure(counts)
    actual, predicted = rows.actual, rows.predicted
    assert found["accuracy"].value == pytest.approx(oracle.accuracy_score(actual, predicted))
    assert found["macro_f1"].value == pytest.approx(oracle.f1_score(actual, predicted, average="macro"))
    assert found["log_loss"].value == pytest.approx(oracle.log_loss(actual, probabilities, labels=[0, 1, 2, 3]))
    expected = oracle.recall_score(actual, predicted, labels=[0, 1, 2, 3], average=None, zero_division=np.nan)
    assert [own.value for own in class_recalls(counts)] == pytest.approx(list(expected), nan_ok=True)


@given(st.integers(0, 10_000), st.integers(3, 300))
def test_metrics_of_a_regression_are_those_of_scikit_learn(seed: int, count_of: int) -> None:
    rows = number_rows(seed, count_of)
    found = measure(count(LAYOUTS["regression"], rows))
    actual, answered = rows.actual, rows.scores
    assert found["mean_absolute_error"].value == pytest.approx(oracle.mean_absolute_error(actual, answered))
    assert found["root_mean_squared_error"].value == pytest.approx(oracle.root_mean_squared_error(actual, answered))
    assert found["r2"].value == pytest.approx(oracle.r2_score(actual, answered))
    assert found["bias"].value == pytest.approx((answered - actual).mean())


@pytest.mark.parametrize("task", TASKS)
def test_counts_of_parts_add_up_to_those_of_the_whole(task: PerformanceTask) -> None:
    layout = LAYOUTS[task]
    whole = rows_of(task, 3, 200)
    parts = [count(layout, whole.part(slice(begin, begin + 50))) for begin in range(0, 200, 50)]
    together = total(parts, no_rows(layout))
    expected = count(layout, whole)
    assert together.rows == expected.rows == 200
    for name, own in expected.arrays.items():
        np.testing.assert_allclose(together.arrays[name], own)


def test_counts_of_other_bins_do_not_add_up() -> None:
    other = CountLayout.of("binary", quantiles=[0.1, 0.2])
    with pytest.raises(ValueError, match="different layouts"):
        no_rows(LAYOUTS["binary"]) + no_rows(other)


@pytest.mark.parametrize("task", TASKS)
def test_no_metric_is_known_of_no_rows(task: PerformanceTask) -> None:
    found = measure(no_rows(LAYOUTS[task]))
    assert list(found) == [metric.name for metric in metrics_of(task)]
    assert not any(own.is_known for own in found.values())


def test_a_class_that_is_not_among_the_models_is_wrong() -> None:
    rows = LabelledRows(np.array([0.9, 0.9]), np.array([1.0, 2.0]), np.array([-1, 2]))
    assert measure(count(LAYOUTS["multiclass"], rows))["accuracy"].value == 0.5
    rows = LabelledRows(np.array([0.9, 0.9]), np.array([1.0, 1.0]), np.array([-1, 1]))
    assert measure(count(LAYOUTS["binary"], rows))["accuracy"].value == 0.5


def test_the_log_loss_of_several_classes_is_unknown_without_probabilities() -> None:
    rows = LabelledRows(np.array([0.9]), np.array([1.0]), np.array([1]))
    assert not measure(count(LAYOUTS["multiclass"], rows))["log_loss"].is_known


def test_a_perfect_ranking_has_an_interval() -> None:
    actual = np.repeat([0.0, 1.0], 30)
    found = measure(count(LAYOUTS["binary"], LabelledRows(0.1 + 0.8 * actual, actual)))["roc_auc"]
    assert found.value == 1.0
    assert found.upper == pytest.approx(1.0)
    assert 0.85 < found.lower < 0.9


def test_a_constant_target_has_no_r2() -> None:
    rows = LabelledRows(np.array([1.0, 2.0, 3.0]), np.full(3, 2.0))
    assert not measure(count(LAYOUTS["regression"], rows))["r2"].is_known


@pytest.mark.parametrize("value", [1e60, -1e100, 1e308])
@pytest.mark.parametrize("rows", [1, 500])
def test_a_number_out_of_all_proportion_leaves_every_metric_finite(value: float, rows: int) -> None:
    usual = number_rows(0, rows)
    actual = np.append(usual.actual, value)
    found = measure(count(LAYOUTS["regression"], LabelledRows(np.append(usual.scores, 10.0), actual)))
    for name, own in found.items():
        assert np.isfinite([own.value, own.lower, own.upper]).all(), name
    assert found["mean_absolute_error"].value > 1e40
    assert found["mean_absolute_error"].lower == 0.0  # one row decides, so nothing is certain


def test_a_log_loss_without_probabilities_has_no_bounds() -> None:
    rows, _ = class_rows(0, 50)
    unknown = LabelledRows(rows.scores, rows.actual, rows.predicted)
    found = measure(count(LAYOUTS["multiclass"], unknown))["log_loss"]
    assert np.isnan([found.value, found.lower, found.upper]).all()


def test_every_metric_is_declared_once() -> None:
    assert len({metric.gauge_name for metric in PERFORMANCE_METRICS}) == len(PERFORMANCE_METRICS) == len(BY_NAME)
    assert all(metrics_of(task) for task in TASKS)


def test_edges_ascend_and_are_bounded() -> None:
    edges = score_edges(np.random.default_rng(0).random(512).tolist())
    assert len(edges) <= 127 + 63
    assert list(edges) == sorted(set(edges))


SIMULATIONS = 400


TRUTHS: dict[PerformanceTask, tuple[str, ...]] = {
    "binary": ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier"),
    "multiclass": ("accuracy", "macro_f1", "log_loss"),
    "regression": ("mean_absolute_error", "root_mean_squared_error", "r2", "bias"),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("size", [100, 500])
def test_intervals_contain_the_true_value_as_often_as_they_say(task: PerformanceTask, size: int) -> None:
    layout = LAYOUTS[task]
    truth = measure(count(layout, rows_of(task, 99, 300_000 if task != "multiclass" else 60_000)))
    found = [measure(count(layout, rows_of(task, seed, size))) for seed in range(SIMULATIONS)]
    for name in TRUTHS[task]:
        covered = sum(own[name].lower <= truth[name].value <= own[name].upper for own in found) / SIMULATIONS
        assert 0.915 <= covered <= 0.985, name


@pytest.mark.parametrize("size", [200, 2_000])
def test_a_calibrated_model_has_no_calibration_error(size: int) -> None:
    found = [measure(count(LAYOUTS["binary"], binary_rows(seed, size)))["calibration_error"] for seed in range(200)]
    assert np.median([own.value for own in found]) < 0.5 / math.sqrt(size)
    assert np.mean([own.lower == 0.0 for own in found]) > 0.95


def test_a_model_that_exaggerates_has_its_calibration_error() -> None:
    rows = binary_rows(0, 20_000, shift=0.8)
    logits = np.log(rows.scores / (1.0 - rows.scores))
    exaggerated = 1.0 / (1.0 + np.exp(-3.0 * logits))
    expected = math.sqrt(float(((exaggerated - rows.scores) ** 2).mean()))
    found = measure(count(LAYOUTS["binary"], LabelledRows(exaggerated, rows.actual)))["calibration_error"]
    assert found.value == pytest.approx(expected, abs=0.01)
    assert found.lower < found.value < found.upper
