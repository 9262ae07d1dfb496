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

OVERVIEW: Final = "driftgauge-overview"
FEATURE: Final = "driftgauge-feature-drift"

RATIO: Final = "percentunit"
SECONDS: Final = "s"
NUMBER: Final = "short"
PLAIN: Final = "none"
DATE: Final = "dateTimeAsIso"
ROWS: Final = "suffix: rows"
ROWS_RATE: Final = "suffix: rows/s"

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
    panel.title(text.title).description(text.description).unit(text.unit).datasource(SOURCE)
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
    empty: str | None = None,
) -> AnyPanel:
    """Return lines over time; those whose legend ends in `limit` are dashed."""
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
    if empty is not None:
        panel.no_value(empty)
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
    """Return the last value in large type, coloured by steps; `names` are words for values."""
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
    "-1": ("insufficient data", "gray"),
    "0": ("normal", "green"),
    "1": ("info", "blue"),
    "2": ("warning", "orange"),
    "3": ("critical", "red"),
}


def timeline(text: Text, query: Query, height: int) -> AnyPanel:
    """Return a band for each series, coloured by severity."""
    panel = statetimeline.Panel().mappings([_names(SEVERITIES)]).thresholds(_steps("green", ()))
    panel.show_value(look.VisibilityMode.NEVER).row_height(0.85).merge_values(True)
    panel.legend(common.VizLegendOptions().show_legend(True).display_mode(look.LegendDisplayMode.LIST)
                 .placement(look.LegendPlacement.BOTTOM))  # fmt: skip
    return dress(panel, text, (24, height), [query])


def rows(text: Text, *queries: Query, columns: dict[str, str], width: int = 12, height: int = 9) -> table.Panel:
    """Return a table of the answers, merged by labels; `columns` names and orders what it shows."""
    panel = table.Panel().no_value("none")
    dress(panel, text, (width, height), queries)
    if len(queries) > 1:
        panel.with_transformation(model.DataTransformerConfig("merge", options={}))
    shown = {"include": {"names": list(columns)}}
    panel.with_transformation(model.DataTransformerConfig("filterFieldsByName", options=shown))
    order = {name: place for place, name in enumerate(columns)}
    organized = {"excludeByName": {}, "indexByName": order, "renameByName": columns}
    return panel.with_transformation(model.DataTransformerConfig("organize", options=organized))


def column(panel: table.Panel, name: str, **properties: object) -> None:
    """Set properties of one column; a double underscore stands for a dot."""
    values = [model.DynamicConfigValue(key.replace("__", "."), value) for key, value in properties.items()]
    panel.override_by_name(name, values)


def mapping(names: dict[str, tuple[str, str]]) -> list[object]:
    """Return the mapping of a table's column from values to words and colours."""
    options = {value: {"text": text, "color": colour} for value, (text, colour) in names.items()}
    return [{"type": "value", "options": options}]


def link(title: str, url: str) -> list[object]:
    """Return the links of a table's column: one."""
    return [{"title": title, "url": url, "targetBlank": False}]


VARIABLES_ON: Final = "&".join(
    f"${{{name}:queryparam}}" for name in ("datasource", "job", "model_name", "model_version", "instance")
)


def feature_url(value: str) -> str:
    """Return the address of a feature's dashboard, with this Grafana expression for its name."""
    return f"/d/{FEATURE}?{VARIABLES_ON}&var-feature_name={value}&${{__url_time_range}}"
