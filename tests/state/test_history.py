"""The history in a buffer: what it keeps for how long, whatever stops its writer, and whatever damages it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from driftgauge.drift.verdict.history import History
from driftgauge.state.failpoints import no_failpoint
from driftgauge.state.history import RESOLUTIONS, HistoryBuffer, HistoryShape

from tests.histories import NAMES, NOON, assert_recounted, assert_same_history, kept_in_memory, verdicts
from tests.writers import HISTORY_POINTS

SHAPE = HistoryShape(len(NAMES))
DAY = 86_400.0


def every(seconds: float, count: int, begin: float = NOON) -> list[History]:
    return [verdicts(begin + step * seconds) for step in range(count)]


# ---------------------------------------------------------------- resolutions


def test_an_empty_history_has_no_verdict_and_no_change() -> None:
    history = HistoryBuffer(SHAPE)
    assert len(history.read(NAMES)) == len(history.changes().at) == history.changes().dropped == 0


def test_the_first_report_of_each_minute_is_kept() -> None:
    reports = every(20.0, 9, NOON + 10.0)
    found = kept_in_memory(reports).read(NAMES)
    assert found.at.tolist() == [NOON, NOON + 60.0, NOON + 120.0]
    assert found.seconds.tolist() == [60.0] * 3
    np.testing.assert_array_equal(found.ranks, np.concatenate([reports[n].ranks for n in (0, 3, 6)]))


@pytest.mark.parametrize("seconds", [50.0, 61.0, 1_000.0, 7_300.0])
def test_a_history_is_a_recount_of_all_reports_through_every_resolution(seconds: float) -> None:
    reports = every(seconds, min(4_000, int(100 * DAY / seconds)), NOON + 7.0)
    assert_recounted(kept_in_memory(reports).read(NAMES), reports)


def test_a_history_keeps_two_hours_by_minutes_two_days_by_quarters_and_sixty_days_by_days() -> None:
    reports = every(1_200.0, int(70 * DAY / 1_200.0))
    found = kept_in_memory(reports).read(NAMES)
    assert_recounted(found, reports)
    age = reports[-1].at[0] - found.at
    assert age[found.seconds == 60.0].max() < 7_200.0 <= age[found.seconds == 900.0].min() + 1_200.0
    assert age[found.seconds == 900.0].max() < 2 * DAY + 1_800.0
    assert 60 * DAY < age[0] < 62 * DAY
    assert len(found) < sum(own.records for own in RESOLUTIONS)


def test_a_gap_leaves_no_record_of_its_time() -> None:
    reports = [*every(60.0, 20), *every(60.0, 20, NOON + 3 * DAY)]
    found = kept_in_memory(reports).read(NAMES)
    assert_recounted(found, reports)
    assert not ((found.at > NOON + DAY) & (found.at < NOON + 3 * DAY)).any()


def test_a_time_since_leaves_out_what_ended_before() -> None:
    history = kept_in_memory(every(60.0, 500))
    everything, since = history.read(NAMES), NOON + 10_000.0
    found = history.read(NAMES, since)
    assert found.at.tolist() == everything.at[everything.at + everything.seconds > since].tolist()
    assert len(history.read(NAMES, math.inf)) == 0


def test_numbers_that_are_unknown_all_the_time_stay_unknown() -> None:
    reports = every(60.0, 40)
    for report in reports:
        report.statistics[:, 0] = math.nan
        report.score_mean[:] = math.nan
    found = kept_in_memory(reports).read(NAMES)[np.array([0])]
    assert np.isnan(found.psi).all()
    assert np.isnan(found.score_mean).all()


def test_numbers_beyond_single_precision_are_unknown_in_a_summary() -> None:
    reports = every(60.0, 400)
    for report in reports:
        report.statistics[:] = math.inf
    found = kept_in_memory(reports).read(NAMES)
    assert np.isnan(found[found.seconds == 900.0].statistics).all()


def test_times_before_1970_are_kept_as_well() -> None:
    reports = every(600.0, 400, -1e6)
    assert_recounted(kept_in_memory(reports).read(NAMES), reports)


# ---------------------------------------------------------------- clocks


def test_a_clock_that_goes_back_a_little_waits_for_its_time_to_come_again() -> None:
    reports = every(60.0, 40)
    history = kept_in_memory(reports)
    for report in every(60.0, 4, NOON + 36 * 60.0 + 30.0):
        history.keep(report)
    assert_recounted(history.read(NAMES), reports)


@pytest.mark.parametrize("ahead", [400.0, 3_600.0, 30 * DAY, 30_000 * DAY])
def test_records_of_a_clock_that_was_ahead_are_dropped(ahead: float) -> None:
    before, later = every(60.0, 100), every(60.0, 30, NOON + 6_000.0)
    history = kept_in_memory([*before, *every(60.0, 20, NOON + 6_000.0 + ahead), *later])
    found = history.read(NAMES)
    assert found.at.max() == later[-1].at[0]
    assert (found.at[found.seconds == 900.0] + 900.0 <= later[-1].at[0]).all()
    if ahead > 2 * DAY:  # no record of that time took the place of an older one that is still needed
        assert found.at[0] >= NOON


# ---------------------------------------------------------------- changes


def test_changes_of_severities_are_logged_with_their_moments() -> None:
    history = HistoryBuffer(SHAPE)
    for at, rank in ((0.0, 1), (10.0, 6), (20.0, 6), (30.0, 7), (95.0, 1)):
        history.keep(verdicts(NOON + at, rank=rank))
    found = history.changes()
    columns = [0, 1, 2, 3]
    assert found.column.tolist() == columns * 3
    assert (found.at - NOON).tolist() == [10.0] * 4 + [30.0] * 4 + [95.0] * 4
    assert found.before.tolist() == [1] * 4 + [6] * 4 + [7] * 4
    assert found.after.tolist() == [6] * 4 + [7] * 4 + [1] * 4


def test_a_change_of_the_status_alone_is_one_of_the_model() -> None:
    history = HistoryBuffer(SHAPE)
    for at, rank in ((0.0, 0), (10.0, 1), (20.0, 5), (30.0, 6)):
        history.keep(verdicts(NOON + at, rank=rank))
    found = history.changes()
    assert [own for own in zip(found.at - NOON, found.column, strict=True) if own[1] == len(NAMES)] == [
        (10.0, 3),
        (20.0, 3),
        (30.0, 3),
    ]
    assert found.at[found.column < len(NAMES)].tolist() == [NOON + 20.0] * 3


def test_the_oldest_changes_make_room_and_are_counted() -> None:
    history = HistoryBuffer(SHAPE)
    for step in range(1_000):
        history.keep(verdicts(NOON + step, rank=1 + 6 * (step % 2)))
    found = history.changes()
    assert len(found.at) == SHAPE.changes == 1_000
    assert found.dropped == 4 * 999 - 1_000
    assert found.at[-1] == NOON + 999
    assert (np.diff(found.at) >= 0.0).all()


# ---------------------------------------------------------------- stops


class Stopped(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("point", HISTORY_POINTS)
def test_wherever_its_writer_is_stopped_the_next_one_continues_as_if_nothing_had_happened(point: str) -> None:
    reports = [*every(45.0, 60, NOON + 43_200.0 - 1_800.0), *every(45.0, 30, NOON + 2 * DAY)]
    expected = kept_in_memory(reports)
    for nth in itertools.chain(range(1, 6), itertools.count(7, 12)):
        buffer, left = bytearray(SHAPE.layout.size_bytes), nth

        def failpoint(name: str) -> None:
            nonlocal left
            left -= name == point
            if left == 0:
                raise Stopped

        history = HistoryBuffer(SHAPE, buffer, failpoint)
        for report in reports:
            try:
                history.keep(report)
            except Stopped:
                history = HistoryBuffer(SHAPE, buffer, no_failpoint)
                assert len(history.read(NAMES)) <= len(reports)
                history.keep(report)
        assert_same_history(history, expected)
        if left > 0:  # it was not stopped any more
            assert nth > 5
            break


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize(("columns", "size"), [(30, 436_032), (1_000, 8_441_472)])
def test_its_size_is_fixed(columns: int, size: int) -> None:
    assert HistoryShape(columns).layout.size_bytes == size


def test_a_thousand_columns_that_change_at_once_leave_room_for_earlier_changes() -> None:
    names = tuple(f"c{number}" for number in range(1_000))
    history = HistoryBuffer(HistoryShape(len(names)))
    for at, rank in enumerate((1, 6, 1, 7)):
        history.keep(verdicts(NOON + at, names, rank=rank))
    assert len(history.changes().at) == 3 * 1_001
    assert history.changes().dropped == 0
