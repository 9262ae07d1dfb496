"""Write Grafana's dashboards into dashboards/; `--check` only says whether they are current."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from grafana_foundation_sdk.builders import (
    barchart,
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

OUT: Final = Path(__file__).parent / "dashboards"
OVERVIEW: Final = "driftgauge-overview"
FEATURE: Final = "driftgauge-feature-drift"
NOTE: Final = "Written by monitoring/grafana/dashboards.py; change that file, then run it."
SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

SERVER_IS: Final = 'job=~"$job", instance=~"$instance"'
FLEET_IS: Final = 'job=~"$job", model_name=~"$model_name", model_version=~"$model_version"'
MODEL_IS: Final = f'{FLEET_IS}, instance=~"$instance"'
COLUMN: Final = 'feature_name="$feature_name"'
COLUMN_IS: Final = f"{MODEL_IS}, {COLUMN}"
COLUMN_FLEET_IS: Final = f"{FLEET_IS}, {COLUMN}"

OF_A_SERVER: Final = "job, instance, model_name, model_version"
COUNTED: Final = f"and on ({OF_A_SERVER}, window) model_window_required_rows{{{MODEL_IS}}}"
"""Of all windows those of a number of rows, which verdicts and alerts rest on."""
JUDGED: Final = (
    f"and on ({OF_A_SERVER}, window) (model_window_rows{{{MODEL_IS}}} >= model_window_required_rows{{{MODEL_IS}}})"
)
"""Of these the ones with rows enough to say how big a change is."""
TIMED: Final = f"and on ({OF_A_SERVER}, window) model_window_span_seconds{{{MODEL_IS}}}"
CHOSEN: Final = 'window=~"$window"'

RATIO: Final = "percentunit"
SECONDS: Final = "s"
NUMBER: Final = "short"
POWER: Final = "prefix:10^"
PLAIN: Final = "none"
DATE: Final = "dateTimeAsIso"
ROWS: Final = "suffix: rows"
ROWS_RATE: Final = "suffix: rows/s"

AnyPanel = (
    stat.Panel | timeseries.Panel | table.Panel | statetimeline.Panel | heatmap.Panel | barchart.Panel
)  # fmt: skip


# ---------------------------------------------------------------- parts of a panel


@dataclass(frozen=True)
class Query:
    """A question to Prometheus and the name of its answer; `table` asks for the last value only."""

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


@dataclass(frozen=True)
class Text:
    """What a panel is called, what it says of itself and the unit of its numbers."""

    title: str
    description: str
    unit: str = NUMBER


def dress(panel: AnyPanel, text: Text, size: tuple[int, int], queries: Sequence[Query]) -> AnyPanel:
    """Give a panel what every panel has; `size` is width and height."""
    panel.title(text.title).description(text.description).unit(text.unit).datasource(SOURCE)
    panel.span(size[0]).height(size[1])
    for place, query in enumerate(queries):
        panel.with_target(query.build(chr(ord("A") + place)))
    return panel


def lines(
    text: Text, *queries: Query, width: int = 8, height: int = 8, soft_max: float | None = None, log: bool = False
) -> AnyPanel:
    """Return curves over time, by the logarithm if asked to; those whose legend ends in `limit` are dashed."""
    panel = timeseries.Panel().fill_opacity(4).axis_soft_min(0).show_points(look.VisibilityMode.NEVER)
    panel.legend(common.VizLegendOptions().show_legend(True).display_mode(look.LegendDisplayMode.LIST)
                 .placement(look.LegendPlacement.BOTTOM).calcs(["lastNotNull"]))  # fmt: skip
    panel.tooltip(common.VizTooltipOptions().mode(look.TooltipDisplayMode.MULTI).sort(look.SortOrder.DESCENDING))
    if soft_max is not None:
        panel.axis_soft_max(soft_max)
    if log:  # symmetric: a logarithm that has a place for 0
        panel.scale_distribution(
            common.ScaleDistributionConfig().type(look.ScaleDistribution.SYMLOG).log(10).linear_threshold(1)
        )
    panel.override_by_regexp("/(^| )limit$/", _dashed("red"))
    panel.override_by_regexp("/^warning limit$/", _dashed("orange"))
    panel.override_by_regexp("/^reference/", _dashed("blue"))
    return dress(panel, text, (width, height), queries)


def _dashed(colour: str) -> list[model.DynamicConfigValue]:
    return [
        model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour}),
        model.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}),
        model.DynamicConfigValue("custom.fillOpacity", 0),
    ]


def number(
    text: Text,
    *queries: Query,
    steps: Sequence[tuple[float, str]] = (),
    names: dict[str, tuple[str, str]] | None = None,
    base: str = "green",
    width: int = 4,
    empty: str | None = None,
) -> AnyPanel:
    """Return the last value in large type, coloured from each of the steps on; `names` says words for values."""
    panel = stat.Panel().graph_mode(look.BigValueGraphMode.NONE).thresholds(_steps(base, steps))
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.color_mode(look.BigValueColorMode.BACKGROUND if names or steps else look.BigValueColorMode.NONE)
    if names:
        panel.mappings([_names(names)])
    if empty is not None:
        panel.no_value(empty)
    return dress(panel, text, (width, 4), queries)


def _steps(base: str, steps: Sequence[tuple[float, str]]) -> build.ThresholdsConfig:
    every = [model.Threshold(None, base), *(model.Threshold(value, colour) for value, colour in steps)]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(every)


def _names(names: dict[str, tuple[str, str]]) -> model.ValueMap:
    return model.ValueMap({value: model.ValueMappingResult(text, colour) for value, (text, colour) in names.items()})


SEVERITIES: Final = {
    "-1": ("not enough rows", "gray"),
    "0": ("normal", "green"),
    "1": ("warning", "orange"),
    "2": ("critical", "red"),
}


def timeline(text: Text, query: Query, height: int) -> AnyPanel:
    """Return a band for each series, coloured by severity."""
    panel = statetimeline.Panel().mappings([_names(SEVERITIES)]).thresholds(_steps("green", ()))
    panel.show_value(look.VisibilityMode.NEVER).row_height(0.85).merge_values(True)
    panel.legend(common.VizLegendOptions().show_legend(True).display_mode(look.LegendDisplayMode.LIST)
                 .placement(look.LegendPlacement.BOTTOM))  # fmt: skip
    return dress(panel, text, (24, height), [query])


def rows(text: Text, *queries: Query, columns: dict[str, str], width: int = 12, height: int = 9) -> table.Panel:
    """Return a table of the answers merged by their labels, with only these columns, so named and ordered."""
    panel = table.Panel().no_value("none")
    dress(panel, text, (width, height), queries)
    if len(queries) > 1:
        panel.with_transformation(model.DataTransformerConfig("merge", options={}))
    shown = {"include": {"names": list(columns)}}
    panel.with_transformation(model.DataTransformerConfig("filterFieldsByName", options=shown))
    order = {name: place for place, name in enumerate(columns)}
    organized = {"excludeByName": {}, "indexByName": order, "renameByName": columns}
    return panel.with_transformation(model.DataTransformerConfig("organize", options=organized))


def _column(panel: table.Panel, name: str, **properties: object) -> None:
    """Set properties of one column; a double underscore stands for a dot."""
    values = [model.DynamicConfigValue(key.replace("__", "."), value) for key, value in properties.items()]
    panel.override_by_name(name, values)


def _mapping(names: dict[str, tuple[str, str]]) -> list[object]:
    options = {value: {"text": text, "color": colour} for value, (text, colour) in names.items()}
    return [{"type": "value", "options": options}]


def _link(title: str, url: str) -> list[object]:
    return [{"title": title, "url": url, "targetBlank": False}]


VARIABLES_ON: Final = "&".join(
    f"${{{name}:queryparam}}" for name in ("datasource", "job", "model_name", "model_version", "instance")
)


def feature_url(value: str) -> str:
    """Return the address of a feature's dashboard, with this Grafana expression for its name."""
    return f"/d/{FEATURE}?{VARIABLES_ON}&var-feature_name={value}&${{__url_time_range}}"


