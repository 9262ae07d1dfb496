"""Kinds of panels: numbers, lines, bands and tables, each dressed alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import barchart, common, heatmap, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model

from .queries import SOURCE, Query
from .words import with_words

OVERVIEW: Final = "driftgauge-overview"
FEATURE: Final = "driftgauge-feature-drift"
REPLICAS: Final = "driftgauge-replicas"
GROUND_TRUTH: Final = "driftgauge-ground-truth"

RATIO: Final = "percentunit"
SECONDS: Final = "s"
NUMBER: Final = "short"
PLAIN: Final = "none"
DATE: Final = "dateTimeAsIso"
ROWS: Final = "suffix:rows"
ROWS_RATE: Final = "suffix:rows/s"

CRITICAL: Final = "red"
WARNING: Final = "orange"
INFO: Final = "blue"
NORMAL: Final = "green"
UNKNOWN: Final = "gray"
REFERENCE: Final = "blue"
CURRENT: Final = "yellow"
"""The colours of severities, of the reference and of live rows; every panel takes them from here."""

AXIS_REACHES: Final = {RATIO: 0.001, ROWS_RATE: 1.0, ROWS: 1.0, "reqps": 0.1, "cps": 0.1}
"""An axis reaches at least so far by its unit, so that a line of zeros looks like one."""

AnyPanel = (
    stat.Panel | timeseries.Panel | table.Panel | statetimeline.Panel | heatmap.Panel | barchart.Panel
)  # fmt: skip


@dataclass(frozen=True)
class Text:
    """A panel's title, its description and the unit of its numbers."""

    title: str
    description: str
    unit: str = NUMBER


def dress(panel: AnyPanel, text: Text, size: tuple[int, int], queries: Sequence[Query]) -> AnyPanel:
    """Give a panel what every panel has; `size` is width and height."""
    panel.title(text.title).description(with_words(text.title, text.description)).unit(text.unit).datasource(SOURCE)
    panel.span(size[0]).height(size[1])
    for place, query in enumerate(queries):
        panel.with_target(query.build(chr(ord("A") + place)))
    return panel


def lines(
    text: Text,
    *queries: Query,
    width: int = 8,
    height: int = 8,
    soft_max: float | None = None,
    log: bool = False,
    many: bool = False,
    empty: str = "no data in this time range",
) -> AnyPanel:
    """Return lines over time; those whose legend ends in `limit` are dashed. `many` lists them in a table."""
    panel = timeseries.Panel().fill_opacity(4).axis_soft_min(0).show_points(look.VisibilityMode.NEVER)
    panel.legend(_legend(many)).no_value(empty)
    panel.tooltip(common.VizTooltipOptions().mode(look.TooltipDisplayMode.MULTI).sort(look.SortOrder.DESCENDING))
    reach = AXIS_REACHES.get(text.unit) if soft_max is None else soft_max
    if reach is not None:
        panel.axis_soft_max(reach)
    if log:  # symmetric: a logarithm that has a place for 0
        panel.scale_distribution(
            common.ScaleDistributionConfig().type(look.ScaleDistribution.SYMLOG).log(10).linear_threshold(1)
        )
    panel.override_by_regexp("/(^| )limit$/", _dashed(CRITICAL))
    panel.override_by_regexp("/^warning limit$/", _dashed(WARNING))
    panel.override_by_regexp("/^reference/", _dashed(REFERENCE))
    return dress(panel, text, (width, height), queries)


def _legend(many: bool) -> common.VizLegendOptions:
    legend = common.VizLegendOptions().show_legend(True).calcs(["lastNotNull"])
    if many:
        legend.display_mode(look.LegendDisplayMode.TABLE).placement(look.LegendPlacement.RIGHT)
        return legend.sort_by("Last *").sort_desc(True)
    return legend.display_mode(look.LegendDisplayMode.LIST).placement(look.LegendPlacement.BOTTOM)


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
    base: str = NORMAL,
    width: int = 4,
    empty: str = "no data",
) -> AnyPanel:
    """Return the last value in large type, coloured by steps; `names` are words for values."""
    panel = stat.Panel().no_value(empty).graph_mode(look.BigValueGraphMode.NONE).thresholds(_steps(base, steps))
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.color_mode(look.BigValueColorMode.BACKGROUND if names or steps else look.BigValueColorMode.NONE)
    if names:
        panel.mappings([_names(names)])
    return dress(panel, text, (width, 4), queries)


