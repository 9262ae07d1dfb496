from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.drift.verdict.policy import SIZE_THRESHOLDS, ColumnPolicy, Pair, Policy, Statistic
from driftgauge.errors import SettingsError

UNREACHABLE = "cannot be reached: both must be below 1"
NOT_RISING = "must be above 0, the second not below the first"


@pytest.mark.parametrize(
    ("statistic", "pair", "problem"),
    [
        ("ks", (0.5, 1.0), f"ks: 0.5:1 {UNREACHABLE}"),
        ("js", (0.5, 1.5), f"js: 0.5:1.5 {UNREACHABLE}"),
        ("chi2", (1.0, 1.0), f"chi2: 1:1 {UNREACHABLE}"),
        ("kl", (0.3, 0.2), f"kl: 0.3:0.2 {NOT_RISING}"),
        ("wasserstein", (0.0, 0.2), f"wasserstein: 0:0.2 {NOT_RISING}"),
        ("wasserstein", (0.1, math.inf), f"wasserstein: 0.1:inf {NOT_RISING}"),
    ],
)
def test_thresholds_that_a_statistic_cannot_have_are_refused(statistic: Statistic, pair: Pair, problem: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Policy(size_thresholds={statistic: pair})
    assert str(refused.value) == problem
    with pytest.raises(SettingsError) as refused:
        Policy(columns={"age": ColumnPolicy(size_thresholds={statistic: pair})})
    assert str(refused.value) == f"age: {problem}"


def test_statistics_without_an_upper_bound_have_any_rising_thresholds() -> None:
    policy = Policy(size_thresholds={"kl": (1.0, 2.0), "wasserstein": (3.0, 3.0)})
    assert policy.size_pair("age", "kl") == (1.0, 2.0)
    assert policy.size_pair("age", "wasserstein") == (3.0, 3.0)


def test_thresholds_are_those_of_the_column_or_of_all_or_the_usual_ones() -> None:
    own = ColumnPolicy(size_thresholds={"ks": (0.3, 0.4)}, psi_thresholds=(0.5, 0.6))
    policy = Policy(columns={"age": own}, size_thresholds={"ks": (0.15, 0.25)})
    assert [policy.size_pair(name, "ks") for name in ("age", "city")] == [(0.3, 0.4), (0.15, 0.25)]
    assert [policy.size_pair(name, "psi") for name in ("age", "city")] == [(0.5, 0.6), (0.1, 0.2)]
    assert policy.size_pair("age", "js") == SIZE_THRESHOLDS


def test_a_column_without_alerts_has_no_thresholds_of_missing_and_unseen_values() -> None:
    policy = Policy(columns={"age": ColumnPolicy(alert=False), "city": ColumnPolicy(unseen_thresholds=(0.2, 0.3))})
    names = ("age", "city", "size")
    np.testing.assert_array_equal(policy.thresholds("unseen", names), [[math.nan] * 2, [0.2, 0.3], [0.01, 0.05]])
    np.testing.assert_array_equal(policy.thresholds("psi", names), [[0.1, 0.2]] * 3)


def test_a_column_that_is_not_monitored_is_named() -> None:
    policy = Policy(columns={"age": ColumnPolicy(monitor=False), "city": ColumnPolicy()})
    assert policy.ignored == ("age",)
    assert policy.monitored(("city", "age")).tolist() == [True, False]
