"""What tables and panels of all columns share: their values, and how they look."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import table

from .panels import DATE, PLAIN, RATIO, SEVERITIES, WARNING, column, feature_url, link, mapping
from .queries import MODEL_IS, SLIDING, relative_psi

RELATIVE: Final = relative_psi(MODEL_IS, " by (feature_name, window) ")
"""Noise-corrected PSI in units of its warning threshold."""
SEVERITY: Final = f"max by (feature_name) (model_feature_drift_severity{{{MODEL_IS}}})"
EVIDENCE: Final = f"max by (feature_name) (model_feature_evidence_log10{{{MODEL_IS}}})"
EVIDENCE_LIMIT: Final = f"min by (feature_name) (model_feature_evidence_threshold_log10{{{MODEL_IS}}})"
SINCE: Final = f"(min by (feature_name) (model_feature_drift_since_timestamp_seconds{{{MODEL_IS}}}) * 1000)"
TAU: Final = (
    f"(max by (feature_name) (model_feature_autocorrelation_rows{{{MODEL_IS}}})"
    f" or on (feature_name) {SEVERITY} * 0 + 1)"
)


def share(kind: str) -> str:
    """Return the largest share of missing or unseen values in a sliding window, by column."""
    return f"max by (feature_name) (model_feature_{kind}_ratio{{{MODEL_IS}}} {SLIDING})"


def format_columns(panel: table.Panel) -> None:
    """Link the feature's name, and give numbers their units and colours."""
    column(panel, "feature", links=link("Feature drift", feature_url("${__value.raw}")))
    column(panel, "severity", mappings=mapping(SEVERITIES), custom__cellOptions={"type": "color-text"})
    column(panel, "since", unit=DATE, noValue="not drifted", custom__width=190)
    large = {"mode": "absolute", "steps": [{"value": None, "color": "text"}, {"value": 1, "color": WARNING}]}
    column(panel, "PSI / limit", decimals=3, thresholds=large, custom__cellOptions={"type": "color-text"})
    for name in ("PSI", "limit"):
        column(panel, name, decimals=3)
    for name in ("evidence", "evidence limit"):
        column(panel, name, decimals=1)
    column(panel, "tau", decimals=0, unit=PLAIN)
    for name in ("missing", "unseen"):
        column(panel, name, unit=RATIO, decimals=1)