def step_override(panel: AnyPanel, name: str, base: str, steps: Sequence[tuple[float, str]]) -> None:
    """Give the value of one name thresholds of its own."""
    every = [{"value": None, "color": base}, *({"value": value, "color": colour} for value, colour in steps)]
    panel.override_by_name(name, [model.DynamicConfigValue("thresholds", {"mode": "absolute", "steps": every})])


def _steps(base: str, steps: Sequence[tuple[float, str]]) -> build.ThresholdsConfig:
    every = [model.Threshold(None, base), *(model.Threshold(value, colour) for value, colour in steps)]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(every)


def _names(names: dict[str, tuple[str, str]]) -> model.ValueMap:
    return model.ValueMap({value: model.ValueMappingResult(text, colour) for value, (text, colour) in names.items()})


SEVERITIES: Final = {
    "-1": ("insufficient data", UNKNOWN),
    "0": ("normal", NORMAL),
    "1": ("info", INFO),
    "2": ("warning", WARNING),
    "3": ("critical", CRITICAL),
}


def timeline(text: Text, query: Query, height: int) -> AnyPanel:
    """Return a band for each series, coloured by severity."""
    panel = statetimeline.Panel().mappings([_names(SEVERITIES)]).thresholds(_steps(NORMAL, ()))
    panel.show_value(look.VisibilityMode.NEVER).row_height(0.85).merge_values(True)
    panel.legend(common.VizLegendOptions().show_legend(True).display_mode(look.LegendDisplayMode.LIST)
                 .placement(look.LegendPlacement.BOTTOM))  # fmt: skip
    return dress(panel, text, (24, height), [query])


def rows(
    text: Text,
    *queries: Query,
    columns: dict[str, str],
    width: int = 12,
    height: int = 9,
    empty: str = "none",
    largest_first: str | None = None,
) -> table.Panel:
    """Return a table of the answers, merged by labels; `columns` names and orders what it shows.

    `largest_first` names the field to sort by, also one that is not shown.
    """
    panel = table.Panel().no_value(empty)
    dress(panel, text, (width, height), queries)
    if len(queries) > 1:
        panel.with_transformation(model.DataTransformerConfig("merge", options={}))
    if largest_first is not None:
        sort = {"fields": {}, "sort": [{"field": largest_first, "desc": True}]}
        panel.with_transformation(model.DataTransformerConfig("sortBy", options=sort))
    shown = {"include": {"names": list(columns)}}
    panel.with_transformation(model.DataTransformerConfig("filterFieldsByName", options=shown))
    order = {name: place for place, name in enumerate(columns)}
    organized = {"excludeByName": {}, "indexByName": order, "renameByName": columns}
    for name, shown_as in columns.items():
        # A label is text, also one that reads as a number; `empty` is said in place of the table alone.
        as_text = {} if name.startswith("Value") else {"unit": "string"}
        column(panel, shown_as, noValue="–", custom__minWidth=80, **as_text)
    return panel.with_transformation(model.DataTransformerConfig("organize", options=organized))


def column(panel: table.Panel, name: str, **properties: object) -> None:
    """Set properties of one column; a double underscore stands for a dot."""
    values = [model.DynamicConfigValue(key.replace("__", "."), value) for key, value in properties.items()]
    panel.override_by_name(name, values)


def mapping(names: dict[str, tuple[str, str]]) -> list[object]:
    """Return the mapping of a table's column from values to words and colours."""
    options = {value: {"text": text, "color": colour} for value, (text, colour) in names.items()}
    return [{"type": "value", "options": options}]


def link(title: str, url: str, new_tab: bool = False) -> list[object]:
    """Return the links of a table's column: one."""
    return [{"title": title, "url": url, "targetBlank": new_tab}]


STATUS_URL: Final = "${server:raw}/drift/status?model=${model_name:percentencode}"
"""The verdict on the chosen model."""
DIAGNOSIS_URL: Final = "${server:raw}/diagnosis?model=${model_name:percentencode}"
"""What is wrong with the chosen model, and its likely causes."""
VARIABLES_ON: Final = "&".join(
    f"${{{name}:queryparam}}" for name in ("datasource", "job", "model_name", "model_version", "instance")
)


def feature_url(value: str) -> str:
    """Return the address of a feature's dashboard, with this Grafana expression for its name."""
    return f"/d/{FEATURE}?{VARIABLES_ON}&var-feature_name={value}&${{__url_time_range}}"
