from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.profile.build import profile_of
from driftgauge.drift.profile.profile import MOST_PARTITIONS, MOST_ROWS, Profile, merge_profiles
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.drift.windows.blocks import hours_of
from driftgauge.errors import ProfileError
from hypothesis import given
from hypothesis import strategies as st

CREATED = "2026-01-01T00:00:00Z"
RANDOM = np.random.default_rng(5)
NUMBERS = RANDOM.normal(40.0, 10.0, 5_000)
COLOURS = Categories(RANDOM.integers(0, 3, 5_000), ("blue", "green", "red"))
BASELINE = build_baseline({"age": NUMBERS, "colour": COLOURS}, created=CREATED)
TIMES = RANDOM.uniform(0.0, 86_400.0, 5_000)
BY_HOUR = build_baseline({"age": NUMBERS}, created=CREATED, hours=hours_of(TIMES))


def rows_of(count: int, seed: int = 0) -> FloatArray:
    """Return rows with gaps, numbers beyond the range, and unknown categories."""
    random = np.random.default_rng(seed)
    ages = np.where(random.random(count) < 0.1, np.nan, random.normal(45.0, 12.0, count))
    colours = random.choice([0.0, 1.0, 2.0, 4.0, np.nan], count)
    return np.column_stack([ages, colours])


def partition(name: str, rows: FloatArray, at: FloatArray | None = None, baseline: Baseline = BASELINE) -> Profile:
    """Return the profile of rows."""
    return profile_of(baseline, rows, at, partition=name)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=12), st.data())
def test_any_grouping_in_any_order_merges_to_the_profile_of_the_whole(sizes: list[int], data: st.DataObject) -> None:
    rows = rows_of(sum(sizes))
    at = np.random.default_rng(1).uniform(0.0, 1e6, len(rows))
    ends = np.cumsum(sizes).tolist()
    parts = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    profiles = [partition(f"{index:02}", rows[part], at[part]) for index, part in enumerate(parts)]
    whole = replace(partition("whole", rows, at), partitions=tuple(f"{index:02}" for index in range(len(sizes))))
    mixed = data.draw(st.permutations(profiles))
    while len(mixed) > 1:
        size = data.draw(st.integers(2, len(mixed)))
        mixed = [*mixed[size:], merge_profiles(mixed[:size])]
    assert merge_profiles(mixed) == whole


def test_counts_are_those_of_the_binner_and_of_the_hours() -> None:
    rows, at = rows_of(1_000), np.linspace(0.0, 7_199.0, 1_000)
    found = partition("a", rows, at)
    assert found.counts.sum(axis=1).tolist() == [1_000, 1_000]
    assert found.counts.tolist() == BASELINE.binner.counts(BASELINE.binner.codes(rows)).tolist()
    assert found.hours.tolist() == [500, 500, *[0] * 22]
    assert (found.start, found.end, found.has_times) == (0.0, 7_199.0, True)


def test_a_partition_without_rows_changes_nothing_but_the_names() -> None:
    found, empty = partition("a", rows_of(100), np.arange(100.0)), partition("empty", rows_of(0))
    both = merge_profiles([empty, found])
    assert both == replace(found, partitions=("a", "empty"))
    assert both.has_times
    assert not empty.has_times


def test_rows_without_times_leave_the_whole_without_times() -> None:
    timed, untimed = partition("a", rows_of(100), np.arange(100.0)), partition("b", rows_of(50))
    assert not merge_profiles([timed, untimed]).has_times
    assert (
        merge_profiles([merge_profiles([timed, untimed]), partition("c", rows_of(10), np.arange(10.0))]).hours.sum()
        == 110
    )


def test_against_a_baseline_by_hour_rows_are_counted_by_hour() -> None:
    ages, at = rows_of(500)[:, :1], np.random.default_rng(3).uniform(0.0, 86_400.0, 500)
    found = partition("a", ages, at, BY_HOUR)
    assert sum(own.sum() for own in found.in_hour.values()) == 500
    assert sum(found.in_hour.values()).tolist() == found.counts.tolist()  # type: ignore[union-attr]
    halves = merge_profiles(
        [partition("x", ages[::2], at[::2], BY_HOUR), partition("y", ages[1::2], at[1::2], BY_HOUR)]
    )
    assert halves == replace(found, partitions=("x", "y"))


