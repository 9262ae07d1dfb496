"""Numeric columns that a database counts, against numpy and the baseline of the same numbers."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import column_content
from driftgauge.engines import numbers
from driftgauge.engines.numbers import numeric_columns, summaries

from tests.engines.databases import Hold

WHOLE = {
    "integers": ([-3.0, 0.0, 7.0], True),
    "minus zero": ([-0.0], True),
    "beyond 2^53": ([2.0**53, 1e300, -np.finfo(float).max], True),
    "a half": ([1.0, 0.5], False),
    "just below 2^52": ([2.0**51 + 0.5], False),
    "the smallest": ([5e-324], False),
    "beside infinities": ([1.0, math.inf, -math.inf, math.nan], True),
    "none": ([math.nan, math.inf], False),
}


def gapped(values: FloatArray) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_are_told_from_fractions(hold: Hold, name: str) -> None:
    values, expected = WHOLE[name]
    source = hold(pa.table({"x": gapped(np.array(values))}))
    assert summaries(source, ["x"])["x"].is_integral == expected


def test_one_pass_counts_what_is_finite_endless_and_missing(hold: Hold) -> None:
    random = np.random.default_rng(4)
    values = np.round(random.normal(size=3_000), 2)
    values[:40], values[40:60], values[60:65] = np.nan, np.inf, -np.inf
    columns = {"x": gapped(values), "flag": pa.array(random.random(3_000) < 0.5), "nothing": pa.nulls(3_000)}
    found = summaries(hold(pa.table(columns)), [*columns])
    own = found["x"]
    assert (own.rows, own.finite) == (3_000, int(np.isfinite(values).sum()))
    assert (own.unordinary.missing, own.unordinary.highest, own.unordinary.lowest) == (40, 20, 5)
    assert own.distinct == pytest.approx(len(np.unique(values[np.isfinite(values)])), rel=0.2)
    assert (found["flag"].finite, found["flag"].is_integral) == (3_000, True)
    assert (found["nothing"].finite, found["nothing"].unordinary.missing) == (0, 3_000)


def awkward(rows: int = 3_000) -> dict[str, FloatArray]:
    """Return columns of few and of many values, with ties, gaps, infinities and heavy values."""
    random = np.random.default_rng(7)
    heavy = random.normal(size=rows)
    heavy[: rows // 3], heavy[rows // 3 : rows // 2] = 0.0, 1.25
    gaps = random.gamma(2.0, size=rows)
    gaps[::9], gaps[1::100], gaps[2::200] = np.nan, np.inf, -np.inf
    return {
        "heavy": heavy,
        "gaps": gaps,
        "ties": random.integers(0, 400, rows).astype(np.float64),
        "few": 0.1 * random.integers(0, 4, rows).astype(np.float64),
        "huge": random.normal(size=rows) * 2e307,
    }


@pytest.mark.parametrize("most", [numbers.MOST_FETCHED, 0], ids=["values are fetched", "all are ranked"])
def test_a_column_is_that_of_its_numbers_however_it_is_counted(
    hold: Hold, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers, "MOST_FETCHED", most)
    columns = {name: own for name, own in awkward().items() if name != "few" or most}
    source = hold(pa.table({name: gapped(own) for name, own in columns.items()}))
    seen: list[str] = []
    found = numeric_columns(source, summaries(source, [*columns]), seen.append)
    assert sorted(seen) == sorted(columns)
    expected = build_baseline(columns, created="2026-01-01T00:00:00Z")
    for other in expected.columns:
        own = found[other.name]
        for key, value in column_content(other).items():
            if key in ("mean", "std"):
                np.testing.assert_allclose(column_content(own)[key], value, rtol=1e-12, err_msg=f"{other.name} {key}")
            else:
                assert column_content(own)[key] == value, (other.name, key)


def test_rows_in_bins_are_exact_where_quantiles_are_approximate(hold: Hold) -> None:
    values = np.random.default_rng(1).lognormal(size=4_000)
    source = hold(pa.table({"x": values}))
    own = numeric_columns(source, summaries(source, ["x"]), lambda _: None, exact=False)["x"]
    edges = np.array([*own.bins.edges])
    inside = np.asarray(own.counts)[1 : len(edges)]
    cut = np.searchsorted(np.sort(values), edges[1:], side="right")
    np.testing.assert_array_equal(np.cumsum(inside), cut)
    assert 0.0 <= own.quantile_error < 0.01
