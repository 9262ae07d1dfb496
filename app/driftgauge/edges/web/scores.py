"""What the page says of the model's answers and of the share of outliers, beside the features."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.novelty.novelty import OUTLIER
from driftgauge.drift.reference.baseline import OUTPUTS, PREDICTION, PREDICTION_CLASS
from driftgauge.drift.verdict.report import DriftReport, score_means
from driftgauge.edges.web.feature import Distribution, distribution
from driftgauge.edges.web.query import Query
from driftgauge.edges.web.rows import rows_of
from driftgauge.edges.web.words import number

_TITLES: Final = {PREDICTION: "Score", PREDICTION_CLASS: "Predicted class", OUTLIER: "Outlier or not"}


@dataclass(frozen=True)
class ScoreView:
    """A monitored column that is no feature, now and in the reference."""

    title: str
    means: str
    name: str
    address: str
    distribution: Distribution


def score_views(report: DriftReport, query: Query) -> list[ScoreView]:
    """Return the sections on the columns that are no features."""
    found = []
    now, before = score_means(report)
    for name in OUTPUTS:
        if name in report.baseline.names:
            shown = distribution(report, report.baseline.names.index(name))
            if shown is not None:
                has_means = name == PREDICTION and not (math.isnan(now) or math.isnan(before))
                rows = rows_of(report.main)
                means = f"Mean {number(now)} in the {rows} (reference: {number(before)})." if has_means else ""
                found.append(ScoreView(_TITLES[name], means, name, query.address(features=(name,)), shown))
    return found
