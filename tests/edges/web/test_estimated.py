from __future__ import annotations

import pytest
from driftgauge.drift.performance.estimated import ASSUMPTION
from driftgauge.drift.performance.held_out import NO_HELD_OUT_ROWS, Estimated
from driftgauge.edges.web.estimated import estimated_view

from tests.html_pages import empty_report, page_of

LIVE = {"10000": {"accuracy": 0.876, "roc_auc": 0.93}, "1000": {"accuracy": 0.5}}


def test_estimates_of_the_main_window_stand_beside_the_held_out_rows() -> None:
    found = estimated_view(Estimated({"accuracy": 0.91}, LIVE), "10000")
    assert found is not None
    assert found.numbers == {
        "Estimated accuracy": "0.876 in the last 10,000 rows, 0.91 on the held-out rows",
        "Estimated area under the ROC curve": "0.93 in the last 10,000 rows",
    }
    assert found.note == ASSUMPTION


@pytest.mark.parametrize(
    ("estimated", "note"),
    [
        (Estimated({"mae": 1.0}, {"10000": {}}), "There is no estimate yet: it takes 200 rows."),
        (Estimated(unavailable=NO_HELD_OUT_ROWS), f"There is no estimate: {NO_HELD_OUT_ROWS}."),
    ],
)
def test_without_an_estimate_the_page_says_why(estimated: Estimated, note: str) -> None:
    found = estimated_view(estimated, "10000")
    assert found is not None
    assert (found.numbers, found.note) == ({}, note)


def test_the_page_shows_the_estimate_and_its_assumption() -> None:
    report = empty_report("x")
    text = page_of(report, estimated=Estimated({"mae": 2.0}, {report.main.name: {"mae": 3.25}}))
    assert "Estimated mean absolute error" in text
    assert "3.25" in text
    assert ASSUMPTION.replace("'", "&#39;") in text
    assert "Estimated performance" not in page_of(report)


def test_nothing_is_estimated_where_a_table_is_checked() -> None:
    assert estimated_view(None, "10000") is None
