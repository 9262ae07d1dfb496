"""A monitor of a made table in the middle of a stream: its reports, its ground truth, and the facts of a diagnosis."""

from __future__ import annotations

from typing import Final

import numpy as np
from driftgauge.composition.ground_truth import truth_parts
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.diagnosis.diagnosis import Diagnosis, diagnose
from driftgauge.drift.diagnosis.facts import Facts, SystemFacts
from driftgauge.drift.performance.cohort import merged
from driftgauge.drift.performance.errors import ErrorRows
from driftgauge.drift.performance.report import EvidenceFacts, GroundTruth, PerformanceReport, report_of
from driftgauge.edges.formats.rows.reader import RowReader
from driftgauge.models.bundle_truth import truth_of
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions
from driftgauge.predictions.rows import LoggedModel
from driftgauge.predictions.truth_store import TruthRows
from driftgauge.settings.options import load
from driftgauge.settings.policies import policy_of

from benchmarks.diagnosis_faults import Batch
from benchmarks.diagnosis_tables import ROW_SECONDS, START, Trained

WINDOWS: Final = (1_000, 5_000)
BEGIN: Final = START + 30 * 86_400.0
LATE_ROWS: Final = 500
"""Rows until the label of a row is known and matured."""
LATENCY_ROWS: Final = 500
"""Requests behind the newest latencies."""


class Truth:
    """The ground truth of a stream, as the server evaluates it."""

    def __init__(self, trained: Trained) -> None:
        """Begin with no labels."""
        self.rows: Final[list[TruthRows]] = []
        bundle = trained.bundle
        settings = load({"windows": WINDOWS})
        info = bundle.info
        self.model: Final = LoggedModel(
            info.name, info.version, info.task, tuple(info.classes), (), bundle.baseline.hash
        )
        truth = truth_of(info, bundle.labels, bundle.held_out)
        parts = truth_parts(settings, self.model, bundle.baseline, truth, policy_of(settings, bundle.baseline))
        if parts is None or parts.errors is None or parts.labels is None:
            raise ValueError("the bundle has no held-out rows with labels")
        self.parts: Final = parts
        self._detectors: Final = (parts.errors, parts.labels)
        self._errors, self._labels = parts.errors.start(), parts.labels.start()

    def add(self, at: FloatArray, scores: FloatArray, labels: FloatArray) -> None:
        """Count rows whose labels have matured."""
        rows = TruthRows(self.model, at, scores, (scores >= 0.5).astype(np.float64), labels, np.full(len(at), 3_600.0))
        self.rows.append(rows)
        until = float(at[-1]) + 1.0
        _, seen = self.parts.builder.count(rows, float(at[0]), until)
        errors, labelled = self._detectors
        self._errors = errors.after(self._errors, ErrorRows(seen.at, seen.errors), matured_until=until)
        self._labels = labelled.after(self._labels, seen.at, seen.labels, until=until)

    def report(self, now: float) -> PerformanceReport | None:
        """Return the report on the newest rows with labels; None without any."""
        if not self.rows:
            return None
        windows = {}
        for size in WINDOWS:
            newest = self._newest(size)
            parts = [self.parts.builder.count(own, float(own.time[0]), now)[0] for own in newest]
            windows[str(size)] = merged(parts, self.parts.builder.empty(now, now))
        facts = [
            EvidenceFacts(own.log10, own.evidence.threshold_log10, own.since, float(own.evidence.tau[0]))
            for own in (self._errors, self._labels)
        ]
        truth = GroundTruth(now, now, windows, errors=facts[0], labels=facts[1])
        return report_of(truth, self.parts.reference, self.parts.options.main, self.parts.options.judged)

    def _newest(self, rows: int) -> list[TruthRows]:
        taken: list[TruthRows] = []
        for own in reversed(self.rows):
            if sum(map(len, taken)) >= rows:
                break
            taken.append(own)
        return taken


class Watch:
    """A monitor that sees batches of rows, and is asked for a diagnosis between them."""

    def __init__(self, trained: Trained) -> None:
        """Begin with no rows."""
        baseline = trained.bundle.baseline
        self._trained = trained
        self._reader = RowReader(baseline)
        options = MonitorOptions(policy=policy_of(load({"windows": WINDOWS}), baseline))
        self._monitor = ColumnMonitor(baseline, model_name="model", model_version="1", now=BEGIN, options=options)
        self._truth = Truth(trained)
        self._waiting: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        self._latencies: list[FloatArray] = []
        self.now = BEGIN

    def see(self, batch: Batch) -> None:
        """Observe rows, and the labels of those that are old enough."""
        at = self.now + ROW_SECONDS * np.arange(len(batch.scores), dtype=np.float64)
        self.now = float(at[-1]) + ROW_SECONDS
        self._monitor.observe(self._reader.read(batch.frame, batch.scores, None), arrival=at)
        self._monitor.catch_up(self.now)
        self._latencies.append(batch.latencies)
        self._waiting.append((at, batch.scores, batch.labels))
        while self._waiting and self._waiting[0][0][-1] <= self.now - LATE_ROWS * ROW_SECONDS:
            self._truth.add(*self._waiting.pop(0))

    def diagnosis(self) -> Diagnosis:
        """Evaluate, and return the diagnosis."""
        report = self._monitor.evaluate(self.now).report
        facts = Facts(
            report,
            self._monitor.store.newest().newest(report.main.rows),
            performance=self._truth.report(self.now),
            importances=self._trained.bundle.importances,
            positive_rate=self._trained.positive_rate,
            system=self._system(),
        )
        return diagnose(facts)

    def _system(self) -> SystemFacts:
        known = np.concatenate(self._latencies)
        newest, past = known[-LATENCY_ROWS:], known[:LATENCY_ROWS]
        p95, p99 = np.quantile(newest, [0.95, 0.99]).tolist()
        usual95, usual99 = np.quantile(past, [0.95, 0.99]).tolist()
        return SystemFacts(
            latency_p95_seconds=p95,
            latency_p99_seconds=p99,
            latency_threshold_seconds=0.1,
            past_latency_p95_seconds=usual95,
            past_latency_p99_seconds=usual99,
            requests=len(newest),
        )
