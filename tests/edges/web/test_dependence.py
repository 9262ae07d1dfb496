from __future__ import annotations

from driftgauge.edges.web.dependence import BOTTOM, TOP, dependence_view

from tests.edges.web.diagnoses import CATEGORIES, NUMBERS


def test_a_line_goes_from_the_smallest_score_to_the_largest_and_new_values_are_shaded() -> None:
    view = dependence_view(NUMBERS)
    assert view is not None
    assert view.path.startswith(f"M10.0 {BOTTOM:.1f} L30.0 ")
    assert view.path.endswith(f"L90.0 {TOP:.1f}")
    assert view.new == "M60.0 0h40.0V96h-40.0Z"
    assert view.marks == [(TOP, "0.9"), (BOTTOM, "0.2")]
    assert (view.first, view.last) == ("10", "90")
    assert view.rows[-1] == ("90", "0.9", "hardly")


def test_categories_and_missing_values_are_stretches_of_their_own() -> None:
    view = dependence_view(CATEGORIES)
    assert view is not None
    assert view.path.count("M") == view.path.count("h") == 3
    assert view.marks == [(BOTTOM, "0.2")]
    assert [row[0] for row in view.rows] == ["north", "<b>", "missing"]


def test_without_a_dependence_there_is_no_chart() -> None:
    assert dependence_view(None) is None