def rate(metric: str, where: str) -> str:
    """Return the rate of a counter."""
    return f"rate({metric}{{{where}}}[$__rate_interval])"


def limits(metric: str, where: str, by: str = "severity") -> Query:
    """Return the limits of each severity."""
    return Query(f"max by ({by}) ({metric}{{{where}}})", "{{severity}} limit")


# ---------------------------------------------------------------- the overview


EFFECT: Final = (
    f"max by (feature_name, window) (model_feature_psi_debiased{{{MODEL_IS}}}"
    f' / ignoring (severity) model_feature_psi_threshold{{{MODEL_IS}, severity="warning"}} {JUDGED})'
)
WORST: Final = f"topk by (feature_name) (1, {EFFECT})"
SEVERITY: Final = f"max by (feature_name) (model_feature_drift_severity{{{MODEL_IS}}})"
EVIDENCE: Final = f"max by (feature_name) (model_feature_evidence_log10{{{MODEL_IS}}})"
DEPENDENCE: Final = f"max by (feature_name) (model_feature_autocorrelation_rows{{{MODEL_IS}}})"
MOVED: Final = f"({WORST} and on (feature_name) ({SEVERITY} > 0))"
DRIFTED: Final = (
    f'({MOVED} * 0 or on (feature_name) label_replace(({SEVERITY} > 0) * 0, "window", "too few rows", "window", ""))'
)
"""Each drifted column with the window of its largest effect: 0."""


def _verdict(metric: str, judged: str) -> str:
    """Return the severity, or -1 while nothing is judged."""
    return f"({metric} and on () {judged} > 0) or on () ({metric} - 1)"


def status() -> list[AnyPanel]:
    """Is anything wrong?"""
    up = f"up{{{SERVER_IS}}}"
    firing = 'ALERTS{{alertstate="firing", job=~"$job|", severity="{}"}}'
    verdict = _verdict(f"max(model_drift_severity{{{MODEL_IS}}})", f"max(model_evaluated_features{{{MODEL_IS}}})")
    return [
        number(
            Text("Servers up", "Servers that Prometheus reaches. Bad: fewer than were started; see Servers down."),
            Query(f"sum({up})", "up"), base="red", steps=[(1, "green")],
        ),
        number(
            Text("Servers down", "Servers that the last scrape did not reach. Any is bad: it neither predicts "
                 "nor is monitored."),
            Query(f"count({up}) - sum({up})", "down"), steps=[(1, "red")],
        ),
        number(
            Text("Verdict", "The model's drift severity, the worst of its servers. Bad: warning (drift that is real, "
                 "but small, or not beyond the second threshold) and critical (real and big).", PLAIN),
            Query(verdict, "verdict"), names=SEVERITIES,
        ),
        number(
            Text("Drifted of judged columns", "Features whose drift is real and big, and columns that have a verdict. "
                 "Bad: any drifted feature, or few judged columns."),
            Query(f"max(model_drifted_features{{{MODEL_IS}}})", "drifted"),
            Query(f"max(model_evaluated_features{{{MODEL_IS}}})", "judged"),
        ),
        number(
            Text("Monitoring", "Whether monitoring itself works, on every server. Bad: a problem, which "
                 "/drift/status names; verdicts then rest on old or partial data.", PLAIN),
            Query(f"min(model_monitoring_healthy{{{MODEL_IS}}})", "monitoring"),
            names={"1": ("healthy", "green"), "0": ("problem", "red")},
        ),
        number(
            Text("Alerts firing", "Alerts that fire now, by severity. Bad: critical (act now) and warning (look "
                 "today)."),
            Query(f"count({firing.format('critical')}) or vector(0)", "critical"),
            Query(f"count({firing.format('warning')}) or vector(0)", "warning"),
            steps=[(1, "red")],
        ),
        _alerts(),
    ]  # fmt: skip


