from __future__ import annotations

import math
import shutil
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftgauge.common.private_files import LockTimeout
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.evidence.detector import Evidence
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.latches import Latches
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.report import Carryover, DriftReport, evaluate
from driftgauge.drift.verdict.rule import Status
from driftgauge.drift.windows.blocks import Blocks, rows_by_hour
from driftgauge.drift.windows.time_spans import TimeSpan, Totals
from driftgauge.drift.windows.window import Rows, Window, sliding_windows, time_windows
from driftgauge.edges.formats.drift_status import report_json
from driftgauge.metrics.series import DROPPED, LATE, OBSERVATIONS, TIMESTAMPS_REJECTED
from driftgauge.monitor.clock import ClockName
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions
from driftgauge.state.catch_up import PendingRows
from driftgauge.state.failpoints import Failpoint, no_failpoint
from driftgauge.state.files import HEADER_BYTES
from driftgauge.state.slots import CHECKPOINT_FILE
from driftgauge.state.snapshot import StateSnapshot, sum_totals
from driftgauge.state.store import Store
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.monitors import (
    CREATED,
    START,
    small_baseline,
    small_monitor,
    small_options,
    small_store,
    some_rows,
    timed_baseline,
)
from tests.snapshots import snapshot_of
from tests.states import assert_same_evidence

AHEAD = 300.0
POLICY = Policy(windows=(200, 1_000), learning_seconds=0.0)
HOUR, DAY = 3_600.0, 86_400.0
STEP = 50
"""Rows of a block of evidence."""
SETTLED = 500
"""Rows after which, by the clock of events, effects are judged."""


def _with_clock(clock: ClockName) -> ColumnMonitor:
    return small_monitor(options=replace(small_options(200, 1_000), clock=clock, max_event_ahead_seconds=AHEAD))


def _count(monitor: ColumnMonitor, name: str) -> float:
    return float(sum_totals(monitor.store.counted())[name].sum())


def _assert_same(found: DriftReport, expected: DriftReport) -> None:
    ours, theirs = asdict(found), asdict(expected)
    for report in (ours, theirs):
        for window in report["windows"].values():
            # Where only sums are left, they were added up in another order.
            sample = window.pop("sample")
            window["sample"] = {name: np.asarray(numbers).round(6) for name, numbers in sample.items()}
    np.testing.assert_equal(ours, theirs)


# ---------------------------------------------------------------- observe


def test_there_is_a_report_before_the_first_row() -> None:
    monitor = small_monitor()
    report = monitor.last.report
    assert (report.status, report.rows_observed, report.evaluated_at) == (Status.INSUFFICIENT_DATA, 0, START)
    assert report.reason == "not enough data: 0 of 200 rows"
    assert (report.evidence.watched, report.evidence.threshold) == (4, 4e6)
    assert report.evidence.values.tolist() == [0.0] * 4
    assert not report.evidence.raised.any()
    assert _is_current(monitor)


def _is_current(monitor: ColumnMonitor) -> bool:
    return monitor.last.report.rows_observed == monitor.store.rows


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 99)])
def test_rows_of_another_width_are_refused_whole(shape: tuple[int, ...]) -> None:
    monitor = small_monitor()
    with pytest.raises(ValueError, match="columns"):
        monitor.observe(np.zeros(shape), arrival=START)
    with pytest.raises(ValueError, match="not a declared source"):
        monitor.observe(some_rows(4), arrival=START, source="hearsay")
    assert monitor.store.rows == 0


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
    assert monitor.store.rows == 0
    assert _count(monitor, OBSERVATIONS.name) == 0


def test_rows_observed_are_counted_by_source() -> None:
    monitor = small_monitor()
    for n in (1, 40, 700):
        monitor.observe(some_rows(n), arrival=START)
    place = OBSERVATIONS.children.index(("predict",))
    assert monitor.store.counters.copy()[OBSERVATIONS.name][place, 0] == 741
    assert monitor.store.rows == 741


def test_bin_rows_are_those_of_every_row_ever() -> None:
    monitor = small_monitor()
    values = some_rows(5_000)
    for begin in range(0, 5_000, 250):
        monitor.observe(values[begin : begin + 250], arrival=START)
    monitor.catch_up(START)
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
    held = snapshot_of(monitor, START + 4)
    assert held.rows.at.tolist() == [START, START, START + 4, START + 4]
    assert held.latest_at == START + 4
    assert _count(monitor, TIMESTAMPS_REJECTED.name) == 0


def test_by_the_clock_of_events_a_first_row_without_one_happened_when_it_arrived() -> None:
    monitor = _with_clock("event")
    monitor.observe(some_rows(2), arrival=START)
    monitor.observe(some_rows(2), arrival=START + 4, event=np.array([math.nan, START + 3]))
    assert snapshot_of(monitor, START).rows.at.tolist() == [START, START, START, START + 3]
    assert _count(monitor, TIMESTAMPS_REJECTED.name) == 0


def test_in_a_replay_rows_without_an_event_happened_with_the_latest_one() -> None:
    monitor = _with_clock("event")
    years = 10 * 365 * 86_400.0
    monitor.observe(some_rows(1), arrival=START + years, event=np.array([START]))
    monitor.observe(some_rows(2), arrival=START + years, event=np.array([math.nan, START + 3]))
    monitor.observe(some_rows(1), arrival=START + years)
    newest = snapshot_of(monitor, START).rows
    assert newest.at.tolist() == [START, START, START + 3, START + 3]
    assert monitor.evaluate(START + years).report.evaluated_at == START + 3
    assert _count(monitor, TIMESTAMPS_REJECTED.name) == 0


