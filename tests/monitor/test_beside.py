"""What fails beside drift does not take the verdict on drift with it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from driftgauge.drift.evidence.detector import Evidence
from driftgauge.drift.performance.held_out import Estimated
from driftgauge.drift.quality.checker import Checker
from driftgauge.drift.quality.constraints import ColumnConstraints, Constraints
from driftgauge.drift.quality.report import QualityReport
from driftgauge.drift.windows.window import Window
from driftgauge.monitor import beside
from driftgauge.monitor.beside import CONSTRAINTS, ESTIMATES
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems

from tests.monitors import START, small_baseline, small_options, some_rows


class SteeredChecker(Checker):
    """Checks constraints, and fails while a test says so."""

    is_failing = True

    def report_beside(self, windows: Sequence[Window], drift: Evidence) -> QualityReport:
        if self.is_failing:
            raise ArithmeticError("of the checker")
        return super().report_beside(windows, drift)


@pytest.fixture
def problems() -> Problems:
    return Problems(lambda: START)


@pytest.fixture
def checker() -> SteeredChecker:
    return SteeredChecker(small_baseline(), Constraints((ColumnConstraints("age", "fractional", minimum=0.0),)))


@pytest.fixture
def monitor(problems: Problems, checker: SteeredChecker) -> ColumnMonitor:
    made = ColumnMonitor(
        small_baseline(),
        model_name="churn",
        model_version="1",
        now=START,
        options=small_options(200, 1_000),
        checker=checker,
        problems=problems,
    )
    made.observe(some_rows(1_000, age=80.0), arrival=START)
    return made


def test_a_fault_of_the_constraints_is_a_problem_until_it_has_passed_and_drift_is_judged(
    monitor: ColumnMonitor, problems: Problems, checker: SteeredChecker
) -> None:
    evaluation = monitor.evaluate(START)
    assert evaluation.report.severity == "critical"
    assert evaluation.quality is None
    assert problems.current() == [f"{CONSTRAINTS}: ArithmeticError: of the checker"]
    checker.is_failing = False
    evaluation = monitor.evaluate(START)
    assert evaluation.quality is not None
    assert problems.current() == []


def test_a_fault_of_the_estimates_leaves_drift_and_constraints(
    monitor: ColumnMonitor, problems: Problems, checker: SteeredChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> Estimated:
        raise ArithmeticError("of the estimate")

    checker.is_failing = False
    monkeypatch.setattr(beside, "estimated", failing)
    evaluation = monitor.evaluate(START)
    assert evaluation.report.severity == "critical"
    assert evaluation.quality is not None
    assert evaluation.estimated.unavailable == f"the estimate failed: see {ESTIMATES} among the problems"
    assert problems.current() == [f"{ESTIMATES}: ArithmeticError: of the estimate"]
