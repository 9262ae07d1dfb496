"""Evaluates the performance of one model version on matured predictions, one worker at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np

from driftgauge.drift.performance import errors_json
from driftgauge.drift.performance.cohort import MOST_SEGMENTS, Cohort, Segment, merged
from driftgauge.drift.performance.counts import CohortCounts
from driftgauge.drift.performance.errors import ErrorDetector, ErrorEvidence
from driftgauge.drift.performance.label_evidence import LabelDetector
from driftgauge.drift.performance.outcomes import OutcomeParts, added, largest_parts
from driftgauge.drift.performance.report import EvidenceFacts, GroundTruth, PerformanceReport, Reference
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.monitor import ground_truth_state as states
from driftgauge.monitor.cohort_builder import CohortBuilder, SeenRows
from driftgauge.monitor.ground_truth_state import TruthState
from driftgauge.monitor.truth_reports import TruthReports
from driftgauge.predictions.cohort_bytes import cohort_bytes, cohort_of
from driftgauge.predictions.rows import MICROSECONDS, LoggedModel
from driftgauge.predictions.store import PredictionStore
from driftgauge.predictions.truth_store import TruthStore

COHORT_SECONDS: Final = 3_600.0
"""Length of a cohort; the first begins with 1970."""
LEASE_SECONDS: Final = 300.0
"""How long a worker that died keeps others from evaluating."""
STEP_PREDICTIONS: Final = 100_000
"""Predictions that a step reads before it stops after a cohort."""
OVERLAP_SECONDS: Final = 60.0
"""Arrivals of this time are looked at again, because transactions do not end in order."""


@dataclass(frozen=True)
class GroundTruthOptions:
    """Options of the evaluation; see the settings of similar names."""

    windows: tuple[int, ...] = (1_000, 10_000)
    spans: tuple[TimeSpan, ...] = ()
    maturity_seconds: float = 86_400.0
    is_event_time: bool = False
    """Whether the time of day is that of the newest prediction."""
    outcome_seconds: Mapping[str, float] = field(default_factory=dict)
    """The window of each business outcome."""

    @property
    def main(self) -> str:
        """The main window."""
        return str(self.windows[-1])

    @property
    def judged(self) -> tuple[str, ...]:
        """The windows that the verdict rests on."""
        return tuple(map(str, self.windows))

    @property
    def names(self) -> tuple[str, ...]:
        """All windows; a time window shorter than a cohort has none."""
        return (*self.judged, *(span.name for span in self.spans if span.seconds >= COHORT_SECONDS))

    def reports(self, builder: CohortBuilder, reference: Reference) -> TruthReports:
        """Return what reads the reports of these windows."""
        return TruthReports(builder, reference, self.main, self.judged, self.names)


@dataclass(frozen=True)
class TruthParts:
    """What the ground truth of one model version is evaluated with."""

    model: LoggedModel
    builder: CohortBuilder
    reference: Reference
    options: GroundTruthOptions
    errors: ErrorDetector | None = None
    labels: LabelDetector | None = None

    @cached_property
    def reports(self) -> TruthReports:
        """The reports of the version."""
        return self.options.reports(self.builder, self.reference)

    def monitor(self, store: PredictionStore, owner: str) -> GroundTruthMonitor:
        """Return the monitor of the version in an open log; it blocks."""
        store.register(self.model)
        return GroundTruthMonitor(
            TruthStore(store.engine, self.model.name, self.model.version, tuple(self.options.outcome_seconds)),
            self.builder,
            self.reference,
            self.options,
            owner=owner,
            errors=self.errors,
            labels=self.labels,
            reports=self.reports,
        )


class GroundTruthMonitor:
    """The performance of one model version. Its methods block, and are called by one thread at a time."""

    def __init__(
        self,
        store: TruthStore,
        builder: CohortBuilder,
        reference: Reference,
        options: GroundTruthOptions,
        *,
        owner: str,
        errors: ErrorDetector | None = None,
        labels: LabelDetector | None = None,
        reports: TruthReports | None = None,
    ) -> None:
        """Evaluate in the name of `owner`, which names this process among all that share the database.

        `reports` are shared with other workers, by default with none.
        """
        self._store = store
        self._builder = builder
        self._reports: Final = reports or options.reports(builder, reference)
        self.options: Final = options
        self._owner = owner
        self._errors = errors
        self._labels = labels

    @property
    def report(self) -> PerformanceReport | None:
        """The latest report of any worker; None before the first."""
        return self._reports.known

    def step(self, now: float) -> bool:
        """Evaluate if it is this worker's turn, and take over the latest report; return whether more is left to do.

        A step reads a bounded number of predictions, one cohort at least. `now` is the time of day.
        """
        is_left = False
        if self._store.acquire(self._owner, now, LEASE_SECONDS):
            try:
                is_left = self._evaluate(now)
            finally:
                self._store.release(self._owner)
        self.refresh()
        return is_left

    def refresh(self) -> None:
        """Take over the latest report of any process that shares the database, and share it with other workers."""
        self._reports.publish(self._store.state)

    def history(self, since: float = -math.inf, until: float = math.inf) -> list[Cohort]:
        """Return the cohorts that start in a span, seconds since 1970, in order."""
        layout, bins = self._builder.layout, self._builder.label_bins
        found = []
        for content in self._store.cohorts(since, until):
            try:
                found.append(cohort_of(content, layout, bins))
            except ValueError:  # of an earlier baseline: it is counted again while its predictions are kept
                continue
        return found

    # ------------------------------------------------------------ one evaluation

    def _evaluate(self, now: float) -> bool:
        state = self._reports.loaded(self._store.state())
        matured = self._matured_until(now)
        changed: dict[float, Cohort] = {}
        state, room = self._recount(self._changed(state, now), changed)
        state, is_complete = self._advance(state, matured, room, changed)
        packed = [(start, cohort_bytes(cohort)) for start, cohort in changed.items()]
        if not self._store.save(self._owner, states.dumps(state, self._builder), packed):
            return True
        if changed or state.truth is None or not self._reports.fits(state.truth):
            state = replace(state, truth=self._truth(state, now))
        else:
            state = replace(state, truth=replace(state.truth, at=now))
        self._store.save(self._owner, states.dumps(state, self._builder), ())
        return bool(state.pending) or not is_complete

    def _matured_until(self, now: float) -> float:
        """Return the end of the newest cohort whose labels have had the time to come."""
        if self.options.is_event_time:
            newest = self._store.newest_prediction()
            now = -math.inf if newest is None else min(now, newest)
        matured = (now - self.options.maturity_seconds) / COHORT_SECONDS
        return math.floor(matured) * COHORT_SECONDS if math.isfinite(matured) else -math.inf

    def _changed(self, state: TruthState, now: float) -> TruthState:
        """Return the state with the cohorts whose labels changed since the last look, unless some are left of it."""
        if state.pending:
            return state
        starts: set[float] = set()
        moment = state.received
        while True:
            times, last = self._store.changed_since(moment)
            starts.update(math.floor(time / COHORT_SECONDS) * COHORT_SECONDS for time in times)
            if last == moment:
                break
            moment = last
        pending = tuple(sorted(start for start in starts if start + COHORT_SECONDS <= state.upto))
        looked = min(moment, round((now - OVERLAP_SECONDS) * MICROSECONDS))
        return replace(state, pending=pending, received=max(looked, state.received))

    def _recount(self, state: TruthState, changed: dict[float, Cohort]) -> tuple[TruthState, int]:
        """Count cohorts again whose labels changed; return how many predictions may still be read."""
        room, pending = STEP_PREDICTIONS, state.pending
        while pending and room > 0:
            start, pending = pending[0], pending[1:]
            cohort = self._counted(start)[0]
            room -= max(1, cohort.predicted)
            before = self.history(start, start + COHORT_SECONDS)
            if not before or before[0].predicted <= cohort.predicted:  # or the log has deleted predictions
                changed[start] = cohort
        return replace(state, pending=pending), room

    def _advance(
        self, state: TruthState, matured: float, room: int, changed: dict[float, Cohort]
    ) -> tuple[TruthState, bool]:
        """Count the cohorts that have matured, and weigh their rows as evidence; return whether none is left."""
        errors, labels, upto = self._evidence(state), self._label_evidence(state), state.upto
        while True:
            following = self._store.next_prediction(max(upto, 0.0))
            start = matured if following is None else math.floor(following / COHORT_SECONDS) * COHORT_SECONDS
            if following is None or start + COHORT_SECONDS > matured:
                upto, is_complete = max(upto, matured), True
                break
            if room <= 0:
                is_complete = False
                break
            upto = start + COHORT_SECONDS
            changed[start], seen = self._counted(start)
            room -= max(1, changed[start].predicted)
            errors, labels = self._weighed(errors, labels, seen, upto)
        state = replace(
            state,
            upto=upto,
            errors="" if errors is None or self._errors is None else errors_json.dumps(errors, self._errors),
            labels="" if labels is None or self._labels is None else errors_json.dumps(labels, self._labels),
        )
        return state, is_complete

    def _counted(self, start: float) -> tuple[Cohort, SeenRows]:
        pages = self._store.pages(start, start + COHORT_SECONDS, with_features=bool(self._builder.segments))
        return self._builder.build(pages, start, start + COHORT_SECONDS)

    def _weighed(
        self, errors: ErrorEvidence | None, labels: ErrorEvidence | None, seen: SeenRows, upto: float
    ) -> tuple[ErrorEvidence | None, ErrorEvidence | None]:
        if errors is not None and self._errors is not None:
            errors = self._errors.after(errors, seen.error_rows, matured_until=upto)
        if labels is not None and self._labels is not None:
            labels = self._labels.after(labels, seen.at, seen.labels, until=upto)
        return errors, labels

    def _evidence(self, state: TruthState) -> ErrorEvidence | None:
        return None if self._errors is None else _evidence_of(state.errors, self._errors)

    def _label_evidence(self, state: TruthState) -> ErrorEvidence | None:
        return None if self._labels is None else _evidence_of(state.labels, self._labels)

    # ------------------------------------------------------------ windows

    def _truth(self, state: TruthState, now: float) -> GroundTruth:
        cohorts, upto = self.history(), max(state.upto, 0.0)
        windows = {str(rows): self._newest(upto, rows) for rows in self.options.windows}
        main = windows[self.options.main]
        windows[self.options.main] = replace(main, segments=self._segments(cohorts))
        for span in self.options.spans:
            if span.seconds >= COHORT_SECONDS:
                since = upto - span.seconds
                own = [cohort for cohort in cohorts if cohort.start >= since]
                windows[span.name] = replace(merged(own, self._builder.empty(since, upto)), segments={})
        errors, labels = self._evidence(state), self._label_evidence(state)
        outcomes = self._outcomes(cohorts, upto)
        truth = GroundTruth(now, upto, windows, _facts(errors), _facts(labels), outcomes)
        return self._reports.latched(state.truth, truth)

    def _outcomes(self, cohorts: list[Cohort], upto: float) -> OutcomeParts:
        """Return the sums of each business outcome and its segments over its window."""
        found: OutcomeParts = {}
        for cohort in cohorts:
            newest = {name for name, seconds in self.options.outcome_seconds.items() if cohort.start >= upto - seconds}
            found = added(found, {part: own for part, own in cohort.outcomes.items() if part[0] in newest})
        return largest_parts(found, MOST_SEGMENTS)

    def _newest(self, upto: float, rows: int) -> Cohort:
        """Return the newest rows with a label."""
        found = self._store.newest(upto, rows)
        empty = self._builder.empty(upto, upto)
        together = merged([self._builder.count(own, float(own.time.min()), upto)[0] for own in found], empty)
        return replace(together, predicted=self._store.count(together.start, upto) if found else 0)

    def _segments(self, cohorts: list[Cohort]) -> Mapping[Segment, CohortCounts]:
        """Return the segments of the newest cohorts that hold as many rows as the main window."""
        taken: list[Cohort] = []
        rows = 0
        for cohort in reversed(cohorts):
            if rows >= self.options.windows[-1]:
                break
            taken.append(cohort)
            rows += cohort.rows
        return merged(taken, self._builder.empty(0.0, 0.0)).segments


def _evidence_of(text: str, detector: errors_json.MaturedDetector) -> ErrorEvidence:
    """Return kept evidence, or none if it cannot be used."""
    try:
        return errors_json.loads(text, detector) if text else detector.start()
    except ValueError:
        return detector.start()


def _facts(evidence: ErrorEvidence | None) -> EvidenceFacts | None:
    if evidence is None or np.isnan(evidence.evidence.values).all():
        return None
    own = evidence.evidence
    return EvidenceFacts(evidence.log10, own.threshold_log10, evidence.since, float(own.tau[0]))
