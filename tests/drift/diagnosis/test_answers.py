from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.diagnosis.diagnosis import diagnose
from driftgauge.drift.diagnosis.facts import Facts
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories

from tests.drift.diagnosis.made import CREATED, START, facts_of, made_baseline, performance, table


def quiet() -> Facts:
    return facts_of(made_baseline(), table(3_000, 2))


def truth(seed: int, flipped: float) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng([seed, 1])
    scores = table(3_000, seed)["prediction"]
    labels = rng.random(3_000) < scores
    return scores, (labels != (rng.random(3_000) < flipped)).astype(np.float64)


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_one_answer_for_different_inputs_is_told(share: float) -> None:
    rows = table(2_000, 3)
    rows["prediction"] = np.where(np.random.default_rng(4).random(2_000) < share, 0.02, rows["prediction"])
    found = diagnose(facts_of(made_baseline(), table(1_500, 2), rows)).first
    assert found is not None
    assert (found.kind, found.columns) == ("constant_answers", ("prediction",))
    assert found.evidence["value"] == 0.02


def test_scores_that_vary_within_one_class_are_one_class() -> None:
    rows = table(3_000, 3)
    rows["prediction"] = 0.45 * rows["prediction"]
    found = diagnose(facts_of(made_baseline(), table(1_500, 2), rows)).first
    assert found is not None
    assert (found.kind, found.evidence["class"]) == ("constant_answers", "the negative class")


def test_answers_that_move_without_inputs_are_another_models() -> None:
    rows = table(3_000, 3)
    rows["prediction"] = rows["prediction"] ** 0.6
    found = diagnose(facts_of(made_baseline(), table(1_500, 2), rows)).first
    assert found is not None
    assert found.kind == "score_drift"


def test_worse_answers_for_the_usual_inputs_are_concept_drift() -> None:
    facts = replace(quiet(), performance=performance(*truth(11, 0.3), since=START))
    found = diagnose(facts)
    assert found.first is not None
    assert (found.first.kind, found.first.since) == ("concept_drift", START)
    assert [step.status for step in found.steps] == ["unknown", "fine", "fine", "wrong", "fine"]


def test_truth_as_usual_is_no_concept_drift() -> None:
    found = diagnose(replace(quiet(), performance=performance(*truth(11, 0.0))))
    assert found.state == "nothing_wrong"
    assert found.steps[3].status == "fine"


def test_a_drop_of_performance_after_a_change_of_inputs_comes_after_that() -> None:
    rows = table(1_500, 3)
    rows["distance"] = rows["distance"] * 1_000.0
    facts = facts_of(made_baseline(), table(1_500, 2), rows, performance=performance(*truth(11, 0.3), since=START))
    assert [own.kind for own in diagnose(facts).causes] == ["unit_change", "performance_drop"]


def test_answers_that_changed_largely_but_not_significantly_are_not_called_usual() -> None:
    rows = table(2_000, 3)
    rows["prediction"] = np.where(np.random.default_rng(4).random(2_000) < 0.5, 0.02, rows["prediction"])
    facts = facts_of(made_baseline(), table(1_500, 2), rows, performance=performance(*truth(11, 0.3), since=START))
    verdicts = tuple(
        replace(own, severity=None, finding=own.finding and replace(own.finding, significant=False))
        for own in facts.report.verdicts
    )
    found = diagnose(replace(facts, report=replace(facts.report, verdicts=verdicts)))
    assert [own.kind for own in found.causes] == ["constant_answers", "performance_drop"]


@pytest.mark.parametrize(
    ("code", "name"), [(1, "B"), (2, "a class that the reference does not have"), (-1, "no class")]
)
def test_the_class_that_is_always_answered_is_named(code: int, name: str) -> None:
    def rows(seed: int, classes: Any) -> dict[str, Any]:
        numbers = np.random.default_rng(seed).normal(size=2_000)
        return {"x": numbers, "prediction_class": Categories(classes(numbers), ("A", "B", "C"))}

    def usual(numbers: Any) -> Any:
        return (numbers > 0.0).astype(np.int64)

    baseline = build_baseline(rows(1, usual), created=CREATED)
    live = rows(3, lambda numbers: np.full(len(numbers), code))
    found = diagnose(facts_of(baseline, rows(2, usual), live, is_binary=False)).first
    assert found is not None
    assert (found.kind, found.evidence["class"]) == ("constant_answers", name)
