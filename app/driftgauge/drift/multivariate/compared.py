"""Comparisons of whole rows that a server has made, and what they mean for the verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from driftgauge.drift.multivariate.classifier import Separation
from driftgauge.drift.multivariate.components import Reconstruction
from driftgauge.drift.multivariate.report import MultivariateReport
from driftgauge.drift.multivariate.thresholds import AucThresholds
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import LIMITS, RANK, Limit, Severity, Status

COMPARED, TOO_FEW, TIMED_OUT, FAILED = "compared", "too_few_rows", "timed_out", "failed"
RESULTS: Final = (COMPARED, TOO_FEW, TIMED_OUT, FAILED)
"""How a comparison ends."""


@dataclass(frozen=True)
class RowComparison:
    """One comparison of the newest rows with those that are kept of the reference."""

    report: MultivariateReport
    at: float
    """When it was made, seconds since 1970."""
    seconds: float
    """How long it took."""


@dataclass(frozen=True)
class ComparedRows:
    """What the workers of a server know of the comparisons."""

    last: RowComparison | None = None
    results: Mapping[str, int] = field(default_factory=dict)
    """Comparisons since the state was created, by how they ended."""
    thresholds: AucThresholds = field(default_factory=AucThresholds)
    in_verdict: bool = False
    """Whether the verdict on the model rests on it too."""
    is_stale: bool = False
    """Whether the last one is too old to mean anything now."""

    @property
    def severity(self) -> Severity | None:
        """Severity of the last comparison: above info only where the verdict rests on it; None for a stale one."""
        if self.is_stale:
            return None
        found = None if self.last is None else size_of(self.last.report, self.thresholds)
        if found is None:
            return "info" if self.last is not None and self.last.report.is_significant else None
        return found if self.in_verdict else "info"


def size_of(report: MultivariateReport, thresholds: AucThresholds) -> Limit | None:
    """Return the largest threshold that all of the AUC's interval exceeds; None for none."""
    low = 0.0 if report.separation is None else report.separation.low
    reached = [limit for limit in LIMITS if low > thresholds.by_limit[limit]]
    return reached[-1] if reached else None


def with_whole_rows(report: DriftReport, compared: ComparedRows) -> DriftReport:
    """Return the verdict on the model, raised to that on whole rows where it rests on them; columns keep theirs."""
    severity, last = compared.severity, compared.last
    if not compared.in_verdict or last is None or severity is None or severity == "info":
        return report
    if RANK[Status.DRIFT_DETECTED, severity] <= report.rank:
        return report
    reason = f"whole rows: {last.report.reason}. {report.reason}"
    return replace(report, status=Status.DRIFT_DETECTED, severity=severity, reason=reason)


def dumps(compared: ComparedRows, baseline_hash: str) -> str:
    """Return the comparisons as text, which belongs to a baseline."""
    last = None if compared.last is None else asdict(compared.last)
    return json.dumps({"baseline": baseline_hash, "last": last, "results": dict(compared.results)})


def loads(text: str, baseline_hash: str) -> ComparedRows:
    """Read them from text; none if it is empty, damaged, or of another baseline."""
    try:
        content = json.loads(text) if text else {}
        if content.get("baseline") != baseline_hash:
            return ComparedRows()
        last = content["last"]
        found = None if last is None else RowComparison(report_of(last["report"]), last["at"], last["seconds"])
        return ComparedRows(found, {name: int(content["results"].get(name, 0)) for name in RESULTS})
    except (ValueError, KeyError, TypeError, AttributeError):
        return ComparedRows()


def report_text(report: MultivariateReport) -> str:
    """Return a report as text."""
    return json.dumps(asdict(report))


def report_of(content: Mapping[str, Any]) -> MultivariateReport:
    """Return the report of what JSON holds; KeyError or TypeError if it is none."""
    separation, rebuilt = content["separation"], content["reconstruction"]
    return MultivariateReport(
        reference_rows=content["reference_rows"],
        rows=content["rows"],
        separation=None if separation is None else Separation(**{**separation, "columns": _pairs(separation)}),
        columns=_pairs(content),
        reconstruction=None if rebuilt is None else Reconstruction(**rebuilt),
        reason=content["reason"],
    )


def _pairs(content: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple((name, loss) for name, loss in content["columns"])
