"""What the page says of the share of outliers."""

from __future__ import annotations

import math
from dataclasses import replace

from driftgauge.drift.novelty.share import OutlierShare
from driftgauge.edges.web.outliers import outliers_view

from tests.drift.rolling.test_report import report_on
from tests.html_pages import Tree, page_of

MANY = OutlierShare({"1000": 0.25, "1h": math.nan}, 0.001, 0.2, "1000", 1_000, is_high=True)


def test_a_high_share_is_a_warning() -> None:
    found = outliers_view(MANY)
    assert found is not None
    assert (found.title, found.colour) == ("Many", "warning")
    assert found.note.startswith("25 % of the newest 1,000 rows are unlike the reference. The reference has 0.1 %,")


def test_a_share_within_the_limit_is_no_warning() -> None:
    found = outliers_view(replace(MANY, ratios={"1000": 0.01}, is_high=False))
    assert found is not None
    assert (found.title, found.colour) == ("Within the limit", "normal")


def test_without_rows_no_share_is_said() -> None:
    found = outliers_view(replace(MANY, ratios={"1000": math.nan}, rows=0, is_high=False))
    assert found is not None
    assert (found.title, found.note) == ("No rows", "The reference has 0.1 %, and the limit is 20 %.")


def test_the_section_is_there_only_where_outliers_are_watched() -> None:
    assert outliers_view(None) is None
    report = report_on(age=40.0)
    assert "are unlike the reference" in Tree(page_of(report, outliers=MANY)).words
    assert "are unlike the reference" not in Tree(page_of(report)).words
