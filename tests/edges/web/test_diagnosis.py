from __future__ import annotations

from dataclasses import replace

from driftgauge.edges.web.diagnosis import MOST_CAUSES, diagnosis_view
from driftgauge.edges.web.query import Query

from tests.edges.web.diagnoses import NUMBERS, RIGHT, UNIT, WRONG
from tests.html_pages import mixed_report, tree_of


def test_the_page_shows_the_first_cause_with_what_to_do_and_what_was_looked_at() -> None:
    tree = tree_of(mixed_report(), diagnosis=WRONG, dependence=NUMBERS)
    for words in (
        "Diagnosis Something is wrong",
        "Most likely: Change of unit: temp <i>",
        "2. Drift of a column: temp <i>",
        "temp is 1.8 times the reference's. Since 2023-11-14 20:13 UTC, 2 h ago.",
        "It also explains the change of wind.",
        "curl -s 'http://h/drift/status?feature=temp'",
        "Rank score 3.14, importance 42 %; factor 1.8; unit °F as °C; offset –",
        "Ground truth unknown",
        "A note.",
        "driftgauge diagnose says what to do about each.",
        "Score by temp",
    ):
        assert words in tree.words, words
    assert "?feature=temp+%3Ci%3E" in tree.targets()
    assert len(tree.having("id", "diagnosis")) == 1


def test_a_page_on_which_nothing_is_wrong_says_so_in_a_line() -> None:
    tree = tree_of(mixed_report(), diagnosis=RIGHT)
    assert "Diagnosis: Nothing is wrong Nothing is wrong." in tree.words
    assert "What was looked at" not in tree.words
    assert len(tree.having("id", "diagnosis")) == 1


def test_a_page_without_a_diagnosis_and_that_of_a_feature_show_none() -> None:
    assert tree_of(mixed_report()).having("id", "diagnosis") == []
    report = mixed_report()
    assert tree_of(report, Query(features=report.baseline.names[:1]), diagnosis=WRONG).having("id", "diagnosis") == []
    assert diagnosis_view(None, None, Query()) is None


def test_something_wrong_without_a_cause_is_said() -> None:
    assert "Most likely" not in tree_of(mixed_report(), diagnosis=replace(WRONG, causes=())).words
    assert WRONG.summary in tree_of(mixed_report(), diagnosis=replace(WRONG, causes=())).words


def test_of_many_causes_the_first_are_listed() -> None:
    many = diagnosis_view(replace(WRONG, causes=(UNIT,) * (MOST_CAUSES + 2)), None, Query())
    assert many is not None
    assert (len(many.causes), many.left_out) == (MOST_CAUSES, 2)
    tree = tree_of(mixed_report(), diagnosis=replace(WRONG, causes=(UNIT,) * (MOST_CAUSES + 2)))
    assert "says what to do about each, and lists 2 more." in tree.words
    assert tree.words.count("curl -s") == 1  # of the first
