from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from driftgauge.common.log_throttle import INTERVAL_SECONDS
from driftgauge.drift.bins import FloatArray
from driftgauge.errors import DROPS, FAILURES, REJECTIONS, REQUEST_CONSTRAINTS, Reason, Refused, count_refused
from driftgauge.metrics.series import (
    BATCH_ROWS,
    DROPPED,
    FAILED,
    INPUT_SIZE,
    LATENCY,
    LATENCY_BUCKETS,
    OBSERVATIONS,
    PREDICTIONS,
    REJECTED,
    REQUEST_ROWS_REFUSED,
    REQUEST_VIOLATIONS,
    RETRIED,
    SCORE,
    SCORE_BUCKETS,
)
from driftgauge.monitor.capture import PROBLEM, Answered, Capture, batch_size
from driftgauge.monitor.clock import ClockName
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems
from driftgauge.state.snapshot import sum_totals
from driftgauge.state.store import Store
from structlog.testing import capture_logs

from tests.monitors import START, small_baseline, small_monitor, small_options, small_store, some_rows
from tests.snapshots import snapshot_of


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class FailingMonitor(ColumnMonitor):
    """A monitor that cannot take rows while `error` is set."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(
            small_baseline(), model_name="churn", model_version="1", now=START, options=small_options(100), store=store
        )
        self.error: Exception | None = RuntimeError("ring torn")

    def observe(
        self,
        columns: FloatArray,
        *,
        arrival: FloatArray | float,
        event: FloatArray | None = None,
        source: str = "predict",
        outlier_scores: FloatArray | None = None,
    ) -> None:
        if self.error is not None:
            raise self.error
        super().observe(columns, arrival=arrival, event=event, source=source, outlier_scores=outlier_scores)


def _answered(
    *rows: int, seed: int = 0, seconds: float = 0.01, arrival: float = START, event: FloatArray | None = None
) -> Answered:
    """Return the answers of one batch, to requests with these numbers of rows."""
    columns = some_rows(sum(rows), seed)
    return Answered(
        rows=rows,
        latency_seconds=[seconds] * len(rows),
        scores=columns[:, 3].copy(),
        columns=columns,
        arrival=np.full(sum(rows), arrival),
        event=event,
        ids=[f"{seed} {row}" for row in range(sum(rows))],
        labels=["yes"] * sum(rows),
    )


def _child(monitor: ColumnMonitor, name: str, *labels: str) -> FloatArray:
    spec = next(spec for spec in monitor.store.counters.series if spec.name == name)
    numbers: FloatArray = monitor.store.counters.copy()[name][spec.children.index(labels)]
    return numbers


def _count(monitor: ColumnMonitor, name: str, *labels: str) -> float:
    return float(_child(monitor, name, *labels)[0])


def test_answered_rows_are_counted_and_observed() -> None:
    monitor = small_monitor()
    capture = Capture(monitor, Problems(Clock()))
    batches: list[tuple[int, ...]] = [(1,), (9, 10), (99, 100, 1), (699,)]
    answers = [_answered(*rows, seed=seed) for seed, rows in enumerate(batches)]
    for answer in answers:
        capture.answered(answer)
    assert _count(monitor, PREDICTIONS.name) == 919
    assert _count(monitor, OBSERVATIONS.name, "predict") == 919
    assert _count(monitor, DROPPED.name, Reason.MONITORING_FAILED) == 0
    held = snapshot_of(monitor, START)
    assert held.observed == 919
    np.testing.assert_array_equal(held.rows.values, np.concatenate([answer.columns for answer in answers]))


def test_latency_is_observed_once_a_request_by_its_size() -> None:
    monitor = small_monitor()
    capture = Capture(monitor, Problems(Clock()))
    for rows, seconds in (((1,), 0.0005), ((9,), 0.004), ((10, 99, 1), 0.02), ((100, 3), 10.0)):
        capture.answered(_answered(*rows, seconds=seconds))
    expectations = {"small": [0.0005, 0.004, 0.02, 10.0], "medium": [0.02, 0.02], "large": [10.0]}
    for size, expected in expectations.items():
        row = _child(monitor, LATENCY.name, size)
        assert row[:-1].cumsum()[:-1].tolist() == [sum(v <= edge for v in expected) for edge in LATENCY_BUCKETS]
        assert row[:-1].sum() == len(expected)
        assert row[-1] == pytest.approx(sum(expected))


def test_scores_and_sizes_are_observed_in_their_histograms() -> None:
    monitor = small_monitor()
    capture = Capture(monitor, Problems(Clock()))
    answers = [_answered(3, seed=3), _answered(40, 200, seed=40)]
    for answer in answers:
        capture.answered(answer)
    scores = np.concatenate([answer.scores for answer in answers])
    row = _child(monitor, SCORE)
    assert row[:-1].cumsum()[:-1].tolist() == [(scores <= edge).sum() for edge in SCORE_BUCKETS]
    assert row[-1] == pytest.approx(scores.sum())
    sizes = _child(monitor, INPUT_SIZE.name)
    assert (sizes[:-1].sum(), sizes[-1]) == (3, 243)
    together = _child(monitor, BATCH_ROWS.name)
    assert (together[:-1].sum(), together[-1]) == (2, 243)


@pytest.mark.parametrize(("clock", "times"), [("event", [5.0, 5.0]), ("arrival", [START + 4, START + 4])])
def test_times_of_the_rows_are_handed_on(clock: ClockName, times: list[float]) -> None:
    monitor = small_monitor(options=replace(small_options(200, 1_000), clock=clock))
    capture = Capture(monitor, Problems(Clock()))
    capture.answered(_answered(2, arrival=START + 4, event=np.array([5.0, np.nan])))
    assert snapshot_of(monitor, START).rows.at.tolist() == times


@pytest.mark.parametrize(
    ("rows", "size"),
    [(1, "small"), (9, "small"), (10, "medium"), (99, "medium"), (100, "large"), (10_000, "large")],
)
def test_requests_are_small_medium_or_large(rows: int, size: str) -> None:
    assert batch_size(rows) == size


@pytest.mark.parametrize("reason", REJECTIONS)
def test_a_refused_request_is_counted_by_its_reason(reason: Reason) -> None:
    monitor = small_monitor()
    Capture(monitor, Problems(Clock())).refused(Refused(reason, "refused"))
    assert _count(monitor, REJECTED.name, reason) == 1
    assert monitor.store.counters.copy()[REJECTED.name].sum() == 1


@pytest.mark.parametrize("reason", sorted(set(Reason) - set(REJECTIONS)))
def test_what_is_no_refusal_is_not_counted_as_one(reason: Reason) -> None:
    monitor = small_monitor()
    Capture(monitor, Problems(Clock())).refused(Refused(reason, "refused"))
    assert monitor.store.counters.copy()[REJECTED.name].sum() == 0


def test_refused_rows_are_counted_by_the_constraint_that_they_violate() -> None:
    monitor = small_monitor()
    capture = Capture(monitor, Problems(Clock()))
    capture.refused(Refused(Reason.UNKNOWN_FEATURE, "colour is not a feature"))
    several = Refused(Reason.WRONG_TYPE, "age: expected a number")
    count_refused(several, {"type": 3, "required": 1}, 10)
    capture.refused(several)
    capture.refused(Refused(Reason.NOT_JSON, "the body is not JSON"))
    capture.lacked("age", 4)
    found = {name: _count(monitor, REQUEST_VIOLATIONS.name, name) for name in REQUEST_CONSTRAINTS}
    assert found == {"type": 3, "required": 5, "extra_columns": 1, "domain": 0}
    assert _count(monitor, REQUEST_ROWS_REFUSED.name) == 11


def test_rows_that_the_model_failed_on_are_counted() -> None:
    monitor = small_monitor()
    Capture(monitor, Problems(Clock())).failed(17)
    assert [_count(monitor, FAILED.name, reason) for reason in FAILURES] == [17]
    assert monitor.store.rows == 0


def test_a_batch_that_is_tried_again_is_counted() -> None:
    monitor = small_monitor()
    Capture(monitor, Problems(Clock())).retried()
    assert _count(monitor, RETRIED.name) == 1


def test_without_watching_answers_are_counted_and_no_row_is_observed() -> None:
    monitor = small_monitor()
    Capture(monitor, Problems(Clock()), watching=False).answered(_answered(5, 20))
    assert _count(monitor, PREDICTIONS.name) == 25
    assert _child(monitor, LATENCY.name, "medium")[:-1].sum() == 1
    assert _count(monitor, OBSERVATIONS.name, "predict") == monitor.store.rows == 0


# ---------------------------------------------------------------- beside other workers


def _stores(folder: Path) -> tuple[Store, Store]:
    """Return the stores of two workers on one folder."""
    one, other = (small_store(folder, small_options(100)) for _ in range(2))
    return one, other


@pytest.mark.parametrize("watching", [True, False])
def test_what_was_answered_is_known_to_other_workers_by_then(watching: bool, tmp_path: Path) -> None:
    own, other = _stores(tmp_path)
    monitor = ColumnMonitor(
        small_baseline(), model_name="churn", model_version="1", now=START, options=small_options(100), store=own
    )
    Capture(monitor, Problems(Clock()), watching=watching).answered(_answered(5, 20))
    counted = sum_totals(other.counted())
    assert counted[PREDICTIONS.name].sum() == 25
    assert counted[INPUT_SIZE.name][:, :-1].sum() == 2
    assert other.rows == counted[OBSERVATIONS.name].sum() == (25 if watching else 0)


def test_that_rows_were_lost_is_known_to_other_workers_too(tmp_path: Path) -> None:
    own, other = _stores(tmp_path)
    monitor = FailingMonitor(own)
    Capture(monitor, Problems(Clock())).answered(_answered(5))
    assert sum_totals(other.counted())[DROPPED.name].sum() == 5


# ---------------------------------------------------------------- when monitoring fails


def test_a_failing_monitor_never_raises_and_what_it_lost_is_counted_and_shown() -> None:
    monitor = FailingMonitor()
    problems = Problems(Clock())
    Capture(monitor, problems).answered(_answered(25))
    dropped = {reason: _count(monitor, DROPPED.name, reason) for reason in DROPS}
    assert dropped == dict.fromkeys(DROPS, 0.0) | {Reason.MONITORING_FAILED: 25.0}
    assert _count(monitor, OBSERVATIONS.name, "predict") == 0
    assert _count(monitor, PREDICTIONS.name) == 25  # they were answered all the same
    assert problems.current() == [f"{PROBLEM}: RuntimeError: ring torn"]


def test_rows_of_another_width_are_lost_without_harm_to_the_others() -> None:
    monitor = small_monitor()
    problems = Problems(Clock())
    capture = Capture(monitor, problems)
    good = _answered(6)
    capture.answered(good)
    capture.answered(replace(good, columns=good.columns[:, :2]))
    capture.answered(good)
    assert _count(monitor, DROPPED.name, Reason.MONITORING_FAILED) == 6
    assert _count(monitor, OBSERVATIONS.name, "predict") == monitor.store.rows == 12
    assert len(problems.current()) == 1
    np.testing.assert_array_equal(snapshot_of(monitor, START).rows.values, np.concatenate([good.columns, good.columns]))


def test_a_failing_monitor_is_logged_once_a_minute_at_most() -> None:
    monitor, clock = FailingMonitor(), Clock()
    capture = Capture(monitor, Problems(clock))
    with capture_logs() as logs:
        for _ in range(int(2 * INTERVAL_SECONDS) + 1):
            capture.answered(_answered(1))
            clock.now += 1.0
    assert [(line["event"], line["log_level"], line["suppressed_before"]) for line in logs] == [
        (PROBLEM, "error", 0),
        (PROBLEM, "error", 59),
        (PROBLEM, "error", 59),
    ]
    assert all(line["exc_info"] is monitor.error for line in logs)


def test_capture_goes_on_when_the_monitor_works_again() -> None:
    monitor, clock = FailingMonitor(), Clock()
    problems = Problems(clock)
    capture = Capture(monitor, problems)
    capture.answered(_answered(2))
    monitor.error = None
    capture.answered(_answered(3))
    assert (_count(monitor, PREDICTIONS.name), monitor.store.rows) == (5, 3)
    assert len(problems.current()) == 1
    clock.now += 300.0
    assert problems.current() == []


class NoRoom:
    """Makes no room in a log."""

    def request(self) -> None:
        """Do nothing."""

    def make(self, now: float) -> bool:
        """Give up at once."""
        return False


def test_rows_for_which_the_log_has_no_room_are_dropped_and_counted_and_no_problem() -> None:
    monitor = small_monitor()
    monitor.room = NoRoom()
    problems = Problems(Clock())
    capture, unread = Capture(monitor, problems), monitor.store.shape.unread_rows
    for _ in range(3):
        capture.answered(_answered(unread // 2 + 10))
    lost = 3 * (unread // 2 + 10) - unread
    dropped = {reason: _count(monitor, DROPPED.name, reason) for reason in DROPS}
    assert dropped == dict.fromkeys(DROPS, 0.0) | {Reason.LOG_FULL: float(lost)}
    assert _count(monitor, OBSERVATIONS.name, "predict") == monitor.store.rows == unread
    assert _count(monitor, PREDICTIONS.name) == unread + lost
    assert problems.current() == []
