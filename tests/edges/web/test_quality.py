"""What the page says of constraints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from driftgauge.drift.quality.constraints import ColumnConstraints, Constraints
from driftgauge.drift.quality.report import ConstraintVerdict, QualityReport
from driftgauge.drift.quality.requests import SentRows, request_report
from driftgauge.edges.web.quality import MOST_ROWS, quality_view

from tests.drift.rolling.test_report import report_on
from tests.html_pages import Tree, page_of

AGE = ConstraintVerdict(
    "age", "range", "critical", "1000", 200, 70, 0.0, {"warning": 0.01, "critical": 0.1}, 9.5, "age: 70 of the last"
)
ROWS = ConstraintVerdict(
    None, "duplicates", None, "1000", 200, 30, 0.1, {"warning": 0.11, "critical": 0.2}, 0.5, "30 of the last 200 rows"
)
VIOLATED = QualityReport(
    Constraints((ColumnConstraints("age", "fractional", minimum=0.0),)),
    (),
    (ROWS, AGE),
    {"1000": np.array([0.15, 0.35])},
    8.25,
    ("city: its domain has values that the baseline does not know",),
)


def test_violated_constraints_are_listed_worst_first() -> None:
    found = quality_view(VIOLATED)
    assert found is not None
    assert (found.title, found.colour) == ("Violated", "critical")
    shown = [(own.feature, own.constraint, own.severity, own.ratio, own.limit) for own in found.rows]
    assert shown == [("age", "range", "critical", "35 %", "1 %"), ("(rows)", "duplicates", "", "15 %", "11 %")]
    assert found.note.startswith("2 constraints are checked. city: its domain")


def test_violations_in_requests_come_first_and_have_their_own_severity() -> None:
    sent = request_report(SentRows(0.0), SentRows(600.0, 400, {"type": 8, "domain": 20}), VIOLATED.constraints, {})
    found = quality_view(replace(VIOLATED, verdicts=(ROWS,)), sent)
    assert found is not None
    assert (found.title, found.colour) == ("Violated", "warning")
    shown = [(own.feature, own.constraint, own.severity, own.ratio, own.limit) for own in found.rows]
    assert shown[:2] == [("(requests)", "domain", "warning", "5 %", "1 %"), ("(requests)", "type", "", "2 %", "1 %")]
    assert shown[2][:2] == ("(rows)", "duplicates")


def test_violations_that_are_not_significant_are_no_colour() -> None:
    found = quality_view(replace(VIOLATED, verdicts=(ROWS,)))
    assert found is not None
    assert (found.title, found.colour, len(found.rows)) == ("Satisfied", "normal", 1)


def test_a_long_list_is_cut() -> None:
    found = quality_view(replace(VIOLATED, verdicts=(AGE,) * 50))
    assert found is not None
    assert len(found.rows) == MOST_ROWS
    assert "The worst 20 of 50 violated ones are shown." in found.note


def test_without_constraints_there_is_no_section() -> None:
    assert quality_view(None) is None
    report = report_on(age=40.0)
    assert "Violated constraints" in page_of(report, quality=VIOLATED)
    assert "70 of the last" in Tree(page_of(report, quality=VIOLATED)).words
    assert "Violated constraints" not in page_of(report)
