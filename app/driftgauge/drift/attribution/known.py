"""What the workers of a server know of live attributions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from driftgauge.drift.attribution.attributions import AttributionReport, AttributionShift
from driftgauge.drift.attribution.thresholds import NDCG_THRESHOLD


@dataclass(frozen=True)
class AttributionRun:
    """One comparison of the attributions of live rows with the reference's."""

    report: AttributionReport
    at: float
    """When it was made, seconds since 1970."""
    seconds: float
    """How long it took."""


@dataclass(frozen=True)
class KnownAttributions:
    """The last comparison, and what it is judged by."""

    last: AttributionRun | None = None
    threshold: float = NDCG_THRESHOLD
    is_stale: bool = False
    """Whether the last one is too old to mean anything now."""

    @property
    def ndcg(self) -> float | None:
        """How well live rows rank the features as the reference does; None for too few rows, or if it is too old."""
        return None if self.last is None or self.is_stale else self.last.report.ndcg

    @property
    def has_drifted(self) -> bool:
        """Whether live rows rank the features otherwise than the reference."""
        return self.ndcg is not None and self.ndcg < self.threshold

    @property
    def shifts(self) -> tuple[AttributionShift, ...]:
        """The shares of the features beside the reference's; empty for too few rows, or if they are too old."""
        return () if self.last is None or self.is_stale else self.last.report.shifts


def dumps(last: AttributionRun | None, reference: str) -> str:
    """Return the last comparison as text, which belongs to a reference."""
    return json.dumps({"reference": reference, "last": None if last is None else asdict(last)})


def loads(text: str, reference: str) -> AttributionRun | None:
    """Read it from text; None if it is empty, damaged, or of another reference."""
    try:
        content = json.loads(text) if text else {}
        return _run_of(content["last"]) if content.get("reference") == reference else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _run_of(last: Mapping[str, Any] | None) -> AttributionRun | None:
    if last is None:
        return None
    report = last["report"]
    shifts = tuple(AttributionShift(**shift) for shift in report["shifts"])
    return AttributionRun(AttributionReport(**{**report, "shifts": shifts}), float(last["at"]), float(last["seconds"]))
