from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.evidence.trimmed import FEWEST_PAIRS
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.rule import Status
from driftgauge.drift.verdict.wording import (
    NAMED,
    Effect,
    Finding,
    ago_in_words,
    learning_in_words,
    notes,
    since_in_words,
    too_few_in_words,
    with_sender,
)
from driftgauge.drift.windows.blocks import Blocks
from hypothesis import given
from hypothesis import strategies as st

NOON = 1_750_075_200.0  # 2025-06-16 12:00 UTC


# ---------------------------------------------------------------- how large

DETECTED = Effect(10.84, 3.27, None, 3.27)
SMALL = Effect(0.0321, 0.1, None, None)


@pytest.mark.parametrize(
    ("effect", "words", "numbers"),
    [
        (DETECTED, "large", "PSI 10.8, usual up to 3.27"),
        (Effect(0.41234, 0.1, None, None), "large", "PSI 0.41, limit 0.10"),
        (Effect(0.1, 0.1, None, None), "large", "PSI 0.10, limit 0.10"),
        (SMALL, "small", "PSI 0.03, limit 0.10"),
        (Effect(0.0, 0.1, None, None), "small", "PSI 0.00, limit 0.10"),
        (Effect(0.0996, 0.1, None, None), "small", "PSI 0.0996, limit 0.10"),
        (Effect(2.1, 3.27 * (1.0 + 1e-9), None, 3.27), "within the expected range", "PSI 2.10, usual up to 3.27"),
        (Effect(10.84, 6.54, None, 3.27), "large", "PSI 10.8, usual up to 3.27"),
        (Effect(5.4, 6.54, 5.232, 3.27), "still large", "PSI 5.40, usual up to 3.27, ends below 5.23"),
        (Effect(0.09, 0.1, 0.08, None), "still large", "PSI 0.09, limit 0.10, ends below 0.08"),
        (Effect(0.003, 0.004, None, None), "small", "PSI 0.003, limit 0.004"),
    ],
)
def test_a_change_is_large_or_small_beside_its_limit(effect: Effect, words: str, numbers: str) -> None:
    assert (effect.in_words(), effect.numbers()) == (words, numbers)


def _finding(**changes: Any) -> Finding:
    finding = Finding(significant=True, large=True, effect=DETECTED, too_few="120 of 500 rows", until=None)
    return replace(finding, **changes)


@pytest.mark.parametrize(
    ("status", "finding", "words"),
    [
        (
            Status.DRIFT_DETECTED,
            _finding(moved="100 % of rows above the reference's 74th percentile", since="since 2013-05-09"),
            (
                "100 % of rows above the reference's 74th percentile. "
                "Significant; large (PSI 10.8, usual up to 3.27). Since 2013-05-09."
            ),
        ),
        (Status.DRIFT_DETECTED, _finding(), "Significant; large (PSI 10.8, usual up to 3.27)."),
        (
            Status.WARNING,
            _finding(large=False, effect=SMALL, moved="8 % of rows are 1 (reference: 3 %)"),
            "8 % of rows are 1 (reference: 3 %). Significant; small (PSI 0.03, limit 0.10).",
        ),
        (Status.WARNING, _finding(effect=None), "Significant; size not known yet (120 of 500 rows)."),
        (
            Status.NORMAL,
            _finding(large=False, effect=SMALL, moved="mean 2.21 (reference: 2.01)", since="since 2013-05-09"),
            (
                "mean 2.21 (reference: 2.01). Significant; small (PSI 0.03, limit 0.10): for information, no alert. "
                "Since 2013-05-09."
            ),
        ),
        (
            Status.NORMAL,
            _finding(large=False, effect=Effect(1.5, 3.27, None, 3.27)),
            "Significant; within the expected range (PSI 1.50, usual up to 3.27): for information, no alert.",
        ),
        (
            Status.DRIFT_DETECTED,
            _finding(
                moved="5 % of rows missing (reference: 0 %)", limited=learning_in_words(NOON), since="since 2013-05-09"
            ),
            (
                "5 % of rows missing (reference: 0 %). Significant; large (PSI 10.8, usual up to 3.27). Since "
                "2013-05-09. Severity is limited until 2025-06-17: the baseline has no times (--time), so how much a "
                "day or a week usually varies is not known before."
            ),
        ),
        (
            Status.NORMAL,
            _finding(significant=False, large=False, effect=SMALL),
            "no significant change (PSI 0.03, limit 0.10)",
        ),
        (
            Status.NORMAL,
            _finding(significant=False, large=False, effect=None),
            "no significant change (size not known yet: 120 of 500 rows)",
        ),
        (
            Status.NORMAL,
            _finding(significant=False),
            "large but not significant (PSI 10.8, usual up to 3.27)",
        ),
        (
            Status.NORMAL,
            _finding(significant=False, until="until 2013-05-09"),
            "was significant until 2013-05-09; the window still holds rows from then (PSI 10.8, usual up to 3.27)",
        ),
        (
            Status.INSUFFICIENT_DATA,
            _finding(significant=False, effect=None, too_few="34 of 200 rows"),
            "not enough data: 34 of 200 rows",
        ),
        (
            Status.INSUFFICIENT_DATA,
            _finding(effect=None, too_few="0 of 200 rows"),
            "not enough data: 0 of 200 rows. Earlier rows had drifted",
        ),
    ],
)
def test_a_reason_says_what_moved_whether_it_matters_and_since_when(
    status: Status, finding: Finding, words: str
) -> None:
    assert finding.in_words(status) == words