def _alerts() -> AnyPanel:
    panel = rows(
        Text("Firing alerts", "Each alert that fires now; its name leads to its runbook. Watchdog always fires: it "
             "proves that the chain works. Bad: anything else, and an empty table.", PLAIN),
        Query('ALERTS{alertstate="firing", job=~"$job|"}', shape="table"),
        columns={
            "alertname": "alert", "severity": "severity", "model_name": "model", "model_version": "version",
            "feature_name": "feature", "instance": "instance",
        },
        width=24, height=6,
    )  # fmt: skip
    _column(panel, "alert", links=_link("Runbook", "${runbooks:raw}/${__value.raw}"))
    _column(panel, "feature", links=_link("Feature drift", feature_url("${__value.raw}")))
    return panel


def requests() -> list[AnyPanel]:
    """Are requests answered, rightly and in time?"""
    latency = f"sum by (le) ({rate('model_prediction_latency_seconds_bucket', MODEL_IS)})"
    by_size = f"sum by (le, batch_size_bucket) ({rate('model_prediction_latency_seconds_bucket', MODEL_IS)})"
    limit = limits("model_prediction_latency_threshold_seconds", MODEL_IS)
    errors = "job:http_request_errors:ratio_rate"
    return [
        lines(
            Text("Requests by route", "Requests answered each second. Bad: a sudden fall to zero.", "reqps"),
            Query(f"sum by (method, handler) ({rate('http_requests_total', SERVER_IS)})", "{{method}} {{handler}}"),
        ),
        lines(
            Text("Answers by status code", "Answers each second by code. Bad: any 5xx (our fault); a rise of 4xx "
                 "(a caller has changed).", "reqps"),
            Query(f"sum by (code) ({rate('http_requests_total', SERVER_IS)})", "{{code}}"),
        ),
        lines(
            Text("Failed predict requests beside their budget", "Share of requests to predict, by either route, "
                 "answered 5xx by all servers of the job. Bad: above the budget for long; a multiple of it pages.",
                 RATIO),
            Query(f'{errors}5m{{job=~"$job"}}', "5 minutes"),
            Query(f'{errors}1h{{job=~"$job"}}', "1 hour"),
            Query(f"max(http_requests_error_budget_ratio{{{SERVER_IS}}})", "budget limit"),
        ),
        lines(
            Text("Prediction latency", "Time from a request's arrival until its rows are predicted. Bad: the 95th "
                 "percentile above a limit.", SECONDS),
            *(Query(f"histogram_quantile({q}, {latency})", f"p{q * 100:.0f}") for q in (0.5, 0.95, 0.99)),
            limit, width=12,
        ),
        lines(
            Text("95th percentile of latency by rows in the request", "The same by size of request (small < 10 "
                 "rows, medium < 100, large): what the alert compares. Bad: above a limit.", SECONDS),
            Query(f"histogram_quantile(0.95, {by_size})", "{{batch_size_bucket}}"), limit, width=12,
        ),
        lines(
            Text("Connections refused or ended", "Connections that the server refused, or ended before their client "
                 "did, each second by reason. Bad: too_many_connections or slow_evicted (honest clients find no "
                 "place: an alert).", "cps"),
            Query(f"sum by (reason) ({rate('http_connections_refused_total', SERVER_IS)})", "{{reason}}"), width=24,
        ),
    ]  # fmt: skip


def predictions() -> list[AnyPanel]:
    """What does the model say?"""
    score, total = rate("model_prediction_score_sum", MODEL_IS), rate("model_prediction_score_count", MODEL_IS)
    column = 'feature_name="prediction"'
    reasons = "sum by (reason) ({})"
    return [
        lines(
            Text("Predictions", "Rows predicted and answered each second, by server. Bad: a fall nobody planned, or "
                 "one server doing all the work.", ROWS_RATE),
            Query(f"sum by (instance) ({rate('model_predictions_total', MODEL_IS)})", "{{instance}}"),
        ),
        _scores(),
        lines(
            Text("Mean score beside the reference", "Mean score of answers now and over the main window, against "
                 "the reference's mean. Bad: it leaves the reference and stays away.", NUMBER),
            Query(f"sum({score}) / sum({total})", "now"),
            Query(f'avg(model_feature_value{{{MODEL_IS}, {column}, stat="mean"}})', "main window"),
            Query(f"max(model_feature_reference_mean{{{MODEL_IS}, {column}}})", "reference"),
        ),
        lines(
            Text("Refused requests by reason", "Requests to predict that were refused each second. Bad: a rise: a "
                 "caller sends what the model does not take, or (overloaded) more than the server can do.", "reqps"),
            Query(reasons.format(rate("model_predictions_rejected_total", MODEL_IS)), "{{reason}}"), width=12,
        ),
        lines(
            Text("Failed rows by reason", "Accepted rows that the model failed on each second. Any is bad: each is "
                 "an answer with status 500.", ROWS_RATE),
            Query(reasons.format(rate("model_prediction_failures_total", MODEL_IS)), "{{reason}}"), width=12,
        ),
    ]  # fmt: skip


def _scores() -> AnyPanel:
    panel = heatmap.Panel().calculate(False).show_legend().color(
        heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64)
    )  # fmt: skip
    text = Text("Scores", "How many scores fell between two edges, over time. Bad: a band that moves, splits or "
                "piles up at an end.", NUMBER)  # fmt: skip
    expr = f"sum by (le) (increase(model_prediction_score_bucket{{{MODEL_IS}}}[$__rate_interval]))"
    return dress(panel, text, (8, 8), [Query(expr, "{{le}}", "heatmap")])


