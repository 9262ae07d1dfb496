"""What recent rows of requests say of constraints."""

from __future__ import annotations

import pytest
from driftgauge.drift.quality.constraints import Constraints, Thresholds
from driftgauge.drift.quality.report import REQUEST_ROWS
from driftgauge.drift.quality.requests import FaultyRow, RequestReport, SentRows, request_report

NOTHING = SentRows(0.0)
CONSTRAINTS = Constraints((), thresholds=Thresholds(0.02, 0.2))


def report_of(rows: int, **violations: int) -> RequestReport:
    return request_report(NOTHING, SentRows(900.0, rows, violations), CONSTRAINTS, {})


@pytest.mark.parametrize(
    ("violations", "rows", "severity"),
    [
        (REQUEST_ROWS, 50 * REQUEST_ROWS, "warning"),
        (REQUEST_ROWS, 50 * REQUEST_ROWS + 1, None),
        (REQUEST_ROWS, 5 * REQUEST_ROWS, "critical"),
        (REQUEST_ROWS - 1, REQUEST_ROWS - 1, None),
        (0, 0, None),
    ],
)
def test_the_share_has_a_severity_from_its_threshold_on_if_there_are_enough_rows(
    violations: int, rows: int, severity: str | None
) -> None:
    found = report_of(rows, type=violations)
    assert found.severity == severity
    assert found.thresholds == {"warning": 0.02, "critical": 0.2}


def test_the_worst_constraint_is_the_first_and_gives_the_reason() -> None:
    found = report_of(1_000, domain=19, type=17, required=300)
    assert [(own.constraint, own.severity) for own in found.violated] == [
        ("required", "critical"),
        ("domain", None),
        ("type", None),
    ]
    assert found.reason == ("300 of the 1,000 rows of requests in the last 15 minutes lacked a feature that is needed.")
    assert report_of(1_000).reason == "no row of a request violates a constraint"


def test_the_rows_are_those_between_two_counts_and_the_examples_are_no_older() -> None:
    before, now = SentRows(1_000.0, 500, {"type": 100}), SentRows(1_060.0, 1_500, {"type": 117})
    last, old = (
        FaultyRow("income", "income: expected a number, got the text 'n/a'", 1_050.0),
        FaultyRow("age", None, 9.0),
    )
    (found,) = request_report(before, now, CONSTRAINTS, {"type": [last, old]}).violated
    assert (found.rows, found.violations, found.ratio, found.examples) == (1_000, 17, 0.017, (last,))
    assert found.reason == (
        "17 of the 1,000 rows of requests in the last minute had a value of a wrong type. "
        "The last one: income: expected a number, got the text 'n/a'."
    )


def test_a_counter_that_begins_again_counts_nothing() -> None:
    found = request_report(SentRows(0.0, 50, {"type": 9}), SentRows(60.0, 10, {"type": 1}), CONSTRAINTS, {})
    assert (found.rows, found.violated) == (0, [])
