"""The release of a model in `/drift/status` and on the page: the live version, its shadow, and the history."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.edges.http.monitoring import Monitoring
from driftgauge.edges.http.release_view import ReleaseView, change_json, changes_json, counts_of, figures_by_release
from driftgauge.edges.web.releases import ReleaseEntry, ReleaseNumbers, ReleasesFacts, ShadowFacts
from driftgauge.metrics.facts import Arrays
from driftgauge.metrics.release_gauges import shadow_agreement, shadow_rows, shadow_score_difference
from driftgauge.metrics.series import SHADOW_DROPPED
from driftgauge.releases.figures import Figures, compared
from driftgauge.releases.release import Change, Role


@dataclass(frozen=True)
class ReleaseSummary:
    """The live version of a model and the others."""

    version: str
    view: ReleaseView
    figures: Figures
    others: Sequence[tuple[str, str, float]]
    """Version, role and since when."""
    shadow: ShadowFacts | None


async def release_summary(
    monitoring: Monitoring, model: ModelMonitoring, arrays: Arrays | None = None
) -> ReleaseSummary | None:
    """Return the release of a model, whose counters may have been read; None where versions are not replaced."""
    view = model.release
    if view is None:
        return None
    found = (await model.facts()).arrays if arrays is None else arrays
    others = [own for own in monitoring.models.of(model.model_name) if own is not model and own.release is not None]
    shadows = [own for own in others if own.release is not None and own.release.role is Role.SHADOW]
    return ReleaseSummary(
        version=model.model_version,
        view=view,
        figures=view.figures(counts_of(found)),
        others=[(own.model_version, own.release.role.value, own.release.since) for own in others if own.release],
        shadow=await _shadow(shadows[0]) if shadows else None,
    )


async def _shadow(model: ModelMonitoring) -> ShadowFacts:
    facts = await model.facts()
    rows = shadow_rows(facts)
    return ShadowFacts(
        model.model_version,
        0.0 if math.isnan(rows) else rows,
        shadow_agreement(facts),
        shadow_score_difference(facts),
        float(facts.arrays[SHADOW_DROPPED.name].sum()),
    )


def release_json(summary: ReleaseSummary | None) -> dict[str, Any] | None:
    """Return what the status says of a release; unknown numbers are NaN."""
    if summary is None:
        return None
    view, shadow = summary.view, summary.shadow
    return {
        "live_since": rfc3339(view.since, "milliseconds"),
        "began_with": None if view.change is None else change_json(view.change),
        "figures": summary.figures.as_json(),
        "change": changes_json(summary.figures, None if view.change is None else view.change.before),
        "shadow": None
        if shadow is None
        else {
            "version": shadow.version,
            "rows": int(shadow.rows),
            "agreement_ratio": shadow.agreement,
            "mean_score_difference": shadow.score_difference,
            "rows_dropped": int(shadow.dropped),
        },
    }


def releases_facts(summary: ReleaseSummary | None) -> ReleasesFacts | None:
    """Return what the page shows of a release."""
    if summary is None:
        return None
    view = summary.view
    figures = {change.number: own for change, own in figures_by_release(view.history, summary.figures)}
    return ReleasesFacts(
        live=summary.version,
        live_since=view.since,
        others=summary.others,
        shadow=summary.shadow,
        history=[_entry(change, figures.get(change.number)) for change in view.history],
        thresholds=view.thresholds,
    )


def _entry(change: Change, figures: Figures | None) -> ReleaseEntry:
    return ReleaseEntry(
        change.at,
        change.kind.value,
        change.cause.who,
        change.cause.reason,
        change.from_version or "",
        change.to_version or "",
        None if figures is None else _numbers(figures, change.before),
    )


def _numbers(figures: Figures, before: Figures | None) -> ReleaseNumbers:
    changes = compared(figures, before)
    return ReleaseNumbers(
        _known(figures.p50_seconds),
        _known(figures.p99_seconds),
        _known(figures.error_ratio),
        (_known(changes.p50_ratio), _known(changes.p99_ratio), _known(changes.error_ratio)),
    )


def _known(value: float | None) -> float:
    return math.nan if value is None else value