def capture() -> list[AnyPanel]:
    """Does monitoring see all rows, and judge them in time?"""
    increases = "sum by (reason) (increase({}{{{}}}[$__rate_interval]))"
    return [
        lines(
            Text("Observations beside predictions", "Rows that entered the windows each second, by source, and rows "
                 "predicted. Bad: they differ, so rows are lost.", ROWS_RATE),
            Query(f"sum by (source) ({rate('model_observations_total', MODEL_IS)})", "observed: {{source}}"),
            Query(f"sum({rate('model_predictions_total', MODEL_IS)})", "predicted"),
        ),
        lines(
            Text("Dropped, clamped, late and unweighed rows", "Rows that monitoring lost, rows whose timestamp was not "
                 "believed, rows older than the longest window of time when they came, and rows that evidence could "
                 "not weigh. Bad: any drop, and any unweighed row, which evidence is blind to; clamps mean a caller's "
                 "clock runs ahead, late rows that the windows of time lack them.", ROWS),
            Query(increases.format("model_observations_dropped_total", MODEL_IS), "dropped: {{reason}}"),
            Query(increases.format("model_observations_clamped_total", MODEL_IS), "clamped: {{reason}}"),
            Query(f"sum(increase(model_observations_late_total{{{MODEL_IS}}}[$__rate_interval]))", "late"),
            Query(
                f"sum(increase(model_observations_evidence_skipped_total{{{MODEL_IS}}}[$__rate_interval]))", "skipped"
            ),
        ),
        lines(
            Text("Rows of count windows beside capacity", "Rows in each window of a number of rows, on the emptiest "
                 "server. Bad: below the required rows for long: nobody can say then how big a drift is.", ROWS),
            Query(f"min by (window) (model_window_rows{{{MODEL_IS}}} {COUNTED})", "{{window}}"),
            Query(f"max by (window) (model_window_capacity_rows{{{MODEL_IS}}})", "reference: capacity of {{window}}"),
            Query(f"max(model_window_required_rows{{{MODEL_IS}}})", "required rows limit"),
        ),
        lines(
            Text("Rows of time windows", "Rows in each window of time, on the emptiest server. They are for people to "
                 "read: no verdict rests on them. Bad: the short ones are empty while the long ones are not: traffic "
                 "has stopped.", ROWS),
            Query(f"min by (window) (model_window_rows{{{MODEL_IS}}} {TIMED})", "{{window}}"), width=12, log=True,
        ),
        lines(
            Text("Time to fill a count window", "Time in which present traffic fills each window of a number of rows, "
                 "on the server with the least, beside the age from which on rows leave it. Bad: above that limit: the "
                 "window never gets full. (A replay by the clock of events ages by its own time.)", SECONDS),
            Query(f"max by (window) ({_time_to_fill()})", "{{window}}"),
            Query(f"max(model_window_max_age_seconds{{{MODEL_IS}}})", "age limit"), width=12, log=True,
        ),
        lines(
            Text("Age of the last evaluation", "Time since the oldest server's last verdict. Bad: above the limit: "
                 "the verdict is stale.", SECONDS),
            Query(f"time() - min(model_evaluation_timestamp_seconds{{{MODEL_IS}}})", "age"),
            Query(f"max(model_evaluation_age_threshold_seconds{{{MODEL_IS}}})", "limit"), width=12,
        ),
        lines(
            Text("CPU time of an evaluation", "CPU time of each server's last evaluation. Bad: growth; evaluations "
                 "then come less often.", SECONDS),
            Query(f"max by (instance) (model_evaluation_duration_seconds{{{MODEL_IS}}})", "{{instance}}"), width=12,
        ),
    ]  # fmt: skip


def _time_to_fill() -> str:
    observed = f"sum by ({OF_A_SERVER}) ({rate('model_observations_total', MODEL_IS)}) > 0"
    return f"model_window_capacity_rows{{{MODEL_IS}}} / on ({OF_A_SERVER}) group_left () ({observed})"


def drift() -> list[AnyPanel]:
    """What has moved away from the reference?"""
    bands = timeline(
        Text("Severity of each column", "The verdict on every column, the worst of its servers. Bad: a band that turns "
             "orange or red and stays so. Click for the column's own dashboard.", PLAIN),
        Query(SEVERITY, "{{feature_name}}"), height=10,
    )  # fmt: skip
    effects = lines(
        Text("Largest drift effects", "PSI less noise, in units of its warning threshold: the ten largest columns, "
             "each by its worst window. It says how big a change is, not whether it is real. Bad: 1 and above, where "
             "the evidence beside is above its limit too.", NUMBER),
        Query(f"topk(10, max by (feature_name) ({EFFECT}))", "{{feature_name}}"),
        Query("vector(1)", "limit"), width=12, height=9,
    )  # fmt: skip
    evidence = lines(
        Text("Evidence", "How strongly the rows speak against the reference: the ten largest columns, each on its "
             "worst server. It says whether a change is real, not how big it is, for any number of rows; the limit is "
             "the budget for false alarms. Bad: at the limit and above; from there on it is held until 1 below.",
             POWER),
        Query(f"topk(10, {EVIDENCE})", "{{feature_name}}"),
        Query(f"min(model_feature_evidence_threshold_log10{{{MODEL_IS}}})", "limit"), width=12, height=9,
    )  # fmt: skip
    change = f"max by (feature_name) (model_feature_correlation_change_z{{{MODEL_IS}}})"
    together = lines(
        Text("Largest changes of a correlation", "How much the column's correlation with some other one differs from "
             "the reference's, in standard errors: the ten largest columns, main window. No verdict rests on it. Bad: "
             "far above the rest for long: columns that went together no longer do.", NUMBER),
        Query(f"topk(10, {change})", "{{feature_name}}"), width=16, height=9,
    )  # fmt: skip
    for panel in (bands, effects, evidence, together):
        link = build.DashboardLink("Feature drift").url(feature_url("${__field.labels.feature_name}"))
        panel.data_links([link])
    return [bands, effects, evidence, _drifted(), together, _pair(change)]


def _pair(change: str) -> AnyPanel:
    panel = rows(
        Text("Pair that changed most", "The two columns whose correlation changed most share one number, its change in "
             "standard errors; /drift/status has both correlations. Choose one instance: servers may differ. Bad: "
             "above 5 for long, with rows that are independent.", NUMBER),
        Query(f"topk(2, {change})", shape="table"),
        columns={"feature_name": "feature", "Value": "change"}, width=8,
    )  # fmt: skip
    panel.sort_by([common.TableSortByFieldState().display_name("change").desc(True)])
    _column(panel, "feature", links=_link("Feature drift", feature_url("${__value.raw}")))
    _column(panel, "change", decimals=1)
    return panel


