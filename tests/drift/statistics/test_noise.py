from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.statistics.divergences import cramers_v, kl_divergence
from driftgauge.drift.statistics.noise import (
    js_noise,
    kl_noise,
    ks_noise,
    v_noise,
    wasserstein_noise,
    wasserstein_unit,
    without_noise,
)
from driftgauge.drift.statistics.psi import js_distance, psi
from scipy.stats import ks_2samp, wasserstein_distance

TRIALS = 2_000


@pytest.mark.parametrize(
    ("statistic", "noise", "power"),
    [(kl_divergence, kl_noise, 1), (js_distance, js_noise, 2), (cramers_v, v_noise, 2)],
)
@pytest.mark.parametrize("rows", [500, 2_000])
def test_the_noise_of_bins_is_what_windows_without_drift_have_on_average(
    statistic: Callable[[FloatArray, FloatArray], FloatArray],
    noise: Callable[[FloatArray], FloatArray],
    power: int,
    rows: int,
) -> None:
    rng, shares = np.random.default_rng(1), np.full(10, 0.1)
    current = rng.multinomial(rows, shares, TRIALS).astype(np.float64)
    reference = rng.multinomial(10_000, shares, TRIALS).astype(np.float64)
    found = float(np.mean(statistic(current, reference) ** power)) ** (1.0 / power)
    expected = noise(psi(current, reference).noise)
    assert found == pytest.approx(float(expected[0]), rel=0.04)


@pytest.mark.parametrize("shape", ["normal", "exponential", "lognormal"])
def test_the_noise_of_values_is_what_windows_without_drift_have_on_average(shape: str) -> None:
    rng, rows, m = np.random.default_rng(2), 500, 4_000
    draw: dict[str, Callable[[int], FloatArray]] = {
        "normal": rng.standard_normal,
        "exponential": lambda n: rng.exponential(size=n),
        "lognormal": lambda n: rng.lognormal(0.0, 0.5, n),
    }
    samples = [(draw[shape](rows), draw[shape](m)) for _ in range(400)]
    ordered = np.sort(draw[shape](512 * 200))
    large, ends = ordered.reshape(512, 200)[:, 100], ordered[[0, -1]]
    unit = wasserstein_unit(large[None, :], np.array([512]), ends[None, :], np.array([float(len(ordered))]))
    sizes = np.array([float(rows)]), np.array([float(m)])
    ks = float(np.sqrt(np.mean([ks_2samp(*pair).statistic ** 2 for pair in samples])))
    distance = float(np.sqrt(np.mean([wasserstein_distance(*pair) ** 2 for pair in samples])))
    assert ks == pytest.approx(float(ks_noise(*sizes)[0]), rel=0.06)
    assert distance == pytest.approx(float(wasserstein_noise(unit, *sizes)[0]), rel=0.08)


def test_two_values_have_the_noise_of_their_share() -> None:
    z = np.repeat([0.0, 1.0], [384, 128])[None, :]
    unit = wasserstein_unit(z, np.array([512]), np.array([[0.0, 1.0]]), np.array([10_000.0]))
    assert unit[0] == pytest.approx(np.sqrt(0.25 * 0.75), rel=0.01)


def test_the_noise_of_values_counts_those_beyond_the_outermost_quantiles() -> None:
    rng, rows, m = np.random.default_rng(3), 1_000, 10_000
    found, expected = [], []
    for _ in range(6):
        baseline = build_baseline({"x": rng.lognormal(0.0, 2.0, m)}, created="2026-01-01T00:00:00Z")
        windows = [baseline.sample_comparison(rng.lognormal(0.0, 2.0, (1, rows))) for _ in range(60)]
        found += [float(window.wasserstein_ratio[0]) ** 2 for window in windows]
        unit = baseline.sizing.wasserstein_unit
        expected.append(float(wasserstein_noise(unit, np.array([float(rows)]), np.array([float(m)]))[0]) ** 2)
    assert np.sqrt(np.mean(expected)) == pytest.approx(np.sqrt(np.mean(found)), rel=0.25)


def test_there_is_no_noise_without_rows_or_without_a_reference() -> None:
    nothing, some = np.array([0.0]), np.array([100.0])
    assert np.isnan(ks_noise(nothing, some)).all()
    assert np.isnan(ks_noise(some, nothing)).all()
    unknown = np.full((1, 2), np.nan)
    assert np.isnan(wasserstein_unit(unknown[:, :1], np.array([0]), unknown, np.array([0.0]))).all()


def test_noise_is_subtracted_from_a_divergence_and_from_the_square_of_a_distance() -> None:
    value, noise = np.array([0.5, 0.2, np.nan]), np.array([0.3, 0.3, 0.3])
    assert without_noise(value, noise, is_distance=False) == pytest.approx([0.2, 0.0, np.nan], nan_ok=True)
    assert without_noise(value, noise, is_distance=True) == pytest.approx([0.4, 0.0, np.nan], nan_ok=True)
