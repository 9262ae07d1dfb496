from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import Bins, FloatArray, fit_categorical, fit_numeric
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.columns import EXTREMES, GATHERED, SPREAD, generated_values, references, seeds
from tests.effort import examples


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(references, min_size=1, max_size=4), seeds)
def test_counts_are_a_recount(columns: list[FloatArray], seed: int) -> None:
    bins = [fit_numeric(column) for column in columns]
    rng = np.random.default_rng(seed)
    values = np.stack([rng.choice(column, 40) for column in columns], axis=1)
    binner = Binner(bins)
    codes = binner.codes(values)
    counts = binner.counts(codes)
    assert counts.shape == (len(bins), binner.width) == (len(bins), max(len(b.names) for b in bins))
    for place in range(len(bins)):
        recount = Counter(codes[:, place].tolist())
        assert counts[place].tolist() == [recount[code] for code in range(binner.width)]


# ---------------------------------------------------------------- blocks of any shape, against a recount cell by cell


MIXED = [*SPREAD, *GATHERED, "categories", "few categories", "many categories"]


def _of_kind(kind: str, seed: int, rows: int) -> Bins:
    """Return the bins of a column, fitted on generated rows."""
    categories = {"categories": 5, "few categories": 2, "many categories": 40}.get(kind)
    if categories is None:
        return fit_numeric(generated_values(kind, seed, rows))
    return fit_categorical([30] * categories, [f"c{place}" for place in range(categories)], 30 * categories)


def _cells_of(kind: str, bins: Bins, seed: int, rows: int) -> FloatArray:
    """Return cells of a column: its own values, edges and their neighbours, gaps and extremes."""
    rng = np.random.default_rng(seed)
    if bins.rule == "category":
        codes = rng.integers(0, len(bins.names) - 1, rows).astype(np.float64)
        return np.where(rng.random(rows) < 0.1, math.nan, codes)
    own = generated_values(kind, seed + 1, rows)
    edges = np.array(bins.edges or (0.0,))
    with np.errstate(over="ignore"):
        beside = np.concatenate([edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf), EXTREMES])
    return np.where(rng.random(rows) < 0.4, rng.choice(beside, rows), own)


def _code_of(bins: Bins, cell: float) -> int:
    """Find the code of one cell by bisection of the edges, as the classes' docstrings say."""
    if math.isnan(cell):
        return len(bins.names) - 1
    if bins.rule == "category":
        return int(cell)
    place = bisect_left(bins.edges, cell)
    if bins.rule == "interval":
        return place
    if place < len(bins.edges) and bins.edges[place] == cell:
        return place + 1
    if bins.edges and place in (0, len(bins.edges)):
        return bins.special["below" if place == 0 else "above"]
    return bins.special["unseen"]


@cache
def _table(columns: int, rows: int) -> tuple[list[Bins], FloatArray, list[list[int]]]:
    """Return the bins of columns of all kinds, rows of their cells, and each cell's code."""
    kinds = [MIXED[(place * 7 + columns) % len(MIXED)] for place in range(columns)]
    bins = [_of_kind(kind, place, 300) for place, kind in enumerate(kinds)]
    chosen = zip(kinds, bins, strict=True)
    values = np.stack([_cells_of(kind, own, place, rows) for place, (kind, own) in enumerate(chosen)], axis=1)
    return bins, values, [[_code_of(own, cell) for own, cell in zip(bins, row, strict=True)] for row in values.tolist()]


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "contiguous": np.ascontiguousarray,
    "by column": np.asfortranarray,
    "every second row": lambda values: np.repeat(values, 2, axis=0)[::2],
    "part of a wider table": lambda values: np.pad(values, ((1, 2), (3, 1)))[1:-2, 3:-1],
    "backwards": lambda values: np.ascontiguousarray(values[::-1])[::-1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        *((1, 1), (1, 1_023), (1, 1_024), (1, 40_000), (2, 513), (3, 342), (15, 1), (15, 69), (16, 3_000)),
        *((31, 1_100), (160, 7), (300, 120), (1_025, 2), (1_030, 33)),
    ],
)
def test_codes_and_counts_are_a_recount_cell_by_cell(columns: int, rows: int, layout: str) -> None:
    bins, values, expected = _table(columns, rows)
    binner = Binner(bins)
    codes = binner.codes(LAYOUTS[layout](values))
    np.testing.assert_array_equal(codes, expected)
    assert codes.dtype == np.uint8
    counts = np.zeros((columns, binner.width), dtype=np.int64)
    np.add.at(counts, (np.arange(columns), np.array(expected)), 1)
    np.testing.assert_array_equal(binner.counts(codes), counts)
    np.testing.assert_array_equal(binner.counts(LAYOUTS[layout](codes)), counts)


@pytest.mark.parametrize("kinds", [["normal"], ["few"], ["few categories"], ["normal", "few"], ["many categories"] * 3])
@pytest.mark.parametrize("rows", [0, 1, 1_000])
def test_counts_by_group_are_those_of_each_groups_rows(kinds: list[str], rows: int) -> None:
    rng = np.random.default_rng(rows)
    bins = [_of_kind(kind, place, 200) for place, kind in enumerate(kinds)]
    chosen = zip(kinds, bins, strict=True)
    binner = Binner(bins)
    codes = binner.codes(np.stack([_cells_of(kind, own, place, rows) for place, (kind, own) in enumerate(chosen)], 1))
    group = rng.integers(0, 4, rows)
    found = binner.counts_by(codes, group, 5)
    assert found.shape == (5, len(kinds), binner.width)
    for place in range(5):
        np.testing.assert_array_equal(found[place], binner.counts(codes[group == place]))
    assert found.sum() == codes.size


@pytest.mark.parametrize("width", [15, 16, 17, 60])
@pytest.mark.parametrize("columns", [1, 2, 3, 8, 9])
def test_counts_are_a_recount_however_many_bins_there_are(width: int, columns: int) -> None:
    rng = np.random.default_rng(width)
    bins = [Bins("category", categories=tuple(f"c{place}" for place in range(width - 3)))] * columns
    codes = rng.integers(0, width, (3_000, columns)).astype(np.uint8)
    found = Binner(bins).counts(codes)
    np.testing.assert_array_equal(found, [np.bincount(column, minlength=width) for column in codes.T])


def test_rows_that_are_none_count_nothing() -> None:
    binner = Binner([fit_numeric(np.arange(3.0)), fit_numeric(np.arange(30.0))])
    codes = binner.codes(np.empty((0, 2)))
    assert codes.shape == (0, 2)
    assert binner.counts(codes).tolist() == [[0] * binner.width] * 2


def test_columns_of_every_rule_are_counted_side_by_side() -> None:
    categories = fit_categorical([500, 400], ["a", "b"], 900)
    columns = [categories, fit_numeric(np.arange(30.0)), fit_numeric(np.array([1.0, 2.0])), categories]
    values = np.array([[0.0, 29.0, 2.0, 1.0], [np.nan, 30.0, 1.5, np.nan]])
    codes = Binner(columns).codes(values)
    named = [[column.names[code] for column, code in zip(columns, row, strict=True)] for row in codes]
    assert named == [["a", columns[1].names[-3], "2", "b"], ["missing", "above", "unseen", "missing"]]
