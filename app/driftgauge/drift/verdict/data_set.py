"""The verdict on all features together: by the share of them that has drifted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from driftgauge.drift.reference.baseline import OUTPUTS
from driftgauge.drift.verdict.column import ColumnVerdict
from driftgauge.drift.verdict.numbers import percent
from driftgauge.drift.verdict.rule import RANK, Severity, Status, as_information


@dataclass(frozen=True)
class Overall:
    """The verdict on the model."""

    status: Status
    severity: Severity | None
    reason: str
    """Empty where it is that of the worst column."""


def share_of(verdicts: Sequence[ColumnVerdict]) -> float:
    """Return the share of the monitored features that have drifted; NaN without any."""
    features = _features(verdicts)
    return sum(own.status is Status.DRIFT_DETECTED for own in features) / len(features) if features else math.nan


def by_share(verdicts: Sequence[ColumnVerdict], share: float) -> tuple[ColumnVerdict, ...]:
    """Return the verdicts on columns if that on the model needs a share of drifted features.

    Below it, features raise no alert. The scores of the model are not counted, and keep their verdicts.
    """
    drifted = share_of(verdicts)
    if not drifted < share:  # NaN too
        return tuple(verdicts)
    limited = f"severity is limited: {percent(drifted)} of the features have drifted, less than drift_share ({share:g})"
    return tuple(_limited(own, limited) if own.name not in OUTPUTS else own for own in verdicts)


def overall(worst: Sequence[ColumnVerdict], share: float | None) -> Overall:
    """Return the verdict on the model, from those on its columns, the worst first."""
    first = worst[0]
    of_features = share is not None and first.name not in OUTPUTS and share_of(worst) < share
    if not of_features or RANK[first.status, first.severity] <= RANK[Status.NORMAL, "info"]:
        return Overall(first.status, first.severity, "")
    features = _features(worst)
    drifted = sum(own.status is Status.DRIFT_DETECTED for own in features)
    return Overall(
        Status.NORMAL,
        first.severity,
        f"no drift of the model: {drifted} of {len(features)} features drifted, less than drift_share ({share:g}). "
        f"{first.reason}",
    )


def _features(verdicts: Sequence[ColumnVerdict]) -> list[ColumnVerdict]:
    return [own for own in verdicts if own.name not in OUTPUTS and own.finding is not None]


def _limited(verdict: ColumnVerdict, limited: str) -> ColumnVerdict:
    status, severity = as_information((verdict.status, verdict.severity))
    if verdict.finding is None or severity == verdict.severity:
        return verdict
    finding = replace(verdict.finding, limited=limited)
    reason = f"{verdict.name}: {finding.in_words(status)}"
    return replace(verdict, severity=severity, reason=reason, finding=finding)
