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
    # and of enough rows what is large may still be chance
    (200, False, None, NORMAL),
    (200, False, "warning", NORMAL),
    (10_000, False, "critical", NORMAL),
]


@pytest.mark.parametrize(("rows", "significant", "large", "verdict"), TABLE)
def test_a_verdict_is_what_the_table_says(
    rows: int, significant: bool, large: Severity | None, verdict: Verdict
) -> None:
    assert judge(rows, significant=significant, large=large) == verdict


def test_more_evidence_and_a_larger_effect_never_make_a_verdict_better() -> None:
    sizes: list[Severity | None] = [None, "warning", "critical"]
    for rows in (0, 1, 199, 200, 10_000):
        for smaller, larger in itertools.pairwise(sizes):
            for significant in (False, True):
                assert (
                    RANK[judge(rows, significant=significant, large=smaller)]
                    <= RANK[judge(rows, significant=significant, large=larger)]
                )
        for large in sizes:
            assert RANK[judge(rows, significant=False, large=large)] <= RANK[judge(rows, significant=True, large=large)]


def test_every_verdict_has_a_rank() -> None:
    found = {judge(rows, significant=significant, large=large) for rows, significant, large, _ in TABLE}
    assert found == set(RANK)
