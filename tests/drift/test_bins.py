from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import (
    BINS,
    MAX_CATEGORIES,
    MAX_TAIL,
    SPECIAL,
    Bins,
    FloatArray,
    category_hash,
    category_name,
    fit_categorical,
    fit_numeric,
    reference_counts,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.columns import EXTREMES, LARGEST, SMALLEST, SPREAD, generated_values, references, seeds
from tests.effort import examples

unhurried = settings(deadline=None, max_examples=examples(60))
spread = st.builds(generated_values, st.sampled_from(SPREAD), seeds, st.sampled_from([100, 300]))


def _bin_of(bins: Bins, value: float) -> str:
    """Name the bin of one value, by the rule as it is written down."""
    edges = bins.edges
    if math.isnan(value):
        return "missing"
    if bins.rule == "value":
        for i, edge in enumerate(edges):
            if value == edge:
                return bins.names[1 + i]
        if edges and value < edges[0]:
            return "below"
        return "above" if edges and value > edges[-1] else "unseen"
    if value <= edges[0]:
        return "below"
    for i in range(1, len(edges)):
        if edges[i - 1] < value <= edges[i]:
            return bins.names[i]
    return "above"


def _probes(reference: FloatArray, bins: Bins) -> list[float]:
    edges = np.array(bins.edges)
    with np.errstate(over="ignore"):
        beside = [np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)]
    return [*reference[:50].tolist(), *edges.tolist(), *beside[0].tolist(), *beside[1].tolist(), *EXTREMES]


@unhurried
@given(st.lists(references, min_size=1, max_size=4))
def test_a_value_counts_in_the_bin_that_the_written_rule_names(columns: list[FloatArray]) -> None:
    bins = [fit_numeric(column) for column in columns]
    probes = sorted({value for pair in zip(columns, bins, strict=True) for value in _probes(*pair)}, key=repr)
    codes = Binner(bins).codes(np.tile(np.array(probes)[:, None], len(bins)))
    for place, fitted in enumerate(bins):
        assert [fitted.names[code] for code in codes[:, place]] == [_bin_of(fitted, value) for value in probes]


@unhurried
@given(references)
def test_every_finite_reference_value_is_in_an_ordinary_bin(reference: FloatArray) -> None:
    bins = fit_numeric(reference)
    codes = Binner([bins]).codes(reference[np.isfinite(reference)][:, None])
    assert ((codes >= bins.ordinary.start) & (codes < bins.ordinary.stop)).all()


@unhurried
@given(references)
def test_bin_names_are_unique_and_the_special_ones_stand_beside_the_ordinary(reference: FloatArray) -> None:
    bins = fit_numeric(reference)
    ordinary = set(range(len(bins.names))[bins.ordinary])
    assert len(set(bins.names)) == len(bins.names)
    assert {bins.names[code] for code in set(range(len(bins.names))) - ordinary} == set(bins.special)
    assert all(bins.names[code] == name for name, code in bins.special.items())
    assert bins.names[-1] == "missing"


@unhurried
@given(spread)
def test_an_interval_is_empty_in_the_reference_only_between_values_with_bins_of_their_own(
    reference: FloatArray,
) -> None:
    bins = fit_numeric(reference)
    assume(bins.rule == "interval")
    finite = reference[np.isfinite(reference)]
    tally = Counter((finite + 0.0).tolist())
    own = {value for value, count in tally.items() if count >= finite.size / BINS}
    with np.errstate(over="ignore"):
        fixed = own | {float(np.nextafter(value, -np.inf)) for value in own | {min(tally)}} | {max(tally)}
    for low, high in pairwise(bins.edges):
        held = sum(count for value, count in tally.items() if low < value <= high)
        assert held > 0 or {low, high} <= fixed


def test_edges_are_numpys_quantiles() -> None:
    values = np.random.default_rng(0).normal(size=5_000)
    bins = fit_numeric(values)
    inner = np.quantile(values, np.arange(1, BINS) / BINS)
    assert bins.rule == "interval"
    np.testing.assert_allclose(bins.edges, [values.min(), *inner, values.max()], rtol=1e-13)
    assert bins.edges[0] == np.nextafter(values.min(), -np.inf)


def test_intervals_count_as_searchsorted_left() -> None:
    rng = np.random.default_rng(1)
    reference, current = np.round(rng.normal(size=3_000), 2), np.round(rng.normal(0.3, 1.5, 2_000), 2)
    bins = fit_numeric(reference)
    codes = Binner([bins]).codes(current[:, None])[:, 0]
    np.testing.assert_array_equal(codes, np.searchsorted(bins.edges, current, side="left"))


