from __future__ import annotations

import pytest
from driftgauge.predictions.labels import (
    FINAL,
    LABEL,
    NO_CLASS,
    Fate,
    FoundPrediction,
    GivenLabel,
    Join,
    KnownLabel,
    LabelTally,
    Translation,
)

NOW = 1_700_000_000_000_000
CLASSES = Translation({1: ("no", "yes"), 2: ("yes", "no"), 3: ("no", "maybe"), 4: ()})
JOIN = Join(version=1, now=NOW, translation=CLASSES)
GIVEN = GivenLabel(b"a", 1.0, observed=NOW - 5)
FOUND = FoundPrediction(time=NOW - 100, seq=7, version=1)
KNOWN = KnownLabel(value=0.0, version=1, observed=NOW - 50, time=NOW - 100, seq=7, received=NOW - 40)


def fate(
    given: GivenLabel = GIVEN,
    known: KnownLabel | None = None,
    found: FoundPrediction | None = None,
    *,
    is_sampled: bool = True,
) -> tuple[Fate, KnownLabel | None]:
    return JOIN.fate(given, known, found, is_sampled=is_sampled)


def test_the_first_label_of_a_logged_prediction_matches_it() -> None:
    assert fate(found=FOUND) == (Fate.MATCHED, KnownLabel(1.0, 1, NOW - 5, NOW - 100, 7, NOW))


def test_a_label_without_a_time_became_known_when_it_arrived() -> None:
    _, stored = fate(GivenLabel(b"a", 1.0), found=FOUND)
    assert stored is not None
    assert stored.observed == NOW


def test_the_same_again_changes_nothing() -> None:
    assert fate(GivenLabel(b"a", 0.0), KNOWN, FOUND) == (Fate.REPEATED, None)


def test_another_value_is_a_correction_and_replaces_the_first() -> None:
    assert fate(GIVEN, KNOWN, FOUND) == (Fate.CORRECTED, KnownLabel(1.0, 1, NOW - 5, NOW - 100, 7, NOW))


def test_a_label_of_an_unknown_prediction_waits_and_is_joined_later() -> None:
    waiting = KnownLabel(1.0, 1, NOW - 5, None, None, NOW)
    assert fate() == (Fate.WAITING, waiting)
    assert fate(GIVEN, waiting, FOUND) == (Fate.REPEATED, None)  # `settle` counts the match
    corrected = fate(GivenLabel(b"a", 0.0), waiting, FOUND)
    assert corrected == (Fate.CORRECTED, KnownLabel(0.0, 1, NOW, None, None, NOW))


def test_a_label_outside_the_sample_is_not_kept() -> None:
    assert fate(is_sampled=False) == (Fate.NOT_SAMPLED, None)


def test_a_label_is_stored_by_the_classes_of_the_version_that_predicted() -> None:
    def value(version: int, outcome: str = LABEL) -> float:
        _, stored = fate(GivenLabel(b"a", 1.0, outcome=outcome), found=FoundPrediction(NOW, 7, version))
        assert stored is not None
        return stored.value

    assert value(1) == 1.0
    assert value(2) == 0.0  # "yes" comes first there
    assert value(3) == NO_CLASS
    assert value(2, outcome="click") == 1.0  # an outcome is no class


def test_a_label_is_compared_with_the_known_one_by_the_same_classes() -> None:
    known = KnownLabel(0.0, 2, NOW, NOW - 100, 7, NOW)  # "yes"
    assert fate(GIVEN, known, FOUND) == (Fate.REPEATED, None)


@pytest.mark.parametrize(("source", "target"), [(4, 4), (4, 1), (1, 1)])
def test_numbers_and_equal_classes_stay_as_they_are(source: int, target: int) -> None:
    assert CLASSES.value(1.0, LABEL, source, target) == 1.0


def test_a_class_that_is_missing_stays_missing() -> None:
    assert CLASSES.value(NO_CLASS, LABEL, 3, 1) == NO_CLASS


def test_a_tally_keeps_labels_and_outcomes_apart() -> None:
    tally = LabelTally()
    tally.count(Fate.MATCHED, LABEL, 3.0)
    tally.count(Fate.MATCHED, "click", 5.0)
    assert (dict(tally.fates), dict(tally.outcome_fates), tally.lags) == ({"matched": 1}, {"matched": 1}, [3.0])


def test_a_label_that_waits_is_counted_later() -> None:
    assert {*FINAL, Fate.WAITING} == set(Fate)
