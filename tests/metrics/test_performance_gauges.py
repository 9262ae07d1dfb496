"""Gauges of performance, from reports of each task."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.performance.cohort import Cohort, count_segments
from driftgauge.drift.performance.counts import CountLayout, LabelledRows, PerformanceTask
from driftgauge.drift.performance.intervals import Estimate
from driftgauge.drift.performance.metrics import count, metrics_of
from driftgauge.drift.performance.report import (
    EvidenceFacts,
    GroundTruth,
    PerformanceReport,
    Reference,
    report_of,
)
from driftgauge.drift.performance.verdict import Held, PerformancePolicy
from driftgauge.drift.reference.baseline import LABEL, Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.metrics.performance_gauges import PERFORMANCE_GAUGES

from tests.expositions import Exposition, drifted, facts_of

TEXT = "text/plain;version=0.0.4"
TASKS: tuple[PerformanceTask, ...] = ("binary", "multiclass", "regression")


def target() -> Baseline:
    return build_baseline({LABEL: np.random.default_rng(0).normal(size=2_000)}, created="2026-01-01T00:00:00Z")


def report(task: PerformanceTask, rows: int = 600) -> PerformanceReport:
    """Return the report of rows of which some are right."""
    rng = np.random.default_rng(3)
    classes = 2 if task == "binary" else 3
    layout = CountLayout.of(task, classes)
    actual = rng.normal(size=rows) if task == "regression" else rng.integers(0, classes, rows).astype(np.float64)
    predicted = None if task == "regression" else rng.integers(0, classes, rows)
    labelled = LabelledRows(rng.random(rows), actual, predicted, np.full(rows, 0.5))
    segments = count_segments(layout, labelled, "carrier", ("UA", "DL"), rng.integers(0, 2, rows))
    baseline = target()
    labels = np.zeros(baseline.binner.width)
    labels[:2] = rows / 2
    cohort = Cohort(0.0, 3_600.0, 2 * rows, 60.0 * rows, count(layout, labelled), labels, segments)
    held = Held(1_000, {own.name: Estimate(0.9, 0.89, 0.91) for own in metrics_of(task)})
    policy = PerformancePolicy(limits={metrics_of(task)[0].name: 0.5})
    evidence = EvidenceFacts(8.0, 7.0, 100.0)
    truth = GroundTruth(7_200.0, 3_600.0, {"1000": cohort, "1h": cohort}, evidence, evidence)
    names = () if task == "regression" else tuple("abc"[:classes])
    return report_of(truth, Reference(layout, held, policy, baseline, classes=names), "1000", ("1000",))


def exposition(*tasks: PerformanceTask) -> Exposition:
    return Exposition(TEXT, [replace(facts_of(drifted()), model_name=own, performance=report(own)) for own in tasks])


def test_every_gauge_of_performance_has_samples_with_its_labels() -> None:
    found = exposition(*TASKS)
    for gauge in PERFORMANCE_GAUGES:
        family = found.family(gauge.name)
        assert (family.type, family.documentation) == ("gauge", gauge.help)
        assert family.samples
        assert {frozenset(own.labels) for own in family.samples} == {
            frozenset(("model_name", "model_version", *gauge.labels))
        }


@pytest.mark.parametrize("task", TASKS)
def test_a_model_has_the_metrics_of_its_task_alone(task: PerformanceTask) -> None:
    names = {family.name for family in exposition(task).list}
    assert {own.gauge_name for own in metrics_of(task)} == {
        own.gauge_name for other in TASKS for own in metrics_of(other) if own.gauge_name in names
    }


def test_numbers_are_those_of_the_report() -> None:
    found, own = exposition("binary"), report("binary")
    accuracy = own.windows["1h"].metrics["accuracy"]
    assert found.children("model_accuracy", "window")["1h",] == accuracy.value
    assert found.children("model_accuracy_lower", "window")["1h",] == accuracy.lower
    assert found.children("model_label_coverage_ratio", "window")["1h",] == 0.5
    assert found.children("model_performance_severity", "model_name")["binary",] == 3.0
    assert found.children("model_performance_floor", "metric") == {("accuracy",): 0.5}
    assert {value for (value,) in found.children("model_segment_accuracy", "segment_value")} == {"UA", "DL"}


def test_a_model_without_ground_truth_has_none() -> None:
    names = {family.name for family in Exposition(TEXT, [facts_of(drifted())]).list}
    assert names.isdisjoint(gauge.name for gauge in PERFORMANCE_GAUGES)
