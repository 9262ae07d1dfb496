"""What does the model predict?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import heatmap
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode

from ..panels import NUMBER, ROWS_RATE, SECONDS, AnyPanel, Text, dress, lines
from ..queries import MODEL_IS, Query, rate, rate_by


def predictions() -> list[AnyPanel]:
    """Return the panels on predictions, scores, and requests that got none."""
    return [
        lines(
            Text("Predictions", "Rows predicted each second, by server. Bad: an unplanned fall, or one server with all "
                 "the traffic.", ROWS_RATE),
            Query(f"sum by (instance) ({rate('model_predictions_total', MODEL_IS)})", "{{instance}}"),
        ),
        _scores(),
        _mean(),
        lines(
            Text("Rejected requests by reason", "Prediction requests that were rejected each second. Bad: a rise. A "
                 "caller sends input that the model does not accept, or more than the server can predict "
                 "(overloaded).", "reqps"),
            Query(rate_by("reason", "model_predictions_rejected_total", MODEL_IS), "{{reason}}"), width=12,
        ),
        lines(
            Text("Failed rows by reason", "Accepted rows that the model failed to predict, each second. Bad: any. Each "
                 "is answered with status 500.", ROWS_RATE),
            Query(rate_by("reason", "model_prediction_failures_total", MODEL_IS), "{{reason}}"), width=12,
        ),
        _shadow(),
        _alias(),
    ]  # fmt: skip


def _shadow() -> AnyPanel:
    predicted, dropped = (rate(f"model_shadow_rows{what}_total", MODEL_IS) for what in ("", "_dropped"))
    return lines(
        Text("Rows of a shadow version", "Rows that the chosen version predicted as a shadow each second, by whether "
             "it agreed with the live version, and rows that it missed, by reason. Bad: any that it missed for long, "
             "which raises an alert: the comparison lacks them.", ROWS_RATE),
        Query(f"sum by (outcome) ({predicted})", "{{outcome}}"),
        Query(f"sum by (reason) ({dropped}) > 0", "missed: {{reason}}"), width=24, height=6,
        empty="the chosen version is no shadow",
    )  # fmt: skip


def _alias() -> AnyPanel:
    return lines(
        Text("Alias of the registered model", "Failures to follow the alias each second by reason, and the time since "
             "MLflow last answered. Bad: failures that go on, or a time above the limit: the version that answers may "
             "not be the one that the alias names.", SECONDS),
        Query(f"time() - max(model_alias_answer_timestamp_seconds{{{MODEL_IS}}})", "since the last answer"),
        Query(f"max(model_alias_answer_age_threshold_seconds{{{MODEL_IS}}})", "limit"),
        Query(f"sum by (reason) ({rate('model_alias_failures_total', MODEL_IS)}) > 0", "failures: {{reason}}"),
        Query(f"min(model_alias_followed{{{MODEL_IS}}}) == 0", "the version of the alias is not live"),
        width=24, height=6, empty="no alias is followed",
    )  # fmt: skip


def _mean() -> AnyPanel:
    score, total = rate("model_prediction_score_sum", MODEL_IS), rate("model_prediction_score_count", MODEL_IS)
    scores = 'feature_name="prediction"'
    return lines(
        Text("Mean score beside the reference", "Mean score now, in the main window, and in the reference. Bad: it "
             "leaves the reference and stays away.", NUMBER),
        Query(f"sum({score}) / sum({total})", "now"),
        Query(f'avg(model_feature_value{{{MODEL_IS}, {scores}, stat="mean"}})', "main window"),
        Query(f"max(model_feature_reference_mean{{{MODEL_IS}, {scores}}})", "reference"),
    )  # fmt: skip


def _scores() -> AnyPanel:
    panel = heatmap.Panel().calculate(False).show_legend().color(
        heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64)
    )  # fmt: skip
    text = Text("Scores", "Number of scores in each bucket, over time. Bad: a band that moves, splits, or gathers at "
                "one end.", NUMBER)  # fmt: skip
    expr = f"sum by (le) (increase(model_prediction_score_bucket{{{MODEL_IS}}}[$__rate_interval]))"
    return dress(panel, text, (8, 8), [Query(expr, "{{le}}", "heatmap")])
