from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from driftgauge.errors import BundleError
from driftgauge.models.bundle import BundleInfo, Label, Task
from driftgauge.models.performance import measure_performance
from sklearn import metrics


def _info(task: Task, classes: tuple[Label, ...] = ()) -> BundleInfo:
    return BundleInfo(
        name="m",
        version="1",
        task=task,
        features=(),
        classes=classes,
        input="matrix",
        created="2026-01-01T00:00:00Z",
        libraries={},
    )


@pytest.mark.parametrize(
    ("classes", "spelled"),
    [((0, 1), [0, 1]), ((False, True), [False, True]), (("no", "yes"), ["no", "yes"]), (("0", "1"), [0.0, 1.0])],
)
def test_a_binary_model_is_measured_as_scikit_learn_does(classes: tuple[Label, ...], spelled: list[Any]) -> None:
    rng = np.random.default_rng(0)
    truth, scores = rng.integers(0, 2, 500), rng.random(500)
    answered = (scores > 0.5).astype(int)
    table = pa.table({"y": [spelled[i] for i in truth] + [None]})
    labels = [classes[i] for i in answered] + [classes[0]]
    found = measure_performance(_info("binary", classes), table, "y", labels, np.append(scores, 0.9), in_sample=False)
    assert (found.rows, found.in_sample) == (500, False)
    assert found.metrics == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(truth, answered),
            "positive_ratio": truth.mean(),
            "brier": np.mean((scores - truth) ** 2),
            "log_loss": -np.mean(np.log(np.where(truth == 1, scores, 1 - scores))),
            "roc_auc": metrics.roc_auc_score(truth, scores),
        }
    )


def test_there_is_no_auc_of_one_class() -> None:
    table = pa.table({"y": [1, 1]})
    found = measure_performance(_info("binary", (0, 1)), table, "y", [1, 0], np.array([0.9, 0.1]), in_sample=True)
    assert found.in_sample
    assert found.metrics["accuracy"] == 0.5
    assert "roc_auc" not in found.metrics


def test_a_regression_is_measured_where_the_truth_is_known() -> None:
    table = pa.table({"y": [1.0, None, 3.0, 5.0]})
    answered = np.array([1.5, 99.0, 3.0, 4.0])
    found = measure_performance(_info("regression"), table, "y", answered.tolist(), answered, in_sample=False)
    assert found.rows == 3
    assert found.metrics["mean_absolute_error"] == pytest.approx(0.5)
    assert found.metrics["root_mean_squared_error"] == pytest.approx(np.sqrt(1.25 / 3))
    assert found.metrics["r2"] == pytest.approx(1 - 1.25 / 8)


def test_a_truth_that_knows_none_of_the_classes_is_refused() -> None:
    table = pa.table({"y": ["ja", "nein"]})
    with pytest.raises(BundleError, match="y"):
        measure_performance(_info("binary", ("no", "yes")), table, "y", ["no", "yes"], np.array([0.1, 0.9]), True)


def test_the_metrics_of_live_predictions_come_with_intervals() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(500)
    truth = rng.random(500) < scores
    answered = (scores > 0.5).astype(int).tolist()
    found = measure_performance(
        _info("binary", (0, 1)), pa.table({"y": truth.astype(int)}), "y", answered, scores, in_sample=False
    )
    value, lower, upper = found.estimates["roc_auc"]
    assert lower < value < upper
    assert value == pytest.approx(found.metrics["roc_auc"], abs=1e-3)
    assert found.estimates["precision"][0] == pytest.approx(metrics.precision_score(truth, answered))


def test_classes_by_name_are_counted_by_their_index() -> None:
    table = pa.table({"y": ["c", "a", "b", None, "a"]})
    found = measure_performance(
        _info("multiclass", ("a", "b", "c")), table, "y", ["c", "a", "a", "a", "a"], np.full(5, 0.9), in_sample=False
    )
    assert found.estimates["accuracy"][0] == found.metrics["accuracy"] == 0.75
    assert found.estimates["macro_f1"][0] == pytest.approx(
        metrics.f1_score(["c", "a", "b", "a"], ["c", "a", "a", "a"], average="macro")
    )
