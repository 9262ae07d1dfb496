from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.diagnosis.case import Case
from driftgauge.drift.diagnosis.diagnosis import diagnose
from driftgauge.drift.diagnosis.reweighting import group_weights, live_rate, reweighted

from tests.drift.diagnosis.made import as_rows, facts_of, made_baseline, of_class, performance, table

MIXED = (0.1, 0.1, 0.8)


@pytest.mark.parametrize("mix", [(0.35, 0.15, 0.5), MIXED])
def test_another_mix_of_groups_is_told_with_the_group_that_grew(mix: tuple[float, ...]) -> None:
    found = diagnose(facts_of(made_baseline(), table(2_000, 2), table(2_500, 3, mix))).first
    assert found is not None
    assert (found.kind, found.columns) == ("traffic_mix", ("city",))
    assert found.evidence["group"] == "east"
    assert found.evidence["share"] == pytest.approx(mix[2], abs=0.05)
    assert {"distance", "temp"} & set(found.explains)


def test_the_group_of_a_redacted_column_is_not_named() -> None:
    facts = facts_of(made_baseline(), table(2_000, 2), table(2_500, 3, MIXED), redacted=frozenset({"city"}))
    found = diagnose(facts)
    assert found.first is not None
    assert (found.first.kind, found.first.columns) == ("traffic_mix", ("city",))
    assert "of one group" in found.first.why
    assert "east" not in repr(found)


def test_rows_weighted_by_their_group_look_like_the_reference() -> None:
    case = Case(facts_of(made_baseline(), table(3_000, 3, MIXED)))
    weights = group_weights(case, case.names.index("city"), 0)
    assert weights is not None
    found = reweighted(case, 0, weights)
    assert found.before.max() > 0.3
    assert found.after.max() < 0.1 * found.before.max()
    assert found.independent < 3_000


def test_a_group_that_is_gone_cannot_be_weighted_for() -> None:
    case = Case(facts_of(made_baseline(), table(2_000, 3, (0.0, 0.5, 0.5))))
    assert group_weights(case, case.names.index("city"), 0) is None


def test_kept_rows_stand_for_groups_that_are_gone() -> None:
    facts = facts_of(made_baseline(), table(2_000, 2), table(2_500, 3, (0.0, 0.1, 0.9)))
    assert "traffic_mix" not in {own.kind for own in diagnose(facts).causes}
    kept = as_rows(made_baseline(), table(2_000, 8))
    found = diagnose(replace(facts, reference_rows=kept)).first
    assert found is not None
    assert (found.kind, found.columns, found.evidence["group"]) == ("traffic_mix", ("city",), "east")


@pytest.mark.parametrize("rate", [0.75, 0.9])
def test_another_share_of_the_classes_is_told_from_scores_alone(rate: float) -> None:
    facts = facts_of(made_baseline(), table(2_000, 2), of_class(2_500, 3, rate))
    found = diagnose(facts).first
    assert found is not None
    assert found.kind == "label_shift"
    assert found.evidence["positive_rate"] == pytest.approx(rate, abs=0.06)
    assert "distance" in found.explains
    assert diagnose(replace(facts, is_binary=False)).first != found


def test_labels_that_have_not_changed_rule_a_label_shift_out() -> None:
    facts = facts_of(made_baseline(), table(2_000, 2), of_class(2_500, 3, 0.75))
    scores = table(2_000, 11)["prediction"]
    labels = (np.random.default_rng(5).random(2_000) < scores).astype(np.float64)
    found = diagnose(replace(facts, performance=performance(scores, labels)))
    assert "label_shift" not in {own.kind for own in found.causes}


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.8])
def test_the_live_share_of_a_class_is_found_from_calibrated_scores(rate: float) -> None:
    usual = float(table(20_000, 1)["prediction"].mean())
    assert live_rate(of_class(5_000, 7, rate)["prediction"], usual) == pytest.approx(rate, abs=0.04)


def test_a_shift_of_one_feature_is_no_label_shift() -> None:
    rows = table(2_500, 3)
    rows["weight"] = rows["weight"] + 40.0
    found = diagnose(facts_of(made_baseline(), table(2_000, 2), rows))
    assert [own.kind for own in found.causes] == ["column_drift"]