@pytest.mark.parametrize(("until", "day"), [(NOON, "2025-06-17"), (NOON + 43_200.0, "2025-06-17"), (0.0, "1970-01-01")])
def test_learning_ends_on_a_day_that_is_not_before_its_end(until: float, day: str) -> None:
    assert learning_in_words(until).startswith(f"severity is limited until {day}: the baseline has no times (--time), ")


@pytest.mark.parametrize(
    ("rows", "stale_seconds", "words"),
    [
        (34, None, "34 of 200 rows"),
        (0, None, "0 of 200 rows"),
        (34, 86_400.0, "34 of 200 rows; rows older than 24 h do not count (max_age_seconds)"),
        (0, 90.0, "no rows in the last 90 s (max_age_seconds), 200 are needed"),
    ],
)
def test_how_many_rows_there_are_in_words(rows: int, stale_seconds: float | None, words: str) -> None:
    assert too_few_in_words(rows, 200, stale_seconds) == words


# ---------------------------------------------------------------- what to know of a baseline


def _baseline(taus: Sequence[float | None], trending: Sequence[bool] = (), *, by_hour: bool = False) -> Baseline:
    """Return a baseline of columns a, b, … in order of time, of which these things are known."""
    names = [chr(ord("a") + place) for place in range(len(taus))]
    built = build_baseline({name: np.arange(20.0) for name in names}, created="")
    hours = {3: built.columns[0].counts} if by_hour else {}
    trends = [*trending, *[False] * (len(taus) - len(trending))]
    columns = [
        replace(column, tau=tau, trending=trend, by_hour=hours)
        for column, tau, trend in zip(built.columns, taus, trends, strict=True)
    ]
    return replace(built, columns=tuple(columns), time_column="t")


def test_without_times_independence_is_assumed_and_said() -> None:
    plain = build_baseline({"x": np.arange(20.0)}, created="")
    assert list(notes(plain)) == ["the reference has no times (--time): rows are assumed to be independent"]