events = st.one_of(
    st.just(math.nan),
    st.floats(-2e9, 2e9),
    st.sampled_from([START + AHEAD, math.nextafter(START + AHEAD, math.inf), START, math.inf]),
)


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(events, min_size=1, max_size=12))
def test_an_event_too_far_ahead_is_replaced_by_its_arrival_and_counted(sent: list[float]) -> None:
    monitor = _with_clock("event")
    monitor.observe(some_rows(len(sent)), arrival=START, event=np.array(sent))
    ahead = [event > START + AHEAD for event in sent]
    expected: list[float] = []
    for event, too_far in zip(sent, ahead, strict=True):
        if too_far or math.isnan(event):  # of now: the latest event so far, or else of its arrival
            known = [at for at, far in zip(sent[: len(expected)], ahead, strict=False) if not (far or math.isnan(at))]
            event = max(known, default=START)
        expected.append(event)
    newest = snapshot_of(monitor, START).rows
    assert newest.at.tolist() == expected
    assert _count(monitor, TIMESTAMPS_REJECTED.name) == sum(ahead)
    assert monitor.evaluate(0.0).report.evaluated_at == max(expected)


@pytest.mark.parametrize("wrong", [START + 2 * AHEAD, math.inf, -math.inf, math.nan])
def test_in_a_replay_one_wrong_time_does_not_move_the_clock(wrong: float) -> None:
    monitor = _with_clock("event")
    long_ago = START - 13 * 365 * 86_400.0
    monitor.observe(some_rows(900), arrival=START, event=long_ago + np.arange(900.0))
    monitor.observe(some_rows(1), arrival=START, event=np.array([wrong]))
    report = monitor.evaluate(START).report
    assert report.evaluated_at == long_ago + 899.0
    assert report.windows["1000"].rows == 901
    assert snapshot_of(monitor, START).rows.at[-1] == long_ago + 899.0


def test_events_given_by_the_caller_are_left_as_they_were() -> None:
    event = np.array([math.nan, START + 2 * AHEAD])
    _with_clock("event").observe(some_rows(2), arrival=START, event=event)
    np.testing.assert_array_equal(event, [math.nan, START + 2 * AHEAD])


# ---------------------------------------------------------------- evaluate


def _reports(clock: ClockName, batches: Iterable[tuple[FloatArray, FloatArray]]) -> Iterable[DriftReport]:
    """Yield what the pure functions say after each batch, of rows kept in plain arrays."""
    baseline = small_baseline()
    detector = baseline.detector()
    memory = Carryover.start(detector)
    values, arrivals, events = np.empty((0, len(baseline.columns))), np.empty(0), np.empty(0)
    weighed = judged = 0
    for step, (batch, event) in enumerate(batches):
        values = np.concatenate([values, batch])
        arrivals = np.concatenate([arrivals, np.full(len(batch), START + step)])
        events = np.concatenate([events, event])
        at = events if clock == "event" else arrivals
        codes = baseline.binner.codes(values)
        for end in range(weighed + STEP, len(values) + 1, STEP):
            counts = baseline.binner.counts(codes[weighed:end])[None]
            block = Blocks(counts, np.zeros(1, dtype=np.int64), at[:end].max(keepdims=True))
            memory = replace(memory, evidence=detector.advance(memory.evidence, block))
            weighed = end
        if clock == "event":
            for end in range(judged + SETTLED, len(values) + 1, SETTLED):
                windows = _count_windows_of(values[:end], at[:end], float(at[:end].max()))
                _, memory = evaluate(baseline, windows, end, memory, POLICY, 0.0)
                judged = end
        now = float(at.max() if clock == "event" else START + step)
        newest = slice(max(0, len(values) - 1_000), None)
        rows = Rows(values[newest], codes[newest], at[newest])
        windows = [
            *_count_windows_of(values, at, now),
            *time_windows([_recounted(values, at, span, now) for span in POLICY.time_windows], rows, now),
        ]
        report, after = evaluate(baseline, windows, len(values), memory, POLICY, now)
        if clock == "arrival":
            memory = after
        yield report


def _count_windows_of(values: FloatArray, at: FloatArray, now: float) -> list[Window]:
    """Return the count windows at a moment of all rows that there were."""
    baseline = small_baseline()
    newest = slice(max(0, len(values) - POLICY.windows[-1]), None)
    rows = Rows(values[newest], baseline.binner.codes(values[newest]), at[newest])
    return sliding_windows(rows, POLICY.windows, now - POLICY.max_age_seconds, baseline.binner)


def _recounted(values: FloatArray, at: FloatArray, span: TimeSpan, now: float) -> Totals:
    """Return what a time window holds, from all rows that there were."""
    baseline = small_baseline()
    start = (math.floor(now / span.width) - span.buckets + 1) * float(span.width)
    inside = values[at >= start]
    z = np.nan_to_num(baseline.scales.standardised(inside))
    sums = np.stack([z.sum(axis=0), (z * z).sum(axis=0)])
    counts = baseline.binner.counts(baseline.binner.codes(inside))
    return Totals(span, start, len(inside), counts, sums, rows_by_hour(at[at >= start]))


@pytest.mark.parametrize("clock", ["arrival", "event"])
def test_reports_are_those_of_the_pure_function_on_the_same_rows(clock: ClockName) -> None:
    ages = [40.0, 41.0, 40.0, 60.0, 60.0, 50.0, 44.0, 40.0, 40.0, 40.0]
    generator = np.random.default_rng(4)
    batches = [
        (some_rows(n, step, age=age), generator.uniform(START - 500, START, n))
        for step, (n, age) in enumerate(zip([100, 3_000, 450, 700, 1, 300, 20, 600, 1_200, 5_000], ages, strict=True))
    ]
    monitor = _with_clock(clock)
    statuses = []
    for step, (expected, (values, event)) in enumerate(zip(_reports(clock, batches), batches, strict=True)):
        monitor.observe(values, arrival=START + step, event=event)
        found = monitor.evaluate(START + step).report
        _assert_same(found, expected)
        statuses.append((found.verdicts[0].status, found.verdicts[0].severity))
    assert {(Status.INSUFFICIENT_DATA, None), (Status.NORMAL, None), (Status.NORMAL, "info")} < set(statuses)
    assert Status.DRIFT_DETECTED in {status for status, _ in statuses}


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
    assert monitor.store.shape.window_rows == 50


