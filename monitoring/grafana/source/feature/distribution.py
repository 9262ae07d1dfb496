"""Which bins grew, and are the values there, known and in range?"""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import barchart, common
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model

from ..panels import CURRENT, NUMBER, RATIO, REFERENCE, AnyPanel, Text, dress, lines
from ..queries import CHOSEN, COLUMN_IS, COLUMN_OF_REPLICAS_IS, Query, limits

CATEGORICAL: Final = "a categorical column has none"


def bins() -> list[AnyPanel]:
    """Return the panel on the shares of bins."""
    return [_bins()]


def values() -> list[AnyPanel]:
    """Return the panels on mean, spread and extremes."""
    mean, std = (f"max(model_feature_reference_{moment}{{{COLUMN_IS}}})" for moment in ("mean", "std"))
    return [
        lines(
            Text("Values", "Mean and quantiles of the main window, beside the reference's mean and one standard "
                 "deviation around it. Categorical columns have none. Bad: the mean leaves that band.", NUMBER),
            *(_value(name) for name in ("mean", "p05", "p50", "p95")),
            Query(mean, "reference mean"),
            Query(f"{mean} + {std}", "reference mean + std"), Query(f"{mean} - {std}", "reference mean - std"),
            width=12, height=9, empty=CATEGORICAL,
        ),
        lines(
            Text("Spread", "Standard deviation of the main window and of the reference. Bad: far smaller (a stuck "
                 "sensor) or larger (mixed units).", NUMBER),
            _value("std"), Query(std, "reference std"), width=6, height=9, empty=CATEGORICAL,
        ),
        lines(
            Text("Extremes", "Smallest and largest value of the main window. Bad: impossible values.", NUMBER),
            _value("min"), _value("max"), width=6, height=9, empty=CATEGORICAL,
        ),
    ]  # fmt: skip


def _value(name: str) -> Query:
    return Query(f'avg(model_feature_value{{{COLUMN_IS}, stat="{name}"}})', name)


def _bins() -> AnyPanel:
    panel = barchart.Panel().x_field("bin").show_value(look.VisibilityMode.NEVER).fill_opacity(80)
    panel.orientation(look.VizOrientation.VERTICAL).stacking(look.StackingMode.NONE).group_width(0.8)
    panel.x_tick_label_rotation(-45).tooltip(common.VizTooltipOptions().mode(look.TooltipDisplayMode.MULTI))
    panel.legend(common.VizLegendOptions().show_legend(True).display_mode(look.LegendDisplayMode.LIST)
                 .placement(look.LegendPlacement.BOTTOM))  # fmt: skip
    text = Text("Share of each bin", "Share of rows in each bin: in the reference, and across replicas in the last "
                "hour. below and above are outside the reference's range. Bad: bars that differ much.",
                RATIO)  # fmt: skip
    panel.no_value("no rows in the last hour, or the recording rules are not loaded")
    for name, colour in (("reference", REFERENCE), ("last hour", CURRENT)):
        panel.override_by_name(name, [model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})])
    dress(panel, text, (24, 9), [Query(_ordered(expr), shape="table") for expr in _shares()])
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


def _shares() -> tuple[str, str]:
    """Return the queries of the reference's shares and of the present ones."""
    where = COLUMN_OF_REPLICAS_IS
    rows_of = f"sum by (feature_name, bin) (feature_bin:model_feature_bin_rows:increase1h{{{where}}})"
    total = f"sum by (feature_name) (feature:model_feature_bin_rows:increase1h{{{where}}})"
    reference = f"max by (bin) (model_feature_reference_ratio{{{COLUMN_IS}}})"
    return reference, f"max by (bin) ({rows_of} / on (feature_name) group_left () ({total} > 0))"


SPECIAL_EDGES: Final = (("below", "-1e308"), ("above", "1e308"), ("unseen", "1.1e308"), ("missing", "1.2e308"))


def _ordered(expr: str) -> str:
    """Add the first number of a bin's name as label `edge`, which sorts the bins."""
    expr = f'label_replace({expr}, "edge", "$1", "bin", "[^0-9-]*(-?[0-9.]+(?:e[-+]?[0-9]+)?).*")'
    for name, edge in SPECIAL_EDGES:
        expr = f'label_replace({expr}, "edge", "{edge}", "bin", "{name}")'
    return expr


def quality() -> list[AnyPanel]:
    """Return the panels on missing, unseen and out-of-range values."""
    return [
        lines(
            Text("Missing", "Share of rows without a value, by window. Alerts look at sliding windows only. Bad: above "
                 "a limit: a source has failed.", RATIO),
            _ratio("missing"), limits("model_feature_missing_ratio_threshold", COLUMN_IS),
        ),
        lines(
            Text("Unseen", "Share of rows with a value that the reference does not have, by window. Continuous columns "
                 "have none. Bad: above a limit.", RATIO),
            _ratio("unseen"), limits("model_feature_unseen_ratio_threshold", COLUMN_IS),
            empty="a continuous column has no unseen values",
        ),
        lines(
            Text("Out of range", "Share of rows outside the reference's range, by window. Bad: a rise: the model "
                 "extrapolates.", RATIO),
            _ratio("out_of_range"),
        ),
    ]  # fmt: skip


def _ratio(kind: str) -> Query:
    return Query(f"max by (window) (model_feature_{kind}_ratio{{{COLUMN_IS}, {CHOSEN}}})", "{{window}}")
