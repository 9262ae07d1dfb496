from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.profile.build import profile_of
from driftgauge.drift.profile.merged_baseline import OF_PROFILES, merged_baseline, notes_on
from driftgauge.drift.profile.profile import Profile
from driftgauge.drift.reference.baseline import Baseline, dumps
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import NO_CORRELATIONS, Categories, Table
from driftgauge.drift.statistics.two_sample import SampleStatistics
from driftgauge.drift.windows.blocks import hours_of
from driftgauge.errors import BaselineError
from driftgauge.models.baseline_file import loads

from tests.drift.profile.test_profile import CREATED

COLOURS = ("blue", "green", "red")


def rows_of(count: int, seed: int) -> tuple[FloatArray, IntArray, FloatArray]:
    """Return ages with gaps, colours as codes of `COLOURS`, and steps of few values."""
    random = np.random.default_rng(seed)
    ages = np.where(random.random(count) < 0.05, np.nan, random.normal(40.0 + seed, 10.0, count))
    return ages, random.integers(0, 3, count), random.integers(0, 4, count).astype(np.float64)


def table_of(count: int, seed: int) -> Table:
    """Return rows as the columns of a table."""
    ages, colours, steps = rows_of(count, seed)
    return {"age": ages, "colour": Categories(colours, COLOURS), "step": steps}


def profile_against(first: Baseline, count: int, seed: int) -> Profile:
    """Return the profile of rows."""
    ages, colours, steps = rows_of(count, seed)
    coded = first.columns[1].bins.encode(COLOURS)[colours]
    return profile_of(first, np.column_stack([ages, coded, steps]), partition=f"part {seed}")


def built(count: int, seed: int) -> Baseline:
    """Return the baseline of rows."""
    return build_baseline(table_of(count, seed), created=CREATED, ordered_by="at")


FIRST = built(4_000, 0)
PARTS = [profile_against(FIRST, 3_000, seed) for seed in (1, 2)]
AGES = np.concatenate([rows_of(4_000, 0)[0], rows_of(3_000, 1)[0], rows_of(3_000, 2)[0]])
KNOWN = AGES[~np.isnan(AGES)]


def test_counts_and_moments_are_those_of_all_rows() -> None:
    merged = merged_baseline(FIRST, PARTS, created=CREATED)
    assert merged.rows == 10_000
    age = merged.columns[0]
    assert age.rows == 10_000
    binner = FIRST.binner
    codes = np.column_stack([AGES, np.zeros((10_000, 2))])
    np.testing.assert_array_equal(age.counts, binner.counts(binner.codes(codes))[0, : len(age.counts)])
    np.testing.assert_allclose([age.mean, age.std], [KNOWN.mean(), KNOWN.std()], rtol=1e-9)
    assert (age.min, age.max) == (KNOWN.min(), KNOWN.max())
    assert merged.columns[2].counts[-1] == 0
    assert sum(merged.columns[1].counts) == 10_000


def test_quantiles_are_those_of_all_rows_within_a_bin() -> None:
    age = merged_baseline(FIRST, PARTS, created=CREATED).columns[0]
    assert len(age.quantiles) == 512
    shares = np.searchsorted(np.sort(KNOWN), age.quantiles, side="right") / KNOWN.size
    assert np.abs(shares - (np.arange(512) + 0.5) / 512).max() < 0.02


def test_windows_are_compared_with_all_rows() -> None:
    merged = merged_baseline(FIRST, PARTS, created=CREATED)
    found: SampleStatistics = merged.sample_comparison(np.stack([KNOWN, KNOWN, KNOWN]))
    assert found.ks_statistic[0] < 0.02
    assert abs(found.mean_shift[0]) < 1e-9
    alone: SampleStatistics = FIRST.sample_comparison(np.stack([KNOWN, KNOWN, KNOWN]))
    assert alone.ks_statistic[0] > 0.03


def test_the_order_of_the_parts_does_not_change_the_counts() -> None:
    there, back = (merged_baseline(FIRST, parts, created=CREATED) for parts in (PARTS, PARTS[::-1]))
    np.testing.assert_array_equal(there.counts, back.counts)


def test_a_merged_baseline_is_read_from_its_text_and_merged_again() -> None:
    merged = merged_baseline(FIRST, PARTS[:1], created=CREATED)
    assert loads(dumps(merged)).hash == merged.hash
    again = merged_baseline(merged, [profile_against(merged, 3_000, 2)], created=CREATED)
    np.testing.assert_array_equal(again.counts, merged_baseline(FIRST, PARTS, created=CREATED).counts)
    assert loads(dumps(again)).hash == again.hash


def test_baselines_of_the_same_bins_add_up() -> None:
    parts = [rows_of(500, seed) for seed in (1, 2)]
    few: list[Table] = [{"step": steps, "colour": Categories(colours, COLOURS)} for _, colours, steps in parts]
    first, second = (build_baseline(own, created=CREATED) for own in few)
    second = replace(second, columns=(second.columns[0], replace(second.columns[1], bins=first.columns[1].bins)))
    merged = merged_baseline(first, [second], created=CREATED)
    both = np.concatenate([rows_of(500, seed)[2] for seed in (1, 2)])
    np.testing.assert_array_equal(merged.columns[0].counts[1:5], np.bincount(both.astype(np.int64)))
    np.testing.assert_allclose([merged.columns[0].mean, merged.columns[0].std], [both.mean(), both.std()])


