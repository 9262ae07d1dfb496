"""Values beside Evidently's own. It needs an older pandas: `make test-all` has an environment for this file."""

from __future__ import annotations

import math
import warnings
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge.checks.assertions.suite import suite
from driftgauge.models.creation.baseline import create_baseline

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    evidently: Any = import_module("evidently")
    ms: Any = import_module("evidently.metrics")

pytestmark = pytest.mark.filterwarnings("ignore")


def frame(rows: int, seed: int, age: float) -> pd.DataFrame:
    """A table with a truth, predictions of a class and of a number, and gaps."""
    random = np.random.default_rng(seed)
    score = random.random(rows)
    found = pd.DataFrame(
        {
            "age": random.normal(age, 10.0, rows).round(1),
            "country": random.choice(["DE", "FR", "IT"], rows),
            "y": (random.random(rows) < score).astype(int),
            "s": score,
            "p": (score > 0.4).astype(int),
            "amount": random.normal(100.0, 5.0, rows),
        }
    )
    found["guess"] = found["amount"] + random.normal(1.0, 2.0, rows)
    found.loc[::20, "age"] = np.nan
    found.loc[::30, "country"] = None
    return found


REFERENCE, CURRENT = frame(3_000, 1, 40.0), frame(2_000, 2, 44.0)


def values_of(metric: Any, definition: Any) -> Any:
    data = [evidently.Dataset.from_pandas(one, data_definition=definition) for one in (CURRENT, REFERENCE)]
    (found,) = evidently.Report([metric]).run(*data).dict()["metrics"]
    return found["value"]


def ours(text: str, **columns: str) -> float:
    baseline = create_baseline(REFERENCE)
    (outcome,) = suite(f"{text} != -1", **columns).run(CURRENT, baseline).outcomes
    assert isinstance(outcome.value, float), outcome.problem
    return outcome.value


def table() -> Any:
    return evidently.DataDefinition(numerical_columns=["age"], categorical_columns=["country"])


SHARE, COUNT = "share", "count"
TABLES: dict[str, tuple[Any, str | None]] = {
    "rows": (ms.RowCount(), None),
    "empty_rows": (ms.EmptyRowsCount(), None),
    "duplicates": (ms.DuplicatedRowCount(), None),
    "missing(age)": (ms.MissingValueCount(column="age"), SHARE),
    "missing_count(country)": (ms.MissingValueCount(column="country"), COUNT),
    "missing_cells": (ms.DatasetMissingValueCount(), COUNT),
    "min(age)": (ms.MinValue(column="age"), None),
    "max(age)": (ms.MaxValue(column="age"), None),
    "mean(age)": (ms.MeanValue(column="age"), None),
    "median(age)": (ms.MedianValue(column="age"), None),
    "quantile(age, 0.95)": (ms.QuantileValue(column="age", quantile=0.95), None),
    "in_range(age, 30, 50)": (ms.InRangeValueCount(column="age", left=30, right=50), SHARE),
    "in_list(country, DE, IT)": (ms.InListValueCount(column="country", values=["DE", "IT"]), SHARE),
}


@pytest.mark.parametrize("text", TABLES)
def test_values_of_tables_are_equal(text: str) -> None:
    metric, key = TABLES[text]
    found = values_of(metric, None if "cell" in text or text in ("duplicates", "empty_rows") else table())
    assert ours(text) == pytest.approx(found if key is None else found[key])


def test_the_standard_deviation_is_that_of_the_population() -> None:
    found, rows = values_of(ms.StdValue(column="age"), table()), CURRENT["age"].count()
    assert ours("std(age)") == pytest.approx(found * math.sqrt((rows - 1) / rows))


CLASSES = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1Score",
    "true_positive_rate": "TPR",
    "true_negative_rate": "TNR",
    "false_positive_rate": "FPR",
    "false_negative_rate": "FNR",
}


@pytest.mark.parametrize("text", CLASSES)
def test_performance_of_classes_is_equal(text: str) -> None:
    task = evidently.BinaryClassification(target="y", prediction_labels="p", pos_label=1)
    definition = evidently.DataDefinition(classification=[task], categorical_columns=["y", "p"])
    assert ours(text, label="y", prediction="p") == pytest.approx(values_of(getattr(ms, CLASSES[text])(), definition))


@pytest.mark.parametrize(("text", "name"), [("roc_auc", "RocAuc"), ("log_loss", "LogLoss")])
def test_performance_of_scores_is_equal(text: str, name: str) -> None:
    task = evidently.BinaryClassification(target="y", prediction_probas="s", pos_label=1)
    definition = evidently.DataDefinition(classification=[task], categorical_columns=["y"], numerical_columns=["s"])
    assert ours(text, label="y", score="s") == pytest.approx(values_of(getattr(ms, name)(), definition))


ERRORS = {"mae": ("MAE", 1.0), "rmse": ("RMSE", 1.0), "mape": ("MAPE", 0.01), "r2": ("R2Score", 1.0)}


@pytest.mark.parametrize("text", ERRORS)
def test_errors_of_numbers_are_equal(text: str) -> None:
    definition = evidently.DataDefinition(
        regression=[evidently.Regression(target="amount", prediction="guess")],
        numerical_columns=["amount", "guess"],
    )
    name, scale = ERRORS[text]
    found = values_of(getattr(ms, name)(), definition)
    found = found["mean"] if isinstance(found, dict) else found
    assert ours(text, label="amount", prediction="guess") == pytest.approx(found * scale)


def test_statistics_of_drift_are_equal_or_differ_by_the_bins_as_the_page_says() -> None:
    drift = {
        method: values_of(ms.ValueDrift(column="age", method=method), table())
        for method in ("psi", "jensenshannon", "wasserstein")
    }
    assert ours("wasserstein(age)") == pytest.approx(drift["wasserstein"], rel=0.01)
    assert ours("psi(age)") == pytest.approx(drift["psi"], rel=0.15)
    assert ours("js(age)") * math.sqrt(math.log(2.0)) == pytest.approx(drift["jensenshannon"], rel=0.15)
