from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import dumps
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.drift.reference.expected_range import SPANS, STEPS
from driftgauge.drift.statistics.noise import ks_noise
from driftgauge.models.baseline_file import loads
from scipy.stats import ks_2samp, wasserstein_distance

CREATED = "2026-01-01T00:00:00Z"
ROWS, SIZE = 8_000, 1_000


def _seasonal(seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    return np.sin(np.arange(ROWS) / 400.0) + rng.normal(0.0, 0.5, ROWS)


def _slid(values: FloatArray) -> list[FloatArray]:
    """Return the windows that are measured."""
    found = []
    for span in SPANS:
        size = round(SIZE * span)
        step = size // STEPS
        found += [values[start : start + step * STEPS] for start in range(0, len(values) - size + 1, step)]
        found.append(values[-size:])
    return found


def test_the_expected_range_of_values_is_the_largest_of_all_windows() -> None:
    values = _seasonal()
    values[::7] = 0.5  # a heavy value, so that both sides of a tie count
    built = build_baseline(
        {"x": values}, created=CREATED, ordered_by="t", window_sizes=(SIZE,), statistics=("ks", "wasserstein")
    )
    known = built.columns[0].expected_sizes
    windows = _slid(values)
    largest = max(
        ks_2samp(own, values).statistic ** 2 - float(ks_noise(np.array([len(own)]), np.array([ROWS]))[0]) ** 2
        for own in windows
    )
    assert known["ks"][SIZE] == pytest.approx(np.sqrt(largest), abs=0.004)
    farthest = max(float(wasserstein_distance(own, values)) for own in windows) / values.std()
    assert known["wasserstein"][SIZE] == pytest.approx(farthest, rel=0.02)


def test_the_expected_range_of_bins_is_above_noise_where_the_reference_varies() -> None:
    rng = np.random.default_rng(1)
    table: dict[str, FloatArray | Categories] = {
        "seasonal": _seasonal(),
        "steady": rng.normal(size=ROWS),
        "city": Categories(rng.integers(0, 3, ROWS), ("a", "b", "c")),
    }
    built = build_baseline(
        table, created=CREATED, ordered_by="t", window_sizes=(SIZE,), statistics=("js", "kl", "chi2", "ks")
    )
    for name in ("js", "kl", "chi2"):
        seasonal, steady, city = (column.expected_sizes[name][SIZE] for column in built.columns)
        assert seasonal > 0.2 > 0.1 > max(steady, city)
    assert "ks" not in built.columns[2].expected_sizes
    assert built.sizing.expected_range("ks", 5_000)[2] == 0.0


def test_a_baseline_without_other_statistics_is_written_as_before_and_one_with_them_is_read_again() -> None:
    values = _seasonal()
    plain = build_baseline({"x": values}, created=CREATED, ordered_by="t", window_sizes=(SIZE,))
    assert "expected_sizes" not in dumps(plain)
    built = build_baseline({"x": values}, created=CREATED, ordered_by="t", window_sizes=(SIZE,), statistics=("js",))
    assert built.hash != plain.hash
    assert loads(dumps(built)) == built
