"""The performance of a model on a table with known targets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, mean_absolute_error, r2_score, roc_auc_score
from sklearn.metrics import root_mean_squared_error as rmse

from driftgauge.drift.bins import BoolArray, FloatArray, category_name
from driftgauge.drift.performance.counts import CountLayout, LabelledRows
from driftgauge.drift.performance.metrics import count, measure
from driftgauge.drift.reference.columns import Categories
from driftgauge.errors import BundleError
from driftgauge.models.bundle import BundleInfo, Label, Performance
from driftgauge.tables.cells import as_numbers
from driftgauge.tables.table import categories


def measure_performance(
    info: BundleInfo, table: pa.Table, target: str, labels: Sequence[Label], scores: FloatArray, in_sample: bool
) -> Performance:
    """Measure the model on the rows whose target is known."""
    measured = _regression_metrics if info.task == "regression" else _class_metrics
    rows, metrics, known = measured(info, table, target, labels, scores)
    return Performance(
        rows=rows,
        in_sample=in_sample,
        metrics={k: float(v) for k, v in metrics.items()},
        estimates=_estimates(info, known) if rows else {},
    )


def _estimates(info: BundleInfo, rows: LabelledRows) -> dict[str, tuple[float, float, float]]:
    """Return the metrics that live predictions have too, counted in the same way."""
    spread = (float(rows.actual.mean()), float(rows.actual.std())) if info.task == "regression" else (0.0, 1.0)
    layout = CountLayout.of(info.task, len(info.classes), np.sort(rows.scores).tolist(), *spread)
    found = measure(count(layout, rows))
    return {
        name: (own.value, own.lower, own.upper)
        for name, own in found.items()
        if all(map(math.isfinite, (own.value, own.lower, own.upper)))
    }


def _regression_metrics(
    _: BundleInfo, table: pa.Table, target: str, __: Sequence[Label], scores: FloatArray
) -> tuple[int, dict[str, float], LabelledRows]:
    truth = as_numbers(table[target], target)
    known = ~np.isnan(truth)
    actual, answered = truth[known], scores[known]
    rows = LabelledRows(answered, actual)
    if not known.any():
        return 0, {}, rows
    metrics = {
        "mean_absolute_error": mean_absolute_error(actual, answered),
        "root_mean_squared_error": rmse(actual, answered),
        "r2": r2_score(actual, answered) if len(actual) > 1 else 0.0,
    }
    return len(actual), metrics, rows


def _class_metrics(
    info: BundleInfo, table: pa.Table, target: str, labels: Sequence[Label], scores: FloatArray
) -> tuple[int, dict[str, float], LabelledRows]:
    classes = [category_name(label) or "" for label in info.classes]
    truth = categories(table, target, classes)
    if truth.names and not set(truth.names) & set(classes):
        raise BundleError(
            f"{target} holds {', '.join(truth.names[:5])}, but the model's classes are {', '.join(classes[:5])}: "
            "write the target as the model was fitted on it"
        )
    known = truth.codes >= 0
    rows = _class_rows(classes, truth, labels, scores)
    if not known.any():
        return 0, {}, rows
    actual = np.array(truth.names)[truth.codes[known]]
    answered = np.array([category_name(label) for label in labels])[known]
    metrics = {"accuracy": accuracy_score(actual, answered)}
    if info.task == "binary":
        metrics |= _binary_metrics(actual == classes[1], scores[known])
    return len(actual), metrics, rows


def _class_rows(classes: Sequence[str], truth: Categories, labels: Sequence[Label], scores: FloatArray) -> LabelledRows:
    """Return the rows whose target is one of the model's classes."""
    index = {name: position for position, name in enumerate(classes)}
    codes = np.array([*(index.get(name, -1) for name in truth.names), -1])[truth.codes]
    predicted = np.array([index.get(category_name(label) or "", -1) for label in labels], dtype=np.int64)
    known = codes >= 0
    return LabelledRows(scores[known], codes[known].astype(np.float64), predicted[known])


def _binary_metrics(positive: BoolArray, scores: FloatArray) -> dict[str, float]:
    metrics = {
        "positive_ratio": positive.mean(),
        "brier": brier_score_loss(positive, scores),
        "log_loss": log_loss(positive, scores, labels=[False, True]),
    }
    return metrics | ({"roc_auc": roc_auc_score(positive, scores)} if 0 < positive.sum() < len(positive) else {})
