"""Latches of performance."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from driftgauge.drift.performance.latches import NO_LATCHES, PerformanceLatches, latched_verdict, update_latches
from driftgauge.drift.performance.verdict import (
    PerformancePolicy,
    PerformanceStatus,
    PerformanceVerdict,
    judge_performance,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.drift.performance.test_verdict import HELD, counted

POLICY = PerformancePolicy()
FLOOR = PerformancePolicy(limits={"accuracy": 0.85})


def window(accuracy: float, rows: int = 10_000) -> PerformanceVerdict:
    return judge_performance(counted(round(accuracy * rows), rows), HELD, POLICY)


def followed(
    windows: Sequence[Sequence[PerformanceVerdict]], policy: PerformancePolicy = POLICY
) -> tuple[list[PerformanceVerdict], PerformanceLatches]:
    """Return the verdict after each evaluation, and the last latches."""
    latches, verdicts = NO_LATCHES, []
    for judged in windows:
        latches = update_latches(latches, judged, policy)
        verdicts.append(latched_verdict(latches, judged, policy))
    return verdicts, latches


@pytest.mark.parametrize(
    ("accuracies", "severities"),
    [
        ([0.89], [None]),
        ([0.88], ["warning"]),
        ([0.88, 0.885], ["warning", "warning"]),  # 1.7 %, above 0.8 of 2 %
        ([0.885], [None]),
        ([0.88, 0.886], ["warning", None]),  # 1.6 %
        ([0.85, 0.863], ["critical", "critical"]),  # 4.1 %
        ([0.85, 0.865], ["critical", "warning"]),  # 3.9 %
        ([0.85, 0.885, 0.89], ["critical", "warning", None]),
    ],
)
def test_a_threshold_holds_until_the_drop_is_below_0_8_of_it(
    accuracies: list[float], severities: list[str | None]
) -> None:
    found, _ = followed([[window(own)] for own in accuracies])
    assert [own.severity for own in found] == severities


@given(st.lists(st.floats(0.879, 0.8855), min_size=2, max_size=12))
def test_a_metric_that_wobbles_about_its_limit_gives_one_alarm(accuracies: list[float]) -> None:
    found, _ = followed([[window(own)] for own in (0.95, *accuracies)])
    alerting = [own.severity is not None for own in found]
    assert alerting == sorted(alerting)
    assert alerting[-1] == any(window(own).severity is not None for own in accuracies)


def test_a_window_that_is_still_worse_holds_the_threshold() -> None:
    found, _ = followed([[window(0.85), window(0.89)], [window(0.89), window(0.863)], [window(0.89), window(0.89)]])
    assert [own.severity for own in found] == ["critical", "critical", None]


def test_of_equal_verdicts_the_one_of_the_main_window_is_said() -> None:
    found, _ = followed([[window(0.89), window(0.895)]])
    assert found[0].reason == "Accuracy 0.895 is 0.56 % worse than on held-out rows: small"


def test_a_threshold_that_holds_is_said_with_its_end() -> None:
    found, _ = followed([[window(0.85)], [window(0.863)]])
    assert found[1].status is PerformanceStatus.DEGRADED
    assert found[1].reason == (
        "Accuracy 0.863 (0.856 to 0.87) is 4.1 % worse than on held-out rows (0.9); "
        "still large (limit 5 %, ends below 4 %)"
    )


def test_a_limit_holds_until_the_metric_is_back() -> None:
    judged = [[judge_performance(counted(right, 10_000), None, FLOOR)] for right in (8_300, 8_490, 8_510)]
    found, latches = followed(judged, FLOOR)
    assert [own.severity for own in found] == ["critical", "critical", None]
    assert judged[1][0].severity is None
    assert found[0].reason == "Accuracy 0.83 (0.823 to 0.837) is below its limit of 0.85"
    assert found[1].reason == "Accuracy 0.849 (0.842 to 0.856) is below its limit of 0.85; ends when it is back"
    assert latches == NO_LATCHES


def test_too_few_rows_hold_what_is_latched_and_are_no_verdict() -> None:
    found, latches = followed([[window(0.85)], [window(0.9, 100)]])
    assert found[1].status is PerformanceStatus.INSUFFICIENT_LABELS
    assert latches == {("accuracy", "warning"), ("accuracy", "critical")}


def test_a_window_with_too_few_rows_neither_raises_nor_holds() -> None:
    found, _ = followed([[window(0.2, 100), window(0.85)], [window(0.2, 100), window(0.9)]])
    assert [own.severity for own in found] == ["critical", None]


def test_a_latch_that_other_settings_cannot_compare_is_no_verdict() -> None:
    judged = [window(0.9)]
    assert latched_verdict(frozenset({("accuracy", "floor")}), judged, POLICY) == judged[0]
