"""A page with all of its sections: ground truth, estimates, releases, a rolling reference and owners."""

from __future__ import annotations

from dataclasses import replace

from driftgauge.drift.performance.held_out import Estimated
from driftgauge.edges.web.facts import Efficiency, Health, Labels, PageFacts, Traffic

from tests.abouts import USUAL
from tests.drift.attribution.test_known import known as attributions_of
from tests.drift.gradual.test_report import gradual_of
from tests.drift.multivariate.test_compared import known
from tests.drift.rolling.test_report import compared, report_on
from tests.edges.web.diagnoses import NUMBERS, WRONG
from tests.edges.web.test_actions import ACTIONS
from tests.edges.web.test_cohorts import cohort
from tests.edges.web.test_ingestion import INGESTION
from tests.edges.web.test_outcomes import CLICKS, PARTS
from tests.edges.web.test_outliers import MANY
from tests.edges.web.test_quality import VIOLATED
from tests.edges.web.test_releases import FACTS as RELEASES
from tests.edges.web.test_trend import QUIET, history_of
from tests.metrics.test_performance_gauges import report as performance_report


def full_page() -> PageFacts:
    """Return facts that fill every section of the overview."""
    plain = report_on(age=40.0)
    report = replace(plain, baseline=replace(plain.baseline, about=USUAL))
    return PageFacts(
        "churn",
        "3",
        report,
        health=Health(problems=("the log is full",), kept="files", notes=("a slot was repaired",)),
        diagnosis=WRONG,
        dependence=NUMBERS,
        performance=performance_report("binary"),
        cohorts=[cohort(0, 90), cohort(1, 60), cohort(2, 0, rows=0), cohort(3, 75)],
        ingestion=INGESTION,
        labels=Labels({"matched": 1_200, "orphan": 3}, 4, 7_200.0, 1_700_000_000.0),
        outcomes={"click": CLICKS},
        outcome_parts=PARTS,
        rolling=compared(report),
        gradual=gradual_of(report),
        whole_rows=known(0.7),
        attributions=attributions_of(0.5),
        quality=VIOLATED,
        outliers=MANY,
        estimated=Estimated({"accuracy": 0.91}, {report.main.name: {"accuracy": 0.876}}),
        releases=RELEASES,
        actions=ACTIONS,
        traffic=Traffic(1_234.0, 2.0, 3.0, "missing_feature", 0.002, 0.3, 0.25, 0.0),
        efficiency=Efficiency(302.0, 12.5, 3.0, 0.02, 0.1, 0.005, 0.02, 0.03, 0.01, 1.0),
        history=history_of(report, [0.1] * 60 + [0.9] * 40, [QUIET] * 100),
    )
