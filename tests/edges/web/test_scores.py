"""The sections on the columns that are no features have a title each."""

from __future__ import annotations

from driftgauge.edges.web.query import Query
from driftgauge.edges.web.scores import score_views

from tests.edges.web.test_verdict import outlier_report
from tests.html_pages import Tree, page_of, report_of


def test_the_share_of_outliers_is_not_called_a_score() -> None:
    score, outlier = score_views(outlier_report(), Query())
    assert (score.title, score.name) == ("Score", "prediction")
    assert score.means.startswith("Mean 0.")
    assert (outlier.title, outlier.name, outlier.means) == ("Outlier or not", "prediction_outlier", "")


def test_each_section_labels_its_table_with_its_own_column() -> None:
    page = Tree(page_of(outlier_report()))
    labels = [attributes.get("aria-label") for _, attributes in page.elements]
    assert "Bins of prediction (score)" in labels
    assert "Bins of prediction_outlier (outlier or not)" in labels


def test_features_have_no_section() -> None:
    assert score_views(report_of(), Query()) == []