def test_rows_may_come_while_they_are_evaluated() -> None:
    total, size = 300_000, 250
    baseline = build_baseline({"number": np.arange(1_000.0)}, created=CREATED)
    monitor = ColumnMonitor(
        baseline, model_name="m", model_version="1", now=0.0, options=MonitorOptions(Policy((700,)))
    )
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for begin in range(0, total, size):
                numbers = np.arange(begin, begin + size, dtype=np.float64)[:, None]
                monitor.observe(numbers, arrival=begin / 10)
        except BaseException as failure:
            failures.append(failure)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    while True:
        ended = not writer.is_alive()
        report = monitor.evaluate(total / 10).report
        rows = report.main.rows
        assert rows == min(700, report.rows_observed)
        if rows:
            # Consecutive numbers up to the last one that the report claims to have seen.
            sample = report.main.sample
            assert sample.max[0] == report.rows_observed - 1
            assert sample.min[0] == report.rows_observed - rows
            assert sample.mean[0] == pytest.approx(report.rows_observed - (rows + 1) / 2)
            assert report.main.end == (report.rows_observed - 1) // size * size / 10
        if ended:
            break
    writer.join(timeout=30.0)
    assert not failures, failures
    assert monitor.last.report.rows_observed == total
    assert _is_current(monitor)


# ---------------------------------------------------------------- rows that are too old, and windows of time


def _rows_by_window(report: DriftReport) -> dict[str, int]:
    return {name: window.rows for name, window in report.windows.items()}


def test_a_quiet_service_has_no_current_rows() -> None:
    monitor = small_monitor()
    monitor.observe(some_rows(1_000, age=70.0), arrival=START)
    assert monitor.evaluate(START).report.severity == "critical"
    almost = monitor.evaluate(START + DAY).report
    assert (almost.severity, almost.main.rows) == ("critical", 1_000)
    assert almost.verdicts[0].since == START
    quiet = monitor.evaluate(START + DAY + HOUR).report
    assert (quiet.status, quiet.severity) == (Status.INSUFFICIENT_DATA, None)
    few = "not enough data: no rows in the last 24 h (max_age_seconds), 200 are needed"
    assert quiet.verdicts[0].reason == f"age: {few}. Earlier rows had drifted"
    assert quiet.verdicts[3].reason == f"prediction: {few}"
    assert (quiet.verdicts[0].since, quiet.evidence.raised[0], quiet.evidence.since[0]) == (None, True, START)
    assert set(_rows_by_window(quiet).values()) == {0}
    assert (quiet.rows_observed, quiet.main.expired, quiet.main.start, quiet.main.end) == (1_000, 1_000, None, None)
    assert np.isnan(quiet.main.sample.mean).all()


def test_when_rows_come_again_only_they_are_judged() -> None:
    monitor = small_monitor()
    monitor.observe(some_rows(1_000, age=70.0), arrival=START)
    monitor.evaluate(START)
    monitor.observe(some_rows(600, seed=1), arrival=START + 2 * DAY)
    report = monitor.evaluate(START + 2 * DAY).report
    assert (report.main.rows, report.main.expired) == (600, 400)
    assert report.verdicts[0].severity is None
    assert report.main.sample.mean[0] == pytest.approx(40.0, abs=2.0)


def test_by_the_clock_of_events_no_row_grows_old_without_a_later_one() -> None:
    monitor = _with_clock("event")
    monitor.observe(some_rows(700), arrival=START, event=np.full(700, START - 500 * DAY))
    report = monitor.evaluate(START + 90 * DAY).report
    assert _rows_by_window(report) == {"200": 200, "1000": 700, "2m": 700, "1h": 700, "24h": 700}
    monitor.observe(some_rows(1), arrival=START, event=np.array([START - 400 * DAY]))
    report = monitor.evaluate(START + 90 * DAY).report
    assert _rows_by_window(report) == {"200": 1, "1000": 1, "2m": 1, "1h": 1, "24h": 1}
    assert (report.main.expired, report.evaluated_at) == (700, START - 400 * DAY)


@pytest.mark.parametrize("clock", ["arrival", "event"])
def test_time_windows_hold_the_rows_of_their_time_however_many(clock: ClockName) -> None:
    monitor = _with_clock(clock)
    second = START // DAY * DAY  # where a bucket of every window begins
    for hours, rows in ((0.0, 3_000), (10.0, 2_000), (23.5, 1_500), (23.9, 40), (24.0 - 1 / 3_600, 7)):
        at = second + hours * HOUR
        monitor.observe(some_rows(rows), arrival=at, event=np.full(rows, at))
    report = monitor.evaluate(second + DAY - 1.0).report
    assert _rows_by_window(report) == {"200": 200, "1000": 1_000, "2m": 7, "1h": 1_547, "24h": 6_547}
    assert report.main.name == "1000"
    for name, seconds in (("2m", 120), ("1h", 3_600), ("24h", 86_400)):
        window = report.windows[name]
        assert window.start is not None
        assert (window.end, window.seconds, window.capacity) == (second + DAY - 1.0, seconds, None)
        assert seconds * (1 - 1 / 60) <= second + DAY - 1.0 - window.start <= seconds
    for name, are_held in (("2m", True), ("1h", False), ("24h", False)):
        # Rows that are still held bring their extremes, of others only the sums are known.
        assert bool(np.isnan(report.windows[name].sample.max[0])) is not are_held
        assert not np.isnan(report.windows[name].sample.mean[0])


