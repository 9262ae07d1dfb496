from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.reference.baseline import Baseline, dumps, joined
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.drift.reference.expected_range import SPANS, STEPS
from driftgauge.drift.statistics.psi import Folding, psi, psi_clip
from driftgauge.drift.windows.blocks import FEWEST_HOUR_ROWS, HOURS, Blocks
from driftgauge.errors import BaselineError
from driftgauge.models.baseline_file import loads
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.monitors import timed_baseline
from tests.references import CREATED, SIZE, categories_of, ordered_baseline, some_table

unhurried = settings(deadline=None, max_examples=examples(40))


@pytest.fixture
def baseline() -> Baseline:
    return ordered_baseline()


numbers = st.lists(st.floats(), min_size=7, max_size=7).map(lambda values: np.array(values, dtype=np.float64))
letters = st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=7, max_size=7).map(categories_of)
tables = st.dictionaries(st.text(max_size=5), st.one_of(numbers, letters), min_size=1, max_size=4)


# ---------------------------------------------------------------- what is compared


def test_counts_side_by_side_are_padded_with_zeros(baseline: Baseline) -> None:
    assert baseline.counts.shape == (3, baseline.binner.width)
    for row, column in zip(baseline.counts, baseline.columns, strict=True):
        assert row.tolist() == [*column.counts, *[0] * (baseline.binner.width - len(column.counts))]


def test_psi_is_that_of_the_baselines_own_formula(baseline: Baseline) -> None:
    counts = np.random.default_rng(1).integers(0, 50, (4, *baseline.counts.shape)) * np.sign(baseline.counts)
    folded = Folding(baseline.bins)
    np.testing.assert_array_equal(baseline.psi(counts).psi, psi(counts.astype(np.float64), baseline.counts).psi)
    clipped = psi_clip(folded(counts.astype(np.float64)), folded(baseline.counts))
    np.testing.assert_array_equal(replace(baseline, zero_bin="clip").psi(counts).psi, clipped.psi)


def test_facts_of_the_columns_stand_side_by_side(baseline: Baseline) -> None:
    assert baseline.names == ("number", "flag", "letter")
    assert baseline.numeric.tolist() == [True, True, False]
    assert baseline.in_sample.tolist() == [False, False, False]
    assert baseline.special_codes["other"].tolist() == [-1, -1, 3]
    maxima = baseline.numbers("max")
    assert maxima[:2].tolist() == [baseline.columns[0].max, 1.0]
    assert math.isnan(maxima[2])


