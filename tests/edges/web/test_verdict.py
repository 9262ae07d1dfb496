"""The headline and the next steps name what drifted: features, the share of outliers, scores or whole rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from driftgauge.drift.multivariate.compared import with_whole_rows
from driftgauge.drift.novelty.attach import with_novelty
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.edges.web.facts import Links
from driftgauge.edges.web.query import Query
from driftgauge.edges.web.verdict import COMBINATIONS, TOGETHER, VerdictView, verdict_view
from driftgauge.monitor.monitor import ColumnMonitor

from tests.drift.multivariate.test_compared import known
from tests.html_pages import mixed_report, report_of
from tests.monitors import START, small_options

UNMOVED = "The model's scores have not drifted, so a decision can wait until the cause is known."

UNKNOWN = "The model's scores are not evaluated, so check whether the change affects its answers."


def outlier_report(shift: float = 0.0, score: float = 1.0) -> DriftReport:
    """The report on two features that no longer go together, so that many rows are outliers, and a score."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=5_000)
    table = {"a": first, "b": first + rng.normal(scale=0.05, size=5_000), "prediction": rng.random(5_000)}
    baseline = with_novelty(build_baseline(table, created=""), table)
    rows = [rng.normal(shift, size=1_000), rng.normal(size=1_000), rng.random(1_000) ** score]
    options = replace(small_options(1_000), outliers=True)
    monitor = ColumnMonitor(baseline, model_name="churn", model_version="3", now=START, options=options)
    monitor.observe(np.column_stack(rows), arrival=START)
    monitor.evaluate(START)
    return monitor.last.report


def said(report: DriftReport) -> VerdictView:
    return verdict_view(report, Query(), Links())


def steps(view: VerdictView) -> list[tuple[str, str | None]]:
    return [(step.text, step.address) for step in view.steps]


def test_a_share_of_outliers_is_no_score_of_the_model() -> None:
    view = said(outlier_report())
    assert view.title == "Drift in the share of outliers"
    assert steps(view) == [(COMBINATIONS, "runbooks/ModelFeatureDrift?feature=prediction_outlier"), (UNMOVED, None)]
    assert view.moved[0].clause.endswith("% of rows are outliers (reference: 0.1 %)")


def test_a_feature_that_drifts_with_the_share_of_outliers_is_the_likely_cause() -> None:
    view = said(outlier_report(shift=3.0))
    assert view.title == "Drift in a and the share of outliers"
    assert [address for _, address in steps(view)] == ["runbooks/ModelFeatureDrift?feature=a", None]


def test_all_three_are_named() -> None:
    view = said(outlier_report(shift=3.0, score=5.0))
    assert view.title == "Drift in a, the share of outliers and the model's scores"
    assert [address for _, address in steps(view)][1:] == ["runbooks/ModelPredictionDrift"]


def test_features_and_scores_are_named_without_outliers() -> None:
    assert said(mixed_report()).title == "Drift in letter and the model's scores"


def test_whole_rows_that_raise_the_verdict_are_its_cause() -> None:
    view = said(with_whole_rows(report_of(shift=0.0), known(0.9, in_verdict=True)))
    assert (view.title, view.colour) == ("Drift in whole rows", "critical")
    assert steps(view) == [(TOGETHER, "runbooks/ModelWholeRowDrift"), (UNKNOWN, None)]


def test_scores_that_are_not_evaluated_are_not_said_to_be_as_before() -> None:
    assert steps(said(report_of()))[-1] == (UNKNOWN, None)