def test_the_clock_of_events_ends_time_windows_with_the_latest_event() -> None:
    monitor = _with_clock("event")
    monitor.observe(some_rows(3), arrival=START, event=START - np.array([0.0, 300.0, 2 * HOUR]))
    report = monitor.evaluate(START + 5 * DAY).report
    assert {window.end for window in report.windows.values()} == {START}
    assert _rows_by_window(report) == {"200": 3, "1000": 3, "2m": 1, "1h": 2, "24h": 3}


def test_the_clock_of_arrival_ends_time_windows_now() -> None:
    monitor = _with_clock("arrival")
    monitor.observe(some_rows(3), arrival=START, event=START - np.array([0.0, 300.0, 2 * HOUR]))
    report = monitor.evaluate(START + 300).report
    assert [report.windows[name].end for name in ("2m", "1h", "24h")] == [START + 300] * 3
    assert _rows_by_window(report) == {"200": 3, "1000": 3, "2m": 0, "1h": 3, "24h": 3}


def test_late_rows_are_counted_and_stay_out_of_time_windows_only() -> None:
    monitor = _with_clock("event")
    monitor.observe(some_rows(5), arrival=START, event=np.full(5, START))
    monitor.observe(some_rows(3), arrival=START, event=np.full(3, START - 2 * DAY))
    monitor.observe(some_rows(2), arrival=START, event=np.full(2, START - 2 * HOUR))
    report = monitor.evaluate(START).report
    assert _rows_by_window(report) == {"200": 7, "1000": 7, "2m": 5, "1h": 5, "24h": 7}
    assert (report.main.expired, report.rows_observed) == (3, 10)
    assert _count(monitor, LATE.name) == 3
    assert _count(monitor, OBSERVATIONS.name) == 10


def test_time_windows_are_those_of_the_policy() -> None:
    spans = (TimeSpan("30s", 30), TimeSpan("7d", 7 * 86_400))
    monitor = small_monitor(options=MonitorOptions(Policy((200,), time_windows=spans)))
    assert list(monitor.last.report.windows) == ["200", "30s", "7d"]
    without = small_monitor(options=MonitorOptions(Policy((200,), time_windows=())))
    assert list(without.last.report.windows) == ["200"]
    for each_monitor in (monitor, without):
        each_monitor.observe(some_rows(10), arrival=START)
        assert set(_rows_by_window(each_monitor.evaluate(START).report).values()) == {10}


# ---------------------------------------------------------------- evidence


def _straight(baseline: Baseline, values: FloatArray, ends: Sequence[int], at: FloatArray) -> Evidence:
    """Return the evidence of rows in blocks that end there, all weighed in one call."""
    codes = baseline.binner.codes(values[: ends[-1]])
    group = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    counts: IntArray = baseline.binner.counts_by(codes, group, len(ends))
    clock = np.maximum.accumulate(at)[np.array(ends) - 1]
    detector = baseline.detector()
    return detector.advance(detector.start(), Blocks(counts, np.zeros(len(ends), dtype=np.int64), clock))


sizes = st.lists(st.one_of(st.integers(1, 130), st.integers(400, 5_000)), min_size=1, max_size=6)


@settings(deadline=None, max_examples=examples(25))
@given(sizes, st.lists(st.booleans(), min_size=6, max_size=6), st.sampled_from([40.0, 43.0]))
def test_evidence_is_that_of_its_blocks_weighed_once_each(sizes: list[int], looked: list[bool], age: float) -> None:
    by_event, by_arrival = _with_clock("event"), _with_clock("arrival")
    values = some_rows(sum(sizes), age=age)
    times = START - DAY + 3.0 * np.floor(np.arange(len(values), dtype=np.float64) / 7)
    begin = 0
    for size, look in zip(sizes, looked, strict=False):
        end = begin + size
        by_event.observe(values[begin:end], arrival=START, event=times[begin:end])
        by_arrival.observe(values[begin:end], arrival=START)
        begin = end
        if look:
            by_event.evaluate(START)
            by_arrival.evaluate(START)
    whole = list(range(STEP, len(values) + 1, STEP))
    found = by_event.evaluate(START).report.evidence
    if whole:
        assert_same_evidence(found, _straight(small_baseline(), values, whole, times))
    else:
        assert_same_evidence(found, by_event.store.shape.detector.start())
    found = by_arrival.evaluate(START).report.evidence
    if whole:
        assert_same_evidence(found, _straight(small_baseline(), values, whole, np.full(len(values), START)))
    for monitor in (by_event, by_arrival):
        before = monitor.last.report.evidence
        assert_same_evidence(monitor.evaluate(START + 1).report.evidence, before)  # looking again weighs nothing
        assert_same_evidence(monitor.store.root.progress.evidence, before)


@pytest.mark.parametrize("clock", ["arrival", "event"])
def test_rows_after_the_last_block_wait_for_a_whole_one(clock: ClockName) -> None:
    monitor = _with_clock(clock)
    monitor.observe(some_rows(STEP - 1, age=90.0), arrival=START, event=np.full(STEP - 1, START))
    report = monitor.evaluate(START).report
    assert not report.evidence.raised.any()
    assert report.status is Status.INSUFFICIENT_DATA
    assert monitor.bin_rows()[0].sum() == STEP - 1
    monitor.observe(some_rows(1, age=90.0), arrival=START + 1, event=np.full(1, START + 1))
    report = monitor.evaluate(START + 1).report
    assert report.evidence.raised[0]
    assert report.verdicts[0].since == START + 1


