from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, ColumnBaseline
from driftgauge.drift.verdict.moved import LONGEST, Share, largest_change
from driftgauge.drift.verdict.numbers import percent
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.effort import examples

unhurried = settings(deadline=None, max_examples=examples(60))


def what_moved(
    column: ColumnBaseline, counts: FloatArray, expected: FloatArray | None = None, mean: float = math.nan
) -> str:
    """Return the clause of the largest change; empty without one."""
    found = largest_change(column, counts, expected, mean)
    return found.clause if found else ""


class _Column:
    """A column's baseline, and what is said of a window of its values."""

    def __init__(self, reference: FloatArray | Sequence[str | None]) -> None:
        self.is_text = not isinstance(reference, np.ndarray)
        data = reference if isinstance(reference, np.ndarray) else _categories(reference)
        baseline = build_baseline({"x": data}, created="")
        self.column: ColumnBaseline = baseline.columns[0]
        self.binner = baseline.binner

    def said(self, window: FloatArray | Sequence[str | None]) -> str:
        cells = window if isinstance(window, np.ndarray) else self.column.bins.encode(window)
        counts = self.binner.counts(self.binner.codes(cells[:, None]))[0]
        return what_moved(self.column, counts.astype(np.float64))


def _said_of_mean(reference: FloatArray, window: FloatArray) -> str:
    column = _Column(reference)
    counts = column.binner.counts(column.binner.codes(window[:, None]))[0]
    return what_moved(column.column, counts.astype(np.float64), mean=float(window[np.isfinite(window)].mean()))


def _categories(values: Sequence[str | None]) -> Categories:
    names = tuple(sorted({value for value in values if value is not None}))
    return Categories(np.array([-1 if value is None else names.index(value) for value in values]), names)


def _letters(**rows: int) -> list[str | None]:
    return [letter for letter, count in rows.items() for _ in range(count)]


# ---------------------------------------------------------------- where the rows went


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("shift", [0.3, 0.5, 1.0, 2.0])
def test_a_shift_is_named_by_a_percentile_and_the_rows_beyond_it(shift: float, sign: float) -> None:
    rng = np.random.default_rng(0)
    reference, window = rng.normal(size=20_000), rng.normal(sign * shift, 1.0, 2_000)
    said = _Column(reference).said(window)
    found = re.fullmatch(r"(.+ %) of rows (above|below) the reference's (\d\d)th percentile", said)
    assert found is not None, said
    share, side, percentile = found[1], found[2], int(found[3])
    assert side == ("above" if sign > 0 else "below")
    edge = np.quantile(reference, percentile / 100)
    assert percent(float(np.mean(window > edge if sign > 0 else window <= edge))) == share


def test_what_is_said_of_a_shift_that_a_reader_can_check() -> None:
    reference = np.arange(10_000.0)
    window = np.concatenate([np.arange(0.0, 9_000.0, 15.0), np.linspace(9_001.0, 9_999.0, 400)])
    assert _Column(reference).said(window) == "40 % of rows above the reference's 90th percentile"
    assert _Column(-reference).said(-window) == "40 % of rows below the reference's 10th percentile"


def test_the_split_named_has_the_largest_psi_of_all() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        reference = rng.normal(size=5_000)
        window = rng.normal(rng.normal() * 0.7, rng.uniform(0.5, 2.0), 1_000)
        column = _Column(reference)
        edges = column.column.bins.edges
        best = max(edges[1:-1], key=lambda edge: _psi_of(window > edge, reference > edge))
        # Each side's share, by a recount of the raw rows.
        sides = {percent(float((window > best).mean())), percent(float((window <= best).mean()))}
        beyond = max(((window < edges[0]), (window > edges[-1])), key=lambda side: _psi_of(side, np.zeros(5_000)))
        said = column.said(window)
        if "percentile" in said:
            assert said.split(" of rows")[0] in sides
        else:
            assert said.startswith(percent(float(beyond.mean())))


def _psi_of(
    window: FloatArray | np.typing.NDArray[np.bool_], reference: FloatArray | np.typing.NDArray[np.bool_]
) -> float:
    p, q = ((float(side.sum()) + 0.5) / (side.size + 1) for side in (window, reference))
    return (p - q) * math.log(p * (1 - q) / (q * (1 - p)))


def test_a_category_that_grows_or_vanishes_is_named_with_both_shares() -> None:
    column = _Column(_letters(a=500, b=300, c=200))
    assert column.said(_letters(a=30, b=60, c=10)) == "60 % of rows are b (reference: 30 %)"
    assert column.said(_letters(b=60, c=40)) == "0 % of rows are a (reference: 50 %)"