def _drifted() -> AnyPanel:
    def of_worst(expr: str) -> Query:
        return Query(f"max by (feature_name, window) ({expr}) and on (feature_name, window) {MOVED}", shape="table")

    def of_column(expr: str) -> Query:
        return Query(f"{DRIFTED} + on (feature_name) group_left () {expr}", shape="table")

    since = f"(min by (feature_name) (model_feature_drift_since_timestamp_seconds{{{MODEL_IS}}}) * 1000)"
    panel = rows(
        Text("Drifted columns", "Each column whose drift is real: its evidence (decimal logarithm) and the limit, tau "
             "(rows that tell as much as one independent row; 1 where the reference has no times), then how big it is "
             "in the window with the largest effect: PSI less noise, its warning threshold, and since when. Bad: any "
             "row; start with the largest effect.", NUMBER),
        of_column(SEVERITY),
        Query(MOVED, shape="table"),
        of_worst(f"model_feature_psi_debiased{{{MODEL_IS}}}"),
        of_worst(f'model_feature_psi_threshold{{{MODEL_IS}, severity="warning"}}'),
        of_column(since),
        of_column(EVIDENCE),
        of_column(f"min by (feature_name) (model_feature_evidence_threshold_log10{{{MODEL_IS}}})"),
        of_column(f"({DEPENDENCE} or on (feature_name) {SEVERITY} * 0 + 1)"),
        columns={
            "feature_name": "feature", "Value #A": "severity", "Value #F": "evidence", "Value #G": "evidence limit",
            "Value #H": "tau", "Value #B": "effect", "Value #C": "PSI", "Value #D": "threshold", "window": "window",
            "Value #E": "since",
        },
        width=24,
    )  # fmt: skip
    panel.sort_by([common.TableSortByFieldState().display_name("effect").desc(True)])
    _column(panel, "feature", links=_link("Feature drift", feature_url("${__value.raw}")))
    _column(panel, "severity", mappings=_mapping(SEVERITIES), custom__cellOptions={"type": "color-text"})
    _column(panel, "since", unit=DATE)
    for name in ("effect", "PSI", "threshold"):
        _column(panel, name, decimals=3)
    for name in ("evidence", "evidence limit", "tau"):
        _column(panel, name, decimals=1)
    return panel


def quality() -> list[AnyPanel]:
    """Are the inputs whole?"""

    def over(what: str) -> str:
        limit = f'max by (feature_name) (model_feature_{what}_ratio_threshold{{{MODEL_IS}, severity="warning"}})'
        ratio = f"max by (feature_name, window) (model_feature_{what}_ratio{{{MODEL_IS}}} {COUNTED})"
        return f"topk(10, max by (feature_name) ({ratio} / on (feature_name) group_left () {limit}))"

    one = Query("vector(1)", "limit")
    return [
        lines(
            Text("Missing values over their limit", "Share of rows without a value in units of its warning threshold, "
                 "in count windows: the ten largest columns. Bad: 1 and above, a source has stopped.", NUMBER),
            Query(over("missing"), "{{feature_name}}"), one,
        ),
        lines(
            Text("Unseen values over their limit", "Share of rows with a value or category that the reference does not "
                 "have, in units of its warning threshold, in count windows. Bad: 1 and above.", NUMBER),
            Query(over("unseen"), "{{feature_name}}"), one,
        ),
        lines(
            Text("Out of range", "Share of rows outside the reference's range, in count windows: the ten largest "
                 "columns. Bad: a rise from near 0; the model extrapolates there.", RATIO),
            Query(f"topk(10, max by (feature_name) (model_feature_out_of_range_ratio{{{MODEL_IS}}} {COUNTED}))",
                  "{{feature_name}}"),
        ),
    ]  # fmt: skip


def process() -> list[AnyPanel]:
    """Does the process have what it needs?"""
    return [
        lines(
            Text("CPU", "Cores used by each server, all its workers together. Bad: for long as many as it has workers, "
                 "or its machine has cores; latency follows.", "suffix: cores"),
            Query(f"sum by (instance) ({rate('process_cpu_seconds_total', SERVER_IS)})", "{{instance}}"),
        ),
        lines(
            Text("Memory", "Resident memory of each worker, by its slot; what workers share counts in each. Bad: "
                 "steady growth; everything it keeps is bounded.", "bytes"),
            Query(f"max by (instance, slot) (process_resident_memory_bytes{{{SERVER_IS}}})",
                  "{{instance}} slot {{slot}}"),
        ),
        lines(
            Text("Open files", "Open files and connections of each server's fullest worker, as a share of what it may "
                 "open. Bad: near 100 %, it then refuses connections.", RATIO),
            Query(f"max by (instance) (process_open_fds{{{SERVER_IS}}} / process_max_fds{{{SERVER_IS}}})",
                  "{{instance}}"),
        ),
    ]  # fmt: skip


# ---------------------------------------------------------------- one feature


