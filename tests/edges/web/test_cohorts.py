"""Performance over time, as the page draws it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from driftgauge.drift.performance.cohort import Cohort
from driftgauge.drift.performance.counts import CountLayout, LabelledRows
from driftgauge.drift.performance.metrics import count
from driftgauge.edges.web.cohorts import BOTTOM, TOP, cohorts_view

from tests.html_pages import empty_report, page_of
from tests.metrics.test_performance_gauges import report

HOUR = 3_600.0
START = 1_700_006_400.0  # 2023-11-15T00:00:00Z


def cohort(hour: int, right: int, rows: int = 100) -> Cohort:
    """The cohort of an hour, of which so many rows are right."""
    actual = np.arange(rows) % 2
    predicted = np.where(np.arange(rows) < right, actual, 1 - actual)
    labelled = LabelledRows(np.full(rows, 0.5), actual.astype(np.float64), predicted, np.full(rows, 0.5))
    counts = count(CountLayout.of("binary", 2), labelled)
    return Cohort(START + hour * HOUR, START + (hour + 1) * HOUR, rows, 60.0 * rows, counts, np.zeros(0))


def heights(path: str) -> list[float]:
    return [float(y) for y in re.findall(r",([\d.]+)", path)]


def test_a_line_falls_as_the_metric_does_within_its_band() -> None:
    found = cohorts_view(report("binary"), [cohort(0, 90), cohort(1, 60)])
    assert found is not None
    accuracy = found.charts[0]
    assert (accuracy.name, found.by, found.times) == ("Accuracy", "hour", ["2023-11-15 00:00", "2023-11-15 01:00"])
    assert accuracy.summary.startswith("newest 0.6 (0.5")
    assert accuracy.summary.endswith("lowest 0.6, highest 0.9, held-out rows 0.9")
    first, same, last, _ = heights(accuracy.path)
    assert first == same == accuracy.held_out_y
    assert last > first
    boxes = [tuple(map(float, box)) for box in re.findall(r"M[\d.]+ ([\d.]+)H[\d.]+V([\d.]+)H", accuracy.band)]
    assert [top < y < bottom for (top, bottom), y in zip(boxes, (first, last), strict=True)] == [True, True]
    assert (boxes[0][0], boxes[1][1]) == (TOP, BOTTOM)


def test_hours_without_labels_are_a_gap() -> None:
    found = cohorts_view(report("binary"), [cohort(0, 90), cohort(1, 90), cohort(2, 0, rows=0), cohort(3, 90)])
    assert found is not None
    assert found.charts[0].path.count("M") == 2
    assert len(found.rows) == 3


def test_a_longer_past_is_shown_by_day() -> None:
    found = cohorts_view(report("binary"), [cohort(hour, 80) for hour in range(72)])
    assert found is not None
    assert (found.by, found.times) == ("day", ["2023-11-15", "2023-11-17"])
    assert [row[1] for row in found.rows] == ["2,400"] * 3


@pytest.mark.parametrize("hours", [[], [0]])
def test_there_is_no_chart_of_fewer_than_two_cohorts(hours: list[int]) -> None:
    assert cohorts_view(report("binary"), [cohort(hour, 80) for hour in hours]) is None
    assert cohorts_view(None, [cohort(0, 80), cohort(1, 80)]) is None


def test_the_page_shows_the_chart_and_the_same_as_a_table() -> None:
    text = page_of(empty_report("x"), performance=report("binary"), cohorts=[cohort(0, 90), cohort(1, 60)])
    assert 'aria-label="Accuracy by hour: newest 0.6' in text
    assert "Performance by hour" in text
    table = text.partition('id="cohorts-table"')[2].partition("</table>")[0]
    assert table.index("2023-11-15 01:00") < table.index("2023-11-15 00:00")
    assert "ROC AUC" in table
