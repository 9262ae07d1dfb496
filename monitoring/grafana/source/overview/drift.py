"""Which columns have drifted from the reference?"""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import common
from grafana_foundation_sdk.builders import dashboard as build

from ..columns import EVIDENCE, RELATIVE, SEVERITY
from ..panels import NUMBER, PLAIN, AnyPanel, Text, column, feature_url, lines, link, rows, timeline
from ..queries import MODEL_IS, Query, largest

CORRELATION: Final = f"max by (feature_name) (model_feature_correlation_change_z{{{MODEL_IS}}})"
_ROLLING: Final = f'{MODEL_IS}, reference="rolling"'
RECENT: Final = (
    f"model_reference_feature_psi_debiased{{{_ROLLING}}} / ignoring (severity) "
    f'model_reference_feature_psi_threshold{{{_ROLLING}, severity="warning"}}'
)
"""PSI against the last days, in units of its warning threshold."""
GRADUAL: Final = (
    f"model_long_window_feature_psi_debiased{{{MODEL_IS}}} / ignoring (severity) "
    f'model_long_window_feature_psi_threshold{{{MODEL_IS}, severity="warning"}}'
)
"""PSI of a week or more, in units of its warning threshold."""
SHOWN: Final = 20
NEAREST: Final = largest(f"({SEVERITY} + on (feature_name) {EVIDENCE} / 1000)", SHOWN)
"""The columns that are nearest to drift at the end of the time range."""


def drift() -> list[AnyPanel]:
    """Return the panels on all columns, each linked to its own dashboard."""
    linked = [_severities(), _sizes(), _evidence(), _recent(), _gradual(), _correlations()]
    for panel in linked:
        panel.data_links([build.DashboardLink("Feature drift").url(feature_url("${__field.labels.feature_name}"))])
    return [*linked, _pair(), _whole_rows(), _attributions()]


def _severities() -> AnyPanel:
    return timeline(
        Text("Drift severity by column", f"Drift severity of the {SHOWN} columns that are nearest to drift now, on the "
             "server where each is worst. Click a band for the column's dashboard. Bad: a band that turns orange or "
             "red and stays so.", PLAIN),
        Query(f"{SEVERITY} and on (feature_name) {NEAREST}", "{{feature_name}}"), height=10,
    )  # fmt: skip


def _sizes() -> AnyPanel:
    return lines(
        Text("Largest PSI relative to its limit", "Noise-corrected PSI in units of its warning limit: the ten largest "
             "columns, each in its worst window. It measures the size of a change, not its significance. Bad: 1 and "
             "above, if the column's evidence is above its limit too.", NUMBER),
        Query(largest(f"max by (feature_name) ({RELATIVE})"), "{{feature_name}}"),
        Query("vector(1)", "limit"), width=12, height=9, many=True,
    )  # fmt: skip


def _evidence() -> AnyPanel:
    return lines(
        Text("Evidence (log10)", "Evidence against the reference, as log10: the ten largest columns, each on its worst "
             "server. It measures significance, not size, and needs no minimum of rows. The limit follows from the "
             "false-alarm budget. Bad: at the limit and above. Once raised, it clears at 1 below the limit.", NUMBER),
        Query(largest(EVIDENCE), "{{feature_name}}"),
        Query(f"min(model_feature_evidence_threshold_log10{{{MODEL_IS}}})", "limit"), width=12, height=9, many=True,
    )  # fmt: skip


def _recent() -> AnyPanel:
    return lines(
        Text("PSI against the last days", "Noise-corrected PSI of the main window against the rows of the last days, "
             "in units of its warning limit: the ten largest columns, each on its worst server. It shows new changes; "
             "one that is long known is no part of it. Bad: 1 and above for long, which raises an alert.", NUMBER),
        Query(largest(f"max by (feature_name) ({RECENT})"), "{{feature_name}}"),
        Query("vector(1)", "limit"), width=24, many=True,
        empty="no rolling reference: set DRIFTGAUGE_REFERENCE=rolling, and wait until days are counted",
    )  # fmt: skip


def _gradual() -> AnyPanel:
    return lines(
        Text("Gradual drift", "Noise-corrected PSI of the time windows of a week or more against the reference, in "
             "units of the warning limit: the ten largest columns, each in the window and on the server where it is "
             "worst. It shows a drift of weeks that shorter windows do not. Bad: 1 and above for long, which raises an "
             "alert.", NUMBER),
        Query(largest(f"max by (feature_name) ({GRADUAL})"), "{{feature_name}}"),
        Query("vector(1)", "limit"), width=24, many=True,
        empty="no long time window: add 7d and 30d to DRIFTGAUGE_TIME_WINDOWS, and wait for six days",
    )  # fmt: skip


def _whole_rows() -> AnyPanel:
    return lines(
        Text("Whole rows", "How well a classifier tells whole rows of the main window from the reference's (AUC, with "
             "the lower end of its interval), on the server where it is best: 0.5 is not at all. It sees columns that "
             "change together. Bad: the lower end above the limit for long. An alert needs multivariate=verdict.",
             NUMBER),
        Query(f"max(model_multivariate_auc{{{MODEL_IS}}})", "AUC"),
        Query(f"max(model_multivariate_auc_lower{{{MODEL_IS}}})", "lower end"),
        Query(f'min(model_multivariate_auc_threshold{{{MODEL_IS}, severity="warning"}})', "warning limit"), width=24,
        empty="whole rows are not compared: set DRIFTGAUGE_MULTIVARIATE=on, with a bundle that keeps rows",
    )  # fmt: skip


def _attributions() -> AnyPanel:
    return lines(
        Text("Attributions", "How well live rows rank the features by what they contribute to the scores as the "
             "reference does (NDCG), on the server where it is worst: 1 is the same order. Bad: below the limit for "
             "long, so other features decide. /drift/status names them.",
             NUMBER),
        Query(f"min(model_attribution_ndcg{{{MODEL_IS}}})", "NDCG"),
        Query(f'max(model_attribution_ndcg_threshold{{{MODEL_IS}, severity="warning"}})', "limit"), width=24,
        empty="attributions are not compared: set DRIFTGAUGE_ATTRIBUTION_SECONDS=300",
    )  # fmt: skip


def _correlations() -> AnyPanel:
    return lines(
        Text("Largest changes of a correlation", "Change of a column's correlation with another column since the "
             "reference, in standard errors: the ten largest columns, main window. No verdict rests on it. Bad: far "
             "above the rest for long: two columns no longer move together.", NUMBER),
        Query(largest(CORRELATION), "{{feature_name}}"), width=16, height=9, many=True,
    )  # fmt: skip


def _pair() -> AnyPanel:
    panel = rows(
        Text("Most changed pair", "The two columns whose correlation changed most, and by how many standard errors. "
             "/drift/status shows both correlations. Choose one instance, because servers may differ. Bad: above 5 for "
             "long, if rows are independent.", NUMBER),
        Query(f"topk(2, {CORRELATION})", shape="table"),
        columns={"feature_name": "feature", "Value": "change"}, width=8,
    )  # fmt: skip
    panel.sort_by([common.TableSortByFieldState().display_name("change").desc(True)])
    column(panel, "feature", links=link("Feature drift", feature_url("${__value.raw}")))
    column(panel, "change", decimals=1)
    return panel
