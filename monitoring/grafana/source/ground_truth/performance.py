"""How right is the model, beside its held-out rows, its limits and its estimate?"""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import common

from ..panels import (
    DATE,
    NUMBER,
    PLAIN,
    RATIO,
    ROWS,
    SECONDS,
    SEVERITIES,
    AnyPanel,
    Text,
    column,
    lines,
    number,
    rows,
)
from ..queries import MODEL_IS, Query, limits
from .selectors import (
    BEST_AT_0,
    BEST_AT_1,
    COVERAGE,
    GAUGES,
    LABEL_AGE,
    LABEL_AGE_LIMIT,
    LABELLED,
    LAG,
    ROWS_REQUIRED,
    VERDICT,
    WINDOW_IS,
    by_metric,
)

NOT_OF_THIS_TASK: Final = "this kind of model does not have it"


def verdict() -> list[AnyPanel]:
    """Return the verdict in numbers, and the table of metrics."""
    return [*_verdict(), *_labels(), _metrics()]


def history() -> list[AnyPanel]:
    """Return the panels on metrics over time."""
    return [*_judged(), *_others(), _drops()]


def split() -> list[AnyPanel]:
    """Return the panels on performance by segment and by class."""
    return [_segments(), _recalls()]


def _verdict() -> list[AnyPanel]:
    return [
        number(
            Text("Performance", "Severity of worse performance on matured predictions, on the server where it is "
                 "worst. Bad: warning or critical: a metric has dropped against its held-out value, significantly "
                 "and by more than its limit, or is beyond its floor.", PLAIN),
            Query(VERDICT, "severity"), names=SEVERITIES,
        ),
        number(
            Text("Labelled rows", "Matured predictions with ground truth in the window, on the server with the fewest, "
                 "and the number from which performance is judged. Bad: below the limit.", ROWS),
            Query(LABELLED, "labelled"), Query(ROWS_REQUIRED, "limit"),
        ),
        number(
            Text("Matured until", "End of the newest matured cohort: predictions before it are counted. Bad: it stands "
                 "still: ground truth is no longer evaluated.", DATE),
            Query(f"min(model_matured_timestamp_seconds{{{MODEL_IS}}}) * 1000", "until"),
        ),
    ]  # fmt: skip


def _labels() -> list[AnyPanel]:
    return [
        number(
            Text("Coverage", "Share of the window's matured predictions that have ground truth, on the server with the "
                 "least. Bad: low, or lower than before: the metrics are those of a part that may be special.", RATIO),
            COVERAGE,
        ),
        number(
            Text("Mean lag", "Mean time from a prediction until its label became known, in the window. Bad: near the "
                 "age from which predictions are matured: slow labels are then left out.", SECONDS),
            LAG,
        ),
        number(
            Text("Newest label", "Time since the newest label or outcome arrived, and the time from which labels count "
                 "as missing. Bad: above the limit.", SECONDS),
            LABEL_AGE, LABEL_AGE_LIMIT, empty="no label yet",
        ),
    ]  # fmt: skip


def _metrics() -> AnyPanel:
    every = tuple(GAUGES)
    queries = (
        *(by_metric(every, part) for part in ("", "_lower", "_upper")),
        f"max by (metric) (model_performance_held_out{{{MODEL_IS}}})",
        f"max by (metric) (model_performance_drop_ratio{{{WINDOW_IS}}})",
        f"max by (metric) (model_performance_floor{{{MODEL_IS}}})",
    )
    panel = rows(
        Text("Metrics beside held-out rows and limits", "Each metric on matured predictions with ground truth, with "
             "its 95 % interval, averaged over the servers; on the bundle's held-out rows; its drop against them on "
             "the worst server, where a negative drop is an improvement; and its floor, which is a ceiling where lower "
             "is better. Bad: a drop above the limit that the panel Drop shows, or an interval beyond the floor.",
             NUMBER),
        *(Query(expr, shape="table") for expr in queries),
        columns={
            "metric": "metric", "Value #A": "value", "Value #B": "lower", "Value #C": "upper",
            "Value #D": "held-out", "Value #E": "drop", "Value #F": "floor",
        },
        width=24, height=9, empty="no matured prediction has ground truth yet",
    )  # fmt: skip
    panel.sort_by([common.TableSortByFieldState().display_name("drop").desc(True)])
    for name in ("value", "lower", "upper", "held-out", "floor"):
        column(panel, name, decimals=4)
    steps = {"mode": "absolute", "steps": [{"value": None, "color": "text"}]}
    column(panel, "drop", unit=RATIO, decimals=1, thresholds=steps)
    return panel


def _judged() -> list[AnyPanel]:
    return [
        _judged_panel("Accuracy", "accuracy", "model_estimated_accuracy", "Share of predictions with the right class"),
        _judged_panel("ROC AUC", "roc_auc", "model_estimated_roc_auc", "Area under the ROC curve"),
        _judged_panel("Mean absolute error", "mean_absolute_error", "model_estimated_mae",
                      "Mean absolute difference between prediction and truth", worse="above"),
    ]  # fmt: skip


