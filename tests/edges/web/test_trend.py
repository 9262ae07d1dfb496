from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.verdict.history import STATISTICS, History
from driftgauge.drift.verdict.news import News
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import RANK, Status
from driftgauge.edges.web.query import Query
from driftgauge.edges.web.trend import HEIGHT, LIMIT_AT, POINTS, WIDTH, Past

from tests.html_pages import report_of, tree_of
from tests.monitors import START

QUIET, DRIFT = RANK[Status.NORMAL, None], RANK[Status.DRIFT_DETECTED, "critical"]
NOW = START + 7_200.0
DAY = 86_400.0
REPORT = replace(report_of(), evaluated_at=NOW)


def history_of(report: DriftReport, psi: list[float], ranks: list[int], seconds: float = 60.0) -> History:
    """The history of the minutes before the report, in which each column had the same PSI."""
    n, columns = len(psi), len(report.baseline.columns)
    numbers = np.zeros((n, len(STATISTICS), columns), dtype=np.float32)
    numbers[:, STATISTICS.index("psi_debiased")] = np.array(psi)[:, None]
    rank = np.array(ranks, dtype=np.uint8)
    return History(
        names=report.baseline.names,
        at=np.array([NOW - seconds * place for place in range(n, 0, -1)]),
        seconds=np.full(n, seconds),
        rank=rank,
        rows=np.arange(n, dtype=np.float64),
        score_mean=np.full(n, np.nan),
        ranks=np.repeat(rank[:, None], columns, axis=1),
        statistics=numbers,
    )


def points_of(line: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (point.lstrip("M").split(",") for point in line.split())]


def past_of(history: History) -> Past:
    past = Past.of(history, NOW, DAY)
    assert past is not None
    return past


def test_a_line_reaches_its_limit_a_third_from_the_top() -> None:
    finding = REPORT.verdicts[0].finding
    assert finding is not None
    assert finding.effect is not None
    limit = finding.effect.limit
    points = points_of(past_of(history_of(REPORT, [0.0, limit, 99.0], [QUIET] * 3)).line(REPORT, 0))
    assert [y for _, y in points[:3]] == [HEIGHT, pytest.approx(LIMIT_AT, abs=0.1), 1.0]
    assert (points[0][0], points[-1][0]) == (0.0, WIDTH)


def test_a_long_history_is_a_short_line_that_keeps_the_peaks() -> None:
    psi = [0.0] * 300
    psi[150] = 5.0
    points = points_of(past_of(history_of(REPORT, psi, [QUIET] * 300)).line(REPORT, 0))
    assert len(points) <= POINTS + 2
    assert min(y for _, y in points) == 1.0


def test_what_is_unknown_leaves_no_line() -> None:
    assert past_of(history_of(REPORT, [np.nan, np.nan], [QUIET] * 2)).line(REPORT, 0) == ""


@pytest.mark.parametrize("psi", [[], [0.1]])
def test_a_single_moment_is_no_past(psi: list[float]) -> None:
    assert Past.of(history_of(REPORT, psi, [QUIET] * len(psi)), NOW, DAY) is None
    assert Past.of(None, NOW, DAY) is None
    old = replace(history_of(REPORT, [0.1, 0.2], [QUIET] * 2), at=np.array([0.0, 60.0]))
    assert Past.of(old, NOW + DAY, DAY) is None


def test_the_timeline_joins_equal_verdicts_and_says_how_long_each_lasted() -> None:
    timeline = past_of(history_of(REPORT, [0.0] * 60, [QUIET] * 45 + [DRIFT] * 15)).timeline()
    assert [(one.colour, one.start, one.length) for one in timeline.stretches] == [
        ("normal", 0.0, 75.0),
        ("critical", 75.0, 25.0),
    ]
    assert timeline.words == "In the last 60 min: critical for 15 min, normal for 45 min."


def test_the_page_shows_the_past_of_the_model_and_of_each_column() -> None:
    history = history_of(REPORT, [0.0] * 60, [QUIET] * 45 + [DRIFT] * 15)
    tree = tree_of(REPORT, history=history)
    assert "critical for 15 min" in tree.words
    assert len(tree.having("class", "spark")) == len(REPORT.baseline.columns)
    assert len(tree_of(REPORT, Query(features=("risen",)), history=history).having("class", "over-time")) == 3
    assert tree_of(REPORT).having("class", "spark") == []


def test_the_page_says_what_changed_since_yesterday() -> None:
    words = tree_of(REPORT, news=News(START, ("risen: new drift, 50 % of rows.",))).words
    assert "What changed since 2023-11-14 22:13:20 UTC" in words
    assert "risen: new drift, 50 % of rows." in words
    assert "Nothing." in tree_of(REPORT, news=News(START, ())).words
    assert "What changed since" not in tree_of(REPORT).words
    assert "What changed since" not in tree_of(REPORT, news=News(NOW, ())).words


def test_what_was_not_evaluated_is_a_gap_in_lines_and_in_the_strip() -> None:
    whole = history_of(REPORT, [0.1] * 100, [QUIET] * 100)
    past = past_of(whole[np.r_[0:25, 50:100]])
    assert past.line(REPORT, 0).count("M") == 2
    assert [(one.start, one.length) for one in past.timeline().stretches] == [(0.0, 25.0), (50.0, 50.0)]
    assert past.timeline().words == "In the last 100 min: normal for 75 min, not evaluated for 25 min."
    assert past_of(whole[::10]).line(REPORT, 0).count("M") == 1


def test_an_unknown_value_breaks_the_line_and_a_value_alone_is_a_point() -> None:
    psi = [0.0, 0.0, np.nan, 0.0, np.nan, 0.0]
    line = past_of(history_of(REPORT, psi, [QUIET] * 6)).line(REPORT, 0)
    assert line.split("M")[2] == "50,24.0 50,24.0 "
    assert line.count("M") == 3


def test_a_range_shows_its_part_of_the_past_and_all_links_keep_it() -> None:
    history = history_of(REPORT, [0.0] * 300, [QUIET] * 300, seconds=3_600.0)
    for asked, words in (("24h", "In the last 24 h"), ("7d", "In the last 7 days"), ("60d", "In the last 12 days")):
        assert words in tree_of(REPORT, Query(range=asked), history=history).words
    tree = tree_of(REPORT, Query(range="7d", theme="dark"), history=history)
    own = [link for link in tree.targets() if link.startswith(("?", "./"))]
    assert sum("range=7d" not in link for link in own) == 3
    assert sum("theme=dark" not in link for link in own) == 2
    assert {"type": "hidden", "name": "range", "value": "7d"} in [element for _, element in tree.elements]


def test_a_range_without_a_past_leaves_a_way_back() -> None:
    assert "60 days" in tree_of(REPORT, Query(range="2h")).words
    assert "60 days" not in tree_of(REPORT).words
