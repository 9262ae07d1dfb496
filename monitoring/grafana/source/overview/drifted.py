"""The table of columns with a significant change."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import common

from ..columns import EVIDENCE, EVIDENCE_LIMIT, RELATIVE, SEVERITY, SINCE, TAU, format_columns
from ..panels import NUMBER, AnyPanel, Text, rows
from ..queries import MODEL_IS, Query

WORST: Final = f"topk by (feature_name) (1, {RELATIVE})"
MOVED: Final = f"({WORST} and on (feature_name) ({SEVERITY} > 0))"
DRIFTED: Final = (
    f'({MOVED} * 0 or on (feature_name) label_replace(({SEVERITY} > 0) * 0, "window", "too few rows", "window", ""))'
)
"""Each drifted column with the window of its largest PSI: 0."""


def drifted() -> AnyPanel:
    """Return the table, the largest change first."""
    panel = rows(
        Text("Columns with a significant change", "Evidence (log10) and its limit, then the autocorrelation time tau "
             "(how many consecutive rows carry the information of one independent row; 1 if the reference has no "
             "times). PSI is noise-corrected and of the window in which it is largest relative to its warning limit. "
             "Bad: severity warning or critical. Start with the largest PSI.", NUMBER),
        *_queries(),
        columns={
            "feature_name": "feature", "Value #A": "severity", "Value #E": "since", "Value #B": "PSI / limit",
            "Value #C": "PSI", "Value #D": "limit", "window": "window", "Value #F": "evidence",
            "Value #G": "evidence limit", "Value #H": "tau",
        },
        width=24, height=7, empty="no column has changed significantly",
    )  # fmt: skip
    by_severity, by_size = (common.TableSortByFieldState().display_name(name) for name in ("severity", "PSI / limit"))
    panel.sort_by([by_severity.desc(True), by_size.desc(True)])
    format_columns(panel)
    return panel


def _queries() -> list[Query]:
    """Return the table's queries: their order makes the letters that its columns are called by."""

    def of_worst(expr: str) -> Query:
        return Query(f"max by (feature_name, window) ({expr}) and on (feature_name, window) {MOVED}", shape="table")

    def of_column(expr: str) -> Query:
        return Query(f"{DRIFTED} + on (feature_name) group_left () {expr}", shape="table")

    return [
        of_column(SEVERITY),
        Query(MOVED, shape="table"),
        of_worst(f"model_feature_psi_debiased{{{MODEL_IS}}}"),
        of_worst(f'model_feature_psi_threshold{{{MODEL_IS}, severity="warning"}}'),
        of_column(SINCE),
        of_column(EVIDENCE),
        of_column(EVIDENCE_LIMIT),
        of_column(TAU),
    ]
