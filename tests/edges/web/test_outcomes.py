"""What the page says about labels and business outcomes."""

from __future__ import annotations

import math

from driftgauge.drift.performance.outcomes import OutcomeLimits, OutcomeRule, OutcomeSums, judge_versions
from driftgauge.edges.web.facts import Labels
from driftgauge.edges.web.outcomes import labels_list, outcome_rows

from tests.html_pages import empty_report, page_of

RULE = OutcomeRule("event", 86_400.0, limits=OutcomeLimits(below=(0.2, 0.1)))
CLICKS = judge_versions({"1": [OutcomeSums(80, 40.0, 40.0, 100)], "2": [OutcomeSums(100, 5.0, 5.0, 100)]}, RULE)
PARTS = {("click", "city", "north"): OutcomeSums(10, 1.0, 1.0, 20)}


def test_an_outcome_stands_with_its_versions_and_segments() -> None:
    rows = outcome_rows({"click": CLICKS}, PARTS)
    assert [own.name for own in rows] == ["click (event, 24 h)", "version 1", "version 2", "city: north"]
    assert [own.title for own in rows] == [
        "Within its limits",
        "Within its limits",
        "Beyond its limit",
        "Not enough rows",
    ]
    assert [own.covered for own in rows] == ["90 %", "80 %", "100 %", "50 %"]
    assert [own.limits for own in rows] == ["below 0.2 / 0.1", "", "", ""]
    assert rows[0].mean.startswith("0.25 (")


def test_an_outcome_without_limits_and_rows_says_so() -> None:
    none = judge_versions({}, OutcomeRule("number", 3_600.0))
    (row,) = outcome_rows({"revenue": none}, {})
    assert (row.mean, row.covered, row.limits, row.title) == ("–", "–", "–", "Not enough rows")
    some = judge_versions({"1": [OutcomeSums(50, 100.0, 300.0, 50)]}, OutcomeRule("number", 3_600.0))
    assert outcome_rows({"revenue": some}, {})[0].title == "No limits"


def test_labels_are_listed_once_some_came() -> None:
    assert labels_list(None) == {}
    assert labels_list(Labels({"matched": 0}, 0, math.nan, None)) == {}
    found = labels_list(Labels({"matched": 1_200, "orphan": 3}, 4, 7_200.0, 1_700_000_000.0))
    assert found["Matched"] == "1,200"
    assert found["Orphan"] == "3"
    assert found["Waiting for their prediction"] == "4"
    assert found["Mean time after the prediction"] == "2 h"
    assert found["Newest"].startswith("2023-11-14 22:13")


def test_the_page_has_sections_where_there_is_something_to_say() -> None:
    text = page_of(empty_report("x"), outcomes={"click": CLICKS}, labels=Labels({"matched": 9}, 0, 1.0, None))
    assert 'id="outcomes"' in text
    assert 'id="labels"' in text
    bare = page_of(empty_report("x"))
    assert 'id="outcomes"' not in bare
    assert 'id="labels"' not in bare
