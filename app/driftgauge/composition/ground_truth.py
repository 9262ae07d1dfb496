"""Puts together what evaluates the ground truth of one model version."""

from __future__ import annotations

from driftgauge.common.nearest import nearest
from driftgauge.drift.performance.counts import TASKS, CountLayout
from driftgauge.drift.performance.errors import ErrorDetector
from driftgauge.drift.performance.label_evidence import LabelDetector
from driftgauge.drift.performance.report import BundleTruth, Reference
from driftgauge.drift.performance.verdict import PerformancePolicy
from driftgauge.drift.reference.baseline import PREDICTION, RESERVED, Baseline
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.errors import SettingsError
from driftgauge.monitor.cohort_builder import CohortBuilder
from driftgauge.monitor.ground_truth import GroundTruthOptions, TruthParts
from driftgauge.predictions.rows import LoggedModel
from driftgauge.settings.options import Settings


def truth_parts(
    settings: Settings, model: LoggedModel, baseline: Baseline, truth: BundleTruth, policy: Policy
) -> TruthParts | None:
    """Return what evaluates the ground truth of a model; None if its task is not known, or the scores that it needs.

    SettingsError for a segment that is not one of its features.
    """
    task = next((own for own in TASKS if own == model.task), None)
    has_score = PREDICTION in baseline.names
    if task is None or not (has_score or task == "multiclass"):
        return None
    features = [name for name in baseline.names if name not in RESERVED]
    for name in settings.performance_segments:
        if name not in features:
            known = nearest(name, features)
            hint = f"; did you mean {known!r}?" if known else ""
            raise SettingsError(f"performance_segments: there is no feature {name!r}{hint}")
    layout = CountLayout.of(task, len(model.classes))
    if has_score:
        score = baseline.columns[baseline.names.index(PREDICTION)]
        layout = CountLayout.of(task, len(model.classes), score.quantiles, score.mean, score.std)
    watched = int((policy.monitored(baseline.names) & ~baseline.in_sample).sum())
    labels = truth.labels
    return TruthParts(
        model=model,
        builder=CohortBuilder(layout, baseline, labels, settings.performance_segments),
        reference=Reference(
            layout,
            truth.held,
            PerformancePolicy(
                (settings.performance_drop_threshold_warning, settings.performance_drop_threshold_critical),
                settings.performance_floors,
            ),
            labels,
            (settings.psi_threshold_warning, settings.psi_threshold_critical),
            tuple(map(str, model.classes)),
        ),
        options=GroundTruthOptions(
            policy.windows,
            tuple(map(TimeSpan.named, settings.time_windows)),
            settings.label_maturity_seconds,
            is_event_time=settings.clock == "event",
            outcome_seconds={name: own.rule.seconds for name, own in settings.outcomes.items()},
        ),
        errors=None if truth.errors is None else ErrorDetector(truth.errors, policy.budget, beside=watched),
        labels=None if labels is None else LabelDetector(labels, policy.budget, beside=watched),
    )
