"""What the page says of attributions."""

from __future__ import annotations

from driftgauge.drift.attribution.known import KnownAttributions
from driftgauge.edges.web.attributions import attributions_view

from tests.drift.attribution.test_known import known


def test_the_features_that_decide_are_named_with_their_shares() -> None:
    view = attributions_view(known(0.5))
    assert view is not None
    assert (view.title, view.colour) == ("Other features decide", "warning")
    assert view.reason.startswith("NDCG 0.500, limit 0.9")
    assert [(row.feature, row.share, row.reference, row.is_significant) for row in view.rows] == [
        ("x", "25 %", "75 %", True),
        ("y", "75 %", "25 %", True),
    ]
    assert "500 rows of the main window against 2,000 of the reference, found by TreeSHAP" in view.note


def test_the_same_ranking_is_normal() -> None:
    view = attributions_view(known(0.99))
    assert view is not None
    assert (view.title, view.colour) == ("The same features decide", "normal")


def test_without_a_comparison_there_are_no_shares() -> None:
    assert attributions_view(None) is None
    for found, title in [
        (KnownAttributions(), "Not compared yet"),
        (known(0.5, is_stale=True), "Not compared lately"),
        (known(None), "Too few rows"),
    ]:
        view = attributions_view(found)
        assert view is not None
        assert (view.title, view.colour, view.rows) == (title, "unknown", ())
