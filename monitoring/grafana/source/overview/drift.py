"""Which columns have drifted from the reference?"""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.builders import dashboard as build

from ..panels import (
    DATE,
    NUMBER,
    PLAIN,
    SEVERITIES,
    AnyPanel,
    Text,
    column,
    feature_url,
    lines,
    link,
    mapping,
    rows,
    timeline,
)
from ..queries import MODEL_IS, Query, relative_psi

RELATIVE: Final = relative_psi(MODEL_IS, " by (feature_name, window) ")
"""Noise-corrected PSI in units of its warning threshold."""
WORST: Final = f"topk by (feature_name) (1, {RELATIVE})"
SEVERITY: Final = f"max by (feature_name) (model_feature_drift_severity{{{MODEL_IS}}})"
EVIDENCE: Final = f"max by (feature_name) (model_feature_evidence_log10{{{MODEL_IS}}})"
TAU: Final = f"max by (feature_name) (model_feature_autocorrelation_rows{{{MODEL_IS}}})"
CORRELATION: Final = f"max by (feature_name) (model_feature_correlation_change_z{{{MODEL_IS}}})"
MOVED: Final = f"({WORST} and on (feature_name) ({SEVERITY} > 0))"
DRIFTED: Final = (
    f'({MOVED} * 0 or on (feature_name) label_replace(({SEVERITY} > 0) * 0, "window", "too few rows", "window", ""))'
)
"""Each drifted column with the window of its largest PSI: 0."""


def drift() -> list[AnyPanel]:
    """Return the panels on all columns, each linked to its own dashboard."""
    linked = [_severities(), _sizes(), _evidence(), _correlations()]
    for panel in linked:
        panel.data_links([build.DashboardLink("Feature drift").url(feature_url("${__field.labels.feature_name}"))])
    severities, sizes, evidence, correlations = linked
    return [severities, sizes, evidence, _drifted(), correlations, _pair()]


def _severities() -> AnyPanel:
    return timeline(
        Text("Drift severity by column", "Drift severity of each column, on the server where it is worst. Click a band "
             "for the column's dashboard. Bad: a band that turns orange or red and stays so.", PLAIN),
        Query(SEVERITY, "{{feature_name}}"), height=10,
    )  # fmt: skip


def _sizes() -> AnyPanel:
    return lines(
        Text("Largest PSI relative to its limit", "Noise-corrected PSI in units of its warning limit: the ten largest "
             "columns, each in its worst window. It measures the size of a change, not its significance. Bad: 1 and "
             "above, if the column's evidence is above its limit too.", NUMBER),
        Query(f"topk(10, max by (feature_name) ({RELATIVE}))", "{{feature_name}}"),
        Query("vector(1)", "limit"), width=12, height=9,
    )  # fmt: skip


def _evidence() -> AnyPanel:
    return lines(
        Text("Evidence (log10)", "Evidence against the reference, as log10: the ten largest columns, each on its worst "
             "server. It measures significance, not size, and needs no minimum of rows. The limit follows from the "
             "false-alarm budget. Bad: at the limit and above. Once raised, it clears at 1 below the limit.", NUMBER),
        Query(f"topk(10, {EVIDENCE})", "{{feature_name}}"),
        Query(f"min(model_feature_evidence_threshold_log10{{{MODEL_IS}}})", "limit"), width=12, height=9,
    )  # fmt: skip


def _correlations() -> AnyPanel:
    return lines(
        Text("Largest changes of a correlation", "Change of a column's correlation with another column since the "
             "reference, in standard errors: the ten largest columns, main window. No verdict rests on it. Bad: far "
             "above the rest for long: two columns no longer move together.", NUMBER),
        Query(f"topk(10, {CORRELATION})", "{{feature_name}}"), width=16, height=9,
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


def _drifted() -> AnyPanel:
    panel = rows(
        Text("Columns with a significant change", "Evidence (log10) and its limit, then the autocorrelation time tau "
             "(how many consecutive rows carry the information of one independent row; 1 if the reference has no "
             "times). PSI is noise-corrected and of the window in which it is largest relative to its warning limit. "
             "Bad: severity warning or critical. Start with the largest PSI.", NUMBER),
        *_drifted_queries(),
        columns={
            "feature_name": "feature", "Value #A": "severity", "Value #F": "evidence", "Value #G": "evidence limit",
            "Value #H": "tau", "Value #B": "PSI / limit", "Value #C": "PSI", "Value #D": "limit", "window": "window",
            "Value #E": "since",
        },
        width=24,
    )  # fmt: skip
    panel.sort_by([common.TableSortByFieldState().display_name("PSI / limit").desc(True)])
    _format_drifted(panel)
    return panel


def _drifted_queries() -> list[Query]:
    """Return the table's queries: their order makes the letters that its columns are called by."""

    def of_worst(expr: str) -> Query:
        return Query(f"max by (feature_name, window) ({expr}) and on (feature_name, window) {MOVED}", shape="table")

    def of_column(expr: str) -> Query:
        return Query(f"{DRIFTED} + on (feature_name) group_left () {expr}", shape="table")

    since = f"(min by (feature_name) (model_feature_drift_since_timestamp_seconds{{{MODEL_IS}}}) * 1000)"
    return [
        of_column(SEVERITY),
        Query(MOVED, shape="table"),
        of_worst(f"model_feature_psi_debiased{{{MODEL_IS}}}"),
        of_worst(f'model_feature_psi_threshold{{{MODEL_IS}, severity="warning"}}'),
        of_column(since),
        of_column(EVIDENCE),
        of_column(f"min by (feature_name) (model_feature_evidence_threshold_log10{{{MODEL_IS}}})"),
        of_column(f"({TAU} or on (feature_name) {SEVERITY} * 0 + 1)"),
    ]


def _format_drifted(panel: table.Panel) -> None:
    column(panel, "feature", links=link("Feature drift", feature_url("${__value.raw}")))
    column(panel, "severity", mappings=mapping(SEVERITIES), custom__cellOptions={"type": "color-text"})
    column(panel, "since", unit=DATE)
    for name in ("PSI / limit", "PSI", "limit"):
        column(panel, name, decimals=3)
    for name in ("evidence", "evidence limit", "tau"):
        column(panel, name, decimals=1)
