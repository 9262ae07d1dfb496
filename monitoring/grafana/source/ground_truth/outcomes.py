"""What comes of predictions: business outcomes with their limits."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import common

from ..panels import NUMBER, SEVERITIES, AnyPanel, Text, column, lines, mapping, rows
from ..queries import MODEL_IS, Query, rate_by

NONE: Final = "no outcomes: name them in the settings"
OF: Final = "by (outcome_name)"
VERDICT: Final = f"max {OF} (model_outcome_severity{{{MODEL_IS}}})"
SEVERITY: Final = f"({VERDICT} + clamp_max({VERDICT}, 1))"
"""The verdict as a severity: its 1 is a warning, its 2 critical."""


def outcomes() -> list[AnyPanel]:
    """Return the panels on business outcomes."""
    return [_table(), _over_time(), _results()]


def _limit(side: str, severity: str) -> str:
    where = f'{MODEL_IS}, severity="{severity}"'
    return f"max {OF} (model_outcome_threshold_{side}{{{where}}})"


def _table() -> AnyPanel:
    panel = rows(
        Text("Outcomes beside their limits", "Mean of each business outcome of the newest mature predictions (of an "
             "event its rate) with its 95 % interval, averaged over the servers; its rows; and the limits below and "
             "above which it should not be. Bad: severity warning or critical: the whole interval is beyond a limit.",
             NUMBER),
        *(Query(f"avg {OF} (model_outcome_mean{part}{{{MODEL_IS}}})", shape="table")
          for part in ("", "_lower", "_upper")),
        Query(f"max {OF} (model_outcome_rows{{{MODEL_IS}}})", shape="table"), Query(SEVERITY, shape="table"),
        *(Query(_limit(side, severity), shape="table")
          for side in ("below", "above") for severity in ("warning", "critical")),
        columns={
            "outcome_name": "outcome", "Value #E": "severity", "Value #A": "mean", "Value #B": "lower",
            "Value #C": "upper", "Value #D": "rows", "Value #F": "low: warning", "Value #G": "low: critical",
            "Value #H": "high: warning", "Value #I": "high: critical",
        },
        width=24, height=7, empty=NONE,
    )  # fmt: skip
    panel.sort_by([common.TableSortByFieldState().display_name("severity").desc(True)])
    column(panel, "severity", mappings=mapping(SEVERITIES), custom__cellOptions={"type": "color-text"},
           noValue="too few rows")  # fmt: skip
    column(panel, "rows", decimals=0)
    return panel


def _over_time() -> AnyPanel:
    return lines(
        Text("Outcomes over time", "Mean of each business outcome with its 95 % interval, averaged over the servers, "
             "and its limits. Bad: a whole interval beyond a limit.", NUMBER),
        *(Query(f"avg {OF} (model_outcome_mean{part}{{{MODEL_IS}}})", f"{{{{outcome_name}}}}{legend}")
          for part, legend in (("", ""), ("_lower", ": lower end"), ("_upper", ": upper end"))),
        *(Query(f"max by (outcome_name, severity) (model_outcome_threshold_{side}{{{MODEL_IS}}})",
                f"{{{{outcome_name}}}}: {words} {{{{severity}}}} limit")
          for side, words in (("below", "low"), ("above", "high"))),
        width=16, many=True, empty=NONE,
    )  # fmt: skip


def _results() -> AnyPanel:
    return lines(
        Text("Outcomes by result", "Outcomes each second by what became of them. Bad: refused (a row that could not be "
             "read) or orphan (its prediction is unknown).", "cps"),
        Query(rate_by("result", "model_outcomes_total", MODEL_IS), "{{result}}"), empty=NONE,
    )  # fmt: skip
