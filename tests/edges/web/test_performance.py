"""What the page says about performance."""

from __future__ import annotations

from driftgauge.edges.web.performance import performance_view

from tests.html_pages import empty_report, page_of
from tests.metrics.test_performance_gauges import report


def test_metrics_stand_beside_the_held_out_rows_and_their_limit() -> None:
    found = performance_view(report("binary"))
    assert found is not None
    assert (found.title, found.colour) == ("Worse", "critical")
    assert found.numbers["Accuracy"].endswith("0.9 on the held-out rows, limit 0.5")
    assert found.note.startswith("On the 600 newest matured predictions with ground truth")
    assert "50 % of predictions have it" in found.note
    assert [own.name for own in found.segments] == [f"carrier: {own}" for own in ("UA", "DL")] or [
        own.name for own in found.segments
    ] == ["carrier: DL", "carrier: UA"]


def test_few_labels_are_said_to_be_few() -> None:
    found = performance_view(report("regression", rows=50))
    assert found is not None
    assert (found.title, found.reason) == ("Not enough labels", "50 labelled rows, 200 needed.")


def test_the_page_has_a_section_where_there_is_ground_truth() -> None:
    shown = empty_report("x")
    text = page_of(shown, performance=report("multiclass"))
    assert "Macro F1" in text
    assert "carrier: UA" in text
    assert "Labels against the target of the reference" in text
    assert 'id="performance"' not in page_of(shown)


def test_nothing_is_said_without_a_report() -> None:
    assert performance_view(None) is None