def test_the_budget_of_the_policy_is_the_detector_s() -> None:
    budget = Budget(false_alarm_rows=1e12, tolerance=0.3)
    options = MonitorOptions(Policy((200, 1_000), budget=budget))
    strict, usual = small_monitor(options=options), small_monitor()
    for monitor in (strict, usual):
        monitor.observe(some_rows(STEP, age=50.0), arrival=START)
    assert usual.evaluate(START).report.evidence.raised[0]
    assert not strict.evaluate(START).report.evidence.raised[0]
    assert (strict.last.report.evidence.threshold, strict.store.shape.detector.budget) == (4e12, budget)


def test_a_budget_in_time_follows_the_rate_of_rows() -> None:
    budget = Budget(false_alarm_rows=1e6, false_alarm_interval_seconds=30 * DAY)
    monitor = small_monitor(options=MonitorOptions(Policy((200, 1_000), budget=budget)))
    for second in range(0, 7_200, 60):
        monitor.observe(some_rows(120, second), arrival=START + second)  # two a second
        threshold = monitor.evaluate(START + second).report.evidence.threshold
        assert (threshold == 4e6) == (second < HOUR)
    assert threshold == pytest.approx(4 * 30 * DAY * 2.0, rel=0.05)


# ---------------------------------------------------------------- replays

REPLAYED = Policy(windows=(500, 1_000), psi_thresholds=(0.1, 0.25), learning_seconds=0.0)


def _replayed(
    baseline: Baseline, values: FloatArray, event: FloatArray, *, at_once: int, looks: int | None
) -> ColumnMonitor:
    """Return a monitor that got rows in batches, evaluated after every `looks` rows, or at the end."""
    options = MonitorOptions(policy=REPLAYED, clock="event")
    monitor = ColumnMonitor(baseline, model_name="m", model_version="1", now=START, options=options)
    for begin in range(0, len(values), at_once):
        part = slice(begin, begin + at_once)
        monitor.observe(values[part], arrival=START, event=event[part])
        if looks is not None and begin % looks < at_once:
            monitor.evaluate(START + begin)
    monitor.evaluate(START)
    return monitor


def _assert_same_replay(one: ColumnMonitor, other: ColumnMonitor) -> None:
    """Assert that reports are the same bit for bit, but for the last digits of sums that were added up in parts."""
    found, expected = one.last.report, other.last.report
    np.testing.assert_equal(asdict(found.evidence), asdict(expected.evidence))
    assert (found.verdicts, found.reason, found.drifted) == (expected.verdicts, expected.reason, expected.drifted)
    np.testing.assert_equal(asdict(one.store.root.latches), asdict(other.store.root.latches))
    ours, theirs = report_json(found), report_json(expected)
    spans = [span.name for span in REPLAYED.time_windows]
    _assert_same_numbers(_without(ours, spans), _without(theirs, spans), rtol=0.0)
    _assert_same_numbers(ours, theirs, rtol=1e-9)
    one_held, other_held = (
        snapshot_of(monitor, monitor.store.root.progress.head.at).totals for monitor in (one, other)
    )
    for ours_total, theirs_total in zip(one_held, other_held, strict=True):
        np.testing.assert_array_equal(ours_total.counts, theirs_total.counts)
        np.testing.assert_array_equal(ours_total.hours, theirs_total.hours)
        sums = 1e-12 * np.array([[max(1.0, theirs_total.rows)]])
        assert (np.abs(ours_total.sums - theirs_total.sums) <= sums + 1e-12 * np.abs(theirs_total.sums)).all()


def _without(value: Any, keys: Sequence[str]) -> Any:
    """Return a value without some keys, wherever they stand."""
    return {k: _without(own, keys) for k, own in value.items() if k not in keys} if isinstance(value, dict) else value


def _assert_same_numbers(found: Any, expected: Any, rtol: float) -> None:
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            _assert_same_numbers(found[key], expected[key], rtol)
    elif isinstance(expected, float):
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=0.0 if rtol == 0.0 else 1e-12)
    else:
        assert found == expected


