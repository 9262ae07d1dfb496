"""Which replicas are there, and is one of them different?"""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import common

from ..panels import (
    CRITICAL,
    NORMAL,
    PLAIN,
    RATIO,
    ROWS,
    ROWS_RATE,
    SECONDS,
    SEVERITIES,
    WARNING,
    AnyPanel,
    Text,
    column,
    link,
    mapping,
    number,
    rows,
    step_override,
)
from ..queries import MODEL_IS, SERVER_IS, SLIDING, Query, rate

OF: Final = "by (instance, model_version)"
SERVED: Final = f"group by (job, instance, model_version) (model_info{{{MODEL_IS}}})"
LATELY: Final = f"group by (job, instance, model_version) (last_over_time(model_info{{{MODEL_IS}}}[$__range]))"
KNOWN: Final = f"({SERVED} or ({LATELY} unless on (job, instance) {SERVED}))"
"""Each replica with its version; one that is down keeps the version that it had."""
UP: Final = f"(up{{{SERVER_IS}}} * on (job, instance) group_right () {KNOWN})"
AGE: Final = f"(time() - max {OF} (model_evaluation_timestamp_seconds{{{MODEL_IS}}}))"
STALE: Final = f"count({AGE} > scalar(max(model_evaluation_age_threshold_seconds{{{MODEL_IS}}}))) or vector(0)"
AGE_LIMIT: Final = f"max(model_evaluation_age_threshold_seconds{{{MODEL_IS}}})"


def each() -> list[AnyPanel]:
    """Return the numbers and the table of replicas."""
    return [*_numbers(), _table()]


def _numbers() -> list[AnyPanel]:
    replicas = number(
        Text("Replicas", "Servers that serve the chosen model, and servers that served it in this time range and do "
             "not answer now. Bad: any down, or fewer than were started.", PLAIN),
        Query(f"count({UP} == 1) or vector(0)", "up"), Query(f"count({UP} == 0) or vector(0)", "down"),
        base=CRITICAL, steps=[(1, NORMAL)], width=6,
    )  # fmt: skip
    step_override(replicas, "down", NORMAL, [(1, CRITICAL)])
    ages = number(
        Text("Oldest evaluation", "Time since the last evaluation of the replica where it is oldest, and the age from "
             "which a verdict is stale. Bad: above the limit.", SECONDS),
        Query(f"max({AGE})", "age"), Query(AGE_LIMIT, "limit"), width=5,
    )  # fmt: skip
    stale = number(
        Text("Stale verdicts", "Replicas whose last evaluation is older than its limit. Bad: any: their verdict is of "
             "old rows.", PLAIN),
        Query(STALE, "stale"), steps=[(1, CRITICAL)],
    )  # fmt: skip
    kinds = "count(count by (model_version, baseline_hash) (model_info{{{}}}))"
    return [
        replicas,
        number(
            Text("Different models", "Pairs of model version and baseline that the replicas serve. Bad: more than 1, "
                 "unless a rollout is under way: replicas then compare with different references.", PLAIN),
            Query(kinds.format(MODEL_IS), "models"), steps=[(2, WARNING)], width=5,
        ),
        stale,
        ages,
        number(
            Text("Monitoring problems", "Replicas whose monitoring does not work. Bad: any. "
                 "/drift/status of the replica names the problem.", PLAIN),
            Query(f"count(model_monitoring_healthy{{{MODEL_IS}}} == 0) or vector(0)", "problems"),
            steps=[(1, CRITICAL)], width=4,
        ),
    ]  # fmt: skip


COLUMNS: Final = {
    "up": f"max {OF} ({UP})",
    "severity": f"max {OF} (model_drift_severity{{{MODEL_IS}}})",
    "drifted": f"max {OF} (model_drifted_features{{{MODEL_IS}}})",
    "verdict age": AGE,
    "main window": f"max {OF} (model_window_rows{{{MODEL_IS}}} {SLIDING})",
    "rows/s": f"sum {OF} ({rate('model_predictions_total', MODEL_IS)})",
    "share of traffic": f"sum {OF} ({rate('model_predictions_total', MODEL_IS)})"
                        f" / scalar(sum({rate('model_predictions_total', MODEL_IS)}) > 0)",
    "dropped": f"sum {OF} (increase(model_observations_dropped_total{{{MODEL_IS}}}[$__range]))",
    "monitoring": f"min {OF} (model_monitoring_healthy{{{MODEL_IS}}})",
    "baseline": f"group by (instance, model_version, baseline_hash) (model_info{{{MODEL_IS}}})",
}  # fmt: skip
"""The columns of the table after the replica and its version, each with its query."""


def _table() -> AnyPanel:
    shown = {"instance": "replica", "model_version": "version"}
    shown |= {f"Value #{letter}": name for letter, name in zip("ABCDEFGHI", COLUMNS, strict=False)}
    panel = rows(
        Text("Each replica", "Every replica of the chosen model. Verdict age is the time since its last evaluation; "
             "main window are the rows that its largest window holds; dropped are rows that monitoring lost in this "
             "time range. The name links to the verdict of that replica. Bad: one replica differs from the others.",
             PLAIN),
        *(Query(expr, shape="table") for expr in COLUMNS.values()),
        columns=shown | {"baseline_hash": "baseline"}, width=24, height=8,
        empty="no replica has been scraped in this time range",
    )  # fmt: skip
    panel.sort_by([common.TableSortByFieldState().display_name("replica")])
    status = "http://${__value.raw}/drift/status?model=${model_name:percentencode}"
    column(panel, "replica", custom__width=180, links=link("Verdict of this replica", status, new_tab=True))
    coloured = {"type": "color-text"}
    states = {"1": ("up", NORMAL), "0": ("down", CRITICAL)}
    health = {"1": ("healthy", NORMAL), "0": ("problem", CRITICAL)}
    for name, names in (("up", states), ("severity", SEVERITIES), ("monitoring", health)):
        column(panel, name, mappings=mapping(names), custom__cellOptions=coloured)
    some = {"mode": "absolute", "steps": [{"value": None, "color": "text"}, {"value": 1, "color": CRITICAL}]}
    column(panel, "dropped", thresholds=some, custom__cellOptions=coloured, decimals=0)
    for name, unit in (("verdict age", SECONDS), ("main window", ROWS), ("rows/s", ROWS_RATE)):
        column(panel, name, unit=unit, decimals=1 if unit != ROWS else 0)
    column(panel, "share of traffic", unit=RATIO, decimals=1)
    column(panel, "baseline", custom__width=120)
    return panel