def _judged_panel(title: str, name: str, estimated: str, what: str, worse: str = "below") -> AnyPanel:
    """Return a metric with its interval, beside its estimate, its held-out value and its floor."""
    gauge = GAUGES[name]
    named = f'{MODEL_IS}, metric="{name}"'
    return lines(
        Text(title, f"{what}, on matured predictions with ground truth, with its 95 % interval; the estimate on all "
             "predictions of the main window, which needs no ground truth and cannot see concept drift; and the value "
             f"on held-out rows. Bad: the whole interval {worse} the held-out value or the limit. An estimate that "
             "stays while the metric becomes worse is concept drift.", NUMBER),
        *(Query(f"avg({gauge}{part}{{{WINDOW_IS}}})", legend)
          for part, legend in (("", "realised"), ("_lower", "lower end"), ("_upper", "upper end"))),
        Query(f"avg({estimated}{{{WINDOW_IS}}})", "estimated"),
        Query(f"max(model_performance_held_out{{{named}}})", "reference: held-out rows"),
        Query(f"max(model_performance_floor{{{named}}})", "limit"),
        height=9, empty=NOT_OF_THIS_TASK,
    )  # fmt: skip


def _others() -> list[AnyPanel]:
    return [
        lines(
            Text("Other metrics that are best at 1", "Precision, recall and F1 of two classes, macro F1 of several, R² "
                 "of a regression, averaged over the servers. Bad: a fall that lasts.", NUMBER),
            Query(by_metric(BEST_AT_1), "{{metric}}"), empty=NOT_OF_THIS_TASK,
        ),
        lines(
            Text("Other metrics that are best at 0", "Log-loss, Brier score and calibration error of two classes, root "
                 "mean squared error and bias of a regression, averaged over the servers. Bad: a rise that lasts; of "
                 "bias also a fall below 0.", NUMBER),
            Query(by_metric(BEST_AT_0), "{{metric}}"), empty=NOT_OF_THIS_TASK,
        ),
    ]  # fmt: skip


def _drops() -> AnyPanel:
    return lines(
        Text("Drop against held-out rows", "How much worse each metric is than on the held-out rows, relative to them, "
             "on the worst server; below 0 it is better. Bad: above a limit, if the drop is significant too.", RATIO),
        Query(f"max by (metric) (model_performance_drop_ratio{{{WINDOW_IS}}})", "{{metric}}"),
        limits("model_performance_drop_threshold_ratio", MODEL_IS),
        empty="the bundle has no held-out rows",
    )  # fmt: skip


SEGMENT_GAUGES: Final = ("accuracy", "roc_auc", "macro_f1", "mean_absolute_error")


def _of_segment(name: str) -> str:
    return GAUGES[name].replace("model_", "model_segment_", 1)


def _segments() -> AnyPanel:
    def of_segments(part: str) -> str:
        return " or ".join(
            f"label_replace(avg by (segment, segment_value) ({_of_segment(name)}{part}{{{MODEL_IS}}}), "
            f'"metric", "{name}", "", "")'
            for name in SEGMENT_GAUGES
        )

    panel = rows(
        Text("Segments", "Metrics by the values of the features in performance_segments, of those with the most rows, "
             "with 95 % intervals, averaged over the servers. Bad: a segment whose interval lies far from the others.",
             NUMBER),
        *(Query(of_segments(part), shape="table") for part in ("", "_lower", "_upper")),
        columns={
            "segment": "feature", "segment_value": "segment", "metric": "metric", "Value #A": "value",
            "Value #B": "lower", "Value #C": "upper",
        },
        empty="no segments: set performance_segments",
    )  # fmt: skip
    panel.sort_by([common.TableSortByFieldState().display_name("metric"),
                   common.TableSortByFieldState().display_name("segment")])  # fmt: skip
    for name in ("value", "lower", "upper"):
        column(panel, name, decimals=4)
    return panel


def _recalls() -> AnyPanel:
    panel = rows(
        Text("Recall by class", "Share of a class's rows that were predicted as it, in the main window, with its 95 % "
             "interval, averaged over the servers. Models of several classes have it. Bad: near 0, or lower than "
             "before: the model misses the class.", NUMBER),
        *(Query(f"avg by (class) (model_class_recall{part}{{{MODEL_IS}}})", shape="table")
          for part in ("", "_lower", "_upper")),
        columns={"class": "class", "Value #A": "recall", "Value #B": "lower", "Value #C": "upper"},
        empty=NOT_OF_THIS_TASK,
    )  # fmt: skip
    panel.sort_by([common.TableSortByFieldState().display_name("recall")])
    for name in ("recall", "lower", "upper"):
        column(panel, name, unit=RATIO, decimals=1)
    return panel
