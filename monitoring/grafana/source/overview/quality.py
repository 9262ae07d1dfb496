"""Are the inputs complete and known?"""

from __future__ import annotations

from ..columns import share
from ..panels import NUMBER, RATIO, AnyPanel, Text, lines
from ..queries import MODEL_IS, SLIDING, Query, largest, limits, rate


def quality() -> list[AnyPanel]:
    """Return the panels on missing, unseen and out-of-range values."""
    one = Query("vector(1)", "limit")
    return [
        lines(
            Text("Missing values relative to their limit", "Share of rows without a value, in units of its warning "
                 "limit, in sliding windows: the ten largest columns. Bad: 1 and above: a source has failed.", NUMBER),
            Query(_relative("missing"), "{{feature_name}}"), one, width=12, many=True,
        ),
        lines(
            Text("Unseen values relative to their limit", "Share of rows with a value that the reference does not "
                 "have, in units of its warning limit, in sliding windows. Bad: 1 and above.", NUMBER),
            Query(_relative("unseen"), "{{feature_name}}"), one, width=12, many=True,
            empty="no column can have unseen values",
        ),
        lines(
            Text("Out of range", "Share of rows outside the reference's range, in sliding windows: the ten largest "
                 "columns. Bad: a rise from near 0: the model extrapolates.", RATIO),
            Query(largest(share("out_of_range")),
                  "{{feature_name}}"), width=12, height=7, many=True,
        ),
        lines(
            Text("Violated constraints", "Share of rows that violate a constraint of constraints.yaml, in units of the "
                 "warning threshold, in sliding windows: the ten largest. Bad: 1 and above.", NUMBER),
            Query(_violated(), "{{feature_name}} {{constraint}}"), one, width=12, height=7, many=True,
            empty="no constraints are checked",
        ),
        lines(
            Text("Violations in requests", "Share of the rows of requests that violate a constraint as they are sent, "
                 "refused ones among them. Bad: above a limit: a caller sends what the model cannot take.", RATIO),
            Query(_sent(), "{{constraint}}"), limits("model_request_constraint_threshold_ratio", MODEL_IS), width=24,
            height=7,
        ),
        lines(
            Text("Outliers", "Share of rows that are unlike the reference, in the sliding window with the most, beside "
                 "the share in the reference and the limit of the settings. Bad: above the limit.", RATIO),
            Query(f"max(model_outlier_ratio{{{MODEL_IS}}} {SLIDING})", "outliers"),
            Query(f"max(model_outlier_reference_ratio{{{MODEL_IS}}})", "reference"),
            Query(f"max(model_outlier_threshold_ratio{{{MODEL_IS}}})", "limit"), width=24, height=7,
            empty="outliers are not watched (setting outliers)",
        ),
    ]  # fmt: skip


def _violated() -> str:
    both = "feature_name, constraint"
    limit = f'max by ({both}) (model_feature_constraint_violation_threshold_ratio{{{MODEL_IS}, severity="warning"}})'
    ratio = f"max by ({both}, window) (model_feature_constraint_violation_ratio{{{MODEL_IS}}} {SLIDING})"
    return largest(f"max by ({both}) ({ratio} / on ({both}) group_left () {limit})")


def _sent() -> str:
    violations = f"sum by (constraint) ({rate('model_request_constraint_violations_total', MODEL_IS)})"
    sent = ("model_predictions_total", "model_prediction_failures_total", "model_request_rows_refused_total")
    rows = " + ".join(f"sum({rate(name, MODEL_IS)})" for name in sent)
    return f"{violations} / on () group_left () ({rows} > 0)"


def _relative(kind: str) -> str:
    limit = f'max by (feature_name) (model_feature_{kind}_ratio_threshold{{{MODEL_IS}, severity="warning"}})'
    ratio = f"max by (feature_name, window) (model_feature_{kind}_ratio{{{MODEL_IS}}} {SLIDING})"
    return largest(f"max by (feature_name) ({ratio} / on (feature_name) group_left () {limit})")
