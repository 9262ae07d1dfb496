from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.verdict.history import STATISTICS, History
from driftgauge.drift.verdict.numbers import two_decimals
from driftgauge.edges.web.past import BETWEEN_MARKS, BOTTOM, TOP, ColumnPast, column_past
from driftgauge.edges.web.query import Query
from driftgauge.edges.web.trend import WIDTH, Past, limit_of

from tests.edges.web.test_trend import DAY, NOW, QUIET, REPORT, history_of
from tests.html_pages import report_of, tree_of

RISEN = REPORT.baseline.names.index("risen")


def history(psi: list[float], seconds: float = 60.0) -> History:
    return history_of(REPORT, psi, [QUIET] * len(psi), seconds)


def past_of(own: History, seconds: float = DAY) -> ColumnPast:
    past = Past.of(own, NOW, seconds)
    assert past is not None
    found = column_past(REPORT, RISEN, past)
    assert found is not None
    return found


def test_a_column_has_psi_evidence_and_missing_values_over_time() -> None:
    own = history([0.0] * 60)
    own.statistics[:, STATISTICS.index("evidence_log10"), RISEN] = REPORT.evidence.threshold_log10 / 2.0
    own.statistics[:, STATISTICS.index("missing_ratio"), RISEN] = 0.25
    found = past_of(own)
    assert [chart.name for chart in found.charts] == ["PSI", "Evidence, part of its threshold", "Missing"]
    assert found.rows[-1] == ["2023-11-14 23:13", "0.00", "50 %", "25 %"]
    assert found.rows[0][0] == "2023-11-15 00:13"


def test_the_largest_value_is_at_the_top_and_the_limit_is_written_beside_it() -> None:
    limit = limit_of(REPORT, RISEN)
    chart = past_of(history([0.0, 1_000.0 * limit, 0.0])).charts[0]
    assert min(mark.y for mark in chart.marks) == TOP
    assert chart.limit_y == pytest.approx(BOTTOM, abs=0.2)
    assert f"limit {limit:.2f}" in chart.summary
    assert f"largest {1_000.0 * limit:.0f}" in chart.summary
    low = past_of(history([0.0] * 5)).charts[2]
    assert low.limit_y == TOP


@pytest.mark.parametrize("factor", [0.0, 0.01, 0.9, 1.0, 1.1, 3.0, 100.0])
def test_marks_of_an_axis_do_not_overlap(factor: float) -> None:
    for chart in past_of(history([0.0, factor * limit_of(REPORT, RISEN)])).charts:
        places = sorted(mark.y for mark in chart.marks)
        assert all(np.diff(places) >= BETWEEN_MARKS - 0.1)
        assert all(TOP <= place <= BOTTOM for place in places)


@pytest.mark.parametrize("factor", [0.9, 1.1, 3.0, 100.0])
def test_the_largest_value_and_the_limit_are_both_written(factor: float) -> None:
    report = report_of(shift=0.0)
    limit = limit_of(report, RISEN)
    past = Past.of(history_of(report, [0.0, factor * limit], [QUIET] * 2), NOW, DAY)
    assert past is not None
    found = column_past(report, RISEN, past)
    assert found is not None
    words = [mark.text for mark in found.charts[0].marks]
    assert {two_decimals(limit), two_decimals(factor * limit)} <= set(words)


def test_each_point_tells_its_time_and_value() -> None:
    chart = past_of(history([0.5] * 60)).charts[0]
    assert chart.hits[0].text == "2023-11-14 23:13 UTC: 0.50"
    ends = [hit.x + hit.width for hit in chart.hits]
    assert [hit.x for hit in chart.hits[1:]] == pytest.approx(ends[:-1], abs=0.11)
    assert chart.hits[0].x == 0.0
    assert ends[-1] == pytest.approx(WIDTH, abs=0.11)


def test_times_are_of_the_start_the_middle_and_the_end() -> None:
    assert past_of(history([0.1] * 60)).times == ["11-14 23:13", "11-14 23:43", "11-15 00:13"]
    days = past_of(history([0.1] * 10, DAY), 60 * DAY)
    assert days.times == ["2023-11-05", "2023-11-10", "2023-11-15"]


def test_a_column_of_which_nothing_is_known_has_no_charts() -> None:
    past = Past.of(history([np.nan] * 3), NOW, DAY)
    assert past is not None
    assert column_past(REPORT, RISEN, past) is None


def test_the_page_of_a_feature_draws_them_with_titles_and_a_table() -> None:
    tree = tree_of(REPORT, Query(features=("risen",)), history=history([0.5] * 60))
    assert "2023-11-14 23:13 UTC: 0.50" in tree.words
    assert "The same as a table Time, UTC PSI" in tree.words
    assert "60 days" in tree.words
    empty = tree_of(REPORT, Query(features=("risen",), range="2h"), history=history([]))
    assert "There are no values in this range of time." in empty.words
