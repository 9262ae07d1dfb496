from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, ColumnBaseline
from driftgauge.drift.verdict.rule import Status
from driftgauge.drift.verdict.wording import (
    NAMED,
    Effect,
    Finding,
    ago_in_words,
    learning_in_words,
    notes,
    percent,
    short,
    since_in_words,
    two_decimals,
    what_moved,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.effort import examples

unhurried = settings(deadline=None, max_examples=examples(60))

NOON = 1_750_075_200.0  # 2025-06-16 12:00 UTC


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
    assert said == "30 % of rows with a value that the reference does not have"


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
    assert _Column(reference).said(window) == f"5 % of rows {side} the reference's {end} value"


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
    assert between == "10 % of rows with a value that the reference does not have"


def test_a_constant_that_changes_is_named() -> None:
    assert _Column(np.full(500, 3.0)).said(np.full(100, 4.0)) in (
        "100 % of rows above the reference's largest value",
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


# ---------------------------------------------------------------- how large


def _effect(psi: float, threshold: float, held_until: float | None = None, usual: float | None = None) -> Effect:
    """Return an effect; `usual` is the expected range where that sets the threshold."""
    return Effect(psi, threshold, held_until, 0.05 if usual is None else usual, usual is not None)


DETECTED = _effect(10.84, 3.27, usual=3.27)
SMALL = _effect(0.0321, 0.1)


@pytest.mark.parametrize(
    ("effect", "words", "numbers"),
    [
        (DETECTED, "large", "PSI 10.8, usual up to 3.27"),
        (_effect(0.41234, 0.1), "large", "PSI 0.41, limit 0.10"),
        (_effect(0.1, 0.1), "large", "PSI 0.10, limit 0.10"),
        (SMALL, "small", "PSI 0.03, limit 0.10"),
        (_effect(0.0, 0.1), "small", "PSI 0.00, limit 0.10"),
        (_effect(0.0996, 0.1), "small", "PSI 0.0996, limit 0.10"),
        (_effect(2.1, 3.27 * (1.0 + 1e-9), usual=3.27), "within the expected range", "PSI 2.10, usual up to 3.27"),
        (_effect(0.09, 0.1, 0.08), "still large", "PSI 0.09, limit 0.10, ends below 0.08"),
        (_effect(6.1, 6.54, 5.232, usual=3.27), "still large", "PSI 6.10, usual up to 3.27, ends below 5.23"),
        (_effect(0.003, 0.004), "small", "PSI 0.003, limit 0.004"),
    ],
)
def test_a_change_is_large_or_small_beside_its_limit(effect: Effect, words: str, numbers: str) -> None:
    assert (effect.in_words(), effect.numbers()) == (words, numbers)


def _finding(**changes: Any) -> Finding:
    finding = Finding(significant=True, large=True, effect=DETECTED, too_few="120 of 500 rows", until=None)
    return replace(finding, **changes)


@pytest.mark.parametrize(
    ("status", "finding", "words"),
    [
        (
            Status.DRIFT_DETECTED,
            _finding(moved="100 % of rows above the reference's 74th percentile", since="since 2013-05-09"),
            (
                "100 % of rows above the reference's 74th percentile. "
                "Significant; large (PSI 10.8, usual up to 3.27). Since 2013-05-09."
            ),
        ),
        (Status.DRIFT_DETECTED, _finding(), "Significant; large (PSI 10.8, usual up to 3.27)."),
        (
            Status.NORMAL,
            _finding(large=False, effect=SMALL, moved="8 % of rows are 1 (reference: 3 %)"),
            "8 % of rows are 1 (reference: 3 %). Significant; small (PSI 0.03, limit 0.10).",
        ),
        (Status.WARNING, _finding(effect=None), "Significant; size not known yet (120 of 500 rows)."),
        (
            Status.WARNING,
            _finding(effect=None, learning=learning_in_words(1_786_500_000.0)),
            (
                "Significant; size not known yet (120 of 500 rows). The baseline has no times (--time): how much a day "
                "or a week usually varies is known from 2026-08-12 on."
            ),
        ),
        (
            Status.NORMAL,
            _finding(significant=False, large=False, effect=SMALL),
            "no significant change (PSI 0.03, limit 0.10)",
        ),
        (
            Status.NORMAL,
            _finding(significant=False, large=False, effect=None),
            "no significant change (size not known yet: 120 of 500 rows)",
        ),
        (
            Status.NORMAL,
            _finding(significant=False),
            "large but not significant (PSI 10.8, usual up to 3.27)",
        ),
        (
            Status.NORMAL,
            _finding(significant=False, until="until 2013-05-09"),
            "was significant until 2013-05-09; the window still holds rows from then (PSI 10.8, usual up to 3.27)",
        ),
        (
            Status.INSUFFICIENT_DATA,
            _finding(significant=False, effect=None, too_few="34 of 200 rows"),
            "not enough data: 34 of 200 rows",
        ),
        (
            Status.INSUFFICIENT_DATA,
            _finding(effect=None, too_few="0 of 200 rows"),
            "not enough data: 0 of 200 rows. Earlier rows had drifted",
        ),
    ],
)
def test_a_reason_says_what_moved_whether_it_matters_and_since_when(
    status: Status, finding: Finding, words: str
) -> None:
    assert finding.in_words(status) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0.00"),
        (0.004, "0.004"),
        (0.005, "0.01"),
        (0.1, "0.10"),
        (9.994, "9.99"),
        (10.84, "10.8"),
        (123456.0, "123456"),
    ],
)
def test_a_psi_has_two_decimals(value: float, words: str) -> None:
    assert two_decimals(value) == words