def feature_verdict() -> list[AnyPanel]:
    """Has this column moved, and since when?"""
    severity = f"max(model_feature_drift_severity{{{COLUMN_IS}}})"
    since = f"min(model_feature_drift_since_timestamp_seconds{{{COLUMN_IS}}}) * 1000"
    effect = (
        f"max(model_feature_psi_debiased{{{COLUMN_IS}}}"
        f' / ignoring (severity) model_feature_psi_threshold{{{COLUMN_IS}, severity="warning"}} {JUDGED})'
    )
    judged = f"(count(model_feature_psi{{{COLUMN_IS}}} {COUNTED}) or on () {severity})"
    evidence = "by (instance) (model_feature_evidence_log10"
    limit = f"min(model_feature_evidence_threshold_log10{{{COLUMN_IS}}})"
    tau = f"max(model_feature_autocorrelation_rows{{{COLUMN_IS}}}) or on () ({severity} * 0 + 1)"
    return [
        number(
            Text("Verdict", "This column's severity, the worst of its servers. Bad: warning (drift that is real) or "
                 "critical (real and big). Without evidence and with fewer than 200 rows there is no verdict.", PLAIN),
            Query(_verdict(severity, judged), "verdict"), names=SEVERITIES,
        ),
        number(
            Text("Drifted since", "When the evidence for the present drift was raised, by the monitor's clock (a "
                 "replay's own time). Bad: a long time ago, and nobody looked.", DATE),
            Query(since, "since"), empty="not drifted",
        ),
        number(
            Text("Evidence", "How strongly the rows speak against the reference, on the worst server, and from where "
                 "on a drift is real. Bad: at the limit and above; it is then held until 1 below.", POWER),
            Query(f"max(model_feature_evidence_log10{{{COLUMN_IS}}})", "evidence"), Query(limit, "limit"),
        ),
        number(
            Text("Effect", "PSI less noise, in units of its warning threshold, in the worst window: how big a change "
                 "is, real or not. Bad: 1 and above; far above 1 is another population.", NUMBER),
            Query(effect, "effect"), steps=[(0.8, "orange"), (1, "red")], empty="too few rows",
        ),
        number(
            Text("Dependence of rows", "Tau: how many consecutive rows tell as much as one independent row, as the "
                 "reference's times say; 1 where it has none. Bad: above 50: evidence is nearly blind, a drift takes "
                 "tau times as many rows to show.", NUMBER),
            Query(tau, "tau"), steps=[(50, "orange")],
        ),
        number(
            Text("PSI of all servers, 1 hour", "PSI of the rows of all servers in the last hour, with shares clipped "
                 "at 0.0001. Bad: above the thresholds below.", NUMBER),
            Query(f"max(feature:model_feature_psi_clip:increase1h{{{COLUMN_FLEET_IS}}})", "1 hour"),
            empty="too few rows",
        ),
        timeline(
            Text("Verdict by server", "How the verdict on this column changed, on each server. Bad: one server differs "
                 "from the others: it sees other traffic.", PLAIN),
            Query(f"max by (instance) (model_feature_drift_severity{{{COLUMN_IS}}})", "{{instance}}"), height=5,
        ),
        lines(
            Text("Evidence by server", "How strongly each server's own rows speak against the reference. It does not "
                 "add up: each server has rows and a budget for false alarms of its own. Bad: at the limit and above: "
                 "the drift is real; a slow rise towards it is a small drift.", POWER),
            Query(f"max {evidence}{{{COLUMN_IS}}})", "{{instance}}"), Query(limit, "limit"), width=24, height=7,
        ),
    ]  # fmt: skip


def feature_psi() -> list[AnyPanel]:
    """How large is the drift, against what is natural?"""
    where = f'{COLUMN_IS}, window="$window"'

    def largest(what: str, legend: str) -> Query:
        return Query(f"max(model_feature_psi{what}{{{where}}})", legend)

    panel = lines(
        Text("PSI, window $window", "PSI, and PSI less the noise of so few rows: that one is compared with the "
             "limits and says how big a change is. Natural variation is what the reference itself reaches. A window of "
             "time has neither and gives no verdict. Bad: debiased PSI above a limit.", NUMBER),
        largest("_debiased", "debiased"), largest("", "PSI"), largest("_noise", "noise"),
        largest("_expected_max", "reference: natural variation"),
        limits("model_feature_psi_threshold", where),
        width=12, height=9,
    )  # fmt: skip
    return [panel.repeat("window").repeat_direction("h").max_per_row(2)]


def feature_distances() -> list[AnyPanel]:
    """What do other statistics say, and from how many rows?"""
    where = f"{COLUMN_IS}, {CHOSEN}"

    def of_window(operation: str, metric: str, legend: str = "{{window}}") -> Query:
        return Query(f"{operation} by (window) ({metric}{{{where}}})", legend)

    return [
        lines(
            Text("Kolmogorov-Smirnov", "Largest distance of the window's cumulative distribution from the reference's, "
                 "from 0 to 1, on the worst server. Absent for categories, and where a window of time is longer than "
                 "the rows that are held. Bad: a rise that stays; few rows alone give about 1 / √rows.", NUMBER),
            of_window("max", "model_feature_ks_statistic"),
        ),
        lines(
            Text("Wasserstein", "How far values have to be moved on average to get the reference's distribution back, "
                 "in its standard deviations, on the worst server. Absent where Kolmogorov-Smirnov is. Bad: a rise "
                 "that stays: 1 is a whole standard deviation.", NUMBER),
            of_window("max", "model_feature_wasserstein_ratio"),
        ),
        lines(
            Text("Mean shift", "Mean less the reference's, in the reference's standard deviations, average of the "
                 "servers. It says in which direction. Bad: it leaves 0 and stays away.", NUMBER),
            of_window("avg", "model_feature_mean_shift_ratio"),
        ),
        lines(
            Text("Jensen-Shannon", "Distance of the shares of the bins, categories too: 0 is the same, 1 is nothing in "
                 "common; on the worst server. Bad: a rise that stays; a window of few rows is never at 0.", NUMBER),
            of_window("max", "model_feature_js_distance"),
        ),
        lines(
            Text("p-value", "Chance of bins at least as unlike the reference's with nothing changed, if rows are "
                 "independent, on the worst server. It is of one look: whoever looks often sees small ones by chance, "
                 "and evidence, not this, says whether a change is real. Bad: near 0 for long.", NUMBER),
            of_window("min", "model_feature_drift_pvalue"), soft_max=1,
        ),
        lines(
            Text("Correlation with other columns", "Largest change of this column's correlation with another one, in "
                 "standard errors, in the main window, on the worst server. Absent for categories. Bad: a rise that "
                 "stays; /drift/status names the pair that changed most.", NUMBER),
            Query(f"max(model_feature_correlation_change_z{{{COLUMN_IS}}})", "largest change"),
        ),
        lines(
            Text("Rows behind these", "Rows of each window, and those with a number in this column, on the emptiest "
                 "server. Bad: few (a distance of 100 rows is mostly chance), or far fewer numbers than rows.", ROWS),
            Query(f"min by (window) (model_window_rows{{{MODEL_IS}, {CHOSEN}}})", "{{window}}"),
            of_window("min", "model_feature_value_rows", "{{window}} with a number"), width=24, log=True,
        ),
    ]  # fmt: skip


