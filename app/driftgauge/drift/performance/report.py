"""The report on ground truth: performance by window and segment, drift of the labels, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from driftgauge.drift.performance.cohort import Cohort, Segment, largest_segments
from driftgauge.drift.performance.counts import CountLayout
from driftgauge.drift.performance.intervals import Estimate
from driftgauge.drift.performance.latches import NO_LATCHES, PerformanceLatches, latched_verdict, update_latches
from driftgauge.drift.performance.metrics import class_recalls, measure
from driftgauge.drift.performance.outcomes import OutcomeParts
from driftgauge.drift.performance.verdict import (
    Held,
    PerformancePolicy,
    PerformanceStatus,
    PerformanceVerdict,
    judge_performance,
)
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.rule import LIMITS, Limit, Severity

SHOWN_SEGMENTS: Final = 20
"""Segments in reports and metrics, those with the most rows."""


@dataclass(frozen=True)
class EvidenceFacts:
    """The evidence of a change, and when it became significant."""

    log10: float
    threshold_log10: float
    since: float | None = None
    """Seconds since 1970; None while it is not significant."""
    tau: float = 1.0
    """Autocorrelation time: rows that carry the information of one independent row; of several columns the first's."""

    @property
    def is_raised(self) -> bool:
        """Whether the change is significant."""
        return self.since is not None


@dataclass(frozen=True)
class LabelDrift:
    """The labels of the main window against the target of the reference."""

    psi: float
    psi_debiased: float
    rows: int
    names: tuple[str, ...]
    """The bins."""
    shares: tuple[float, ...]
    """Share of labels in each bin."""
    reference_shares: tuple[float, ...]
    thresholds: tuple[float, float]
    """Noise-corrected PSI at which the change is large, for warning and critical."""
    evidence: EvidenceFacts | None
    severity: Severity | None
    """As for a column: significant, and large or not."""


@dataclass(frozen=True)
class WindowPerformance:
    """The performance on the rows of one window."""

    cohort: Cohort
    metrics: Mapping[str, Estimate]
    recalls: tuple[Estimate, ...]
    """Of each class of a model of several; empty for other tasks."""
    verdict: PerformanceVerdict


@dataclass(frozen=True)
class SegmentPerformance:
    """The performance on the rows of one segment."""

    segment: Segment
    rows: int
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True)
class GroundTruth:
    """What was read from the log, of which the report is made."""

    at: float
    """When it was read, seconds since 1970."""
    matured_until: float
    """Predictions before this time were counted."""
    windows: Mapping[str, Cohort]
    """By name; those of a number of rows first, in ascending order."""
    errors: EvidenceFacts | None = None
    """The evidence of concept drift."""
    labels: EvidenceFacts | None = None
    """The evidence that the labels have changed."""
    outcomes: OutcomeParts = field(default_factory=dict)
    """Sums of business outcomes, each over its own window."""
    latches: PerformanceLatches = NO_LATCHES
    """Thresholds that metrics have reached."""


@dataclass(frozen=True)
class PerformanceReport:
    """The performance of a model on predictions whose ground truth is known."""

    at: float
    matured_until: float
    windows: Mapping[str, WindowPerformance]
    main: str
    """The window of the verdict's reason, segments and label drift."""
    segments: tuple[SegmentPerformance, ...]
    errors: EvidenceFacts | None
    label_drift: LabelDrift | None
    held: Held | None
    policy: PerformancePolicy
    classes: tuple[str, ...]
    status: PerformanceStatus
    severity: Limit | None
    reason: str
    outcomes: OutcomeParts = field(default_factory=dict)
    """Sums of business outcomes and their segments, each over its own window."""

    @property
    def tau(self) -> float:
        """The autocorrelation time of the errors, by which all intervals are wider; 1 where it is not known."""
        return tau_of(self.errors)

    @property
    def main_window(self) -> WindowPerformance:
        """The main window."""
        return self.windows[self.main]


@dataclass(frozen=True)
class BundleTruth:
    """What a bundle knows of the truth of its model."""

    held: Held | None = None
    labels: Baseline | None = None
    """The baseline of the target."""
    errors: Baseline | None = None
    """The baseline of the errors on held-out rows."""