def test_a_value_that_holds_a_tenth_of_the_rows_has_a_bin_of_its_own() -> None:
    rng = np.random.default_rng(2)
    rest = rng.exponential(size=900)
    values = np.concatenate([np.zeros(100), rest])
    bins = fit_numeric(values)
    counts = Binner([bins]).counts(Binner([bins]).codes(values[:, None]))[0]
    assert counts[bins.names.index("0")] == 100
    inner = np.quantile(rest, np.arange(1, BINS - 1) / (BINS - 1))
    np.testing.assert_allclose(bins.edges, [-SMALLEST, 0.0, *inner, values.max()], rtol=1e-13)


def test_a_value_just_under_a_tenth_of_the_rows_shares_its_bin() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([np.zeros(99), rng.exponential(size=901)])
    assert "0" not in fit_numeric(values).names


def test_a_quantile_that_falls_beside_a_heavy_value_leaves_no_empty_interval() -> None:
    values = np.concatenate([[0.0, 1.0, 2.0], np.full(20, 5.0), np.arange(90.0, 107.0)])
    bins = fit_numeric(values)
    counts = Binner([bins]).counts(Binner([bins]).codes(values[:, None]))[0]
    assert counts[bins.names.index("5")] == 20
    assert (counts[bins.ordinary] > 0).all()


def test_up_to_twenty_values_have_one_bin_each_and_more_are_intervals() -> None:
    repeated = np.repeat(np.arange(2.0 * BINS + 1), 50)
    assert fit_numeric(repeated[50:]).names == ("below", *map(str, range(1, 21)), "above", "unseen", "missing")
    assert fit_numeric(repeated).rule == "interval"


def test_the_minimum_is_inside_its_interval() -> None:
    bins = fit_numeric(np.arange(100.0))
    assert bins.names[1] == "[0, 9.9]"
    assert bins.names[2] == "(9.9, 19.8]"


def test_both_zeros_are_one_value() -> None:
    bins = fit_numeric(np.array([-0.0, 0.0, 1.0]))
    assert bins.names == ("below", "0", "1", "above", "unseen", "missing")
    assert math.copysign(1.0, bins.edges[0]) == 1.0
    assert Binner([bins]).codes(np.array([[0.0], [-0.0]])).tolist() == [[1], [1]]