def test_expected_ranges_and_tau_are_kept_and_correlations_are_not() -> None:
    merged = merged_baseline(FIRST, PARTS, created=CREATED)
    assert merged.columns[0].expected_range == FIRST.columns[0].expected_range
    assert merged.columns[0].tau == FIRST.columns[0].tau
    assert merged.time_column == "at"
    assert FIRST.correlations is not NO_CORRELATIONS
    assert merged.correlations is NO_CORRELATIONS
    assert merged.novelty is None


def test_by_hour_the_hours_add_up() -> None:
    at = np.random.default_rng(0).uniform(0.0, 86_400.0, 12_000)
    ages = rows_of(12_000, 0)[0]
    first = build_baseline({"age": ages}, created=CREATED, hours=hours_of(at))
    part = profile_of(first, ages[:, None], at, partition="again")
    merged = merged_baseline(first, [part], created=CREATED)
    assert set(merged.columns[0].by_hour) == set(first.columns[0].by_hour)
    hour = 5
    np.testing.assert_allclose(merged.columns[0].by_hour[hour], np.multiply(first.columns[0].by_hour[hour], 2.0))
    untimed = replace(part, in_hour={})
    with pytest.raises(BaselineError, match="has no rows by hour of the day"):
        merged_baseline(first, [untimed], created=CREATED)


def test_parts_without_a_number_add_their_missing_rows() -> None:
    gaps = np.column_stack([np.full(50, np.nan), np.zeros(50), np.zeros(50)])
    part = profile_of(FIRST, gaps, partition="gaps")
    merged = merged_baseline(FIRST, [part], created=CREATED).columns[0]
    assert merged.rows == 4_050
    assert merged.mean == pytest.approx(FIRST.columns[0].mean)
    assert merged.counts[-1] == FIRST.columns[0].counts[-1] + 50


def test_rows_beyond_the_first_range_reach_the_quantiles() -> None:
    far = np.column_stack([np.full(8_000, 200.0), np.zeros(8_000), np.zeros(8_000)])
    merged = merged_baseline(FIRST, [profile_of(FIRST, far, partition="far")], created=CREATED).columns[0]
    assert merged.max == 200.0
    assert merged.quantiles[-1] == 200.0
    assert loads(dumps(merged_baseline(FIRST, [profile_of(FIRST, far, partition="far")], created=CREATED)))


def test_a_profile_without_rows_changes_nothing_that_is_counted() -> None:
    empty = profile_of(FIRST, np.empty((0, 3)), partition="empty")
    merged = merged_baseline(FIRST, [empty], created=CREATED)
    np.testing.assert_array_equal(merged.counts, FIRST.counts)
    assert math.isclose(merged.columns[0].mean, FIRST.columns[0].mean)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (built(1_000, 3), "the bins of age differ, and counts in different bins do not add up"),
        (replace(FIRST, columns=FIRST.columns[:2]), "differ in their columns"),
        (replace(FIRST, zero_bin="clip"), "differ in the formula of PSI"),
        (
            replace(FIRST, columns=(replace(FIRST.columns[0], of_text=True), *FIRST.columns[1:])),
            "age is not of the same kind",
        ),
        (
            profile_against(replace(FIRST, rows=FIRST.rows + 1), 10, 1),
            "the profile of part 1 was made against another baseline",
        ),
        (profile_of(FIRST, np.zeros((2, 1)), partition="x", columns=["age"]), "does not count colour, step"),
    ],
    ids=["bins", "columns", "formula", "kind", "hash", "fewer"],
)
def test_what_does_not_add_up_is_refused(other: Baseline | Profile, why: str) -> None:
    with pytest.raises(BaselineError, match=why):
        merged_baseline(FIRST, [other], created=CREATED)


def test_no_part_is_counted_twice() -> None:
    part = profile_against(FIRST, 10, 1)
    with pytest.raises(BaselineError, match="two of the baselines are the same, and their rows would count twice"):
        merged_baseline(FIRST, [FIRST], created=CREATED)
    with pytest.raises(BaselineError, match="the partition part 1 is in two of the profiles: give each once"):
        merged_baseline(FIRST, [part, profile_against(FIRST, 10, 2), part], created=CREATED)
    hour = profile_against(FIRST, 10, 2).named("part 1#2026-01-31T07:00:00Z")
    with pytest.raises(BaselineError, match="T07:00:00Z are in the profile of part 1 too: give the one or the other"):
        merged_baseline(FIRST, [hour, part], created=CREATED)


def test_notes_say_what_profiles_cannot_give() -> None:
    assert OF_PROFILES in notes_on(PARTS)
    assert OF_PROFILES not in notes_on([FIRST])