@dataclass(frozen=True)
class Reference:
    """What performance is judged by."""

    layout: CountLayout
    held: Held | None
    policy: PerformancePolicy
    labels: Baseline | None
    """The baseline of the target."""
    label_thresholds: tuple[float, float] = (0.1, 0.2)
    """Noise-corrected PSI of the labels."""
    classes: tuple[str, ...] = ()


def tau_of(errors: EvidenceFacts | None) -> float:
    """Return the autocorrelation time of the errors, at least 1, and 1 where it is not known."""
    return 1.0 if errors is None else max(1.0, errors.tau)


def report_of(truth: GroundTruth, reference: Reference, main: str, judged: tuple[str, ...]) -> PerformanceReport:
    """Return the report. The verdict is the worst of the `judged` windows, and of what is latched."""
    windows = {name: _window(own, reference, truth.errors) for name, own in truth.windows.items()}
    verdicts = [windows[name].verdict for name in judged]
    worst = latched_verdict(truth.latches, verdicts, reference.policy)
    cohort, tau = windows[main].cohort, tau_of(truth.errors)
    shown = largest_segments(cohort.segments, SHOWN_SEGMENTS)
    return PerformanceReport(
        at=truth.at,
        matured_until=truth.matured_until,
        windows=windows,
        main=main,
        segments=tuple(SegmentPerformance(own, counts.rows, measure(counts, tau)) for own, counts in shown.items()),
        errors=truth.errors,
        label_drift=_label_drift(cohort, reference, truth.labels),
        held=reference.held,
        policy=reference.policy,
        classes=reference.classes,
        status=worst.status,
        severity=worst.severity,
        reason=worst.reason,
        outcomes=truth.outcomes,
    )


def latches_after(
    before: PerformanceLatches, truth: GroundTruth, reference: Reference, judged: tuple[str, ...]
) -> PerformanceLatches:
    """Return the latches after the `judged` windows."""
    verdicts = [_verdict(truth.windows[name], reference, truth.errors) for name in judged]
    return update_latches(before, verdicts, reference.policy)


def _verdict(cohort: Cohort, reference: Reference, errors: EvidenceFacts | None) -> PerformanceVerdict:
    return judge_performance(
        cohort.counts,
        reference.held,
        reference.policy,
        is_significant=errors is not None and errors.is_raised,
        tau=tau_of(errors),
    )


def _window(cohort: Cohort, reference: Reference, errors: EvidenceFacts | None) -> WindowPerformance:
    verdict = _verdict(cohort, reference, errors)
    recalls = tuple(class_recalls(cohort.counts, tau_of(errors)))
    return WindowPerformance(cohort, {own.name: own.current for own in verdict.metrics}, recalls, verdict)


def _label_drift(cohort: Cohort, reference: Reference, evidence: EvidenceFacts | None) -> LabelDrift | None:
    baseline = reference.labels
    if baseline is None or not cohort.labels.sum():
        return None
    found = baseline.psi(cohort.labels[None, :])
    rows, known = int(cohort.labels.sum()), len(baseline.bins[0].names)
    usual = float(baseline.expected_range(rows)[0])
    thresholds = (max(usual, reference.label_thresholds[0]), _critical(usual, reference.label_thresholds))
    debiased = float(found.debiased[0])
    counts = baseline.counts[0][:known]
    return LabelDrift(
        psi=float(found.psi[0]),
        psi_debiased=debiased,
        rows=rows,
        names=baseline.bins[0].names,
        shares=tuple((cohort.labels[:known] / rows).tolist()),
        reference_shares=tuple((counts / counts.sum()).tolist()),
        thresholds=thresholds,
        evidence=evidence,
        severity=_severity(debiased, thresholds, evidence),
    )


def _critical(usual: float, thresholds: tuple[float, float]) -> float:
    """Return the critical threshold; over the expected range it keeps its distance to the warning."""
    warning, critical = thresholds
    return max(critical, usual * critical / warning if warning else critical)


def _severity(psi: float, thresholds: tuple[float, float], evidence: EvidenceFacts | None) -> Severity | None:
    if evidence is None or not evidence.is_raised:
        return None
    if math.isnan(psi) or psi < thresholds[0]:
        return "info"
    return LIMITS[int(np.searchsorted(np.array(thresholds), psi, side="right")) - 1]