def _coming_and_going(rows: int) -> tuple[FloatArray, FloatArray]:
    """Return rows whose age drifts away and back, and times that jump about and leave a day out."""
    generator = np.random.default_rng(11)
    values = some_rows(rows, 7)
    waves = np.maximum(0.0, np.sin(np.arange(rows) / 900.0))
    values[:, 0] += 6.0 * waves
    event = START - 40 * DAY + np.arange(rows) * 20.0 + generator.normal(0.0, 60.0, rows)
    event[rows // 2 :] += 2 * DAY
    return values, event


@pytest.mark.parametrize("rows", [1, 49, 550, 1_649, 3_333, 3_700, 4_100, 4_500, 6_001])
def test_a_replay_says_the_same_however_often_it_is_evaluated(rows: int) -> None:
    values, event = (part[:rows] for part in _coming_and_going(6_001))
    often = _replayed(small_baseline(), values, event, at_once=37, looks=37)
    once = _replayed(small_baseline(), values, event, at_once=rows, looks=None)
    _assert_same_replay(often, once)


def _replaying(folder: Path, failpoint: Failpoint = no_failpoint) -> ColumnMonitor:
    """Return a monitor of a replay whose state is kept in a folder."""
    options = MonitorOptions(policy=REPLAYED, clock="event")
    store = small_store(folder, options, failpoint)
    return ColumnMonitor(small_baseline(), model_name="m", model_version="1", now=START, options=options, store=store)


@pytest.mark.parametrize("point", ["", "append.written", "catch_up.binned", "checkpoint.copied"])
@pytest.mark.parametrize("rows", [400, 12_000])
def test_a_replay_continues_after_its_worker_was_killed(rows: int, point: str, tmp_path: Path) -> None:
    values, event = _coming_and_going(rows + 3_000)
    killed = False

    def failpoint(passed: str) -> None:
        if killed and passed == point:
            raise MemoryError

    before = _replaying(tmp_path / "before", failpoint)
    before.observe(values[:rows], arrival=START, event=event[:rows])
    killed = bool(point)
    if point == "append.written":
        with pytest.raises(MemoryError):
            before.observe(values[rows : rows + 1], arrival=START, event=event[rows : rows + 1])
    elif point:
        with pytest.raises(MemoryError):
            before.evaluate(START)
    monitor = _replaying(Path(shutil.copytree(tmp_path / "before", tmp_path / "after")))
    sent = monitor.store.rows
    assert sent in (rows, rows + (point == "append.written"))
    monitor.observe(values[sent:], arrival=START, event=event[sent:])
    monitor.evaluate(START)
    whole = _replayed(small_baseline(), values, event, at_once=5_000, looks=None)
    _assert_same_replay(monitor, whole)


@pytest.mark.parametrize("rows", [400, 12_000])
def test_a_replay_continues_without_its_checkpoint(rows: int, tmp_path: Path) -> None:
    values, event = some_rows(rows + 3_000, age=60.0), START - DAY + np.arange(rows + 3_000.0)
    before = _replaying(tmp_path)
    before.observe(values[:rows], arrival=START, event=event[:rows])
    before.store.leave()
    (tmp_path / CHECKPOINT_FILE).unlink()
    monitor = _replaying(tmp_path)
    assert monitor.store.rows == rows
    monitor.observe(values[rows:], arrival=START, event=event[rows:])
    report = monitor.evaluate(START).report
    fresh = _replayed(small_baseline(), values, event, at_once=5_000, looks=None).last.report
    assert report.status == fresh.status == Status.DRIFT_DETECTED
    assert report.rows_observed == fresh.rows_observed
    for name in ("500", "1000"):
        np.testing.assert_array_equal(report.windows[name].psi.psi, fresh.windows[name].psi.psi)


@pytest.mark.parametrize("clock", ["arrival", "event"])
def test_a_damaged_checkpoint_is_restored_by_the_next_evaluation(clock: ClockName, tmp_path: Path) -> None:
    options = replace(small_options(200, 1_000), clock=clock)
    monitor = ColumnMonitor(
        small_baseline(),
        model_name="churn",
        model_version="1",
        now=START,
        options=options,
        store=small_store(tmp_path, options),
    )
    monitor.observe(some_rows(100, age=70.0), arrival=START)
    evidence = monitor.evaluate(START).report.evidence
    with (tmp_path / CHECKPOINT_FILE).open("r+b") as file:
        file.seek(HEADER_BYTES)
        file.write(b"\x07" * 8)
    monitor.observe(some_rows(49), arrival=START + 1.0)
    report = monitor.evaluate(START + 2.0).report
    assert report.rows_observed == monitor.bin_rows()[0].sum() == 149
    assert_same_evidence(report.evidence, evidence)
    assert len(monitor.store.notes) == 1


def test_there_is_a_first_report_whatever_stands_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Store, limit: float, now: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Store, "pending", fail)
    monitor = small_monitor()
    assert monitor.last.report.rows_observed == 0
    with pytest.raises(ZeroDivisionError):
        monitor.evaluate(START)


def test_a_replay_needs_what_was_reached_before() -> None:
    values, event = _coming_and_going(6_001)
    statuses, held = set(), 0
    for rows in range(500, 6_001, 250):
        report = _replayed(small_baseline(), values[:rows], event[:rows], at_once=rows, looks=None).last.report
        statuses.add((report.verdicts[0].status, report.verdicts[0].severity))
        evidence = report.evidence
        below = evidence.raised[0] and evidence.log10[0] < evidence.threshold_log10
        held += below or "still large" in report.verdicts[0].reason
    assert {status for status, _ in statuses} >= {Status.NORMAL, Status.DRIFT_DETECTED}
    assert {severity for _, severity in statuses} == {None, "warning", "critical"}
    assert held > 1


@pytest.mark.parametrize(("late", "reached"), [(DAY - 1.0, True), (DAY + 1.0, False)])
def test_in_a_replay_the_clock_never_goes_back(late: float, reached: bool) -> None:
    monitor = _with_clock("event")
    rows = 4 * SETTLED
    event = np.full(rows, START - late)
    event[0] = START
    monitor.observe(some_rows(rows, age=70.0), arrival=START, event=event)
    monitor.evaluate(START)
    latches = monitor.store.root.latches
    assert (latches.rows, latches.clock) == (rows, START)
    assert latches.latched[:, 0].tolist() == [reached, reached]  # rows that are too old reach nothing


@pytest.mark.parametrize("at_once", [37, 4_096, 4_097, 20_000])
def test_a_replay_of_large_batches_says_the_same(at_once: int) -> None:
    values, event = _coming_and_going(41_234)
    often = _replayed(small_baseline(), values, event, at_once=500, looks=3_000)
    other = _replayed(small_baseline(), values, event, at_once=at_once, looks=None)
    _assert_same_replay(often, other)


@pytest.mark.parametrize("at_once", [37, 20_000])
def test_a_replay_by_hour_of_the_day_says_the_same(at_once: int) -> None:
    rows = 9_000
    generator = np.random.default_rng(5)
    values = np.column_stack([generator.normal(size=(rows, 2)), generator.integers(0, 3, rows)])
    values[4_000:6_000, 0] += 1.0
    event = START - 40 * DAY + np.arange(rows) * 61.0 + generator.normal(0.0, 500.0, rows)
    often = _replayed(timed_baseline(), values, event, at_once=111, looks=111)
    other = _replayed(timed_baseline(), values, event, at_once=at_once, looks=None)
    _assert_same_replay(often, other)


def test_a_replay_says_the_same_when_more_rows_come_between_two_looks_than_a_log_holds() -> None:
    rows = 250_000
    values, event = some_rows(rows), START - 10 * DAY + np.arange(float(rows))
    often = _replayed(small_baseline(), values, event, at_once=5_000, looks=5_000)
    once = _replayed(small_baseline(), values, event, at_once=5_000, looks=None)
    _assert_same_replay(often, once)


