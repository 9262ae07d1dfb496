from __future__ import annotations

import itertools

import pytest
from driftgauge.drift.verdict.rule import (
    LIMITS,
    RANK,
    SEVERITIES,
    Severity,
    Size,
    Status,
    Verdict,
    as_information,
    judge,
)

INSUFFICIENT: Verdict = (Status.INSUFFICIENT_DATA, None)
NORMAL: Verdict = (Status.NORMAL, None)
SMALL: Verdict = (Status.NORMAL, "info")
UNKNOWN: Verdict = (Status.WARNING, "warning")
BIG: Verdict = (Status.DRIFT_DETECTED, "warning")
HUGE: Verdict = (Status.DRIFT_DETECTED, "critical")

SIZES: tuple[Size, ...] = ("unknown", "small", "warning", "critical")
TABLE: list[tuple[int, bool, Size, Verdict]] = [
    # no row that is young enough: nothing is said, whatever was before
    *((0, significant, size, INSUFFICIENT) for significant in (False, True) for size in SIZES),
    # evidence holds for any number of rows
    (1, True, "unknown", UNKNOWN),
    (199, True, "unknown", UNKNOWN),
    (200, True, "unknown", UNKNOWN),
    (10_000, True, "small", SMALL),
    (1, True, "warning", BIG),
    (10_000, True, "warning", BIG),
    (1, True, "critical", HUGE),
    (10_000, True, "critical", HUGE),
    # without it few rows say nothing
    (1, False, "unknown", INSUFFICIENT),
    (199, False, "unknown", INSUFFICIENT),
    (199, False, "warning", INSUFFICIENT),
    (199, False, "critical", INSUFFICIENT),
    # and of enough rows what is large may still be chance
    (200, False, "unknown", NORMAL),
    (500, False, "small", NORMAL),
    (500, False, "warning", NORMAL),
    (10_000, False, "critical", NORMAL),
]


@pytest.mark.parametrize(("rows", "significant", "size", "verdict"), TABLE)
def test_a_verdict_is_what_the_table_says(rows: int, significant: bool, size: Size, verdict: Verdict) -> None:
    assert judge(rows, significant=significant, size=size) == verdict


@pytest.mark.parametrize(
    ("size", "verdict"),
    [
        ("unknown", (Status.WARNING, "info")),
        ("small", (Status.NORMAL, "info")),
        ("warning", (Status.DRIFT_DETECTED, "warning")),
        ("critical", (Status.DRIFT_DETECTED, "warning")),
    ],
)
def test_while_learning_nothing_is_critical_and_an_unknown_size_is_information(size: Size, verdict: Verdict) -> None:
    assert judge(1_000, significant=True, size=size, is_learning=True) == verdict


@pytest.mark.parametrize(("is_learning", "severity"), [(False, "warning"), (True, "info")])
def test_small_changes_alert_on_demand_once_learning_is_over(is_learning: bool, severity: Severity) -> None:
    found = judge(1_000, significant=True, size="small", is_learning=is_learning, alert_on_small=True)
    assert found == (Status.WARNING, severity)


def test_options_change_nothing_without_evidence_and_nothing_of_drift() -> None:
    for rows, significant, size, verdict in TABLE:
        if not significant or size == "warning":
            for is_learning, alert_on_small in itertools.product((False, True), repeat=2):
                found = judge(
                    rows, significant=significant, size=size, is_learning=is_learning, alert_on_small=alert_on_small
                )
                assert found == verdict


@pytest.mark.parametrize("alert_on_small", [False, True])
@pytest.mark.parametrize("is_learning", [False, True])
def test_more_evidence_and_a_larger_effect_never_make_a_verdict_better(is_learning: bool, alert_on_small: bool) -> None:
    def rank(rows: int, significant: bool, size: Size) -> int:
        return RANK[
            judge(rows, significant=significant, size=size, is_learning=is_learning, alert_on_small=alert_on_small)
        ]

    for rows in (0, 1, 199, 200, 10_000):
        for smaller, larger in itertools.pairwise(SIZES[1:]):
            for significant in (False, True):
                assert rank(rows, significant, smaller) <= rank(rows, significant, larger)
        for size in SIZES:
            assert rank(rows, False, size) <= rank(rows, True, size)


def test_every_verdict_has_a_rank_by_severity_then_by_status() -> None:
    options = itertools.product((False, True), repeat=2)
    found = {
        judge(rows, significant=significant, size=size, is_learning=is_learning, alert_on_small=alert_on_small)
        for is_learning, alert_on_small in options
        for rows, significant, size, _ in TABLE
    }
    found |= {as_information(verdict) for verdict in found}
    assert found == set(RANK)
    severities = [None, *SEVERITIES]
    assert list(RANK) == sorted(
        RANK, key=lambda verdict: (severities.index(verdict[1]), list(Status).index(verdict[0]))
    )
    assert list(RANK.values()) == list(range(len(RANK)))


def test_a_column_that_raises_no_alert_keeps_its_status() -> None:
    for status, severity in RANK:
        assert as_information((status, severity)) == (status, None if severity is None else "info")


def test_alerts_fire_from_the_first_severity_that_has_a_threshold() -> None:
    assert SEVERITIES[-len(LIMITS) :] == LIMITS
