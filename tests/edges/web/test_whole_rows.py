"""What the page says of whole rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driftgauge.drift.multivariate.compared import ComparedRows
from driftgauge.edges.web.whole_rows import whole_rows_view

from tests.drift.multivariate.test_compared import known


@pytest.mark.parametrize(
    ("low", "in_verdict", "colour", "part"),
    [(0.9, False, "normal", "It is no part of the verdict."), (0.9, True, "critical", "It is part of the verdict.")],
)
def test_rows_that_are_told_apart_have_the_colour_of_their_severity(
    low: float, in_verdict: bool, colour: str, part: str
) -> None:
    view = whole_rows_view(known(low, in_verdict=in_verdict))
    assert view is not None
    assert (view.title, view.colour, view.reason) == ("MessageAlert apart", colour, "rows can be told apart")
    assert view.note == (
        f"1,500 of the newest rows against 2,000 of the reference, compared at 2023-11-14 22:13:20 UTC. {part}"
    )
    assert view.columns == [("age", "0.10")]


def test_a_stale_comparison_is_said_to_be_one() -> None:
    view = whole_rows_view(replace(known(0.9, in_verdict=True), is_stale=True))
    assert view is not None
    assert (view.title, view.colour, view.columns) == ("Not compared lately", "unknown", ())


def test_too_few_rows_are_no_difference() -> None:
    found = known(0.9)
    assert found.last is not None
    report = replace(found.last.report, separation=None, columns=(), reason="not enough data")
    view = whole_rows_view(replace(found, last=replace(found.last, report=report)))
    assert view is not None
    assert (view.title, view.colour, view.reason) == ("Too few rows", "unknown", "not enough data")


def test_a_server_says_that_nothing_was_compared_yet_and_another_one_says_nothing() -> None:
    view = whole_rows_view(ComparedRows())
    assert view is not None
    assert (view.title, view.note) == ("Not compared yet", "It is no part of the verdict.")
    assert whole_rows_view(None) is None