def test_a_replay_may_come_through_several_threads() -> None:
    monitor = _with_clock("event")
    values = some_rows(48_000)
    failures: list[BaseException] = []

    def write(place: int) -> None:
        try:
            for begin in range(place * 12_000, (place + 1) * 12_000, 750):
                part = values[begin : begin + 750]
                monitor.observe(part, arrival=START, event=START + np.arange(begin, begin + len(part)) / 10.0)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=write, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        monitor.evaluate(START)
    for thread in threads:
        thread.join(timeout=30.0)
    assert not failures, failures
    report = monitor.evaluate(START).report
    assert report.rows_observed == 48_000
    assert (monitor.store.root.latches.rows, monitor.bin_rows()[0].sum()) == (48_000, 48_000)
    assert _count(monitor, DROPPED.name) == 0


@pytest.mark.parametrize("at_once", [1, 7, 400, 3_000])
def test_by_hour_a_replay_weighs_every_row_however_often_hours_turn(at_once: int) -> None:
    """Rows of two sources an hour apart: each of them ends a block."""
    generator = np.random.default_rng(5)
    values = np.column_stack([generator.normal(0.5, 1.15, (3_000, 2)), generator.integers(0, 3, 3_000)])
    event = START + np.arange(3_000.0) + np.tile([0.0, HOUR], 1_500)
    one = _replayed(timed_baseline(), values, event, at_once=at_once, looks=None)
    other = _replayed(timed_baseline(), values, event, at_once=50, looks=50)
    assert other.last.report.evidence.values[1] > 10.0
    _assert_same_replay(one, other)


@pytest.mark.parametrize("at_once", [1, 3, 500])
def test_a_row_without_a_time_is_of_the_latest_event_before_it_whatever_batch_it_came_in(at_once: int) -> None:
    long_ago = START - 400 * DAY
    event = long_ago + np.arange(500.0)
    expected = event.copy()
    for row in (4, 5, 250, 499):
        event[row] = math.nan
        expected[row] = expected[row - 1]
    event[250] = START + 2 * AHEAD  # not to be believed
    monitor = _with_clock("event")
    values = some_rows(500)
    for first in range(0, 500, at_once):
        part = slice(first, first + at_once)
        monitor.observe(values[part], arrival=START, event=event[part])
    assert snapshot_of(monitor, START).rows.at.tolist() == expected.tolist()
    assert monitor.evaluate(START).report.evaluated_at == expected.max()


def test_a_significant_change_that_is_over_is_reported_as_such() -> None:
    generator = np.random.default_rng(0)
    baseline = build_baseline({"x": generator.normal(size=20_000)}, created="2026-01-01T00:00:00Z")
    monitor = ColumnMonitor(baseline, model_name="m", model_version="1", now=START, options=small_options(10_000))
    monitor.observe(generator.normal(2.0, 1.0, (6_000, 1)), arrival=START)
    assert monitor.evaluate(START).report.verdicts[0].status is Status.DRIFT_DETECTED
    monitor.observe(generator.normal(size=(4_500, 1)), arrival=START + 60)
    report = monitor.evaluate(START + 120).report
    assert report.verdicts[0].status is Status.NORMAL
    assert report.evidence.cleared[0] == START + 60
    reason = report.verdicts[0].reason
    assert ": was significant until 20" in reason
    assert "; the window still holds rows from then (PSI " in reason
    assert "not significant" not in reason


# ---------------------------------------------------------------- several workers, and a log that is full


def _workers(folder: Path, count: int, kind: type[ColumnMonitor] = ColumnMonitor) -> list[ColumnMonitor]:
    """Return monitors on one folder, as if each were in a worker of its own."""
    options = small_options(200, 1_000)
    return [
        kind(
            small_baseline(),
            model_name="churn",
            model_version="1",
            now=START,
            options=options,
            store=small_store(folder, options),
        )
        for _ in range(count)
    ]


def test_monitors_of_one_folder_come_to_the_same_verdict_and_keep_it(tmp_path: Path) -> None:
    monitors = _workers(tmp_path, 2)
    for step in range(60):
        for seed, monitor in enumerate(monitors):
            monitor.observe(some_rows(50, 2 * step + seed, age=70.0), arrival=START + step)
    reports = [monitor.evaluate(START + 60.0).report for monitor in monitors]
    assert reports[0].rows_observed == reports[1].rows_observed == 6_000
    assert reports[0].verdicts == reports[1].verdicts
    assert reports[0].status is Status.DRIFT_DETECTED
    assert_same_evidence(reports[0].evidence, reports[1].evidence)
    (late,) = _workers(tmp_path, 1)
    assert late.evaluate(START + 60.0).report.verdicts == reports[0].verdicts
    assert late.store.root.latches.latched[:, 0].all()


class Overtaken(ColumnMonitor):
    """A monitor that another one overtakes while it computes its report."""

    by: ColumnMonitor | None = None

    def _report(self, held: StateSnapshot, windows: Sequence[Window], now: float) -> tuple[DriftReport, Carryover]:
        if self.by is not None:
            self.by.observe(some_rows(40, 7), arrival=START + 2.0)
            self.by.evaluate(START + 2.0)
        return super()._report(held, windows, now)


def test_an_evaluation_does_not_overwrite_what_a_later_one_has_kept(tmp_path: Path) -> None:
    one, other = _workers(tmp_path, 2, Overtaken)
    one.observe(some_rows(1_000, age=70.0), arrival=START)
    assert isinstance(one, Overtaken)
    one.by = other
    report = one.evaluate(START + 1.0).report  # the other one does not wait for it
    assert (report.rows_observed, other.last.report.rows_observed) == (1_000, 1_040)
    latches = one.store.root.latches
    assert (latches.rows, latches.clock, one.store.root.evaluated_at) == (1_040, START + 2.0, START + 2.0)
    one.by = None
    one.evaluate(START + 3.0)
    assert (one.store.root.latches.clock, other.store.root.evaluated_at) == (START + 3.0, START + 3.0)


