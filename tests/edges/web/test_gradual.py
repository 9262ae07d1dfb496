"""What the page says about gradual drift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from driftgauge.edges.web.gradual import gradual_view

from tests.drift.gradual.test_report import gradual_of
from tests.drift.rolling.test_report import report_on
from tests.html_pages import Tree, page_of


def test_each_column_stands_with_its_limit_in_each_window() -> None:
    found = gradual_view(gradual_of(report_on(age=40.0)))
    assert found is not None
    assert (found.title, found.colour, found.windows) == ("Changed", "warning", ["7d", "30d"])
    first = found.rows[0]
    assert (first.name, first.is_large) == ("age", True)
    assert all(float(psi) > float(limit) for psi, limit in first.cells)
    assert [own.is_large for own in found.rows[1:]] == [False] * 3


def test_days_like_the_reference_are_no_change() -> None:
    found = gradual_view(gradual_of(report_on(age=40.0), age=40.0))
    assert found is not None
    assert (found.title, found.colour) == ("No large change", "normal")


def test_too_few_days_are_said_to_be_few() -> None:
    found = gradual_view(gradual_of(report_on(age=40.0), days=5))
    assert found is not None
    assert (found.title, found.rows) == ("Too few days", ())
    assert found.note == "Not judged: 7d and 30d (5 of 6 whole days with at least 50 rows)."
    assert gradual_view(None) is None


def test_enough_days_with_too_few_rows_are_said_to_have_few() -> None:
    found = gradual_view(gradual_of(report_on(age=40.0), days=7, rows=60))
    assert found is not None
    assert (found.title, found.rows) == ("Too few rows", ())
    assert found.note == "Not judged: 7d (360 of 500 rows). Not judged: 30d (420 of 500 rows)."


def test_a_window_that_is_not_judged_is_named_beside_one_that_is() -> None:
    judged = gradual_of(report_on(age=40.0))
    week = replace(judged.windows[0], psi_debiased=np.full(4, np.nan), reason="0 of 500 rows")
    found = gradual_view(replace(judged, windows=(week, judged.windows[1])))
    assert found is not None
    assert found.title == "Changed"
    assert found.note.endswith("Not judged: 7d (0 of 500 rows).")
    assert found.rows[0].cells[0][0] == "–"


def test_the_page_has_a_section_with_long_windows_alone() -> None:
    report = report_on(age=40.0)
    words = Tree(page_of(report, gradual=gradual_of(report))).words
    assert "Gradual drift" in words
    assert "Gradual drift" not in Tree(page_of(report)).words
