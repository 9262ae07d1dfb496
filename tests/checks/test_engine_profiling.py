"""Profiles that databases count are those of the same tables in memory, by table and by period."""

from __future__ import annotations

import pyarrow as pa
import pytest
from driftgauge.checks import profiling
from driftgauge.checks.engine_profiling import profiles_in_engine
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.profiling import NamedProfile, Profiling, profile
from driftgauge.drift.profile.profile import merge_profiles
from driftgauge.errors import ProfileError
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline

from tests.checks.test_engine_profile import timed
from tests.engines.conftest import hold
from tests.engines.databases import Hold

__all__ = ["hold"]
TABLE = timed(None)
BASELINE = create_baseline(TABLE, BaselineOptions(time="at"))


def unnamed(profiles: list[NamedProfile]) -> list[object]:
    """Return the profiles by the name of their file, without the addresses of their tables."""
    return [(own.name, own.profile.named("rows")) for own in profiles]


def test_periods_of_several_tables_are_added_up_as_in_memory(hold: Hold) -> None:
    options = CheckOptions(time="at", every="6h")
    parts = [TABLE.slice(0, 1_700), TABLE.slice(1_700)]  # one period has rows of both
    found = profiles_in_engine(BASELINE, [("a", hold(parts[0])), ("b", hold(parts[1]))], options)
    expected = Profiling(BASELINE, parts, options).profiles()
    assert unnamed(found) == unnamed(expected)
    assert [len(own.profile.partitions) for own in found] == [len(own.profile.partitions) for own in expected]
    assert sum(own.profile.rows for own in found) == TABLE.num_rows


def test_each_table_has_a_profile_under_its_name(hold: Hold) -> None:
    sources = [("a", hold(TABLE)), ("b", hold(TABLE.slice(5)))]
    first, second = profiles_in_engine(BASELINE, sources, CheckOptions(ignore=("c",)))
    assert (first.name, second.name) == ("a", "b")
    assert first.profile.partitions == (sources[0][1].label,)
    assert (first.profile.columns, second.profile.rows) == (("x",), TABLE.num_rows - 5)
    (named,) = profiles_in_engine(BASELINE, sources[:1], CheckOptions(), "monday")
    assert named.profile.partitions == ("monday",)


def test_a_table_of_more_periods_than_are_kept_is_refused(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "MOST_PERIODS", 10)
    options = CheckOptions(time="at", every="1h")
    with pytest.raises(ProfileError, match="more than 10 periods: give a longer one"):
        profiles_in_engine(BASELINE, [("a", hold(TABLE))], options)
    with pytest.raises(ProfileError, match="more than 10 periods: give a longer one"):
        Profiling(BASELINE, [TABLE], options).profiles()


def test_profiles_of_expressions_add_up_to_that_of_the_table(hold: Hold) -> None:
    parts = [profile(BASELINE, hold(part).table) for part in (TABLE.slice(0, 100), TABLE.slice(100))]
    whole = profile(BASELINE, pa.table(TABLE), partition="rows")
    assert merge_profiles(parts).named("rows") == whole