@pytest.mark.parametrize("zero_bin", ["jeffreys", "clip"])
def test_variation_is_the_furthest_of_the_references_own_windows(zero_bin: Any) -> None:
    table = {"x": some_table()["number"]}
    built = build_baseline(table, created=CREATED, ordered_by="t", window_sizes=(SIZE,), zero_bin=zero_bin)
    assert isinstance(table["x"], np.ndarray)
    codes = built.binner.codes(table["x"][:, None])
    furthest = 0.0
    for rows in (round(SIZE * span) for span in SPANS):
        starts = [*range(0, len(codes) - rows + 1, rows // STEPS), len(codes) - rows]
        windows = [codes[start : start + rows // (rows // STEPS) * (rows // STEPS)] for start in starts]
        furthest = max(furthest, *(built.psi(built.binner.counts(window)).debiased[0] for window in windows))
    assert built.columns[0].expected_range == {SIZE: pytest.approx(furthest, rel=1e-12)}
    assert furthest > 0


def test_columns_are_equal_by_content_even_where_a_moment_is_not_known() -> None:
    first, again = (build_baseline(some_table(), created=CREATED) for _ in range(2))
    assert math.isnan(first.columns[-1].mean)
    assert first == again
    assert hash(first.columns[-1]) == hash(again.columns[-1])
    assert first.columns[-1] != replace(first.columns[-1], counts=(*first.columns[-1].counts[:-1], 1.0))
    assert first.columns[-1] != "a column"


def test_without_an_order_no_variation_is_known() -> None:
    built = build_baseline(some_table(), created=CREATED)
    assert [column.expected_range for column in built.columns] == [{}, {}, {}]
    assert built.expected_range(1_000).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("rows", "size"), [(1, 100), (100, 100), (199, 100), (200, 200), (10_000, 200)])
def test_a_window_varies_as_the_largest_known_size_that_it_holds(baseline: Baseline, rows: int, size: int) -> None:
    known = {100: 0.3, 200: 0.1}
    varying = replace(baseline, columns=tuple(replace(c, expected_range=known) for c in baseline.columns))
    assert varying.expected_range(rows).tolist() == [known[size]] * 3


def test_a_size_that_a_column_lacks_varies_as_its_next_smaller_one(baseline: Baseline) -> None:
    variations: list[dict[int, float]] = [{100: 0.3, 300: 0.1}, {200: 0.2}, {}]
    pairs = zip(baseline.columns, variations, strict=True)
    varying = replace(baseline, columns=tuple(replace(c, expected_range=v) for c, v in pairs))
    assert varying.expected_range(100).tolist() == [0.3, 0.2, 0.0]
    assert varying.expected_range(250).tolist() == [0.3, 0.2, 0.0]
    assert varying.expected_range(300).tolist() == [0.1, 0.2, 0.0]


def test_joined_scores_stand_behind_the_features(baseline: Baseline) -> None:
    scores = build_baseline({"prediction": np.linspace(0.0, 1.0, 50)}, created="later")
    both = joined(baseline, scores, in_sample=True)
    assert both.names == (*baseline.names, "prediction")
    assert both.in_sample.tolist() == [False, False, False, True]
    assert (both.created, both.rows, both.time_column) == (CREATED, baseline.rows, "time")
    assert both.columns[:3] == baseline.columns


# ---------------------------------------------------------------- hours of the day


def _hourly(seed: int = 4) -> tuple[dict[str, FloatArray | Categories], IntArray]:
    """Return a table in which hours differ, and the hour of each row: some have few rows, some none."""
    rng = np.random.default_rng(seed)
    shares = rng.random(HOURS)
    shares[:4] = 0.0
    shares[4:8] = 0.02
    hours = rng.choice(HOURS, 9_000, p=shares / shares.sum())
    rows = len(hours)
    number = np.where(rng.random(rows) < 0.1, math.nan, rng.normal(hours / 12.0, 1.0))
    few = rng.choice([1.0, 2.0, 3.0, 4.0], rows)
    few[rng.permutation(rows)[:3]] = [17.0, 18.0, 19.0]  # values that only one row has
    words: list[str | None] = [str(word) for word in rng.choice(list("aabc"), rows)]
    for place, row in enumerate(rng.permutation(rows)[:400].tolist()):
        words[row] = None if place < 50 else f"once {place}" if place < 200 else f"twice {place // 2}"
    table = {"number": number, "few": few, "flag": (rng.random(rows) < hours / 24).astype(np.float64)}
    return {**table, "word": categories_of(words)}, hours


def test_counts_by_hour_are_the_references_rows_of_each_hour() -> None:
    table, hours = _hourly()
    built = build_baseline(table, created=CREATED, hours=hours)
    rows = np.bincount(hours, minlength=HOURS)
    enough = set(np.flatnonzero(rows >= FEWEST_HOUR_ROWS).tolist())
    assert 0 < len(enough) < np.count_nonzero(rows) < HOURS
    assert built.is_by_hour
    assert built.counts == pytest.approx(build_baseline(table, created=CREATED).counts)
    for column in built.columns:
        data = table[column.name]
        assert set(column.by_hour) == enough
        for hour, counts in column.by_hour.items():
            own = hours == hour
            if isinstance(data, Categories):
                cells = column.bins.encode([data.names[code] if code >= 0 else None for code in data.codes[own]])
                alone = Counter(data.codes.tolist())
                once = sum(alone[code] == 1 for code in data.codes[own].tolist())
            else:
                cells = data[own]
                alone = Counter(data.tolist())
                once = sum(alone[value] == 1 for value in cells.tolist())
            expected = Counter(_bin_names(built, column.name, cells))
            if column.name == "flag":
                expected["unseen"] = 0.5  # type: ignore[assignment]
            elif column.name != "number":
                expected["unseen"] = once
            if column.name == "word":
                expected["other"] -= once
            assert dict(zip(column.bins.names, counts, strict=True)) == {
                name: expected[name] for name in column.bins.names
            }
    for column in built.columns[1:]:
        place = column.bins.special["unseen"]
        assert sum(counts[place] for counts in column.by_hour.values()) > 0


def _bin_names(baseline: Baseline, name: str, cells: FloatArray) -> list[str]:
    """Return the name of the bin that each cell of a column lies in."""
    place = baseline.names.index(name)
    rows = np.zeros((len(cells), len(baseline.columns)))
    rows[:, place] = cells
    return [baseline.bins[place].names[code] for code in baseline.binner.codes(rows)[:, place].tolist()]


def test_where_every_hour_has_rows_enough_they_add_up_to_the_whole() -> None:
    table, _ = _hourly()
    hours = np.arange(9_000) % HOURS
    built = build_baseline(table, created=CREATED, hours=hours)
    for column in built.columns:
        assert len(column.by_hour) == HOURS
        summed = np.sum(list(column.by_hour.values()), axis=0)
        halves = column.bins.special["unseen"] if column.name == "flag" else -1  # half a row in each hour
        for code, (found, whole) in enumerate(zip(summed.tolist(), column.counts, strict=True)):
            assert found == (HOURS * 0.5 if code == halves else whole)


def test_an_hour_with_few_rows_has_the_counts_of_the_whole_reference() -> None:
    table, hours = _hourly()
    built = build_baseline(table, created=CREATED, hours=hours)
    rows = np.bincount(hours, minlength=HOURS)
    assert built.counts_by_hour.shape == (HOURS, *built.counts.shape)
    for hour in range(HOURS):
        for place, column in enumerate(built.columns):
            known = column.by_hour[hour] if rows[hour] >= FEWEST_HOUR_ROWS else column.counts
            padding = [0.0] * (built.binner.width - len(known))
            assert built.counts_by_hour[hour, place].tolist() == [*known, *padding]


def _expected_shares(baseline: Baseline, hours: IntArray, place: int) -> tuple[FloatArray, float]:
    """Return the shares to expect of a column's bins, and the rows that their variance is that of, by the formula."""
    n = hours.sum()
    shares, variance, whole = np.zeros(baseline.binner.width), 0.0, 0.0
    for hour in range(HOURS):
        counts = baseline.columns[place].by_hour.get(hour, baseline.columns[place].counts)
        m = sum(counts)
        weight = hours[hour] / n
        shares[: len(counts)] += weight * np.array(counts) / m
        if hour in baseline.columns[place].by_hour:
            variance += weight**2 / m
        else:
            whole += weight  # all of these hours are compared with the same rows
    return shares, 1.0 / (variance + whole**2 / sum(baseline.columns[place].counts))


def test_what_is_expected_is_the_hours_shares_weighted_by_the_windows_rows() -> None:
    table, hours = _hourly()
    built = build_baseline(table, created=CREATED, hours=hours)
    rng = np.random.default_rng(6)
    windows = np.stack([rng.integers(0, 90, HOURS), np.eye(HOURS, dtype=np.int64)[13] * 500, np.bincount(hours)])
    found = built.expected(windows)
    assert found.shape == (3, *built.counts.shape)
    for window, expected in zip(windows, found, strict=True):
        np.testing.assert_allclose(built.expected(window), expected, rtol=1e-14)
        for place in range(len(built.columns)):
            shares, rows = _expected_shares(built, window, place)
            np.testing.assert_allclose(expected[place], shares * rows, rtol=1e-12, atol=1e-12)
    one_hour = np.array(built.columns[0].by_hour[13])
    np.testing.assert_allclose(found[1, 0, : len(one_hour)], one_hour, rtol=1e-12)


def test_where_hours_are_not_known_or_not_told_apart_the_whole_reference_is_expected() -> None:
    table, hours = _hourly()
    built, plain = (build_baseline(table, created=CREATED, hours=own) for own in (hours, None))
    some = np.arange(HOURS)
    assert (built.is_by_hour, plain.is_by_hour) == (True, False)
    np.testing.assert_array_equal(built.expected(None), built.counts)
    np.testing.assert_array_equal(built.expected(np.zeros(HOURS, dtype=np.int64)), built.counts)
    np.testing.assert_array_equal(plain.expected(some), plain.counts)
    several = built.expected(np.stack([some, np.zeros(HOURS, dtype=np.int64)]))
    np.testing.assert_array_equal(several[1], built.counts)
    np.testing.assert_array_equal(several[0], built.expected(some))


@pytest.mark.parametrize("zero_bin", ["jeffreys", "clip"])
def test_psi_by_hour_compares_with_what_those_hours_lead_to_expect(zero_bin: Any) -> None:
    table, hours = _hourly()
    built = build_baseline(table, created=CREATED, hours=hours, zero_bin=zero_bin)
    windows = np.random.default_rng(8).integers(0, 60, (2, HOURS))
    counts = np.random.default_rng(1).integers(0, 50, (2, *built.counts.shape)) * np.sign(built.counts)
    plain = replace(built, columns=tuple(replace(column, by_hour={}) for column in built.columns))
    for i in range(2):
        expected = built.expected(windows[i])
        padded = [replace(c, counts=tuple(e[: len(c.counts)])) for c, e in zip(plain.columns, expected, strict=True)]
        by_hand = replace(plain, columns=tuple(padded)).psi(counts[i])
        np.testing.assert_allclose(built.psi(counts, windows).psi[i], by_hand.psi, rtol=1e-12)
        np.testing.assert_allclose(built.psi(counts, windows).noise[i], by_hand.noise, rtol=1e-12)
    np.testing.assert_array_equal(built.psi(counts).psi, plain.psi(counts).psi)


def test_a_daily_cycle_is_no_drift_by_hour() -> None:
    rng = np.random.default_rng(9)
    hours = np.arange(48_000) // 100 % HOURS
    table = {"x": 1.5 * np.sin(hours / HOURS * 2 * np.pi) + rng.normal(size=len(hours))}
    built = build_baseline(table, created=CREATED, hours=hours)
    own = 1.5 * np.sin(6 / HOURS * 2 * np.pi) + rng.normal(size=2_000)
    counts = built.binner.counts(built.binner.codes(own[:, None]))
    six = np.eye(HOURS, dtype=np.int64)[6] * 2_000
    assert built.psi(counts, six).debiased[0] < 0.02
    assert built.psi(counts).debiased[0] > 0.5


# ---------------------------------------------------------------- dependence and evidence


def test_without_an_order_dependence_is_unknown_and_rows_count_as_independent() -> None:
    built = build_baseline(some_table(), created=CREATED)
    assert [(column.tau, column.trending) for column in built.columns] == [(None, False)] * 3
    assert built.tau.tolist() == built.detector().tau.tolist() == [1.0] * 3


def test_dependent_rows_tell_less_than_independent_ones() -> None:
    walk, noise, letter = timed_baseline().columns
    assert walk.tau is not None
    assert letter.tau is not None
    assert noise.tau == 1.0
    assert 2.0 < walk.tau < 5.0  # of an autoregression of a half: (1 + a) / (1 - a) = 3
    assert 3.0 < letter.tau < 6.0  # each letter comes four times
    assert [column.trending for column in (walk, noise, letter)] == [False] * 3
    assert timed_baseline().tau.tolist() == [walk.tau, 1.0, letter.tau]


def test_a_trend_is_told_from_dependence() -> None:
    rng = np.random.default_rng(10)
    table = {"drifting": np.linspace(0.0, 2.0, 20_000) + rng.normal(size=20_000), "steady": rng.normal(size=20_000)}
    drifting, steady = build_baseline(table, created=CREATED, ordered_by="t").columns
    assert drifting.tau is not None
    assert drifting.tau > 50
    assert (drifting.trending, steady.trending, steady.tau) == (True, False, 1.0)


def test_the_reference_in_its_own_order_raises_no_evidence() -> None:
    table = {"x": np.concatenate([np.random.default_rng(12).normal(shift, 1.0, 2_000) for shift in (0, 1, 0, 1, 0)])}
    built = build_baseline(table, created=CREATED, ordered_by="t")
    codes = built.binner.codes(table["x"][:, None])
    counts = built.binner.counts_by(codes, np.arange(len(codes)) // 50, len(codes) // 50)
    for baseline, quiet in ((built, True), (replace(built, columns=(replace(built.columns[0], tau=1.0),)), False)):
        detector = baseline.detector()
        blocks = Blocks(counts, np.zeros(len(counts), dtype=np.int64), np.arange(len(counts), dtype=np.float64))
        assert bool(detector.peaks([blocks])[0] < 0.1 * detector.start().threshold) is quiet


def test_a_detector_is_made_of_the_baseline() -> None:
    budget = Budget(false_alarm_rows=5e4, tolerance=0.0)
    timed = timed_baseline()
    assert timed.detector(budget).budget == budget
    assert timed.detector().budget == Budget()
    assert timed.detector().by_hour
    plain = replace(timed, columns=tuple(replace(column, by_hour={}) for column in timed.columns))
    assert not plain.detector().by_hour
    scores = joined(plain, build_baseline({"prediction": np.linspace(0.0, 1.0, 500)}, created=""), in_sample=True)
    assert scores.detector().watched.tolist() == [True, True, True, False]
    assert scores.detector(budget).start().threshold == 3 * 5e4


# ---------------------------------------------------------------- as text


def test_dependence_and_hours_survive_being_text() -> None:
    built = timed_baseline()
    column = replace(built.columns[0], trending=True)
    for baseline in (built, replace(built, columns=(column, *built.columns[1:]))):
        read = loads(dumps(baseline))
        assert read == baseline
        assert read.hash == baseline.hash
        for one, other in zip(read.columns, baseline.columns, strict=True):
            assert (one.tau, one.trending, dict(one.by_hour)) == (other.tau, other.trending, dict(other.by_hour))
            assert len(one.by_hour) == HOURS
        np.testing.assert_array_equal(read.counts_by_hour, baseline.counts_by_hour)
        np.testing.assert_array_equal(read.tau, baseline.tau)
    plain = build_baseline(some_table(), created=CREATED)
    read = loads(dumps(plain))
    assert [(c.tau, c.trending, c.by_hour) for c in read.columns] == [(None, False, {})] * 3


@unhurried
@given(tables, st.booleans())
def test_a_baseline_survives_being_text(table: Table, ordered: bool) -> None:
    built = build_baseline(table, created=CREATED, ordered_by="t" if ordered else None, window_sizes=(1, 2, 3))
    read = loads(dumps(built))
    assert read.hash == built.hash
    assert dumps(read) == dumps(built)
    assert read.bins == built.bins
    np.testing.assert_array_equal(read.counts, built.counts)
    for rows in range(5):
        np.testing.assert_array_equal(read.expected_range(rows), built.expected_range(rows))


def test_a_baseline_of_numbers_reads_back_as_an_equal_one() -> None:
    table = {name: data for name, data in some_table().items() if name != "letter"}
    built = build_baseline(table, created=CREATED, ordered_by="time", window_sizes=(SIZE,))
    read = loads(dumps(built))
    assert read == built
    assert [column.expected_live_tau for column in read.columns] == list(built.expected_live_tau)
    assert (built.expected_live_tau >= 1.0).all()


def test_a_baseline_of_a_version_that_did_not_measure_live_dependence_keeps_its_hash(baseline: Baseline) -> None:
    columns = tuple(replace(column, expected_live_tau=None) for column in baseline.columns)
    before = replace(baseline, columns=columns)
    assert "expected_live_tau" not in dumps(before)
    read = loads(dumps(before))
    assert (read.hash, list(read.expected_live_tau)) == (before.hash, [0.0] * len(columns))


def test_baselines_of_different_content_have_different_hashes(baseline: Baseline) -> None:
    changes: list[dict[str, Any]] = [
        {"tau": 7.5},
        {"tau": None},
        {"trending": not baseline.columns[0].trending},
        {"expected_live_tau": 7.5},
        {"expected_live_tau": None},
        {"by_hour": {3: baseline.columns[0].counts}},
        {"by_hour": {4: baseline.columns[0].counts}},
    ]
    others = [
        replace(baseline, rows=1),
        replace(baseline, time_column=None),
        replace(baseline, zero_bin="clip"),
        replace(baseline, columns=baseline.columns[::-1]),
        replace(baseline, columns=baseline.columns[:-1]),
        *(
            replace(baseline, columns=(replace(baseline.columns[0], **change), *baseline.columns[1:]))
            for change in changes
        ),
    ]
    assert len({baseline.hash, *(other.hash for other in others)}) == len(others) + 1
    rebuilt = build_baseline(some_table(), created=CREATED, ordered_by="time", window_sizes=(2 * SIZE, SIZE))
    assert rebuilt.hash == replace(rebuilt, created="later").hash == baseline.hash


@pytest.mark.parametrize("kept", [0, 1, 200, -3])
def test_truncated_text_is_refused(baseline: Baseline, kept: int) -> None:
    with pytest.raises(BaselineError, match="truncated: build or copy it again"):
        loads(dumps(baseline)[:kept])


@pytest.mark.parametrize(("key", "edited"), [("rows", SIZE), ("time_column", "edited"), ("time_column", None)])
def test_edited_content_is_refused(baseline: Baseline, key: str, edited: object) -> None:
    content = json.loads(dumps(baseline))
    assert content[key] != edited
    content[key] = edited
    with pytest.raises(BaselineError, match=r"does not match its hash: .*build it again"):
        loads(json.dumps(content))


def test_an_edited_count_is_refused(baseline: Baseline) -> None:
    content = json.loads(dumps(baseline))
    content["columns"][0]["counts"][3] += 1
    with pytest.raises(BaselineError, match="does not match its hash"):
        loads(json.dumps(content))


def test_content_without_its_hash_is_refused(baseline: Baseline) -> None:
    content = json.loads(dumps(baseline))
    del content["hash"]
    with pytest.raises(BaselineError, match="does not match its hash"):
        loads(json.dumps(content))


@pytest.mark.parametrize("version", [0, 1, 2, 4, "3", None])
def test_another_schema_version_is_refused_and_says_how_to_build_this_one(baseline: Baseline, version: object) -> None:
    content = {**json.loads(dumps(baseline)), "schema_version": version}
    with pytest.raises(BaselineError, match=r"schema version .*this Driftgauge reads 3: build it again with `drift"):
        loads(json.dumps(content))


@pytest.mark.parametrize("text", ["[]", "null", "3", '"text"', "{}"])
def test_json_that_is_no_baseline_is_refused(text: str) -> None:
    with pytest.raises(BaselineError, match="build it again"):
        loads(text)


def _without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: content.pop(key)


def _column_with(**changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["columns"][0].update(changes)


def _bins_with(**changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["columns"][0]["bins"].update(changes)


@pytest.mark.parametrize(
    "damage",
    [
        _without("columns"),
        _without("rows"),
        lambda content: content.update(unknown=1),
        lambda content: content.update(columns=5),
        lambda content: content.update(columns=[None]),
        _column_with(bins=None),
        _column_with(counts=[1.0]),
        _column_with(mean="high"),
        _column_with(mean=10**400),
        _column_with(expected_range=None),
        _column_with(expected_range={"day": 1.0}),
        _column_with(unknown=1),
        _column_with(tau="long"),
        _column_with(expected_live_tau=0.5),
        _column_with(by_hour=None),
        _column_with(by_hour={"3": [1.0]}),
        _column_with(by_hour={"noon": []}),
        lambda content: content["columns"][0].update(by_hour={"24": content["columns"][0]["counts"]}),
        lambda content: content["columns"][0].update(by_hour={"-1": content["columns"][0]["counts"]}),
        lambda content: content["columns"][0].pop("tau"),
        lambda content: content["columns"][0].pop("by_hour"),
        _bins_with(edges=None),
        _bins_with(edges=["low"]),
        _bins_with(tail=[1, "a"]),
        lambda content: content["columns"][0]["bins"].pop("rule"),
    ],
)
def test_malformed_content_is_refused(baseline: Baseline, damage: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(dumps(baseline))
    damage(content)
    with pytest.raises(BaselineError, match=r"malformed .*: build it again"):
        loads(json.dumps(content))