def test_the_largest_numbers_have_finite_edges_between_them() -> None:
    values = np.concatenate([-LARGEST + np.arange(11) * 1e300, LARGEST - np.arange(11) * 1e300])
    bins = fit_numeric(values)
    assert np.isfinite(bins.edges[1:]).all()
    assert Binner([bins]).codes(np.array([[-LARGEST], [LARGEST]])).tolist() == [[1], [len(bins.edges) - 1]]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, None),
        (math.nan, None),
        ("", ""),
        ("1", "1"),
        (1, "1"),
        (1.0, "1"),
        (0.5, "0.5"),
        (0.0, "0"),
        (-0.0, "0"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_a_category_has_one_name_however_it_came(value: str | float | bool | None, name: str | None) -> None:
    assert category_name(value) == name


# ---------------------------------------------------------------- categories


def _kept(tally: dict[str, int], rows: int) -> list[str]:
    frequent = [name for name, count in tally.items() if not count / rows < max(0.001, 20 / rows)]
    return sorted(frequent, key=lambda name: (-tally[name], name))[:MAX_CATEGORIES]


tallies = st.dictionaries(st.text(max_size=5), st.one_of(st.integers(1, 60), st.integers(500, 600)), max_size=80)


@unhurried
@given(tallies, st.integers(0, 50_000))
def test_frequent_categories_are_kept_and_the_tail_is_merged(tally: dict[str, int], missing: int) -> None:
    rows = sum(tally.values()) + missing
    bins = fit_categorical(list(tally.values()), list(tally), rows)
    kept = _kept(tally, rows) if rows else []
    assert list(bins.categories) == kept
    for name in tally:
        expected = kept.index(name) if name in kept else bins.special["other"]
        assert bins.category_code(name) == expected
    assert len(set(bins.names)) == len(bins.names) == len(kept) + 3


@pytest.mark.parametrize(("rows", "least"), [(1_000, 20), (20_000, 20), (100_000, 100)])
def test_a_category_is_kept_from_20_rows_and_one_in_a_thousand_on(rows: int, least: int) -> None:
    bins = fit_categorical([rows - 2 * least + 1, least, least - 1], ["most", "enough", "few"], rows)
    assert bins.categories == ("most", "enough")


def test_a_category_that_the_reference_does_not_know_is_unseen() -> None:
    bins = fit_categorical([500, 3], ["often", "rare"], 503)
    cells = bins.encode(["often", "rare", "new", None])
    codes = Binner([bins]).codes(cells[:, None])[:, 0]
    assert [bins.names[code] for code in codes] == ["often", "other", "unseen", "missing"]


@pytest.mark.parametrize("name", SPECIAL)
def test_a_category_named_like_a_special_bin_keeps_a_bin_of_its_own(name: str) -> None:
    bins = fit_categorical([100, 90, 80], [name, f'"{name}"', "plain"], 270)
    assert len(set(bins.names)) == len(bins.names)
    assert bins.category_code(name) == 0
    assert bins.names[0] == f'"{name}"'
    assert 0 not in bins.special.values()


def test_a_tail_of_ten_thousand_is_remembered() -> None:
    tail = [f"t{i}" for i in range(MAX_TAIL)]
    bins = fit_categorical([1_000_000, *[1] * MAX_TAIL], ["often", *tail], 1_000_000 + MAX_TAIL)
    assert bins.tail == frozenset(map(category_hash, tail))
    assert bins.category_code("new") == bins.special["unseen"]


def test_beyond_ten_thousand_whatever_is_not_kept_is_other() -> None:
    tail = [f"t{i}" for i in range(MAX_TAIL + 1)]
    bins = fit_categorical([1_000_000, *[1] * len(tail)], ["often", *tail], 1_000_000 + len(tail))
    assert not bins.tail
    assert {bins.category_code(name) for name in ["t0", "new", ""]} == {bins.special["other"]}
    assert bins.category_code("often") == 0


# ---------------------------------------------------------------- counts of the reference


@unhurried
@given(tallies)
def test_what_unseen_expects_is_taken_from_other(tally: dict[str, int]) -> None:
    bins = fit_categorical(list(tally.values()), list(tally), sum(tally.values()))
    singletons = sum(count == 1 for count in tally.values())
    counts = np.zeros(len(bins.names), dtype=np.int64)
    for name, count in tally.items():
        counts[bins.category_code(name)] += count
    assume(len(bins.categories) != 2 or bins.tail)
    expected = reference_counts(bins, counts, singletons)
    assert expected[bins.special["unseen"]] == singletons
    assert expected[bins.special["other"]] == counts[bins.special["other"]] - singletons >= 0
    assert expected.sum() == counts.sum()


@pytest.mark.parametrize(
    "bins", [fit_categorical([50, 60], ["no", "yes"], 110), fit_numeric(np.array([0.0, 1.0, 1.0]))]
)
def test_unseen_expects_half_a_row_in_a_binary_column(bins: Bins) -> None:
    counts = np.zeros(len(bins.names), dtype=np.int64)
    counts[bins.ordinary] = [50, 60]
    expected = reference_counts(bins, counts, singletons=0)
    assert expected[bins.special["unseen"]] == 0.5
    assert expected[bins.ordinary].tolist() == [50.0, 60.0]


def test_values_seen_once_stay_in_their_own_bins() -> None:
    bins = fit_numeric(np.array([1.0, 2.0, 3.0, 3.0]))
    counts = np.array([0, 1, 1, 2, 0, 0, 0])
    expected = reference_counts(bins, counts, singletons=2)
    assert expected.tolist() == [0, 1, 1, 2, 0, 2, 0]


def test_nothing_is_expected_unseen_where_the_tail_was_too_long_to_keep() -> None:
    bins = Bins("category", categories=("often",), tail_complete=False)
    assert reference_counts(bins, np.array([100, 40, 0, 3]), singletons=30).tolist() == [100, 40, 0, 3]


def test_intervals_expect_what_the_reference_holds() -> None:
    bins = fit_numeric(np.arange(100.0))
    counts = np.arange(len(bins.names))
    assert reference_counts(bins, counts, singletons=100).tolist() == counts.tolist()


def test_categories_near_the_cut_are_counted_where_the_cap_cuts() -> None:
    equal = fit_categorical([100] * 60, [f"{i:02}" for i in range(60)], 6_000)
    assert (len(equal.categories), equal.near_cut) == (50, 60)
    apart = fit_categorical([1_000] * 50 + [900, 500], [f"{i:02}" for i in range(52)], 51_400)
    assert apart.near_cut == 51  # the cut is at 950, two standard deviations are 62
    zipf = fit_categorical([100_000 // (i + 1) for i in range(300)], [f"{i:03}" for i in range(300)], 630_000)
    assert (len(zipf.categories), zipf.near_cut) == (50, 0)  # frequency decides, not chance
    assert fit_categorical([100] * 40 + [10], [f"{i:02}" for i in range(41)], 4_010).near_cut == 0
