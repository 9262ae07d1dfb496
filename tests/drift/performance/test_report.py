"""The report on ground truth, against scikit-learn and what was simulated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.performance.cohort import Cohort, empty_cohort
from driftgauge.drift.performance.counts import CountLayout, LabelledRows
from driftgauge.drift.performance.intervals import Estimate
from driftgauge.drift.performance.metrics import count, measure
from driftgauge.drift.performance.report import (
    SHOWN_SEGMENTS,
    EvidenceFacts,
    GroundTruth,
    PerformanceReport,
    Reference,
    latches_after,
    report_of,
)
from driftgauge.drift.performance.verdict import Held, PerformancePolicy, PerformanceStatus
from driftgauge.models.creation.baseline import create_baseline
from sklearn.metrics import accuracy_score, f1_score, recall_score

LAYOUT = CountLayout.of("multiclass", 3)
HELD = Held(20_000, {"accuracy": Estimate(0.9, 0.896, 0.904), "macro_f1": Estimate(0.9, 0.895, 0.905)})
LABELS = create_baseline({"target": np.repeat(["a", "b", "c"], [500, 300, 200])})
PERSISTENCE = 0.9
TAU = (1.0 + PERSISTENCE) / (1.0 - PERSISTENCE)
"""Autocorrelation time of errors that stay what they are with this probability, and else are drawn anew."""
TRUE = 0.8


def drawn(rows: int, accuracy: float, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Return true and predicted classes."""
    rng = np.random.default_rng(seed)
    actual = rng.integers(0, 3, rows)
    return actual.astype(np.float64), np.where(rng.random(rows) < accuracy, actual, (actual + 1) % 3)


def cohort_of(actual: FloatArray, predicted: FloatArray, segments: dict[str, FloatArray] | None = None) -> Cohort:
    """Return a cohort of rows, with those of a segment chosen by a mask."""

    def counted(where: FloatArray) -> object:
        chosen = where.astype(bool)
        labels = LabelledRows(np.full(chosen.sum(), 0.9), actual[chosen], predicted[chosen].astype(np.int64))
        return count(LAYOUT, labels)

    codes = LABELS.bins[0].encode(np.array(["a", "b", "c"])[actual.astype(np.int64)]).astype(np.int64)
    empty = empty_cohort(LAYOUT, len(LABELS.bins[0].names), 0.0, 3_600.0)
    return Cohort(
        0.0,
        3_600.0,
        2 * len(actual),
        10.0 * len(actual),
        counted(np.ones(len(actual))),  # type: ignore[arg-type]
        np.bincount(codes, minlength=len(empty.labels)).astype(np.float64),
        {("carrier", name): counted(where) for name, where in (segments or {}).items()},  # type: ignore[misc]
    )


def reported(
    windows: dict[str, Cohort],
    *,
    tau: float | None = None,
    labels: EvidenceFacts | None = None,
    held: Held | None = HELD,
) -> PerformanceReport:
    errors = None if tau is None else EvidenceFacts(0.0, 6.7, None, tau)
    truth = GroundTruth(1.0, 0.5, windows, errors, labels)
    reference = Reference(LAYOUT, held, PerformancePolicy(), LABELS, classes=("a", "b", "c"))
    return report_of(truth, reference, "all", ("all",))


def test_the_numbers_are_those_of_scikit_learn() -> None:
    actual, predicted = drawn(5_000, 0.9)
    first = (np.arange(5_000) < 1_500).astype(np.float64)
    report = reported({"all": cohort_of(actual, predicted, {"x": first, "y": 1.0 - first})})
    found = report.main_window
    assert found.metrics["accuracy"].value == pytest.approx(accuracy_score(actual, predicted))
    assert found.metrics["macro_f1"].value == pytest.approx(f1_score(actual, predicted, average="macro"))
    recalls = [own.value for own in found.recalls]
    assert recalls == pytest.approx(recall_score(actual, predicted, average=None).tolist())
    assert [(own.segment[1], own.rows) for own in report.segments] == [("y", 3_500), ("x", 1_500)]
    assert report.segments[1].metrics["accuracy"].value == pytest.approx(
        accuracy_score(actual[:1_500], predicted[:1_500])
    )
    assert (found.cohort.coverage, found.cohort.mean_lag_seconds) == (0.5, 10.0)