def test_categories_that_the_reference_does_not_have_are_named_so() -> None:
    column = _Column(_letters(a=500, b=500))
    said = column.said(_letters(a=35, b=35, new=30))
    assert said == "30 % of rows with a value that the reference does not have (reference: 0 %)"


def test_rare_categories_are_named_together() -> None:
    rare = {f"r{place}": 5 for place in range(10)}
    column = _Column(_letters(a=500, b=450, **rare))
    said = column.said(_letters(a=40, b=40, r1=20))
    assert said == "20 % of rows in categories that are rare in the reference (reference: 5 %)"


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_missing_values_that_appear_are_named(missing: float) -> None:
    rng = np.random.default_rng(2)
    reference = rng.normal(size=10_000)
    reference[: int(missing * 10_000)] = math.nan
    window = rng.normal(size=1_000)
    window[:250] = math.nan
    assert _Column(reference).said(window) == f"25 % of rows missing (reference: {percent(missing)})"
    gaps: list[str | None] = [None] * 25
    assert _Column(_letters(a=500, b=500)).said(gaps + _letters(a=40, b=35)) == "25 % of rows missing (reference: 0 %)"


def test_missing_values_that_vanish_are_named_too() -> None:
    rng = np.random.default_rng(3)
    reference = np.where(rng.random(5_000) < 0.4, math.nan, rng.normal(size=5_000))
    said = _Column(reference).said(rng.normal(size=1_000))
    assert said == f"0 % of rows missing (reference: {percent(float(np.isnan(reference).mean()))})"


@pytest.mark.parametrize(
    ("far", "side", "end"), [(9.0, "above", "largest"), (-9.0, "below", "smallest"), (math.inf, "above", "largest")]
)
def test_rows_beyond_the_range_are_named(far: float, side: str, end: str) -> None:
    rng = np.random.default_rng(4)
    reference, window = rng.uniform(size=5_000), rng.uniform(size=1_000)
    window[:50] = far
    assert _Column(reference).said(window) == f"5 % of rows {side} the reference's {end} value (reference: 0 %)"


def test_a_value_that_grows_is_named() -> None:
    reference = np.repeat(np.arange(5.0), 1_000)
    window = np.repeat([0.0, 1.0, 2.0, 3.0, 4.0], [75, 75, 700, 75, 75])
    assert _Column(reference).said(window) == "70 % of rows are 2 (reference: 20 %)"


def test_counted_values_that_move_up_are_named_by_the_cut() -> None:
    rng = np.random.default_rng(5)
    reference, window = (rng.integers(0, 10, 5_000).astype(np.float64) for _ in range(2))
    window = np.where(rng.random(5_000) < 0.4, 5.0 + np.mod(window, 5.0), window)
    found = re.fullmatch(r"(.+ %) of rows above (\d) \(reference: (.+ %)\)", _Column(reference).said(window))
    assert found is not None
    cut = float(found[2])
    assert cut == 4.0
    assert (found[1], found[3]) == (percent(float((window > cut).mean())), percent(float((reference > cut).mean())))
    lower = _Column(9.0 - reference).said(9.0 - window)
    assert re.fullmatch(rf"{found[1]} of rows up to 4 \(reference: {found[3]}\)", lower)


def test_a_binary_column_is_named_by_its_share_and_what_is_between_as_unseen() -> None:
    column = _Column(np.repeat([0.0, 1.0], [9_700, 300]))
    assert column.said(np.repeat([0.0, 1.0], [920, 80])) in (
        "8 % of rows are 1 (reference: 3 %)",
        "92 % of rows are 0 (reference: 97 %)",
        "8 % of rows above 0 (reference: 3 %)",
    )
    between = column.said(np.repeat([0.0, 0.5], [900, 100]))
    assert between == "10 % of rows with a value that the reference does not have (reference: 0 %)"


def test_a_constant_that_changes_is_named() -> None:
    assert _Column(np.full(500, 3.0)).said(np.full(100, 4.0)) in (
        "100 % of rows above the reference's largest value (reference: 0 %)",
        "0 % of rows are 3 (reference: 100 %)",
    )


@pytest.mark.parametrize("name", ["", " ", "missing", "other", '"', '"x"', "a\nb", "50 %", "{n}", "ümläut 漢字 🙂"])
def test_a_category_with_an_odd_name_is_named_as_its_bin_is(name: str) -> None:
    values: list[str | None] = [*([name] * 500), *(["plain"] * 500)]
    column = _Column(values)
    said = column.said([name] * 90 + ["plain"] * 10)
    assert said in (
        f"90 % of rows are {column.column.bins.names[column.column.bins.category_code(name)]} (reference: 50 %)",
        "10 % of rows are plain (reference: 50 %)",
    )


