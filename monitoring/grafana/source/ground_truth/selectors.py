"""PromQL that the panels on ground truth share."""

from __future__ import annotations

from typing import Final

from ..queries import MODEL_IS, OF_A_SERVER, Query, severity_or_none

WINDOW_IS: Final = f'{MODEL_IS}, window="$window"'
SEVERITY: Final = f"max(model_performance_severity{{{MODEL_IS}}})"
ENOUGH: Final = (
    f"count(model_labelled_rows{{{MODEL_IS}}} >= on ({OF_A_SERVER}) group_left () "
    f"model_labelled_rows_required{{{MODEL_IS}}})"
)
"""Windows with enough labels to be judged; nothing if there are none."""
VERDICT: Final = severity_or_none(SEVERITY, ENOUGH)
COVERAGE: Final = Query(f"min(model_label_coverage_ratio{{{WINDOW_IS}}})", "coverage")
LAG: Final = Query(f"max(model_label_mean_lag_seconds{{{WINDOW_IS}}})", "mean lag")
ROWS_REQUIRED: Final = f"max(model_labelled_rows_required{{{MODEL_IS}}})"
LABELLED: Final = f"min(model_labelled_rows{{{WINDOW_IS}}})"
LABEL_AGE: Final = Query(f"time() - max(model_label_timestamp_seconds{{{MODEL_IS}}})", "newest label")
LABEL_AGE_LIMIT: Final = Query(f"max(model_label_age_threshold_seconds{{{MODEL_IS}}})", "limit")

GAUGES: Final = {
    "accuracy": "model_accuracy",
    "roc_auc": "model_roc_auc",
    "precision": "model_precision",
    "recall": "model_recall",
    "f1": "model_f1",
    "macro_f1": "model_macro_f1",
    "log_loss": "model_log_loss",
    "brier": "model_brier_score",
    "calibration_error": "model_calibration_error",
    "mean_absolute_error": "model_mae",
    "root_mean_squared_error": "model_rmse",
    "r2": "model_r2",
    "bias": "model_bias",
}
"""The gauge of each metric, by the name that limits and held-out values have for it."""
BEST_AT_1: Final = ("precision", "recall", "f1", "macro_f1", "r2")
BEST_AT_0: Final = ("log_loss", "brier", "calibration_error", "root_mean_squared_error", "bias")


def by_metric(names: tuple[str, ...], part: str = "") -> str:
    """Return the metrics that the model has, averaged over servers, each with its name as a label."""
    return " or on (metric) ".join(
        f'label_replace(avg({GAUGES[name]}{part}{{{WINDOW_IS}}}), "metric", "{name}", "", "")' for name in names
    )