@pytest.mark.parametrize(
    ("blocks", "rows", "is_measured"),
    [(0, 60, False), (FEWEST_PAIRS, 60, False), (FEWEST_PAIRS + 1, 60, True), (1, 6_000, False)],
)
def test_dependence_that_live_rows_show_is_not_assumed_away(blocks: int, rows: int, is_measured: bool) -> None:
    plain = build_baseline({"x": np.arange(20.0)}, created="")
    detector = plain.detector()
    counts = np.repeat((rows // 20 * plain.counts[None]).astype(np.int64), blocks, axis=0)
    seen = Blocks(counts, np.zeros(blocks, np.int64), np.arange(1.0, blocks + 1.0))
    live = detector.advance(detector.start(), seen).live
    for baseline in (plain, _baseline([None])):
        (note,) = notes(baseline, live)
        assert note.endswith("is measured from live rows alone") == is_measured
        assert note.endswith("rows are assumed to be independent") != is_measured


def test_of_a_baseline_with_times_nothing_is_said_unless_there_is_something() -> None:
    assert list(notes(_baseline([1.0, 50.0]))) == []


def test_columns_of_which_evidence_is_nearly_blind_are_named() -> None:
    unknown, note = notes(_baseline([50.1, 1.0, None, 434.4]))
    assert note == (
        "drift in a (50.1), d (434) can only be detected late: consecutive rows in the reference are strongly "
        "correlated (tau in brackets)"
    )
    assert unknown == "the reference has too few rows to estimate autocorrelation: rows are assumed to be independent"


def test_columns_with_a_trend_are_named_with_what_to_do_about_a_daily_cycle() -> None:
    (note,) = notes(_baseline([3.0, 4.0], [False, True]))
    said = "a trend or season in the reference causes most of tau for b (4)"
    assert note == f"{said}; to remove a daily cycle, build the baseline with --by-hour"
    few, same = notes(_baseline([3.0, 4.0], [False, True], by_hour=True))
    assert same == said
    assert few.startswith("hours 0-2, 4-23 (UTC) have too few reference rows: ")


def test_of_many_columns_some_are_named() -> None:
    blind, trend = notes(_baseline([60.0] * (NAMED + 2), [True] * (NAMED + 1)))
    assert blind.startswith("drift in a (60), b (60), ")
    assert "h (60) and 2 more can only be detected late: " in blind
    assert "h (60) and 1 more; " in trend


# ---------------------------------------------------------------- when


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (0.0, "since 2025-06-16 12:00 UTC"),
        (59.5, "since 2025-06-16 11:59 UTC"),
        (86_399.0, "since 2025-06-15 12:00 UTC"),
        (86_400.0, "since 2025-06-15"),
        (30 * 86_400.0, "since 2025-05-17"),
        (NOON, "since 1970-01-01"),
    ],
)
def test_since_when_in_words(ago: float, words: str) -> None:
    assert since_in_words(NOON - ago, NOON) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1.0, "1 s"),
        (59.0, "59 s"),
        (60.0, "1 min"),
        (90.0, "90 s"),
        (3_600.0, "1 h"),
        (5_400.0, "90 min"),
        (86_400.0, "24 h"),
        (129_600.0, "36 h"),
        (172_800.0, "2 d"),
        (604_800.0, "7 d"),
        (0.0, "0 s"),
        (0.5, "0.5 s"),
        (86_399.0, "86399 s"),
        (172_801.0, "172801 s"),
    ],
)
def test_how_long_in_words(seconds: float, words: str) -> None:
    assert ago_in_words(seconds) == words


@given(st.integers(0, 10_000_000))
def test_a_time_in_words_is_exact(seconds: int) -> None:
    number, unit = ago_in_words(float(seconds)).split()
    size = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}[unit]
    assert float(number) * size == seconds


@pytest.mark.parametrize(
    ("clients", "is_quiet", "added"),
    [
        ({}, False, ""),
        ({"a": 0.5, "b": 0.5}, False, ""),
        ({"a": 0.51, "b": 0.49}, True, " One caller sent 51% of these rows: a."),
        ({"a": 1.0}, False, " One caller sent 100% of these rows: a."),
        ({"a": 1.0}, True, ""),
    ],
)
def test_a_reason_names_the_caller_that_sent_over_half_of_the_rows(
    clients: dict[str, float], is_quiet: bool, added: str
) -> None:
    for reason in ("no drift", "Significant."):
        end = "" if reason.endswith(".") or not added else "."
        assert with_sender(reason, clients, is_quiet=is_quiet) == f"{reason}{end}{added}"
