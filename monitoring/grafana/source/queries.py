"""PromQL that several panels share: selectors, joins, rates and limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

SERVER_IS: Final = 'job=~"$job", instance=~"$instance"'
ALERT_IS: Final = 'alertstate="firing", job=~"$job|", model_name=~"$model_name|", model_version=~"$model_version|"'
"""Alerts of the chosen model, and those that name no model."""
REPLICAS_ARE: Final = 'job=~"$job", model_name=~"$model_name", model_version=~"$model_version"'
MODEL_IS: Final = f'{REPLICAS_ARE}, instance=~"$instance"'
SERVES_IT: Final = f"and on (job, instance) group by (job, instance) (model_info{{{MODEL_IS}}})"
"""Keeps the servers of the chosen model, of series that name none."""
COLUMN: Final = 'feature_name="$feature_name"'
COLUMN_IS: Final = f"{MODEL_IS}, {COLUMN}"
COLUMN_OF_REPLICAS_IS: Final = f"{REPLICAS_ARE}, {COLUMN}"

OF_A_SERVER: Final = "job, instance, model_name, model_version"
SLIDING: Final = f"and on ({OF_A_SERVER}, window) model_window_required_rows{{{MODEL_IS}}}"
"""Keeps the sliding windows, which verdicts and alerts rest on."""
FILLED: Final = (
    f"and on ({OF_A_SERVER}, window) (model_window_rows{{{MODEL_IS}}} >= model_window_required_rows{{{MODEL_IS}}})"
)
"""Keeps the sliding windows with enough rows to judge the size of a change."""
TIMED: Final = f"and on ({OF_A_SERVER}, window) model_window_span_seconds{{{MODEL_IS}}}"
"""Keeps the time windows."""
CHOSEN: Final = 'window=~"$window"'


@dataclass(frozen=True)
class Query:
    """A query, and the name of its answer; `table` asks for the last value only."""

    expr: str
    legend: str = ""
    shape: Literal["series", "instant", "table", "heatmap"] = "series"

    def build(self, ref: str) -> prometheus.Dataquery:
        """Return the target with this reference."""
        target = prometheus.Dataquery().expr(self.expr).ref_id(ref).datasource(SOURCE).legend_format(self.legend)
        if self.shape == "heatmap":
            return target.range().format(PromQueryFormat.HEATMAP)
        if self.shape == "series":
            return target.range()
        form = PromQueryFormat.TABLE if self.shape == "table" else PromQueryFormat.TIME_SERIES
        return target.instant().format(form)


def rate(metric: str, where: str) -> str:
    """Return the rate of a counter."""
    return f"rate({metric}{{{where}}}[$__rate_interval])"


def rate_by(labels: str, metric: str, where: str) -> str:
    """Return the rates that are above zero on the screen by labels; a line of zeros named none if all are zero."""
    total = f"sum by ({labels}) ({rate(metric, where)})"
    happened = f"sum by ({labels}) (increase({metric}{{{where}}}[$__range])) > 0"
    named = f'label_replace(sum({total}) * 0, "{labels.partition(",")[0]}", "none", "", "")'
    return f"({total} and on ({labels}) ({happened})) or on () {named}"


def largest(expr: str, count: int = 10) -> str:
    """Keep the columns that are largest at the end of the time range, so that lines neither come nor go.

    The selectors of the expression are instant ones.
    """
    at_end = expr.replace("}", "} @ end()")
    return f"{expr} and on (feature_name) topk({count}, {at_end})"


def limits(metric: str, where: str, by: str = "severity") -> Query:
    """Return the limits of each severity."""
    return Query(f"max by ({by}) ({metric}{{{where}}})", "{{severity}} limit")


def severity_or_none(severity: str, evaluated: str) -> str:
    """Return the severity, or -1 while nothing is evaluated."""
    return f"({severity} and on () {evaluated} > 0) or on () ({severity} - 1)"


def relative_psi(where: str, by: str) -> str:
    """Return the largest change, in units of its warning threshold: of PSI, or of the statistic that judges."""
    debiased = f"model_feature_psi_debiased{{{where}}}"
    threshold = f'model_feature_psi_threshold{{{where}, severity="warning"}}'
    other = f"model_feature_drift_score{{{where}}}"
    return f"max{by}(({debiased} / ignoring (severity) {threshold} or {other}) {FILLED})"
