from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from driftgauge.drift.diagnosis.case import Case
from driftgauge.drift.diagnosis.causes import CauseKind
from driftgauge.drift.diagnosis.diagnosis import diagnose
from driftgauge.drift.diagnosis.found import Found
from driftgauge.drift.diagnosis.generic import cause
from driftgauge.drift.diagnosis.importances import Importances
from driftgauge.drift.diagnosis.ranking import chosen_signatures
from driftgauge.drift.reference.baseline import PREDICTION

from tests.drift.diagnosis.made import facts_of, made_baseline, table

NAMES: Final = ("distance", "temp", "hour", "weight", "city")


def drifted() -> Case:
    rows = table(2_000, 3)
    rows["temp"], rows["weight"] = rows["temp"] + 6.0, rows["weight"] + 40.0
    return Case(facts_of(made_baseline(), table(1_000, 2), rows))


def found(case: Case, kind: CauseKind, columns: tuple[int, ...], explained: float) -> Found:
    return Found(cause(case, kind, columns, "", {}), columns, explained)


def test_the_signature_that_explains_more_is_chosen_for_a_column() -> None:
    case = drifted()
    worse, better = found(case, "unit_change", (1,), 0.7), found(case, "scaled_feature", (1,), 0.95)
    assert chosen_signatures(case, [], [worse, better]) == [better]


def test_of_two_that_explain_the_same_the_clearer_is_chosen() -> None:
    case = drifted()
    scaled, unit = found(case, "scaled_feature", (1,), 0.95), found(case, "unit_change", (1,), 0.94)
    assert chosen_signatures(case, [], [scaled, unit]) == [unit]


def test_one_that_explains_several_columns_goes_before_one_of_a_single_column() -> None:
    case = drifted()
    joint, single = found(case, "traffic_mix", (4, 1, 3), 0.7), found(case, "unit_change", (1,), 0.99)
    other = found(case, "stuck_sensor", (2,), 0.9)
    assert chosen_signatures(case, [joint], [single, other]) == [joint, other]


def test_two_faults_in_different_columns_are_both_told() -> None:
    rows = table(2_000, 3)
    rows["temp"], rows["weight"] = np.full(2_000, np.nan), rows["weight"] * 1_000.0
    causes = diagnose(facts_of(made_baseline(), table(1_000, 2), rows)).causes
    assert {(own.kind, own.columns) for own in causes} == {
        ("missing_upstream", ("temp",)),
        ("unit_change", ("weight",)),
    }


def test_values_beyond_the_reference_come_first_though_the_feature_did_not_matter_within_it() -> None:
    rows = table(2_000, 3)
    rows["temp"], rows["weight"] = rows["temp"] + 3.0, rows["weight"] * 1_000.0
    shares = {"distance": 0.4, "temp": 0.01, "hour": 0.3, "weight": 0.0, "city": 0.29}
    facts = replace(
        facts_of(made_baseline(), table(1_000, 2), rows), importances=Importances("permutation", "roc_auc", shares)
    )
    first, second = diagnose(facts).causes[:2]
    assert (first.kind, first.columns, first.importance) == ("unit_change", ("weight",), 0.0)
    assert second.columns == ("temp",)
    assert first.score > second.score > 0.0


def test_without_importances_all_features_count_the_same_and_a_note_says_so() -> None:
    case = drifted()
    assert case.importance((0, 1, 2, 3, 4)) == 1.0
    assert case.importances[case.names.index(PREDICTION)] == 0.0
    assert "importances" in diagnose(case.facts).notes[1]
    known = replace(case.facts, importances=Importances("gain", "", dict.fromkeys(NAMES, 0.2)))
    assert not any("importances" in note for note in diagnose(known).notes)