@pytest.mark.parametrize("at", [None, np.array([0.0, np.nan])])
def test_against_a_baseline_by_hour_every_row_needs_a_time(at: FloatArray | None) -> None:
    with pytest.raises(ProfileError, match=r"every row needs a time \(--time COLUMN\)"):
        partition("a", np.zeros((2, 1)), at, BY_HOUR)


def test_nothing_cannot_be_merged() -> None:
    with pytest.raises(ProfileError, match="no profile to merge"):
        merge_profiles([])


def test_profiles_against_other_baselines_are_refused() -> None:
    other = build_baseline({"age": NUMBERS + 1.0, "colour": COLOURS}, created=CREATED)
    with pytest.raises(ProfileError, match="a and b are profiles against different baselines"):
        merge_profiles([partition("a", rows_of(10)), partition("b", rows_of(10), baseline=other)])


def test_profiles_of_other_columns_are_refused() -> None:
    fewer = profile_of(BASELINE, rows_of(10)[:, :1], partition="b", columns=["age"])
    assert fewer.columns == ("age",)
    with pytest.raises(ProfileError, match="only one has colour: leave the same columns out of both"):
        merge_profiles([partition("a", rows_of(10)), fewer])


def test_a_partition_is_not_counted_twice() -> None:
    a, b = partition("a", rows_of(10)), partition("b", rows_of(10))
    with pytest.raises(ProfileError, match="the partition a is in two of the profiles"):
        merge_profiles([merge_profiles([a, b]), a])


@pytest.mark.parametrize(
    ("whole", "period"),
    [
        ("t.csv", "t.csv#2026-01-31"),
        ("t.csv", "t.csv#2026-01-31T07:00:00Z"),
        ("t.csv#2026-01-31", "t.csv#2026-01-31T07:00:00Z"),
    ],
)
def test_a_table_is_not_counted_as_a_whole_and_by_period(whole: str, period: str) -> None:
    profiles = [partition(name, rows_of(10)) for name in (whole, period)]
    message = f"the rows of {period} are in the profile of {whole} too: give the one or the other"
    for ordered in (profiles, profiles[::-1]):
        with pytest.raises(ProfileError, match=re.escape(message)):
            merge_profiles(ordered)


def test_periods_of_a_table_and_other_tables_are_counted() -> None:
    names = ("t.csv#2026-01-31T07:00:00Z", "t.csv#2026-01-31T08:00:00Z", "t.csv#2026-02-01", "u.csv", "t.csv#1", "t")
    assert merge_profiles(partition(name, rows_of(10)) for name in names).rows == 60


def test_names_of_partitions_are_bounded() -> None:
    a = partition("a", rows_of(10))
    many = replace(a, partitions=tuple(f"{index:05}" for index in range(MOST_PARTITIONS)))
    with pytest.raises(ProfileError, match="no more can be named: merge some of them first under one name"):
        merge_profiles([many, a])


def test_merging_leaves_its_profiles_as_they_were() -> None:
    profiles = [partition("a", rows_of(10)), partition("b", rows_of(20))]
    before = profiles[0].counts.copy(), profiles[1].counts.copy()
    merge_profiles(profiles)
    assert merge_profiles(profiles[:1]) == profiles[0]
    assert [own.counts.tolist() for own in profiles] == [own.tolist() for own in before]


def test_equal_profiles_have_one_hash_and_name_their_partitions() -> None:
    a = partition("a", rows_of(10))
    assert {a, partition("a", rows_of(10))} == {a}
    assert a != partition("a", rows_of(10, seed=2))
    assert repr(a) == "<Profile of a: 10 rows, 2 columns>"
    assert repr(merge_profiles([a, partition("b", rows_of(5))])) == "<Profile of 2 partitions: 15 rows, 2 columns>"


def test_more_rows_than_counts_can_hold_are_refused() -> None:
    huge = partition("a", rows_of(1))
    huge = replace(huge, rows=MOST_ROWS, counts=huge.counts * MOST_ROWS)
    assert merge_profiles([huge, partition("empty", rows_of(0))]).rows == MOST_ROWS
    with pytest.raises(ProfileError, match="more than 9,007,199,254,740,992 rows"):
        merge_profiles([huge, partition("b", rows_of(1))])
