from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.diagnosis.mixture import LiveValues
from scipy.stats import ks_2samp

RNG = np.random.default_rng(1)
REFERENCE = np.quantile(RNG.gamma(3.0, 2.0, 20_000), (np.arange(512) + 0.5) / 512)


@pytest.mark.parametrize("share", [0.25, 0.6, 1.0])
def test_the_share_of_changed_rows_is_found(share: float) -> None:
    rng = np.random.default_rng(2)
    values = rng.gamma(3.0, 2.0, 3_000)
    values = np.where(rng.random(3_000) < share, 10.0 * values, values)
    fit = LiveValues(values, REFERENCE).fit_of(lambda x: 10.0 * x)
    assert fit.is_good
    assert fit.share == pytest.approx(share, abs=0.04)
    assert fit.explained > 0.9


def test_distances_are_those_of_kolmogorov_and_smirnov() -> None:
    values = np.random.default_rng(3).gamma(3.0, 2.5, 1_000)
    fit = LiveValues(values, REFERENCE).fit(REFERENCE)
    assert fit.before == fit.misfit == pytest.approx(ks_2samp(values, REFERENCE).statistic, abs=1e-9)
    assert not fit.is_good


def test_a_change_that_did_not_happen_explains_nothing() -> None:
    values = np.random.default_rng(4).gamma(3.0, 2.0, 3_000) + 4.0
    assert not LiveValues(values, REFERENCE).fit_of(lambda x: 10.0 * x).is_good


def test_dependent_rows_count_as_fewer() -> None:
    values = np.random.default_rng(5).gamma(3.0, 2.0, 1_000)
    independent, dependent = (LiveValues(values, REFERENCE, tau).fit(REFERENCE) for tau in (1.0, 25.0))
    assert dependent.chance == pytest.approx(5.0 * independent.chance)


def test_values_as_large_as_a_number_can_be_are_behind_all_others() -> None:
    values = np.full(1_000, np.finfo(np.float64).max)
    assert LiveValues(values, REFERENCE).fit(values[:1]).is_good
