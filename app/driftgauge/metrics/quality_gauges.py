"""Gauges of constraints on a model's rows."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import ClassVar, Final

from driftgauge.drift.quality.report import RANK, REQUEST_ROWS, ConstraintVerdict, QualityReport
from driftgauge.drift.verdict.rule import LIMITS
from driftgauge.metrics.series import FEATURE, Kind, Labels

CONSTRAINT: Final = "constraint"
Sample = tuple[dict[str, str], float]
"""The labels, and the number."""


@dataclass(frozen=True)
class QualityGauge:
    """A gauge read from a report on constraints; `labels` come after `model_name` and `model_version`.

    A constraint on whole rows has no label of a feature.
    """

    name: str
    help: str
    labels: Labels
    values: Callable[[QualityReport, Collection[str]], list[Sample]]
    """The samples with the windows of these names; those that are NaN are left out."""
    type: ClassVar[Kind] = "gauge"


def _labels(verdict: ConstraintVerdict) -> dict[str, str]:
    return {**({} if verdict.feature is None else {FEATURE: verdict.feature}), CONSTRAINT: verdict.constraint}


def _ratios(report: QualityReport, windows: Collection[str]) -> list[Sample]:
    return [
        ({**_labels(verdict), "window": name}, float(report.ratios[name][place]))
        for place, verdict in enumerate(report.verdicts)
        for name in windows
        if name in report.ratios
    ]


def _thresholds(report: QualityReport, _: Collection[str]) -> list[Sample]:
    return [
        ({**_labels(verdict), "severity": limit}, verdict.thresholds[limit])
        for verdict in report.verdicts
        for limit in LIMITS
    ]


def _each(value: Callable[[ConstraintVerdict], float]) -> Callable[[QualityReport, Collection[str]], list[Sample]]:
    return lambda report, _: [(_labels(verdict), value(verdict)) for verdict in report.verdicts]


QUALITY_GAUGES: Final = (
    QualityGauge(
        "model_feature_constraint_violation_ratio",
        "Share of a window's rows that violate a constraint; one on whole rows, such as duplicates, has no feature.",
        (FEATURE, CONSTRAINT, "window"),
        _ratios,
    ),
    QualityGauge(
        "model_feature_constraint_violation_threshold_ratio",
        "Share of rows at which a significant violation of a constraint has a severity.",
        (FEATURE, CONSTRAINT, "severity"),
        _thresholds,
    ),
    QualityGauge(
        "model_feature_constraint_severity",
        "Severity of the violations of a constraint: 0 none, 1 info, 2 warning, 3 critical. Alerts fire from 2.",
        (FEATURE, CONSTRAINT),
        _each(lambda verdict: float(RANK[verdict.severity])),
    ),
    QualityGauge(
        "model_feature_constraint_evidence_log10",
        "Evidence that more rows violate a constraint than in the reference, as a decimal logarithm.",
        (FEATURE, CONSTRAINT),
        _each(lambda verdict: verdict.evidence_log10),
    ),
    QualityGauge(
        "model_feature_constraint_evidence_threshold_log10",
        "Evidence at which the violations of a constraint are significant, as a decimal logarithm.",
        (),
        lambda report, _: [({}, report.evidence_threshold_log10)],
    ),
    QualityGauge(
        "model_request_constraint_threshold_ratio",
        "Share of the rows of requests at which violations of a constraint as they are sent have a severity.",
        ("severity",),
        lambda report, _: [({"severity": name}, limit) for name, limit in report.request_thresholds.items()],
    ),
    QualityGauge(
        "model_request_constraint_threshold_rows",
        "Rows of requests that have to violate a constraint before it raises an alert.",
        (),
        lambda report, _: [({}, float(REQUEST_ROWS))],
    ),
)
