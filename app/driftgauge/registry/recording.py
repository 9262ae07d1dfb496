"""Verdicts of the live version, written to its run: when one changes, and at most once a minute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from driftgauge.common.quoting import named
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.errors import Refused
from driftgauge.registry.follower import Followed
from driftgauge.registry.following import Following, FollowingFile
from driftgauge.registry.versions import Registry

RECORD_SECONDS: Final = 60.0
"""Shortest time between two writes to a run."""
LEVELS: Final[Mapping[str, float]] = {"normal": 0.0, "warning": 1.0, "drift_detected": 2.0}
"""The metric of each verdict; one without enough data has none."""
_LONGEST: Final = 500


@dataclass(frozen=True)
class Verdict:
    """What the monitoring of a version says of it."""

    version: str
    status: str
    reason: str
    drifted: Sequence[str]
    at: float
    """When it was evaluated, seconds since 1970."""


class VerdictRecorder:
    """Writes verdicts to the runs of live versions."""

    def __init__(
        self,
        registry: Registry,
        file: FollowingFile,
        followed: Sequence[Followed],
        verdict_of: Callable[[str], Verdict | None],
        report: Callable[[Exception], None],
    ) -> None:
        """Take the parts; `verdict_of` returns that of a live model, `report` is called with what fails."""
        self._registry = registry
        self._file = file
        self._followed = followed
        self._verdict_of = verdict_of
        self._report = report

    def step(self, now: float) -> None:
        """Write the verdicts that have changed."""
        for own in self._followed:
            known, verdict = self._file.read(own.model, str(own.address)), self._verdict_of(own.model)
            if verdict is None or verdict.version != known.version or known.run is None:
                continue
            said = f"{verdict.version} {verdict.status}"
            if said == known.recorded or now - known.recorded_at < RECORD_SECONDS:
                continue
            try:
                self._write(known.run, verdict)
            except Refused as error:
                self._report(error)
                said = known.recorded or ""
            self._note(own, said, now)

    def _write(self, run: str, verdict: Verdict) -> None:
        tags = {
            "driftgauge.verdict": verdict.status,
            "driftgauge.verdict_at": rfc3339(verdict.at, "seconds"),
            "driftgauge.verdict_reason": verdict.reason[:_LONGEST],
            "driftgauge.verdict_version": verdict.version,
            "driftgauge.drifted_features": named(verdict.drifted),
        }
        metrics = {"driftgauge_features_drifted": float(len(verdict.drifted))}
        if verdict.status in LEVELS:
            metrics["driftgauge_verdict"] = LEVELS[verdict.status]
        self._registry.tag_run(run, tags, metrics, verdict.at)

    def _note(self, own: Followed, said: str, now: float) -> None:
        def change(known: Following) -> Following:
            return replace(known, recorded=said, recorded_at=now)

        self._file.update(own.model, str(own.address), change)
