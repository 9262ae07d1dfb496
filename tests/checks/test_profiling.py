from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from driftgauge.checks.check import Check
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.profiling import Profiling, profile
from driftgauge.checks.table import check
from driftgauge.drift.profile.profile import merge_profiles
from driftgauge.drift.reference.baseline import dumps
from driftgauge.errors import CheckError, ProfileError, TableError

from tests.checks.test_profile_check import day_of, same_numbers
from tests.monitors import START, small_baseline


def test_a_table_in_memory_and_its_file_have_the_same_counts(tmp_path: Path) -> None:
    day = day_of(1_000)
    day.to_parquet(tmp_path / "day.parquet")
    (tmp_path / "baseline.json").write_text(dumps(small_baseline()))
    own = profile(small_baseline(), day, CheckOptions(time="at"))
    read = profile(tmp_path / "baseline.json", tmp_path / "day.parquet", CheckOptions(time="at"))
    assert own.named("x") == read.named("x")
    assert read.partitions == (str(tmp_path / "day.parquet"),)
    assert read.has_times
    assert not profile(small_baseline(), day).has_times


def test_tables_in_memory_without_a_name_are_different_partitions() -> None:
    first, second = (profile(small_baseline(), day_of(10)) for _ in range(2))
    assert merge_profiles([first, second]).rows == 20
    named = profile(small_baseline(), day_of(10), partition="a")
    assert named.partitions == ("a",)
    with pytest.raises(ProfileError, match="the partition a is in two of the profiles"):
        merge_profiles([named, named])


def test_check_takes_profiles_in_place_of_a_table() -> None:
    day = day_of(2_000)
    halves = [profile(small_baseline(), own) for own in (day[:700], day[700:])]
    found = check(small_baseline(), halves, now=START)
    assert same_numbers(found, check(small_baseline(), profile(small_baseline(), day), now=START))
    assert found.drifted_features == Check(small_baseline(), [day]).report(START).drifted_features
    assert found.remarks[0].startswith("not known from counts")


def test_a_profile_goes_to_another_process() -> None:
    own = profile(small_baseline(), day_of(100))
    assert pickle.loads(pickle.dumps(own)) == own  # noqa: S301  # our own bytes


def test_each_table_has_its_profile_and_its_name(tmp_path: Path) -> None:
    for name in ("a", "b"):
        day_of(100).to_csv(tmp_path / f"{name}.csv", index=False)
    found = Profiling(small_baseline(), [tmp_path / "a.csv", tmp_path / "b.csv"], None, None, ["hour 1"]).profiles()
    assert [own.name for own in found] == ["a", "b"]
    assert [own.profile.partitions for own in found] == [("hour 1",), (str(tmp_path / "b.csv"),)]


def test_rows_of_a_period_come_from_several_tables_in_any_order() -> None:
    day = day_of(1_000)
    late = day.assign(at=day["at"] + pd.Timedelta(hours=30))
    both = pd.concat([day, late]).sample(frac=1.0, random_state=0)
    options = CheckOptions(time="at", every="1d")
    found = Profiling(small_baseline(), [both[:900], both[900:]], options, None, ["x", "y"]).profiles()
    assert [own.name for own in found] == ["1970-01-01", "1970-01-02", "1970-01-03"]
    assert found[0].profile.partitions == ("x#1970-01-01", "y#1970-01-01")
    whole = merge_profiles(own.profile for own in found)
    alone = Profiling(small_baseline(), [both], CheckOptions(time="at")).profiles()[0].profile
    assert whole.named("z") == alone.named("z")


def test_a_table_without_rows_has_a_profile_without_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("age,flag,city,prediction\n")
    assert profile(small_baseline(), tmp_path / "t.csv").rows == 0


def test_columns_that_are_left_out_are_not_counted() -> None:
    own = profile(small_baseline(), day_of(100)[["age", "flag"]], CheckOptions(ignore=("city",)))
    assert own.columns == ("age", "flag")  # a score that the table lacks is left out


def test_what_cannot_be_profiled_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProfileError, match="a profile is of one period"):
        profile(small_baseline(), day_of(10), CheckOptions(time="at", every="1h"))
    with pytest.raises(CheckError, match="--every 1h needs times"):
        Profiling(small_baseline(), [day_of(10)], CheckOptions(every="1h"))
    with pytest.raises(TableError, match="city"):
        profile(small_baseline(), day_of(10)[["age", "flag"]])
    monkeypatch.setattr("driftgauge.checks.profiling.MOST_PERIODS", 5)
    with pytest.raises(ProfileError, match=r"more than 5 periods: give a longer one \(--every\)"):
        Profiling(small_baseline(), [day_of(100)], CheckOptions(time="at", every="1h")).profiles()


def test_values_are_those_that_a_check_reads() -> None:
    day = day_of(500)
    own = profile(small_baseline(), day)
    report = Check(small_baseline(), [day]).report(START).windows[0].report
    np.testing.assert_array_equal(own.counts, report.main.counts)
