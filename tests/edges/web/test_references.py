"""What the page says about the rolling reference."""

from __future__ import annotations

from driftgauge.edges.web.references import references_view

from tests.drift.rolling.test_report import compared, report_on
from tests.html_pages import Tree, page_of


def test_each_column_stands_against_both_references() -> None:
    found = references_view(compared(report_on(age=40.0)))
    assert found is not None
    assert (found.title, found.colour) == ("Changed", "warning")
    first = found.rows[0]
    assert (first.name, first.is_large, first.days) == ("age", True, "1")
    assert float(first.rolling) > 1.0 > float(first.training)
    assert [own.is_large for own in found.rows[1:]] == [False] * 3
    assert "the days from 1970-01-02 to 1970-01-02" in found.note


def test_rows_like_those_of_the_days_are_no_change() -> None:
    found = references_view(compared(report_on(age=60.0)))
    assert found is not None
    assert (found.title, found.colour) == ("No large change", "normal")
    assert not any(own.is_large for own in found.rows)


def test_too_few_rows_are_said_to_be_few() -> None:
    found = references_view(compared(report_on(age=40.0), rows=900))
    assert found is not None
    assert (found.title, found.rows) == ("Too few rows", ())
    assert references_view(None) is None


def test_the_page_has_a_section_with_a_rolling_reference_alone() -> None:
    report = report_on(age=40.0)
    words = Tree(page_of(report, rolling=compared(report))).words
    assert "Against the last days" in words
    assert "Against the last days" not in Tree(page_of(report)).words