# ---------------------------------------------------------------- what to know of a baseline


def _baseline(taus: Sequence[float | None], trending: Sequence[bool] = (), *, by_hour: bool = False) -> Baseline:
    """Return a baseline of columns a, b, … in order of time, of which these things are known."""
    names = [chr(ord("a") + place) for place in range(len(taus))]
    built = build_baseline({name: np.arange(20.0) for name in names}, created="")
    hours = {3: built.columns[0].counts} if by_hour else {}
    trends = [*trending, *[False] * (len(taus) - len(trending))]
    columns = [
        replace(column, tau=tau, trending=trend, by_hour=hours)
        for column, tau, trend in zip(built.columns, taus, trends, strict=True)
    ]
    return replace(built, columns=tuple(columns), time_column="t")


def test_without_times_independence_is_assumed_and_said() -> None:
    plain = build_baseline({"x": np.arange(20.0)}, created="")
    assert list(notes(plain)) == ["the reference has no times (--time): rows are assumed to be independent"]


def test_of_a_baseline_with_times_nothing_is_said_unless_there_is_something() -> None:
    assert list(notes(_baseline([1.0, 50.0]))) == []


def test_columns_of_which_evidence_is_nearly_blind_are_named() -> None:
    unknown, note = notes(_baseline([50.1, 1.0, None, 434.4]))
    assert note == (
        "drift in a (50.1), d (434) can only be detected late: consecutive rows in the reference are strongly "
        "correlated (tau in brackets)"
    )
    assert unknown == "the reference has too few rows to estimate autocorrelation: rows are assumed to be independent"


def test_columns_with_a_trend_are_named_with_what_to_do_about_a_daily_cycle() -> None:
    (note,) = notes(_baseline([3.0, 4.0], [False, True]))
    said = "a trend or season in the reference causes most of tau for b (4)"
    assert note == f"{said}; to remove a daily cycle, build the baseline with --by-hour"
    few, same = notes(_baseline([3.0, 4.0], [False, True], by_hour=True))
    assert same == said
    assert few.startswith("hours 0-2, 4-23 (UTC) have too few reference rows: ")


def test_of_many_columns_some_are_named() -> None:
    blind, trend = notes(_baseline([60.0] * (NAMED + 2), [True] * (NAMED + 1)))
    assert blind.startswith("drift in a (60), b (60), ")
    assert "h (60) and 2 more can only be detected late: " in blind
    assert "h (60) and 1 more; " in trend


# ---------------------------------------------------------------- when


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (0.0, "since 2025-06-16 12:00 UTC"),
        (59.5, "since 2025-06-16 11:59 UTC"),
        (86_399.0, "since 2025-06-15 12:00 UTC"),
        (86_400.0, "since 2025-06-15"),
        (30 * 86_400.0, "since 2025-05-17"),
        (NOON, "since 1970-01-01"),
    ],
)
def test_since_when_in_words(ago: float, words: str) -> None:
    assert since_in_words(NOON - ago, NOON) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1.0, "1 s"),
        (59.0, "59 s"),
        (60.0, "1 min"),
        (90.0, "90 s"),
        (3_600.0, "1 h"),
        (5_400.0, "90 min"),
        (86_400.0, "24 h"),
        (129_600.0, "36 h"),
        (172_800.0, "2 d"),
        (604_800.0, "7 d"),
        (0.0, "0 s"),
        (0.5, "0.5 s"),
        (86_399.0, "86399 s"),
        (172_801.0, "172801 s"),
    ],
)
def test_how_long_in_words(seconds: float, words: str) -> None:
    assert ago_in_words(seconds) == words


@given(st.integers(0, 10_000_000))
def test_a_time_in_words_is_exact(seconds: int) -> None:
    number, unit = ago_in_words(float(seconds)).split()
    size = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}[unit]
    assert float(number) * size == seconds


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.375, "38 %"),
        (0.1, "10 %"),
        (0.0999, "10 %"),
        (0.0996, "10 %"),
        (0.0994, "9.9 %"),
        (0.025, "2.5 %"),
        (0.01, "1 %"),
        (0.0012, "0.12 %"),
        (0.00001, "0.001 %"),
        (0.0000012, "0.00012 %"),
    ],
)
def test_a_share_as_a_percentage(share: float, words: str) -> None:
    assert percent(share) == words


@given(st.floats(0.0, 1.0))
def test_a_percentage_is_within_five_percent_of_the_share(share: float) -> None:
    assert float(percent(share).removesuffix(" %")) / 100 == pytest.approx(share, rel=0.05, abs=1e-300)


@given(st.floats(1e-9, 1e2))
def test_a_short_number_is_within_half_a_percent(value: float) -> None:
    assert float(short(value)) == pytest.approx(value, rel=5.1e-3)


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
