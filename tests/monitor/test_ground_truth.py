"""Performance of matured predictions, evaluated from a real prediction log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from driftgauge.common.shared_text import SharedText
from driftgauge.drift.performance.counts import CountLayout
from driftgauge.drift.performance.intervals import Estimate
from driftgauge.drift.performance.label_evidence import LabelDetector
from driftgauge.drift.performance.outcomes import OutcomeSums
from driftgauge.drift.performance.report import Reference
from driftgauge.drift.performance.verdict import Held, PerformancePolicy, PerformanceStatus
from driftgauge.drift.reference.baseline import LABEL, Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.monitor import ground_truth
from driftgauge.monitor.cohort_builder import CohortBuilder
from driftgauge.monitor.ground_truth import COHORT_SECONDS, GroundTruthMonitor, GroundTruthOptions
from driftgauge.monitor.truth_reports import TruthReports
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.label_store import LabelStore
from driftgauge.predictions.labels import GivenLabel
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import MICROSECONDS, LoggedFeature, LoggedModel, LoggedRows
from driftgauge.predictions.store import PredictionStore
from driftgauge.predictions.truth_store import TruthStore

from tests.monitors import AWKWARD, small_baseline

HOUR = COHORT_SECONDS
START = 1_700_000_000.0 // HOUR * HOUR
DAY = 86_400.0
MODEL = LoggedModel(
    "m",
    "1",
    "binary",
    ("no", "yes"),
    (
        LoggedFeature("age", "numeric"),
        LoggedFeature("flag", "numeric"),
        LoggedFeature("city", "categorical", ("north", "south", AWKWARD)),
    ),
    "abc",
)
HELD = Held(20_000, {"accuracy": Estimate(0.75, 0.74, 0.76), "roc_auc": Estimate(0.83, 0.82, 0.84)})


def target_baseline() -> Baseline:
    codes = np.random.default_rng(0).integers(0, 2, 4_000)
    return build_baseline({LABEL: Categories(codes, ("no", "yes"))}, created="2026-01-01T00:00:00Z")


@dataclass
class Log:
    """A log with the predictions of a calibrated model."""

    store: PredictionStore
    version: int
    labels: LabelStore
    seed: int = 0

    def predict(self, begin: float, rows: int, *, wrong: float = 0.0) -> list[tuple[str, float]]:
        """Log predictions of one hour; return their ids and labels, of which a share is turned around."""
        self.seed += 1
        rng = np.random.default_rng(self.seed)
        scores = rng.random(rows)
        actual = (rng.random(rows) < scores) ^ (rng.random(rows) < wrong)
        ids = [f"{begin:.0f}-{self.seed}-{index}" for index in range(rows)]
        times = ((begin + np.sort(rng.random(rows)) * HOUR * 0.99) * MICROSECONDS).astype(np.int64)
        features = np.stack([rng.normal(40.0, 10.0, rows), rng.integers(0, 2, rows), rng.integers(0, 3, rows)], axis=1)
        self.store.write(
            [
                LoggedRows(
                    version=self.version,
                    keys=list(map(key_of, ids)),
                    arrival=times,
                    time=times,
                    scores=scores,
                    predictions=(scores > 0.5).astype(np.float64),
                    latency=np.ones(rows, dtype=np.int64),
                    features=features,
                )
            ]
        )
        return list(zip(ids, actual.astype(np.float64).tolist(), strict=True))

    def label(self, truth: list[tuple[str, float]], now: float, observed: float | None = None) -> None:
        known = None if observed is None else round(observed * MICROSECONDS)
        self.labels.add([GivenLabel(key_of(id_), value, known) for id_, value in truth], now)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    store = PredictionStore.open(tmp_path)
    version = store.register(MODEL)
    yield Log(store, version, LabelStore(store.engine, version))
    store.close()


def monitor_of(
    log: Log,
    *,
    owner: str = "one",
    segments: tuple[str, ...] = (),
    labels: bool = False,
    is_event_time: bool = False,
    outcomes: Mapping[str, float] | None = None,
    windows: tuple[int, ...] = (500, 1_000),
    reports: TruthReports | None = None,
) -> GroundTruthMonitor:
    target = target_baseline() if labels else None
    layout = CountLayout.of("binary", 2, small_baseline().columns[-1].quantiles)
    return GroundTruthMonitor(
        TruthStore(log.store.engine, "m", "1", tuple(outcomes or {})),
        CohortBuilder(layout, small_baseline(), target, segments),
        Reference(layout, HELD, PerformancePolicy(), target, classes=("no", "yes")),
        GroundTruthOptions(
            windows,
            (TimeSpan.named("2h"), TimeSpan.named("10m")),
            maturity_seconds=DAY,
            outcome_seconds=outcomes or {},
        ),
        owner=owner,
        labels=None if target is None else LabelDetector(target),
        reports=reports,
    )


def reports_of(folder: Path | None, *windows: int) -> TruthReports:
    """Return the reports of `monitor_of`, as a worker of a service reads them."""
    layout = CountLayout.of("binary", 2, small_baseline().columns[-1].quantiles)
    options = GroundTruthOptions(windows or (500, 1_000), (TimeSpan.named("2h"), TimeSpan.named("10m")))
    reference = Reference(layout, HELD, PerformancePolicy(), None, classes=("no", "yes"))
    reports = options.reports(CohortBuilder(layout, small_baseline()), reference)
    reports.shared = SharedText(folder, "performance")
    return reports


def evaluated(monitor: GroundTruthMonitor, now: float) -> GroundTruthMonitor:
    for _ in range(20):
        if not monitor.step(now):
            return monitor
    raise AssertionError("an evaluation does not end")


def test_only_matured_predictions_count(log: Log) -> None:
    early, late = log.predict(START, 300), log.predict(START + HOUR, 300)
    log.label(early + late, START + 2 * HOUR)
    monitor = evaluated(monitor_of(log), START + DAY + HOUR)
    assert monitor.report is not None
    assert monitor.report.main_window.cohort.rows == 300
    assert monitor.report.matured_until == START + HOUR
    evaluated(monitor, START + DAY + 2 * HOUR)
    assert monitor.report.main_window.cohort.rows == 600
    assert [own.rows for own in monitor.history()] == [300, 300]


def test_windows_hold_the_newest_rows_and_the_cohorts_of_their_span(log: Log) -> None:
    for hour in range(4):
        log.label(log.predict(START + hour * HOUR, 400), START + 5 * HOUR)
    report = evaluated(monitor_of(log), START + DAY + 4 * HOUR).report
    assert report is not None
    rows = {name: own.cohort.rows for name, own in report.windows.items()}
    assert rows == {"500": 500, "1000": 1_000, "2h": 800}


def test_accuracy_is_that_of_the_rows(log: Log) -> None:
    truth = log.predict(START, 1_000)
    log.label(truth, START + HOUR)
    report = evaluated(monitor_of(log), START + 2 * DAY).report
    assert report is not None
    batch = next(iter(log.store.read(Selection("m"))))
    actual = np.array([dict(truth)[id_] for id_ in batch.ids])
    assert report.windows["1000"].metrics["accuracy"].value == (batch.predictions == actual).mean()
    assert report.status is PerformanceStatus.NORMAL


def test_coverage_and_lag_are_those_of_the_log(log: Log) -> None:
    truth = log.predict(START, 400)
    log.label(truth[:100], START + 2 * HOUR, observed=START + 2 * HOUR)
    report = evaluated(monitor_of(log), START + 2 * DAY).report
    assert report is not None
    cohort = report.windows["1000"].cohort
    assert (cohort.rows, report.status) == (100, PerformanceStatus.INSUFFICIENT_LABELS)
    assert 0.25 <= cohort.coverage < 0.27  # from the first row with a label
    assert HOUR < cohort.mean_lag_seconds < 2 * HOUR


def test_labels_that_come_late_and_corrections_change_their_cohort(log: Log) -> None:
    truth = log.predict(START, 400)
    log.label(truth[:200], START + HOUR)
    monitor = evaluated(monitor_of(log), START + 2 * DAY)
    assert monitor.report is not None
    before = monitor.report.windows["500"].metrics["accuracy"].value
    log.label(truth[200:], START + 2 * DAY)
    log.label([(id_, 1.0 - value) for id_, value in truth[:200]], START + 2 * DAY)
    evaluated(monitor, START + 2 * DAY + 1.0)
    assert [own.rows for own in monitor.history()] == [400]
    assert monitor.report.windows["500"].cohort.rows == 400
    assert monitor.report.windows["500"].metrics["accuracy"].value < before


def test_labels_that_come_before_their_late_predictions_change_their_cohort(log: Log) -> None:
    now = START + 2 * DAY
    log.label(log.predict(START, 300), now)
    early = [(f"{START:.0f}-2-{index}", 1.0) for index in range(100)]
    log.label(early, now)
    monitor = evaluated(monitor_of(log), now + 200.0)
    assert [own.rows for own in monitor.history()] == [300]
    log.predict(START, 100)
    log.labels.settle(now + 200.0, 3_600.0)
    evaluated(monitor, now + 201.0)
    assert [own.rows for own in monitor.history()] == [400]


def test_a_model_that_becomes_worse_is_degraded(log: Log) -> None:
    log.label(log.predict(START, 1_000, wrong=0.2), START + HOUR)
    report = evaluated(monitor_of(log), START + 2 * DAY).report
    assert report is not None
    assert (report.status, report.severity) == (PerformanceStatus.DEGRADED, "critical")
    assert "worse than on held-out rows (0.75)" in report.reason


def test_a_drop_that_was_reached_is_reported_until_it_is_small_by_every_worker_and_after_a_restart(log: Log) -> None:
    log.label(log.predict(START, 1_000, wrong=0.2), START + HOUR)
    evaluated(monitor_of(log), START + DAY + HOUR)
    log.label(log.predict(START + HOUR, 1_000, wrong=0.09), START + 2 * HOUR)
    report = evaluated(monitor_of(log, owner="two"), START + DAY + 2 * HOUR).report
    assert report is not None
    assert {report.windows[name].verdict.severity for name in ("500", "1000")} == {None}
    assert (report.status, report.severity) == (PerformanceStatus.DEGRADED, "critical")
    assert report.reason.endswith("still large (limit 5 %, ends below 4 %)")
    other = monitor_of(log, owner="three")
    other.refresh()
    assert repr(other.report) == repr(report)
    log.label(log.predict(START + 2 * HOUR, 1_000), START + 3 * HOUR)
    report = evaluated(other, START + DAY + 3 * HOUR).report
    assert report is not None
    assert (report.status, report.severity) == (PerformanceStatus.NORMAL, None)


def test_segments_split_the_rows_by_the_bins_of_a_feature(log: Log) -> None:
    log.label(log.predict(START, 600), START + HOUR)
    report = evaluated(monitor_of(log, segments=("city", "flag")), START + 2 * DAY).report
    assert report is not None
    by_feature = {name: sum(own.rows for own in report.segments if own.segment[0] == name) for name in ("city", "flag")}
    assert by_feature == {"city": 600, "flag": 600}
    assert {own.segment[1] for own in report.segments if own.segment[0] == "city"} >= {"north", "south"}


def test_outcomes_are_kept_by_cohort_and_by_segment(log: Log) -> None:
    early, late = log.predict(START, 200), log.predict(START + HOUR, 100)
    clicks = [GivenLabel(key_of(id_), value, outcome="click") for id_, value in early + late[:50]]
    log.labels.add(clicks, START + 2 * HOUR)
    monitor = monitor_of(log, segments=("city",), outcomes={"click": HOUR, "other": DAY})
    report = evaluated(monitor, START + DAY + 2 * HOUR).report
    assert report is not None
    whole = [own.outcomes["click", "", ""] for own in monitor.history()]
    assert [(own.rows, own.predictions) for own in whole] == [(200, 200), (50, 100)]
    assert whole[0].total == sum(value for _, value in early)
    assert report.outcomes["click", "", ""] == whole[1]  # its window is an hour
    assert report.outcomes["other", "", ""].predictions == 300
    cities = [own for part, own in report.outcomes.items() if part[:2] == ("click", "city")]
    assert len(cities) > 1
    assert (sum(own.rows for own in cities), sum(own.predictions for own in cities)) == (50, 100)
    assert sum(own.total for own in cities) == whole[1].total


def test_an_outcome_that_comes_late_changes_its_cohort(log: Log) -> None:
    ids = [id_ for id_, _ in log.predict(START, 20)]
    monitor = evaluated(monitor_of(log, outcomes={"click": DAY}), START + DAY + HOUR)
    assert monitor.report is not None
    assert monitor.report.outcomes["click", "", ""] == OutcomeSums(predictions=20)
    log.labels.add([GivenLabel(key_of(own), 1.0, outcome="click") for own in ids[:5]], START + DAY + HOUR)
    other = monitor_of(log, owner="two", outcomes={"click": DAY})
    evaluated(other, START + DAY + HOUR + 120.0)
    monitor.refresh()
    assert monitor.report.outcomes["click", "", ""] == OutcomeSums(5, 5.0, 5.0, 20)


def test_a_change_of_the_labels_is_found(log: Log) -> None:
    truth = log.predict(START, 1_000)
    log.label([(id_, 1.0) for id_, _ in truth], START + HOUR)
    report = evaluated(monitor_of(log, labels=True), START + 2 * DAY).report
    assert report is not None
    assert report.label_drift is not None
    assert report.label_drift.severity == "critical"
    assert report.label_drift.psi_debiased > 1.0


def test_one_worker_evaluates_and_all_have_its_report(log: Log) -> None:
    log.label(log.predict(START, 300), START + HOUR)
    first, second = monitor_of(log), monitor_of(log, owner="two")
    now = START + 2 * DAY
    assert TruthStore(log.store.engine, "m", "1").acquire("dead", now, 100.0)
    evaluated(first, now)
    assert first.report is None
    evaluated(first, now + 101.0)
    second.refresh()
    assert first.report is not None
    assert repr(second.report) == repr(first.report)


def test_a_step_reads_a_bounded_number_of_predictions(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground_truth, "STEP_PREDICTIONS", 100)
    for hour in range(3):
        log.label(log.predict(START + hour * HOUR, 100), START + 3 * HOUR)
    monitor = monitor_of(log)
    steps = 1
    while monitor.step(START + 3 * DAY) and steps < 20:
        steps += 1
    assert steps == 3
    assert [own.rows for own in monitor.history()] == [100, 100, 100]


def test_evaluating_again_changes_nothing(log: Log) -> None:
    log.label(log.predict(START, 600), START + HOUR)
    monitor = evaluated(monitor_of(log, labels=True), START + 2 * DAY)
    before = monitor.report
    again = evaluated(monitor_of(log, labels=True, owner="two"), START + 2 * DAY)
    assert repr(again.report) == repr(before)


def test_a_cohort_outlives_its_predictions(log: Log) -> None:
    truth = log.predict(START, 300)
    log.label(truth, START + HOUR)
    monitor = evaluated(monitor_of(log), START + 2 * DAY)
    with log.store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM predictions WHERE seq % 2 = 0")
    log.label([(id_, 1.0 - value) for id_, value in truth[:10]], START + 3 * DAY)
    evaluated(monitor, START + 3 * DAY)
    assert [own.predicted for own in monitor.history()] == [300]


def test_other_windows_are_evaluated_again(log: Log) -> None:
    log.label(log.predict(START, 300), START + HOUR)
    evaluated(monitor_of(log), START + 2 * DAY)
    report = evaluated(monitor_of(log, windows=(50, 200)), START + 2 * DAY).report
    assert report is not None
    assert {name: own.cohort.rows for name, own in report.windows.items()} == {"50": 50, "200": 200, "2h": 0}


def test_a_damaged_state_begins_again(log: Log) -> None:
    log.label(log.predict(START, 300), START + HOUR)
    evaluated(monitor_of(log), START + 2 * DAY)
    with log.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE truth_states SET content = '{\"version\": 1}'")
    report = evaluated(monitor_of(log), START + 2 * DAY).report
    assert report is not None
    assert report.main_window.cohort.rows == 300


def test_without_predictions_there_are_too_few_labels(log: Log) -> None:
    report = evaluated(monitor_of(log), START).report
    assert report is not None
    assert report.status is PerformanceStatus.INSUFFICIENT_LABELS
    assert report.main_window.cohort.rows == 0


def test_with_the_clock_of_events_a_log_without_predictions_has_nothing_to_evaluate(log: Log) -> None:
    monitor = evaluated(monitor_of(log, is_event_time=True), START)
    assert monitor.report is not None
    assert monitor.history() == []
