"""Do labels come, how many, and how late?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import heatmap
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode

from ..panels import NUMBER, PLAIN, RATIO, SECONDS, AnyPanel, Text, dress, lines
from ..queries import MODEL_IS, Query, rate_by
from .selectors import COVERAGE, LABEL_AGE, LABEL_AGE_LIMIT, LAG


def coming() -> list[AnyPanel]:
    """Return the panels on labels that come in, their coverage and their lag."""
    return [*_received(), *_late()]


def _received() -> list[AnyPanel]:
    return [
        lines(
            Text("Labels by result", "Labels each second by what became of them. Bad: refused (a row that could not be "
                 "read) or orphan (its prediction is unknown: with SQLite another replica may have it). One that waits "
                 "is counted once it is matched, or an orphan.", "cps"),
            Query(rate_by("result", "model_labels_total", MODEL_IS), "{{result}}"), empty="no label yet",
        ),
        lines(
            Text("Labels waiting", "Labels whose predictions are not logged yet, on the server with the most. Bad: a "
                 "rise that lasts: ids do not match those of predictions, or predictions are not logged.", PLAIN),
            Query(f"max(model_labels_waiting{{{MODEL_IS}}})", "waiting"),
        ),
        lines(
            Text("Age of the newest label", "Time since the newest label or outcome arrived. Bad: above the limit "
                 "while predictions go on.", SECONDS),
            LABEL_AGE, LABEL_AGE_LIMIT, empty="no label yet",
        ),
    ]  # fmt: skip


def _late() -> list[AnyPanel]:
    panel = heatmap.Panel().calculate(False).show_legend().color(
        heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64)
    )  # fmt: skip
    text = Text("Lag of labels", "Number of labels by the time from a prediction until its label became known. Bad: a "
                "band that moves up, or beyond the age from which predictions are matured.", NUMBER)  # fmt: skip
    expr = f"sum by (le) (increase(model_label_lag_seconds_bucket{{{MODEL_IS}}}[$__rate_interval]))"
    return [
        lines(
            Text("Coverage over time", "Share of the window's matured predictions that have ground truth, on the "
                 "server with the least. Bad: a fall.", RATIO),
            COVERAGE, soft_max=1,
        ),
        lines(
            Text("Mean lag over time", "Mean time from a prediction until its label became known, in the window, on "
                 "the server where it is longest. Bad: a rise towards the age from which predictions are matured.",
                 SECONDS),
            LAG,
        ),
        dress(panel, text, (8, 8), [Query(expr, "{{le}}", "heatmap")]),
    ]  # fmt: skip
