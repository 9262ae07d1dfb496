from __future__ import annotations

from dataclasses import replace

from driftgauge.drift.diagnosis.dependence import dependence_in_words

from tests.edges.web.diagnoses import CATEGORIES, NUMBERS


def test_scores_over_the_reference_and_over_new_values_are_told_apart() -> None:
    assert dependence_in_words(NUMBERS) == (
        "Over the reference's values of temp the mean score is 0.2 to 0.3 (10 to 30); over the new ones it is "
        "0.5 to 0.9 (50 to 90) (200 rows, all else as it is)."
    )
    assert "is 0.2 (north); over the new ones it is 0.2 (<b>, missing) (20 rows" in dependence_in_words(CATEGORIES)


def test_without_new_values_or_without_usual_ones_one_range_is_said() -> None:
    usual = replace(NUMBERS, points=NUMBERS.points[:1], means=(0.2,), spreads=(0.1,))
    assert dependence_in_words(usual).startswith("Over the values of temp the mean score is 0.2 (10) (")
    new = replace(NUMBERS, points=NUMBERS.points[3:], means=(0.5, 0.9), spreads=(0.1, 0.1))
    assert dependence_in_words(new).startswith("All values of temp are new; over them the mean score is 0.5 to 0.9")