def feature_distribution() -> list[AnyPanel]:
    """Which bins grew, and where did the values go?"""
    where = COLUMN_IS

    def value(name: str) -> Query:
        return Query(f'avg(model_feature_value{{{where}, stat="{name}"}})', name)

    mean, std = (f"max(model_feature_reference_{moment}{{{where}}})" for moment in ("mean", "std"))
    return [
        _bins(),
        lines(
            Text("Values", "Mean and quantiles of the main window, against the reference's mean and one standard "
                 "deviation around it. Bad: the mean leaves the band. Columns of categories have none.", NUMBER),
            *(value(name) for name in ("mean", "p05", "p50", "p95")),
            Query(mean, "reference mean"),
            Query(f"{mean} + {std}", "reference mean + std"), Query(f"{mean} - {std}", "reference mean - std"),
            width=12, height=9,
        ),
        lines(
            Text("Spread", "Standard deviation of the main window and of the reference. Bad: far smaller (a stuck "
                 "sensor) or larger (mixed units).", NUMBER),
            value("std"), Query(std, "reference std"), width=6, height=9,
        ),
        lines(
            Text("Extremes", "Smallest and largest value of the main window. Bad: values that cannot be.", NUMBER),
            value("min"), value("max"), width=6, height=9,
        ),
    ]  # fmt: skip


def _bins() -> AnyPanel:
    rows_of = f"sum by (feature_name, bin) (feature_bin:model_feature_bin_rows:increase1h{{{COLUMN_FLEET_IS}}})"
    total = f"sum by (feature_name) (feature:model_feature_bin_rows:increase1h{{{COLUMN_FLEET_IS}}})"
    reference = f"max by (bin) (model_feature_reference_ratio{{{COLUMN_IS}}})"
    current = f"max by (bin) ({rows_of} / on (feature_name) group_left () ({total} > 0))"
    panel = barchart.Panel().x_field("bin").show_value(look.VisibilityMode.NEVER).fill_opacity(80)
    panel.orientation(look.VizOrientation.VERTICAL).stacking(look.StackingMode.NONE).group_width(0.8)
    panel.x_tick_label_rotation(-45).tooltip(common.VizTooltipOptions().mode(look.TooltipDisplayMode.MULTI))
    panel.legend(common.VizLegendOptions().show_legend(True).display_mode(look.LegendDisplayMode.LIST)
                 .placement(look.LegendPlacement.BOTTOM))  # fmt: skip
    text = Text("Share of each bin", "Share of rows in each bin: the reference, and all servers in the last hour. Bad: "
                "bars that differ much: those values came or went.", RATIO)  # fmt: skip
    dress(panel, text, (24, 9), [Query(_ordered(reference), shape="table"), Query(_ordered(current), shape="table")])
    names = {"bin": "bin", "Value #A": "reference", "Value #B": "last hour"}
    shown = {"include": {"names": ["bin", "edge", "Value #A", "Value #B"]}}
    number_of_edge = {"conversions": [{"targetField": "edge", "destinationType": "number"}], "fields": {}}
    organized = {"excludeByName": {"edge": True}, "indexByName": {}, "renameByName": names}
    for kind, options in (
        ("merge", {}),
        ("filterFieldsByName", shown),
        ("convertFieldType", number_of_edge),
        ("sortBy", {"fields": {}, "sort": [{"field": "edge", "desc": False}]}),
        ("organize", organized),
    ):
        panel.with_transformation(model.DataTransformerConfig(kind, options=options))
    return panel


SPECIAL_EDGES: Final = (("below", "-1e308"), ("above", "1e308"), ("unseen", "1.1e308"), ("missing", "1.2e308"))


def _ordered(expr: str) -> str:
    """Add the number that a bin's name begins with as label `edge`, which bins are sorted by."""
    expr = f'label_replace({expr}, "edge", "$1", "bin", "[^0-9-]*(-?[0-9.]+(?:e[-+]?[0-9]+)?).*")'
    for name, edge in SPECIAL_EDGES:
        expr = f'label_replace({expr}, "edge", "{edge}", "bin", "{name}")'
    return expr


def feature_quality() -> list[AnyPanel]:
    """Are this column's values there, known and in range?"""

    def ratio(what: str) -> Query:
        return Query(f"max by (window) (model_feature_{what}_ratio{{{COLUMN_IS}, {CHOSEN}}})", "{{window}}")

    return [
        lines(
            Text("Missing", "Share of rows without a value, by window; alerts look at count windows alone. Bad: above "
                 "a limit: a source has stopped.", RATIO),
            ratio("missing"), limits("model_feature_missing_ratio_threshold", COLUMN_IS),
        ),
        lines(
            Text("Unseen", "Share of rows with a value or category that the reference does not have, by window. Bad: "
                 "above a limit. Continuous columns have none.", RATIO),
            ratio("unseen"), limits("model_feature_unseen_ratio_threshold", COLUMN_IS),
        ),
        lines(
            Text("Out of range", "Share of rows outside the reference's range, by window. Bad: a rise; the model "
                 "extrapolates there.", RATIO),
            ratio("out_of_range"),
        ),
    ]  # fmt: skip


def feature_fleet() -> list[AnyPanel]:
    """What do all servers together say?"""
    spans = {"5m": "5 minutes", "1h": "1 hour", "24h": "24 hours"}
    psi, counted = "feature:model_feature_psi_clip:increase", "feature:model_feature_bin_rows:increase"
    return [
        lines(
            Text("PSI of all servers", "PSI of the rows of all servers, shares clipped at 0.0001, where there are "
                 "enough rows. The limits are the smallest of the windows'. Bad: above a limit.", NUMBER),
            *(Query(f"max({psi}{span}{{{COLUMN_FLEET_IS}}})", legend) for span, legend in spans.items()),
            Query(f"min by (severity) (model_feature_psi_threshold{{{COLUMN_IS}}})", "{{severity}} limit"), width=12,
        ),
        lines(
            Text("Rows of all servers", "Rows that the PSI beside rests on. Bad: below 500, or 10 for each bin: there "
                 "is then no PSI.", ROWS),
            *(Query(f"max({counted}{span}{{{COLUMN_FLEET_IS}}})", legend) for span, legend in spans.items()), width=12,
        ),
    ]  # fmt: skip


# ---------------------------------------------------------------- dashboards


