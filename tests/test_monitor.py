from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.drift.baseline import build_baseline
from app.drift.bins import FloatArray
from app.drift.report import DriftReport, Memory, Policy, Status, evaluate
from app.drift.window import Rows
from app.metrics import CLAMPED, OBSERVATIONS
from app.monitor import Clock, Monitor, MonitorOptions, Registry
from tests.monitors import CREATED, START, small_baseline, small_monitor, small_options, some_rows

AHEAD = 300.0
POLICY = Policy(windows=(200, 1_000))


def _with_clock(clock: Clock) -> Monitor:
    return small_monitor(options=replace(small_options(200, 1_000), clock=clock, max_event_ahead_seconds=AHEAD))


def _count(monitor: Monitor, name: str) -> float:
    return float(monitor.state.counters.copy()[name].sum())


def _assert_same(found: DriftReport, expected: DriftReport) -> None:
    np.testing.assert_equal(asdict(found), asdict(expected))


# ---------------------------------------------------------------- observe


def test_there_is_a_report_before_the_first_row() -> None:
    monitor = small_monitor()
    report = monitor.last.report
    assert (report.status, report.rows_observed, report.evaluated_at) == (Status.INSUFFICIENT_DATA, 0, START)
    assert report.reason == "0 of the 500 rows that a verdict needs"
    assert _is_current(monitor)


def _is_current(monitor: Monitor) -> bool:
    return monitor.last.report.rows_observed == monitor.state.rows


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 99)])
def test_rows_of_another_width_are_refused_whole(shape: tuple[int, ...]) -> None:
    monitor = small_monitor()
    with pytest.raises(ValueError, match="columns"):
        monitor.observe(np.zeros(shape), arrival=START)
    with pytest.raises(ValueError, match="not a declared source"):
        monitor.observe(some_rows(4), arrival=START, source="hearsay")
    assert monitor.state.rows == 0


def test_a_report_is_current_until_rows_come() -> None:
    monitor = small_monitor()
    monitor.observe(some_rows(3), arrival=START)
    assert not _is_current(monitor)
    assert monitor.last.report.rows_observed == 0
    evaluation = monitor.evaluate(START + 1)
    assert _is_current(monitor)
    assert monitor.last is evaluation
    assert evaluation.report.rows_observed == 3
    assert evaluation.cpu_seconds > 0.0


def test_observing_no_rows_changes_nothing() -> None:
    monitor = small_monitor()
    monitor.observe(some_rows(0), arrival=START)
    monitor.observe(some_rows(0), arrival=START, event=np.empty(0))
    assert _is_current(monitor)
    assert monitor.state.rows == 0
    assert _count(monitor, OBSERVATIONS.name) == 0


def test_rows_observed_are_counted_by_source() -> None:
    monitor = small_monitor()
    for n in (1, 40, 700):
        monitor.observe(some_rows(n), arrival=START)
    place = OBSERVATIONS.children.index(("predict",))
    assert monitor.state.counters.copy()[OBSERVATIONS.name][place, 0] == 741
    assert monitor.state.rows == 741


def test_bin_rows_are_those_of_every_row_ever() -> None:
    monitor = small_monitor()
    values = some_rows(5_000)
    for begin in range(0, 5_000, 250):
        monitor.observe(values[begin : begin + 250], arrival=START)
    binner = small_baseline().binner
    np.testing.assert_array_equal(monitor.bin_rows(), binner.counts(binner.codes(values)))


# ---------------------------------------------------------------- time


def test_the_clock_of_arrival_takes_now_from_its_caller_and_times_from_arrival() -> None:
    monitor = _with_clock("arrival")
    monitor.observe(some_rows(2), arrival=START + 1, event=np.array([5.0, START + 200]))
    monitor.observe(some_rows(2), arrival=START + 3, event=np.array([9.0, math.nan]))
    report = monitor.evaluate(START + 10).report
    assert report.evaluated_at == START + 10
    assert (report.main.start, report.main.end) == (START + 1, START + 3)


