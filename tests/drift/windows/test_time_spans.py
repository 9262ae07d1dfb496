from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.drift.windows.time_spans import (
    FEWEST_BUCKETS,
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    Summing,
    TimeSpan,
)
from hypothesis import given
from hypothesis import strategies as st

# ---------------------------------------------------------------- spans


@pytest.mark.parametrize(
    ("text", "seconds", "width", "buckets"),
    [
        ("10s", 10, 1, 10),
        ("60s", 60, 1, 60),
        ("2m", 120, 2, 60),
        ("5m", 300, 5, 60),
        ("7m", 420, 5, 84),
        ("1h", 3_600, 60, 60),
        ("90m", 5_400, 60, 90),
        ("24h", 86_400, 900, 96),
        ("1d", 86_400, 900, 96),
        ("7d", 604_800, 3_600, 168),
        ("14d", 1_209_600, 10_800, 112),
        ("30d", 2_592_000, 43_200, 60),
        ("31d", 2_678_400, 43_200, 62),
    ],
)
def test_a_span_has_its_seconds_and_buckets(text: str, seconds: int, width: int, buckets: int) -> None:
    span = TimeSpan.named(text)
    assert (span.name, span.seconds, span.width, span.buckets) == (text, seconds, width, buckets)


@pytest.mark.parametrize(
    ("text", "is_judged"),
    [
        *((text, False) for text in ("24h", "6d", "8d", "10d", "20d", "27d")),
        *((text, True) for text in ("168h", "7d", "14d", "21d", "28d", "30d", "31d")),
    ],
)
def test_windows_with_the_weekdays_of_whole_weeks_are_judged(text: str, is_judged: bool) -> None:
    assert TimeSpan.named(text).is_judged == is_judged


@pytest.mark.parametrize(("days", "psi"), [(7, 0.0), (21, 0.0), (28, 0.0), (29, 0.0029), (30, 0.0106), (31, 0.0064)])
def test_a_column_that_tells_weekends_hardly_differs_in_a_judged_window(days: int, psi: float) -> None:
    weekends = {sum((first + day) % 7 >= 5 for day in range(days)) for first in range(7)}
    found = [(own / days - 2 / 7) * math.log((own / days) / (2 / 7) / ((1 - own / days) / (5 / 7))) for own in weekends]
    assert max(found) == pytest.approx(psi, abs=5e-5)


@pytest.mark.parametrize("text", ["", "h", "1", "01h", "0s", "-1h", "1.5h", "1 h", "1H", "1w", "1h30m", " 1h", "1h\n"])
def test_a_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time: write a whole number of s, m, h or d"):
        TimeSpan.named(text)


@pytest.mark.parametrize("text", ["9s", "32d", "745h", "99999999999999d"])
def test_a_time_that_is_too_short_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=rf"{text} is not between 10s and 31d"):
        TimeSpan.named(text)


@given(st.integers(SHORTEST_SECONDS, LONGEST_SECONDS))
def test_a_window_is_exact_to_a_sixtieth_and_up_to_a_week_no_bucket_crosses_an_hour(seconds: int) -> None:
    span = TimeSpan("span", seconds)
    assert 3_600 % span.width == 0 or (span.crosses_hours and 86_400 % span.width == 0 and seconds > 7 * 86_400)
    assert (span.buckets - 1) * span.width < seconds <= span.buckets * span.width
    assert span.width * FEWEST_BUCKETS <= seconds or span.width == 1
    assert span.buckets <= 180


# ---------------------------------------------------------------- what enters the sums


def _columns(rng: np.random.Generator, rows: int) -> dict[str, FloatArray]:
    return {
        "normal": rng.normal(size=rows),
        "far": rng.normal(1e6, 1e-3, rows),
        "huge": rng.normal(size=rows) * 1e300,
        "tiny": rng.normal(size=rows) * 1e-300,
        "heavy": rng.standard_cauchy(rows),
        "flag": (rng.random(rows) < 0.3).astype(np.float64),
        "constant": np.full(rows, 4.0),
        "holed": np.where(rng.random(rows) < 0.3, math.nan, rng.normal(size=rows)),
        "endless": np.where(rng.random(rows) < 0.1, rng.choice([math.inf, -math.inf], rows), rng.normal(size=rows)),
        "missing": np.full(rows, math.nan),
    }


@pytest.mark.parametrize("rows", [0, 1, 3, 100, 5_000])
@pytest.mark.parametrize("shift", [0.0, 1e3])
@pytest.mark.parametrize("strided", [False, True])
def test_sums_are_those_of_the_clipped_standardised_values_and_0_where_missing(
    rows: int, shift: float, strided: bool
) -> None:
    rng = np.random.default_rng(rows)
    table: dict[str, FloatArray | Categories] = {**_columns(rng, 700)}
    table["letter"] = Categories(rng.integers(-1, 2, 700), ("a", "b"))
    baseline = build_baseline(table, created="")
    window = [*_columns(rng, rows).values(), rng.integers(0, 4, rows).astype(float)]
    values = np.stack(window, axis=1) + np.where(rng.random((rows, 11)) < 0.01, shift, 0.0)
    values[:, -1] = window[-1]
    if strided:
        values = np.asfortranarray(np.repeat(values, 2, axis=0))[::2]
    found = Summing(baseline.scales)(values)
    z = np.nan_to_num(baseline.scales.standardised(values), nan=0.0).astype(np.longdouble)
    # A rounding a value, in units of its standard deviation, is what adding up may cost.
    np.testing.assert_allclose(found[0], z.sum(axis=0).astype(float), rtol=1e-9, atol=1e-9 * max(1, rows))
    np.testing.assert_allclose(found[1], (z**2).sum(axis=0).astype(float), rtol=1e-9, atol=1e-9 * max(1, rows))
    assert np.isfinite(found).all()
    assert (found[:, -1] == 0.0).all()


@pytest.mark.parametrize("mean", [0.0, 1.0, 30.0, 999.0, 1_001.0, 1e6, -1e9])
@pytest.mark.parametrize("std", [1e-100, 1e-3, 1.0, 1e100, 1e200])
def test_a_mean_far_from_0_costs_the_sums_no_digits(mean: float, std: float) -> None:
    rng = np.random.default_rng(8)
    reference, current = (std * (mean + rng.normal(size=(rows, 1))) for rows in (2_000, 5_000))
    baseline = build_baseline({"x": reference[:, 0]}, created="")
    found = Summing(baseline.scales)(current)
    z = baseline.scales.standardised(current).astype(np.longdouble)
    expected = [float(z.sum()), float((z**2).sum())]
    np.testing.assert_allclose(found[:, 0], expected, rtol=2e-8, atol=2e-8 * len(current))
