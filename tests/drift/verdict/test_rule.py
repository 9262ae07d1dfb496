from __future__ import annotations

import itertools

import pytest
from driftgauge.drift.verdict.rule import RANK, Severity, Status, judge

Verdict = tuple[Status, Severity | None]

INSUFFICIENT: Verdict = (Status.INSUFFICIENT_DATA, None)
NORMAL: Verdict = (Status.NORMAL, None)
SMALL: Verdict = (Status.WARNING, "warning")
BIG: Verdict = (Status.DRIFT_DETECTED, "warning")
HUGE: Verdict = (Status.DRIFT_DETECTED, "critical")

TABLE: list[tuple[int, bool, Severity | None, Verdict]] = [
    # no row that is young enough: nothing is said, whatever was before
    (0, False, None, INSUFFICIENT),
    (0, True, None, INSUFFICIENT),
    (0, False, "warning", INSUFFICIENT),
    (0, True, "warning", INSUFFICIENT),
    (0, False, "critical", INSUFFICIENT),
    (0, True, "critical", INSUFFICIENT),
    # evidence holds for any number of rows
    (1, True, None, SMALL),
    (199, True, None, SMALL),
    (200, True, None, SMALL),
    (1, True, "warning", BIG),
    (10_000, True, "warning", BIG),
    (1, True, "critical", HUGE),
    (10_000, True, "critical", HUGE),
    # without it few rows say nothing
    (1, False, None, INSUFFICIENT),
    (199, False, None, INSUFFICIENT),
    (199, False, "warning", INSUFFICIENT),
    (199, False, "critical", INSUFFICIENT),
    # and of enough rows what is big may still be chance
    (200, False, None, NORMAL),
    (200, False, "warning", NORMAL),
    (10_000, False, "critical", NORMAL),
]


@pytest.mark.parametrize(("rows", "real", "big", "verdict"), TABLE)
def test_a_verdict_is_what_the_table_says(rows: int, real: bool, big: Severity | None, verdict: Verdict) -> None:
    assert judge(rows, real=real, big=big) == verdict


def test_more_evidence_and_a_larger_effect_never_make_a_verdict_better() -> None:
    sizes: list[Severity | None] = [None, "warning", "critical"]
    for rows in (0, 1, 199, 200, 10_000):
        for smaller, larger in itertools.pairwise(sizes):
            for real in (False, True):
                assert RANK[judge(rows, real=real, big=smaller)] <= RANK[judge(rows, real=real, big=larger)]
        for big in sizes:
            assert RANK[judge(rows, real=False, big=big)] <= RANK[judge(rows, real=True, big=big)]


def test_every_verdict_has_a_rank() -> None:
    found = {judge(rows, real=real, big=big) for rows, real, big, _ in TABLE}
    assert found == set(RANK)