Rows = Sequence[tuple[str, Callable[[], list[AnyPanel]]]]
OVERVIEW_ROWS: Final[Rows] = (
    ("Status", status),
    ("Rate, errors, duration", requests),
    ("Predictions", predictions),
    ("Capture and window", capture),
    ("Drift", drift),
    ("Data quality", quality),
    ("Process", process),
)
FEATURE_ROWS: Final[Rows] = (
    ("Verdict", feature_verdict),
    ("PSI by window", feature_psi),
    ("Other distances by window", feature_distances),
    ("Distribution", feature_distribution),
    ("Data quality", feature_quality),
    ("All servers together", feature_fleet),
)


def _query_variable(name: str, label: str, query: str) -> build.QueryVariable:
    variable = build.QueryVariable(name).label(label).datasource(SOURCE).query({"query": query, "refId": name})
    return variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.NATURAL_ASC)


def _all(variable: build.QueryVariable) -> build.QueryVariable:
    everything = model.VariableOption(selected=True, text=["All"], value=["$__all"])
    return variable.multi(True).include_all(True).all_value(".*").current(everything)


def variables() -> list[build.QueryVariable | build.DatasourceVariable | build.TextBoxVariable]:
    """Return what both dashboards let choose."""
    source = build.DatasourceVariable("datasource").label("Data source").type("prometheus")
    model_is = 'model_info{job=~"$job", model_name=~"$model_name"'
    version = _query_variable("model_version", "Version", f"label_values({model_is}}}, model_version)")
    instances = f'label_values({model_is}, model_version=~"$model_version"}}, instance)'
    runbooks = build.TextBoxVariable("runbooks").label("Runbooks").default_value("http://localhost:8000/runbooks")
    return [
        source.current(model.VariableOption(selected=True, text="Prometheus", value="prometheus")),
        _query_variable("job", "Job", "label_values(model_info, job)"),
        _query_variable("model_name", "Model", 'label_values(model_info{job=~"$job"}, model_name)'),
        version.sort(model.VariableSort.NATURAL_DESC),  # the newest is chosen unless another is
        _all(_query_variable("instance", "Instance", instances)),
        runbooks.description("Address of the runbooks, which alerts lead to."),
    ]


def feature_variables() -> list[build.QueryVariable]:
    """Return what the dashboard of a feature lets choose besides."""
    names = f"label_values(model_feature_drift_severity{{{MODEL_IS}}}, feature_name)"
    windows = f"label_values(model_window_rows{{{MODEL_IS}}}, window)"
    return [
        _query_variable("feature_name", "Feature", names),
        _all(_query_variable("window", "Window", windows)),
    ]


ANNOTATIONS: Final = (
    {
        "name": "Alerts",
        "expr": 'ALERTS{alertstate="firing", job=~"$job|", alertname!="Watchdog"}',
        "iconColor": "red",
        "titleFormat": "{{alertname}} ({{severity}})",
        "textFormat": "{{feature_name}} {{instance}}",
        "tagKeys": "alertname,severity",
    },
    {
        "name": "Models",
        "expr": (
            f"group by (model_name, model_version, baseline_hash) (model_info{{{SERVER_IS}}}) "
            f"unless group by (model_name, model_version, baseline_hash) (model_info{{{SERVER_IS}}} offset 5m)"
        ),
        "iconColor": "blue",
        "titleFormat": "{{model_name}} {{model_version}} is served",
        "textFormat": "baseline {{baseline_hash}}",
        "tagKeys": "model_name,model_version",
    },
)
"""Alerts that fire, and models that were not served five minutes before."""


def _links(to: str, title: str) -> list[build.DashboardLink]:
    other = build.DashboardLink(title).url(f"/d/{to}").include_vars(True).keep_time(True).icon("dashboard")
    books = build.DashboardLink("Runbooks").url("${runbooks:raw}").icon("doc").target_blank(True)
    other.tooltip(title).type(model.DashboardLinkType.LINK)
    books.tooltip("What to do on an alert").type(model.DashboardLinkType.LINK)
    return [other, books]


def _assemble(board: build.Dashboard, parts: Rows) -> dict[str, Any]:
    """Return a dashboard's JSON with its rows, what all have, and ids in order."""
    board.tags(["driftgauge"]).editable().tooltip(model.DashboardCursorSync.CROSSHAIR).version(1)
    board.time("now-3h", "now").refresh("30s").timezone("browser")
    for title, panels in parts:
        board.with_row(build.Row(title))
        for panel in panels():
            board.with_panel(panel)
    made: dict[str, Any] = json.loads(json.dumps(board.build(), cls=JSONEncoder))
    for place, panel in enumerate(made["panels"], start=1):
        panel["id"] = place
    # The builder knows none of the fields with which Prometheus' annotations are named.
    shared = {"datasource": {"type": "prometheus", "uid": "${datasource}"}, "enable": True}
    return {**made, "id": None, "annotations": {"list": [{**shared, **one} for one in ANNOTATIONS]}}


def overview() -> dict[str, Any]:
    """Return the dashboard for whoever is on call."""
    board = build.Dashboard("Driftgauge: overview").uid(OVERVIEW)
    board.description(f"Is the model served, and does it still see what it was trained on? {NOTE}")
    board.variables(list(variables())).links(list(_links(FEATURE, "Feature drift")))
    return _assemble(board, OVERVIEW_ROWS)


def feature_drift() -> dict[str, Any]:
    """Return the dashboard of one column."""
    board = build.Dashboard("Driftgauge: feature drift").uid(FEATURE)
    board.description(f"How one column has moved from the reference, and where its values went. {NOTE}")
    board.variables([*variables(), *feature_variables()]).links(list(_links(OVERVIEW, "Overview")))
    return _assemble(board, FEATURE_ROWS)


def files() -> dict[str, str]:
    """Return the text of each dashboard by its file's name."""
    made = {board["uid"]: board for board in (overview(), feature_drift())}
    return {
        f"{uid}.json": json.dumps(board, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for uid, board in made.items()
    }


def main(arguments: Sequence[str]) -> int:
    """Write the dashboards, or with `--check` compare them."""
    stale = []
    for name, text in files().items():
        path = OUT / name
        if "--check" not in arguments:
            OUT.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        print(f"not what dashboards.py makes: {', '.join(stale)}; run it", file=sys.stderr)  # noqa: T201  # a script
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
