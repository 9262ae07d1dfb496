"""Metrics of performance, declared once for gauges, JSON, OpenAPI, the page and the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from driftgauge.drift.performance import binary, multiclass, regression
from driftgauge.drift.performance.counts import CohortCounts, CountLayout, LabelledRows, PerformanceTask
from driftgauge.drift.performance.intervals import Estimate

Better = Literal["higher", "lower", "zero"]
Getter = Callable[[CohortCounts], Estimate]


@dataclass(frozen=True)
class PerformanceMetric:
    """A number that says how good predictions were."""

    name: str
    """As in the bundle's held-out performance."""
    title: str
    """As people write it."""
    help: str
    """One sentence."""
    getters: Mapping[PerformanceTask, Getter]
    """By the tasks that have it."""
    better: Better = "higher"
    gauge: str = ""
    """Its metric after `model_`; the name by default."""
    is_judged: bool = False
    """Whether a drop against the held-out value counts for the verdict."""
    least: float = 0.0
    most: float = 1.0
    """The range that its values can have."""

    @property
    def gauge_name(self) -> str:
        """Its metric."""
        return f"model_{self.gauge or self.name}"

    def worse_by(self, value: float, than: float) -> float:
        """Return how much worse a value is than another, in the metric's unit; negative if it is better."""
        if self.better == "zero":
            return abs(value) - abs(than)
        return than - value if self.better == "higher" else value - than


PERFORMANCE_METRICS: Final = (
    PerformanceMetric(
        "accuracy",
        "Accuracy",
        "Share of predictions with the right class.",
        {"binary": binary.accuracy, "multiclass": multiclass.accuracy},
        is_judged=True,
    ),
    PerformanceMetric(
        "roc_auc",
        "ROC AUC",
        "Area under the ROC curve: the probability that a positive row has a higher score than a negative one.",
        {"binary": binary.roc_auc},
        is_judged=True,
    ),
    PerformanceMetric(
        "precision",
        "Precision",
        "Share of predicted positives that are positive.",
        {"binary": binary.precision},
    ),
    PerformanceMetric(
        "recall", "Recall", "Share of positives that were predicted positive.", {"binary": binary.recall}
    ),
    PerformanceMetric("f1", "F1", "Harmonic mean of precision and recall.", {"binary": binary.f1}),
    PerformanceMetric(
        "macro_f1",
        "Macro F1",
        "Mean F1 of the classes that occur.",
        {"multiclass": multiclass.macro_f1},
        is_judged=True,
    ),
    PerformanceMetric(
        "log_loss",
        "Log-loss",
        "Mean negative log-likelihood of the true class.",
        {"binary": binary.log_loss, "multiclass": multiclass.log_loss},
        better="lower",
        most=math.inf,
    ),
    PerformanceMetric(
        "brier",
        "Brier score",
        "Mean squared error of the probability of the positive class.",
        {"binary": binary.brier},
        better="lower",
        gauge="brier_score",
    ),
    PerformanceMetric(
        "calibration_error",
        "Calibration error",
        "Root mean squared difference between score and positive rate, without the part that chance alone gives.",
        {"binary": binary.calibration_error},
        better="lower",
    ),
    PerformanceMetric(
        "mean_absolute_error",
        "Mean absolute error",
        "Mean absolute difference between prediction and truth, in the unit of the target.",
        {"regression": regression.mean_absolute_error},
        better="lower",
        most=math.inf,
        gauge="mae",
        is_judged=True,
    ),
    PerformanceMetric(
        "root_mean_squared_error",
        "Root mean squared error",
        "Root of the mean squared difference between prediction and truth, in the unit of the target.",
        {"regression": regression.root_mean_squared_error},
        better="lower",
        most=math.inf,
        gauge="rmse",
    ),
    PerformanceMetric(
        "r2",
        "R²",
        "Share of the variance of the truth that predictions explain.",
        {"regression": regression.r2},
        least=-math.inf,
    ),
    PerformanceMetric(
        "bias",
        "Bias",
        "Mean of prediction minus truth, in the unit of the target; positive if predictions are too high.",
        {"regression": regression.bias},
        better="zero",
        least=-math.inf,
        most=math.inf,
    ),
)
"""In the order in which they are listed."""
BY_NAME: Final[Mapping[str, PerformanceMetric]] = {metric.name: metric for metric in PERFORMANCE_METRICS}
_COUNTERS: Final = {"binary": binary.count, "multiclass": multiclass.count, "regression": regression.count}


def metrics_of(task: PerformanceTask) -> tuple[PerformanceMetric, ...]:
    """Return the metrics that models of a task have."""
    return tuple(metric for metric in PERFORMANCE_METRICS if task in metric.getters)


def count(layout: CountLayout, rows: LabelledRows) -> CohortCounts:
    """Count rows with their ground truth."""
    return _COUNTERS[layout.task](layout, rows)


def no_rows(layout: CountLayout) -> CohortCounts:
    """Return the counts of no rows."""
    nothing = np.empty(0)
    return count(layout, LabelledRows(nothing, nothing, np.empty(0, dtype=np.int64)))


def measure(counts: CohortCounts, tau: float = 1.0) -> dict[str, Estimate]:
    """Return the metrics of counted rows by name; NaN where a metric is not defined.

    `tau` is the autocorrelation time of the errors: intervals are those of `tau` times fewer rows.
    """
    task = counts.layout.task
    found = {
        metric.name: metric.getters[task](counts) if counts.rows else Estimate(np.nan) for metric in metrics_of(task)
    }
    return {name: shown(name, own, tau) for name, own in found.items()}


def shown(name: str, estimate: Estimate, tau: float) -> Estimate:
    """Return a metric with the interval of `tau` times fewer rows, inside the range of its values."""
    metric = BY_NAME.get(name)
    if tau <= 1.0 or metric is None:
        return estimate
    return estimate.widened(tau).clipped(metric.least, metric.most)


def class_recalls(counts: CohortCounts, tau: float = 1.0) -> list[Estimate]:
    """Return the recall of each class of a model of several; nothing for other tasks. `tau` as for `measure`."""
    found = multiclass.recalls(counts) if counts.layout.task == "multiclass" else []
    return [shown("recall", own, tau) for own in found]
