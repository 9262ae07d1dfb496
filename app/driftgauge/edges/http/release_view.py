"""What a model version is in the ledger, and how its release compares with the one before."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.metrics.facts import AliasFacts, Arrays, ReleaseFacts
from driftgauge.metrics.series import FAILED, LATENCY, LATENCY_BUCKETS, PREDICTIONS
from driftgauge.releases.figures import UNKNOWN, Changes, Counts, Figures, compared, figures_of
from driftgauge.releases.release import Change, Role, Version, releases_of


@dataclass(frozen=True)
class ReleaseView:
    """The role of a version, and for the live one the change with which it began."""

    role: Role
    since: float
    """When it took the role, seconds since 1970."""
    change: Change | None
    thresholds: tuple[float, float]
    """Increases over the release before that are a warning and critical."""
    history: Sequence[Change] = ()
    """The changes of the model's versions, the oldest first."""
    alias: Callable[[], AliasFacts | None] | None = None
    """Returns what is known of the alias that the model follows."""

    @property
    def is_watched(self) -> bool:
        """Whether its rows are judged; a retired version only keeps its counters."""
        return self.role in (Role.LIVE, Role.SHADOW)

    def figures(self, counts: Counts) -> Figures:
        """Return the figures of the current release, of what the version has counted since its state began."""
        return figures_of(counts.since(None if self.change is None else self.change.begun), LATENCY_BUCKETS)

    def changes(self, counts: Counts) -> Changes:
        """Return how the current release compares with the one before."""
        if self.role is not Role.LIVE or self.change is None:
            return UNKNOWN
        return compared(self.figures(counts), self.change.before)

    def facts(self, arrays: Arrays) -> ReleaseFacts:
        """Return what `/metrics` shows of it."""
        changes = self.changes(counts_of(arrays))
        is_live = self.role is Role.LIVE
        return ReleaseFacts(
            role=self.role.value,
            live_since=self.since if is_live else math.nan,
            latency_changes=(_number(changes.p50_ratio), _number(changes.p99_ratio)),
            error_change=_number(changes.error_ratio),
            thresholds=self.thresholds if is_live else (math.nan, math.nan),
            alias=self.alias() if is_live and self.alias is not None else None,
        )


def counts_of(arrays: Arrays) -> Counts:
    """Return what a version has counted, from the sums of its counters over all workers."""
    latency = arrays[LATENCY.name][:, :-1].sum(axis=0)  # the last number of each is the sum of the seconds
    return Counts(tuple(latency.tolist()), float(arrays[PREDICTIONS.name].sum()), float(arrays[FAILED.name].sum()))


def view_of(
    version: Version,
    history: Sequence[Change],
    thresholds: tuple[float, float],
    alias: Callable[[], AliasFacts | None] | None = None,
) -> ReleaseView:
    """Return the view of a version with the change that made it live last."""
    began = [
        change
        for change in history
        if change.to_version == version.name and change.at == version.since and version.role is Role.LIVE
    ]
    return ReleaseView(version.role, version.since, began[-1] if began else None, thresholds, tuple(history), alias)


def figures_by_release(history: Sequence[Change], current: Figures | None) -> list[tuple[Change, Figures | None]]:
    """Return the change with which each release began and its figures, those of the last one being `current`."""
    releases = releases_of(history)
    ended = [change.before for change in releases[1:]]
    return list(zip(releases, [*ended, current], strict=False))


def changes_json(figures: Figures, before: Figures | None) -> dict[str, Any]:
    """Return how a release compares with the one before."""
    changes = compared(figures, before)
    return {"p50_ratio": changes.p50_ratio, "p99_ratio": changes.p99_ratio, "error_ratio": changes.error_ratio}


def change_json(change: Change) -> dict[str, Any]:
    """Return an entry of the history."""
    return {
        "at": rfc3339(change.at, "milliseconds"),
        "kind": change.kind.value,
        "who": change.cause.who,
        "reason": change.cause.reason,
        "from_version": change.from_version,
        "to_version": change.to_version,
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else value