def test_rows_that_a_killed_worker_did_not_count_are_counted_by_its_successor(tmp_path: Path) -> None:
    (before,) = _workers(tmp_path / "before", 1)
    before.observe(some_rows(30), arrival=START)
    before.store.publish()
    before.observe(some_rows(7), arrival=START)
    shutil.copytree(tmp_path / "before", tmp_path / "after")
    (after,) = _workers(tmp_path / "after", 1)
    assert after.last.report.rows_observed == _count(after, OBSERVATIONS.name) == 37
    shutil.copytree(tmp_path / "after", tmp_path / "again")
    assert _count(_workers(tmp_path / "again", 1)[0], OBSERVATIONS.name) == 37


@pytest.mark.parametrize("clock", ["arrival", "event"])
@pytest.mark.parametrize("in_files", [False, True])
def test_without_a_thread_a_monitor_makes_room_itself_and_drops_nothing(
    clock: ClockName, in_files: bool, tmp_path: Path
) -> None:
    options = replace(small_options(200, 1_000), clock=clock)
    store = small_store(tmp_path, options) if in_files else None
    monitor = ColumnMonitor(
        small_baseline(), model_name="churn", model_version="1", now=START, options=options, store=store
    )
    values = some_rows(50_000)
    for begin, end in ((0, 40_000), (40_000, 40_001), (40_001, 50_000)):
        monitor.observe(values[begin:end], arrival=START, event=np.full(end - begin, START))
    assert monitor.evaluate(START).report.rows_observed == _count(monitor, OBSERVATIONS.name) == 50_000
    assert _count(monitor, DROPPED.name) == 0
    binner = small_baseline().binner
    np.testing.assert_array_equal(monitor.bin_rows(), binner.counts(binner.codes(values)))


def test_without_a_thread_rows_are_dropped_and_counted_while_a_lock_is_held_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def late(monitor: ColumnMonitor, now: float) -> None:
        raise LockTimeout("another process holds it")

    monitor = small_monitor()
    monkeypatch.setattr(ColumnMonitor, "catch_up", late)
    room = monitor.store.room
    monitor.observe(some_rows(room + 30), arrival=START)
    assert (_count(monitor, OBSERVATIONS.name), _count(monitor, DROPPED.name)) == (room, 30)


@pytest.mark.parametrize("clock", ["arrival", "event"])
def test_rows_that_come_during_a_catch_up_are_left_for_the_next_one(
    clock: ClockName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = _with_clock(clock)
    commit, commits = Store.commit, 0

    def then_more_come(store: Store, pending: PendingRows, latches: Latches | None = None) -> None:
        nonlocal commits
        commits += 1
        commit(store, pending, latches)
        monitor.observe(some_rows(10), arrival=START, event=np.full(10, START))

    monkeypatch.setattr(Store, "commit", then_more_come)
    monitor.observe(some_rows(30), arrival=START, event=np.full(30, START))
    assert monitor.evaluate(START).report.rows_observed == 30
    assert commits == 1
    monitor.catch_up(START)
    assert (monitor.bin_rows().sum(axis=1) == 40).all()
    assert commits == 2


def test_a_catch_up_gives_up_while_another_worker_evaluates(tmp_path: Path) -> None:
    one, other = _workers(tmp_path, 2)
    other.observe(some_rows(30), arrival=START)
    with one.store.evaluating(), pytest.raises(LockTimeout, match="another process"):
        other.catch_up(START, wait_seconds=0.01)
    other.catch_up(START)
    assert one.bin_rows()[0].sum() == 30


# ---------------------------------------------------------------- a clock that was ahead


def test_after_a_clock_was_ahead_new_rows_are_counted_in_all_windows() -> None:
    monitor = small_monitor()
    monitor.observe(some_rows(300), arrival=START)
    monitor.evaluate(START)
    ahead = START + 90 * DAY
    monitor.observe(some_rows(50, 1, age=90.0), arrival=ahead)
    report = monitor.evaluate(ahead).report
    assert (report.main.rows, report.evidence.since[0]) == (50, ahead)
    assert monitor.store.notes == []
    for step in range(1, 4):
        now = START + 60.0 * step
        monitor.observe(some_rows(500, 1 + step), arrival=now)
        report = monitor.evaluate(now).report
        assert report.evaluated_at == now
        assert report.windows["1h"].rows == report.windows["24h"].rows >= 500 * step
        assert report.windows["200"].rows == 200
        since = report.evidence.since[np.isfinite(report.evidence.since)]
        assert (since <= now + AHEAD).all()
    assert _count(monitor, LATE.name) == 0
    assert [note for note in monitor.store.notes if "clock" in note] == monitor.store.notes != []
    assert monitor.bin_rows()[0].sum() == report.rows_observed == 1_850


def test_a_single_row_of_a_clock_that_is_ahead_does_not_move_the_windows() -> None:
    monitor = small_monitor()
    monitor.observe(some_rows(300), arrival=START)
    monitor.observe(some_rows(1, 1), arrival=START + 90 * DAY)
    monitor.observe(some_rows(300, 2), arrival=START + 1.0)
    report = monitor.evaluate(START + 2.0).report
    assert report.rows_observed == 601
    assert report.windows["1h"].rows in (600, 601)
    assert (_count(monitor, LATE.name), report.windows["1000"].rows) == (0, 601)
    later = monitor.evaluate(START + 400.0).report
    assert later.windows["1h"].rows == 601  # its time is that of the catch-up