def test_a_long_category_is_cut_short() -> None:
    name = "x" * 1_000
    said = _Column([name] * 500 + ["plain"] * 500).said([name] * 90 + ["plain"] * 10)
    assert said in (
        f"90 % of rows are {'x' * (LONGEST - 1)}… (reference: 50 %)",
        "10 % of rows are plain (reference: 50 %)",
    )


# ---------------------------------------------------------------- the mean


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("shift", [0.3, 0.5, 1.0])
def test_a_shift_of_all_rows_is_named_by_the_mean(shift: float, sign: float) -> None:
    rng = np.random.default_rng(0)
    reference, window = rng.normal(50.0, 10.0, 20_000), rng.normal(50.0 + sign * shift * 10.0, 10.0, 2_000)
    found = re.fullmatch(r"mean (\S+) \(reference: (\S+)\)", _said_of_mean(reference, window))
    assert found is not None
    assert float(found[1]) == pytest.approx(window.mean(), abs=0.05 * 10.0 * shift)
    assert float(found[2]) == pytest.approx(reference.mean(), abs=0.05 * 10.0 * shift)


def test_counted_values_are_named_by_the_mean_too() -> None:
    rng = np.random.default_rng(1)
    reference, window = (rng.poisson(rate, 5_000).astype(np.float64) for rate in (2.0, 2.5))
    said = _said_of_mean(reference, window)
    assert said == f"mean {window.mean():.2f} (reference: {reference.mean():.2f})"


def test_a_text_is_named_by_its_mean_length() -> None:
    rng = np.random.default_rng(2)
    reference, window = rng.normal(100.0, 20.0, 5_000), rng.normal(110.0, 20.0, 2_000)
    built = _Column(reference)
    counts = built.binner.counts(built.binner.codes(window[:, None]))[0].astype(np.float64)
    text = replace(built.column, of_text=True)
    said = what_moved(text, counts, mean=float(window.mean()))
    assert said == f"mean length {window.mean():.0f} (reference: {reference.mean():.0f})"


@pytest.mark.parametrize("kind", ["extreme", "spread", "far", "binary", "missing"])
def test_other_changes_are_not_named_by_the_mean(kind: str) -> None:
    rng = np.random.default_rng(3)
    reference, window = rng.normal(size=20_000), rng.normal(size=2_000)
    if kind == "extreme":  # ten rows move the mean by five standard deviations, and hardly a share
        window[:10] = 1_000.0
    elif kind == "spread":
        window *= 2.0
    elif kind == "far":
        window += 4.0
    elif kind == "binary":
        reference, window = (reference > 0).astype(np.float64), (window > -0.5).astype(np.float64)
    elif kind == "missing":
        window[:1_000] = math.nan
        window += 0.3
    said = _said_of_mean(reference, window)
    assert "of rows" in said


def test_a_mean_that_moved_against_its_values_is_not_named() -> None:
    rng = np.random.default_rng(4)
    reference, window = rng.normal(size=20_000), rng.normal(0.5, 1.0, 2_000)
    window[:5] = -10_000.0
    said = _said_of_mean(reference, window)
    assert "mean" not in said
    assert said.endswith("percentile")


@unhurried
@given(
    st.sampled_from(["interval", "value", "binary", "constant", "category", "all missing", "endless", "tied"]),
    st.lists(st.integers(0, 10_000), min_size=60, max_size=60),
    st.floats(),
)
def test_any_mean_beside_any_counts_gives_one_clause(kind: str, rows: list[int], mean: float) -> None:
    column = COLUMNS[kind]
    counts = np.array(rows, dtype=np.float64)
    without, said = what_moved(column.column, counts), what_moved(column.column, counts, mean=mean)
    assert said == without or re.fullmatch(r"mean \S+ \(reference: \S+\)", said)
    assert "nan" not in said


@unhurried
@given(
    st.sampled_from(["interval", "value", "binary", "constant", "category", "all missing", "endless", "tied"]),
    st.lists(st.one_of(st.just(0), st.integers(0, 10_000)), min_size=60, max_size=60),
)
def test_something_is_said_of_any_counts_that_moved_more_than_by_chance(kind: str, rows: list[int]) -> None:
    column = COLUMNS[kind]
    counts = np.array(rows[: len(column.column.bins.names)], dtype=np.float64)
    said = what_moved(column.column, np.append(counts, np.zeros(9)))
    moved = _psi_beyond_chance(column.column, counts)
    assume(abs(moved) > 1e-12)
    assert (said != "") == (moved > 0)
    assert re.match(r"(\d|\.|e-)+ % of rows ", said) or said == ""
    assert "nan" not in said