def test_the_clock_of_events_takes_now_from_the_largest_event() -> None:
    monitor = _with_clock("event")
    monitor.observe(some_rows(3), arrival=START, event=np.array([50.0, 90.0, 70.0]))
    monitor.observe(some_rows(2), arrival=START + 1, event=np.array([20.0, 60.0]))
    report = monitor.evaluate(START + 10).report
    assert report.evaluated_at == 90.0
    assert (report.main.start, report.main.end) == (20.0, 90.0)


def test_the_largest_event_is_remembered_when_its_row_has_left_the_window() -> None:
    monitor = _with_clock("event")
    monitor.observe(some_rows(1), arrival=START, event=np.array([500.0]))
    monitor.observe(some_rows(2_000), arrival=START, event=np.full(2_000, 400.0))
    report = monitor.evaluate(START).report
    assert (report.evaluated_at, report.main.end) == (500.0, 400.0)


def test_the_clock_of_events_stands_at_now_while_there_is_no_row() -> None:
    assert _with_clock("event").evaluate(START + 7).report.evaluated_at == START + 7


def test_rows_without_an_event_happened_when_they_arrived() -> None:
    monitor = _with_clock("arrival")
    monitor.observe(some_rows(2), arrival=START)
    monitor.observe(some_rows(2), arrival=START + 4, event=np.array([math.nan, START + 3]))
    newest, _ = monitor.state.newest(10, by_event=True)
    assert newest.at.tolist() == [START, START, START + 4, START + 3]
    assert _count(monitor, CLAMPED.name) == 0


def test_in_a_replay_rows_without_an_event_happened_with_the_latest_one() -> None:
    monitor = _with_clock("event")
    years = 10 * 365 * 86_400.0
    monitor.observe(some_rows(1), arrival=START + years, event=np.array([START]))
    monitor.observe(some_rows(2), arrival=START + years, event=np.array([math.nan, START + 3]))
    monitor.observe(some_rows(1), arrival=START + years)
    newest, _ = monitor.state.newest(10, by_event=True)
    assert newest.at.tolist() == [START, START, START + 3, START + 3]
    assert monitor.evaluate(START + years).report.evaluated_at == START + 3
    assert _count(monitor, CLAMPED.name) == 0


events = st.one_of(
    st.just(math.nan),
    st.floats(-2e9, 2e9),
    st.sampled_from([START + AHEAD, math.nextafter(START + AHEAD, math.inf), START, math.inf]),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(events, min_size=1, max_size=12))
def test_an_event_too_far_ahead_is_replaced_by_its_arrival_and_counted(sent: list[float]) -> None:
    monitor = _with_clock("event")
    monitor.observe(some_rows(len(sent)), arrival=START, event=np.array(sent))
    ahead = [event > START + AHEAD for event in sent]
    expected = [START if too_far or math.isnan(event) else event for event, too_far in zip(sent, ahead, strict=True)]
    newest, _ = monitor.state.newest(len(sent), by_event=True)
    assert newest.at.tolist() == expected
    assert _count(monitor, CLAMPED.name) == sum(ahead)
    assert monitor.evaluate(0.0).report.evaluated_at == max(expected)


def test_events_given_by_the_caller_are_left_as_they_were() -> None:
    event = np.array([math.nan, START + 2 * AHEAD])
    _with_clock("event").observe(some_rows(2), arrival=START, event=event)
    np.testing.assert_array_equal(event, [math.nan, START + 2 * AHEAD])


# ---------------------------------------------------------------- evaluate


def _reports(clock: Clock, batches: Iterable[tuple[FloatArray, FloatArray]]) -> Iterable[DriftReport]:
    """Yield what the pure function says after each batch, of rows kept in plain arrays."""
    baseline = small_baseline()
    memory = Memory.empty(len(baseline.columns))
    values, arrivals, events = np.empty((0, len(baseline.columns))), np.empty(0), np.empty(0)
    for step, (batch, event) in enumerate(batches):
        values = np.concatenate([values, batch])
        arrivals = np.concatenate([arrivals, np.full(len(batch), START + step)])
        events = np.concatenate([events, event])
        newest = slice(max(0, len(values) - 1_000), None)
        at = (events if clock == "event" else arrivals)[newest]
        rows = Rows(values[newest], baseline.binner.codes(values[newest]), at)
        now = events.max() if clock == "event" else START + step
        report, memory = evaluate(baseline, rows, len(values), memory, POLICY, float(now))
        yield report


