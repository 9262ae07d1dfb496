from __future__ import annotations

import math

import pytest
from driftgauge.drift.diagnosis.importances import Importances, equal_shares


def test_measured_importances_become_shares_and_negative_ones_count_as_zero() -> None:
    found = Importances.of_measured("permutation", "roc_auc", {"age": 0.3, "city": 0.1, "noise": -0.2, "odd": math.nan})
    assert found.shares == pytest.approx({"age": 0.75, "city": 0.25, "noise": 0.0, "odd": 0.0})


def test_where_no_importance_is_above_zero_all_are_equal() -> None:
    assert Importances.of_measured("permutation", "", {"a": -1.0, "b": 0.0}).shares == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize("shares", [{"a": -0.5, "b": 1.5}, {"a": math.nan}, {"a": 0.4, "b": 0.4}])
def test_shares_that_are_none_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"importance"):
        Importances("permutation", "", shares)


def test_a_feature_that_was_not_measured_has_no_share() -> None:
    assert Importances("gain", "", equal_shares(["a", "b"])).of("c") == 0.0