def _psi_beyond_chance(column: ColumnBaseline, counts: FloatArray) -> float:
    """Return the largest PSI of a bin, or of a side of a cut, less what chance gives; -1 without rows."""
    bins, reference = column.bins, np.array(column.counts)
    n, m = counts.sum(), reference.sum()
    if n == 0:
        return -1.0
    parts = [[code] for code in range(len(counts)) if bins.rule != "interval" or code in bins.special.values()]
    for last in range(bins.ordinary.start, bins.ordinary.stop - 1) if bins.rule != "category" else ():
        sides = [*range(last + 1)], [*range(last + 1, bins.special["above"] + 1)]
        parts.append(max(sides, key=lambda side: counts[side].sum() / n - reference[side].sum() / m))
    shares = [((counts[part].sum() + 0.5) / (n + 1), (reference[part].sum() + 0.5) / (m + 1)) for part in parts]
    return float(max((p - q) * math.log(p * (1 - q) / (q * (1 - p))) for p, q in shares) - 1 / n - 1 / m)


COLUMNS = {
    "interval": _Column(np.arange(1_000.0)),
    "value": _Column(np.repeat(np.arange(7.0), 10)),
    "binary": _Column(np.repeat([0.0, 1.0], [60, 40])),
    "constant": _Column(np.full(9, 2.5)),
    "category": _Column(_letters(a=50, b=40, c=1)),
    "all missing": _Column(np.full(9, math.nan)),
    "endless": _Column(np.array([math.inf, -math.inf, math.nan])),
    "tied": _Column(np.concatenate([np.zeros(500), np.arange(500.0)])),
}


def test_where_rows_went_is_told_beside_the_rows_to_expect() -> None:
    column = build_baseline({"x": Categories(np.repeat([0, 1], 500), ("a", "b"))}, created="").columns[0]
    counts = np.array([80.0, 20.0, 0.0, 0.0, 0.0])
    assert what_moved(column, counts) == "80 % of rows are a (reference: 50 %)"
    evening = np.array([60.0, 240.0, 0.0, 0.5, 0.0, 0.0])  # as wide as another column's
    assert what_moved(column, counts, evening) == "80 % of rows are a (reference: 20 %)"
    assert what_moved(column, counts, np.array(column.counts)) == what_moved(column, counts)


def test_a_constant_that_moved_is_told_by_where_its_rows_went() -> None:
    column = build_baseline({"x": np.full(1_000, 7.0)}, created="").columns[0]
    binner = Binner([column.bins])
    for value, phrase in ((9.0, "100 % of rows above the reference's largest value"), (3.0, "below")):
        counts = binner.counts(binner.codes(np.full((600, 1), value)))[0].astype(np.float64)
        assert phrase in what_moved(column, counts)


@pytest.mark.parametrize("rows", [100, 1_000])
def test_where_no_share_moved_nothing_is_said_to_have(rows: int) -> None:
    column = build_baseline({"x": np.repeat([0.0, 1.0], [900, 100])}, created="").columns[0]
    counts = np.array(column.counts) * rows / sum(column.counts)
    assert what_moved(column, counts) == ""
    counts[1] -= 0.1 * rows
    counts[2] += 0.1 * rows
    assert what_moved(column, counts) == "20 % of rows are 1 (reference: 10 %)"


def test_a_change_has_the_share_that_its_clause_states() -> None:
    column = build_baseline({"x": np.arange(1_000.0)}, created="").columns[0]
    counts = Binner([column.bins]).counts(Binner([column.bins]).codes(np.full((600, 1), 2_000.0)))[0].astype(np.float64)
    change = largest_change(column, counts)
    assert change is not None
    assert change.clause == "100 % of rows above the reference's largest value (reference: 0 %)"
    assert change.share == Share("above the reference's largest value", 1.0, 0.0)
    assert largest_change(column, np.array(column.counts, dtype=np.float64)) is None


def test_which_rows_are_named_does_not_depend_on_the_hours_that_are_expected() -> None:
    column = build_baseline({"x": np.arange(1_000.0)}, created="").columns[0]
    upper = np.array(column.counts, dtype=np.float64)
    ordinary = column.bins.ordinary
    upper[ordinary.start : (ordinary.start + ordinary.stop) // 2] = 0.0
    changes = []
    for weight in (1.0, 3.0):
        expected = np.array(column.counts, dtype=np.float64)
        expected[: (ordinary.start + ordinary.stop) // 2] *= weight
        change = largest_change(column, upper, expected)
        assert change is not None
        assert change.share is not None
        changes.append(change.share)
    assert changes[0].rows == changes[1].rows
    assert "percentile" in changes[0].rows
    assert changes[0].reference_ratio > changes[1].reference_ratio