@pytest.mark.parametrize("clock", ["arrival", "event"])
def test_reports_are_those_of_the_pure_function_on_the_same_rows(clock: Clock) -> None:
    ages = [40.0, 40.0, 60.0, 60.0, 50.0, 44.0, 40.0, 40.0, 40.0]
    generator = np.random.default_rng(4)
    batches = [
        (some_rows(n, step, age=age), generator.uniform(START - 500, START, n))
        for step, (n, age) in enumerate(zip([100, 450, 700, 1, 300, 20, 600, 1_200, 5_000], ages, strict=True))
    ]
    monitor = _with_clock(clock)
    statuses = []
    for step, (expected, (values, event)) in enumerate(zip(_reports(clock, batches), batches, strict=True)):
        monitor.observe(values, arrival=START + step, event=event)
        found = monitor.evaluate(START + step).report
        _assert_same(found, expected)
        statuses.append(found.verdicts[0].status)
    assert {Status.INSUFFICIENT_DATA, Status.NORMAL, Status.DRIFT_DETECTED} <= set(statuses)


def test_drift_has_begun_when_it_was_first_seen() -> None:
    monitor = small_monitor()
    for second in (1.0, 2.0, 3.0):
        monitor.observe(some_rows(600, age=70.0), arrival=START + second)
        assert monitor.evaluate(START + second).report.verdicts[0].since == START + 1.0


def test_the_largest_window_bounds_the_rows_that_are_kept() -> None:
    monitor = small_monitor(options=small_options(50))
    monitor.observe(some_rows(20_000), arrival=START)
    report = monitor.evaluate(START).report
    assert (report.rows_observed, report.main.rows) == (20_000, 50)
    assert monitor.state.window_rows == 50


def test_rows_may_come_while_they_are_evaluated() -> None:
    total, size = 300_000, 250
    baseline = build_baseline({"number": np.arange(1_000.0)}, created=CREATED)
    monitor = Monitor(baseline, model_name="m", model_version="1", now=0.0, options=MonitorOptions(Policy((700,))))
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for begin in range(0, total, size):
                monitor.observe(np.arange(begin, begin + size, dtype=np.float64)[:, None], arrival=float(begin))
        except BaseException as failure:
            failures.append(failure)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    while True:
        ended = not writer.is_alive()
        report = monitor.evaluate(0.0).report
        rows = report.main.rows
        assert rows == min(700, report.rows_observed)
        if rows:
            # Consecutive numbers up to the last one that the report claims to have seen.
            moments = report.main.moments
            assert moments.max[0] == report.rows_observed - 1
            assert moments.min[0] == report.rows_observed - rows
            assert moments.mean[0] == pytest.approx(report.rows_observed - (rows + 1) / 2)
            assert report.main.end == (report.rows_observed - 1) // size * size
        if ended:
            break
    writer.join(timeout=30.0)
    assert not failures, failures
    assert monitor.last.report.rows_observed == total
    assert _is_current(monitor)


# ---------------------------------------------------------------- the registry


def test_monitors_are_found_by_name_or_any() -> None:
    registry = Registry()
    assert registry.find() is None
    assert registry.find("churn") is None
    churn, fraud = small_monitor("churn"), small_monitor("fraud")
    registry.add(churn)
    registry.add(fraud)
    assert registry.find("churn") is churn
    assert registry.find("fraud") is fraud
    assert registry.find() is fraud
    assert registry.find("other") is None
    assert registry.find("") is None
    assert (len(registry), list(registry)) == (2, [churn, fraud])


def test_the_newest_version_of_a_model_is_found() -> None:
    registry = Registry()
    versions = [small_monitor("churn", version) for version in ("2", "10", "1")]
    for monitor in versions:
        registry.add(monitor)
    assert registry.find("churn") is versions[-1]


def test_a_model_and_version_is_monitored_once() -> None:
    registry = Registry()
    first = small_monitor("churn", "1")
    registry.add(first)
    with pytest.raises(ValueError, match="churn 1 is monitored already"):
        registry.add(small_monitor("churn", "1"))
    registry.add(small_monitor("churn", "2"))
    assert len(registry) == 2
    assert next(iter(registry)) is first