def test_segments_with_the_most_rows_are_shown() -> None:
    actual, predicted = drawn(3_000, 0.9)
    masks = {f"{place:02}": (np.arange(3_000) < 10 * (place + 1)).astype(np.float64) for place in range(30)}
    report = reported({"all": cohort_of(actual, predicted, masks)})
    assert [own.rows for own in report.segments] == [10 * (place + 1) for place in range(29, 29 - SHOWN_SEGMENTS, -1)]


def test_the_verdict_is_the_worst_of_the_judged_windows() -> None:
    good, bad = cohort_of(*drawn(5_000, 0.91)), cohort_of(*drawn(5_000, 0.7))
    assert reported({"all": good, "1h": bad}).status is PerformanceStatus.NORMAL
    found = reported({"1h": good, "all": bad})
    assert (found.status, found.severity) == (PerformanceStatus.DEGRADED, "critical")


def test_a_latched_verdict_outlives_the_window_that_gave_it() -> None:
    reference = Reference(LAYOUT, HELD, PerformancePolicy(), None)
    bad = GroundTruth(1.0, 0.5, {"all": cohort_of(*drawn(5_000, 0.85))})
    latches = latches_after(bad.latches, bad, reference, ("all",))
    smaller = GroundTruth(2.0, 1.5, {"all": cohort_of(*drawn(400, 0.86))}, latches=latches)
    assert report_of(smaller, reference, "all", ("all",)).status is not PerformanceStatus.NORMAL
    fresh = GroundTruth(2.0, 1.5, {"all": cohort_of(*drawn(400, 0.86))})
    assert report_of(fresh, reference, "all", ("all",)).status is PerformanceStatus.NORMAL


def test_label_drift_needs_evidence_and_compares_with_the_target() -> None:
    cohort = cohort_of(*drawn(5_000, 0.9))  # a third each
    quiet = reported({"all": cohort}).label_drift
    assert quiet is not None
    assert quiet.severity is None
    raised = reported({"all": cohort}, labels=EvidenceFacts(9.0, 6.7, since=1.0)).label_drift
    assert raised is not None
    known = np.array([0.5, 0.3, 0.2])
    shares = np.array(raised.shares[:3])
    assert raised.psi == pytest.approx(((shares - known) * np.log(shares / known)).sum(), rel=0.02)
    assert sum(raised.shares) == pytest.approx(1.0)
    assert raised.severity == ("warning" if raised.psi_debiased >= raised.thresholds[0] else "info")


def test_no_rows_are_a_report_too() -> None:
    nothing = np.empty(0)
    report = reported({"all": cohort_of(nothing, nothing)})
    assert report.status is PerformanceStatus.INSUFFICIENT_LABELS
    assert report.label_drift is None
    assert math.isnan(report.main_window.metrics["accuracy"].value)


def dependent_errors(rows: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Return classes of which `TRUE` are right in the long run, in runs of alike rows."""
    rng = np.random.default_rng(seed)
    starts = np.maximum.accumulate(np.where(rng.random(rows) >= PERSISTENCE, np.arange(rows), 0))
    is_right = (rng.random(rows) < TRUE)[starts]
    actual = rng.integers(0, 3, rows)
    return actual.astype(np.float64), np.where(is_right, actual, (actual + 1) % 3)


def test_shown_intervals_of_dependent_rows_cover_the_true_value() -> None:
    cohorts = [cohort_of(*dependent_errors(4_000, seed)) for seed in range(400)]
    covered = {
        tau: np.mean([own.lower <= TRUE <= own.upper for own in (_accuracy(cohort, tau) for cohort in cohorts)])
        for tau in (None, TAU)
    }
    assert covered[None] < 0.5  # rows that count as independent
    assert 0.92 <= covered[TAU] <= 0.98


def _accuracy(cohort: Cohort, tau: float | None) -> Estimate:
    return reported({"all": cohort}, tau=tau).main_window.metrics["accuracy"]


def test_every_shown_interval_is_wider_by_the_root_of_tau_inside_the_range_of_its_metric() -> None:
    cohort = cohort_of(*drawn(1_000, 0.99), {"x": np.ones(1_000)})
    report, plain = reported({"all": cohort}, tau=16.0), measure(cohort.counts)
    own = report.main_window.metrics["macro_f1"]
    assert own.value - own.lower == pytest.approx(4.0 * (plain["macro_f1"].value - plain["macro_f1"].lower))
    assert own.upper == 1.0
    assert report.segments[0].metrics["macro_f1"] == own
    assert all(0.0 <= found.lower < found.upper <= 1.0 for found in report.main_window.recalls)
    assert (report.tau, reported({"all": cohort}).tau) == (16.0, 1.0)
