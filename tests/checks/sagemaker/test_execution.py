"""Executions end in one of four ways, and their files are read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.reference import Reference
from driftgauge.checks.sagemaker.baseline import baseline_of
from driftgauge.checks.sagemaker.constraints import Constraints
from driftgauge.checks.sagemaker.documents import parse_document
from driftgauge.checks.sagemaker.execution import Job, Limits, execute
from driftgauge.checks.sagemaker.statistics import Statistics
from driftgauge.checks.sagemaker.suggest import suggested
from driftgauge.checks.sagemaker.violations import Violations
from driftgauge.drift.reference.baseline import dumps
from driftgauge.drift.verdict.policy import ColumnPolicy, Policy
from driftgauge.models.baseline_file import loads

from tests.checks.sagemaker.tables import NOW, ROWS, baseline, executed, table

pytestmark = pytest.mark.usefixtures("sketches")


def summary(files: Any) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(files["execution_summary.json"])
    return content


def test_rows_like_the_reference_complete() -> None:
    found = executed(table(1))
    assert (found.status, found.rows, found.reason) == ("Completed", ROWS, "")
    files = found.files()
    assert [*files] == ["statistics.json", "constraints.json", "constraint_violations.json", "execution_summary.json"]
    assert orjson.loads(files["constraint_violations.json"]) == {"violations": []}
    assert summary(files) == {
        "MonitoringExecutionStatus": "Completed",
        "ScheduledTime": "2026-11-30T00:53:20Z",
        "CreationTime": "2026-11-30T00:53:20Z",
        "LastModifiedTime": "2026-11-30T00:53:20Z",
        "ExitMessage": "Completed: Job completed successfully with no violations.",
    }


def test_other_rows_complete_with_violations() -> None:
    rows = table(1)
    rows["income"] = rows["income"] * 3.0
    found = executed(rows)
    assert found.status == "CompletedWithViolations"
    assert found.report is not None
    assert found.report.drifted_features == ("income",)
    assert parse_document(found.files()["constraint_violations.json"], Violations, "") == found.violations
    assert found.message == "CompletedWithViolations: Job completed successfully with 1 violation."


def test_drift_by_our_verdict_alone_is_a_violation() -> None:
    rows = table(1)
    rows["income"][:200] = 50.0  # 5 % of the rows: less than SageMaker's distance allows
    found = executed(rows)
    (own,) = found.violations.violations
    assert own.description.startswith("Drift detected: income: ")


@pytest.mark.parametrize("worst_first", [True, False])
def test_a_violation_says_what_moved_in_the_worst_window(worst_first: bool) -> None:
    tables = [table(1), table(2)]
    tables[0]["income"][:200], tables[1]["income"][:400] = 50.0, 50.0
    found = executed(*(tables[::-1] if worst_first else tables))
    (own,) = found.violations.violations
    (alone,) = executed(tables[1]).violations.violations
    share = alone.description.partition(": ")[2].partition(".")[0]
    assert own.description.partition(": ")[2].partition(".")[0] == share


@pytest.mark.parametrize(
    "options",
    [CheckOptions(drift_share=0.5), CheckOptions(base=Policy(columns={"income": ColumnPolicy(alert=False)}))],
)
def test_drift_that_is_limited_to_information_is_no_violation(options: CheckOptions) -> None:
    rows = table(1)
    rows["income"][:200] = 50.0
    found = executed(rows, options=options)
    assert found.report is not None
    (verdict,) = [own for own in found.report.worst.report.verdicts if own.name == "income"]
    assert (verdict.status, verdict.severity) == ("drift_detected", "info")
    assert found.status == "Completed"


def test_columns_that_cannot_be_compared_are_violations_and_the_others_are_compared() -> None:
    rows = table(1)
    rows["age"] = ["oops"] * ROWS
    del rows["plan"]
    found = executed(rows)
    assert found.status == "CompletedWithViolations"
    assert {own.constraint_check_type for own in found.violations.violations} == {
        "data_type_check",
        "missing_column_check",
    }
    assert found.report is not None
    assert [own.name for own in found.report.worst.report.verdicts] == ["income"]


def test_a_table_without_any_known_column_has_no_verdict() -> None:
    found = executed({"other": [1, 2]})
    assert (found.status, found.report) == ("CompletedWithViolations", None)


@pytest.mark.parametrize(
    ("rows", "reason"), [("absent.csv", "there is no such file"), ({"age": []}, "there are no rows")]
)
def test_a_table_that_cannot_be_read_fails_with_the_reason(rows: Any, reason: str, tmp_path: Path) -> None:
    found = executed(tmp_path / rows if isinstance(rows, str) else rows)
    assert found.status == "Failed"
    assert reason in found.reason
    assert [*found.files()] == ["execution_summary.json"]
    assert summary(found.files())["FailureReason"] == found.reason


def test_an_execution_that_takes_too_long_is_stopped() -> None:
    times = iter(np.arange(NOW, NOW + 100.0))
    found = executed(table(1), limits=Limits(lambda: float(next(times)), NOW + 2.0, 2.0))
    assert found.status == "Stopped"
    assert found.reason == "the execution exceeded its run time of 2 s (--max-run-seconds)"


def test_a_signal_stops_an_execution() -> None:
    found = executed(table(1), limits=Limits(lambda: NOW, is_stopping=lambda: True))
    assert (found.status, found.reason) == ("Stopped", "a signal stopped the execution")


def test_what_is_written_of_the_reference_is_read_as_the_same_baseline() -> None:
    files = executed(table(0)).files()
    read = baseline_of(parse_document(files["statistics.json"], Statistics, ""), baseline().created)
    again, own = read.baseline, baseline()
    assert loads(dumps(again)) == again
    assert (again.names, again.rows, read.left_out, read.coarse) == (own.names, own.rows, (), ())
    assert again.columns[2] == own.columns[2]
    constraints = parse_document(files["constraints.json"], Constraints, "")
    assert constraints == suggested(own) == suggested(again)
    live = np.column_stack([table(3)["income"] + 0.5, table(3)["age"] - 5.0, np.zeros(ROWS)])
    of_file = again.psi(again.binner.counts(again.binner.codes(live))).psi
    of_rows = own.psi(own.binner.counts(own.binner.codes(live))).psi
    assert of_rows[0] > 0.3
    assert of_file == pytest.approx(of_rows, rel=0.05)


def test_constraints_that_are_given_are_checked_and_written() -> None:
    given = suggested(baseline()).model_copy(update={"features": ()})
    found = executed(table(1), constraints=given)
    assert parse_document(found.files()["constraints.json"], Constraints, "") == given


@pytest.mark.parametrize("big", [1e200, 1.7e308, -1.7e308])
def test_a_number_whose_square_is_too_large_is_a_violation_and_ends_nothing(big: float) -> None:
    rows = table(1)
    rows["income"][::3] = big
    found = executed(rows)
    assert (found.status, found.reason) == ("CompletedWithViolations", "")
    content = orjson.loads(found.files()["statistics.json"])["features"][0]["numerical_statistics"]
    assert "std_dev" not in content
    assert (content["max"] if big > 0 else content["min"]) == big
    assert ("mean" in content) == (big == 1e200)
    assert baseline_of(parse_document(found.files()["statistics.json"], Statistics, ""), baseline().created)


def test_arithmetic_that_fails_is_the_end_of_the_execution_alone() -> None:
    def tables() -> list[Any]:
        return [2.0**2_000]

    found = execute(Job(Reference(baseline()), tables, CheckOptions()), Limits(lambda: NOW))
    assert (found.status, [*found.files()]) == ("Failed", ["execution_summary.json"])
    assert found.reason.startswith("a number of the tables is too large to compute with: ")
