from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge.checks.check import Check
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.profile_check import ProfileCheck
from driftgauge.checks.profiling import Profiling
from driftgauge.checks.report import CheckReport
from driftgauge.checks.report_json import as_bytes
from driftgauge.drift.profile.build import ProfileBuilder
from driftgauge.drift.profile.profile import Profile, merge_profiles
from driftgauge.drift.quality.constraints import ColumnConstraints, Constraints
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.column_statistics import BY_NAME
from driftgauge.drift.verdict.policy import ColumnPolicy, Policy
from driftgauge.errors import CheckError, ProfileError
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline
from hypothesis import given
from hypothesis import strategies as st

from tests.monitors import START, small_baseline

HOUR = 3_600.0
OF_COUNTS = (
    *("psi", "psi_debiased", "psi_noise", "psi_expected_max", "missing_ratio", "unseen_ratio", "out_of_range_ratio"),
    *("js_distance", "kl_divergence", "p_value", "chi_squared", "chi_squared_degrees", "cramers_v"),
)
"""Statistics that follow from the counts."""


def day_of(rows: int, *, age: float = 44.0, seed: int = 0) -> pd.DataFrame:
    """Return rows of a day that moved away from the small baseline, in any order of time."""
    random = np.random.default_rng(seed)
    names = small_baseline().bins[2].categories
    ages = random.normal(age, 10.0, rows)
    ages[::40] = np.nan
    return pd.DataFrame(
        {
            "at": pd.to_datetime(random.uniform(0.0, 24 * HOUR - 1.0, rows), unit="s", utc=True),
            "age": ages,
            "flag": random.random(rows) < 0.6,
            "city": random.choice([*names, "elsewhere"], rows),
            "prediction": random.random(rows),
        }
    )


def profiles_of(tables: list[pd.DataFrame], baseline: Baseline, **options: Any) -> list[Profile]:
    """Return the profile of each table."""
    names = [f"part-{index}" for index in range(len(tables))]
    return [own.profile for own in Profiling(baseline, tables, CheckOptions(**options), None, names).profiles()]


def same_numbers(found: CheckReport, expected: CheckReport) -> bool:
    """Return whether the last windows of two reports are equal bit for bit, but for the names of their partitions."""
    own, other = (
        replace(report, windows=(replace(report.windows[-1], partitions=("x",)),)) for report in (found, expected)
    )
    return as_bytes(own) == as_bytes(other)


def test_the_numbers_of_counts_and_the_evidence_are_those_of_a_check_of_the_table() -> None:
    table, baseline = day_of(5_000), small_baseline()
    expected = Check(baseline, [table]).report(START)
    found = ProfileCheck(baseline, profiles_of([table], baseline)).report(START)
    own, its = found.windows[0].report, expected.windows[0].report
    for name in OF_COUNTS:
        np.testing.assert_array_equal(BY_NAME[name].values(own.main), BY_NAME[name].values(its.main), err_msg=name)
    np.testing.assert_array_equal(own.evidence.values, its.evidence.values)
    assert (own.status, own.severity, own.drifted) == (its.status, its.severity, its.drifted)
    for name in ("mean", "std", "mean_shift"):
        np.testing.assert_allclose(BY_NAME[name].values(own.main), BY_NAME[name].values(its.main), rtol=1e-9)
    for name in ("min", "max"):
        np.testing.assert_array_equal(BY_NAME[name].values(own.main), BY_NAME[name].values(its.main), err_msg=name)
    for name in ("ks_statistic", "wasserstein_ratio", "p50"):
        assert np.isnan(BY_NAME[name].values(own.main)).all()
    assert own.correlation is None


def test_24_hourly_profiles_give_the_report_of_the_day() -> None:
    day, baseline = day_of(4_800), small_baseline()
    hours = [own for _, own in day.groupby(day["at"].dt.hour)]
    assert len(hours) == 24
    found = ProfileCheck(baseline, profiles_of(hours, baseline, time="at")).report(START)
    whole = ProfileCheck(baseline, profiles_of([day], baseline, time="at")).report(START)
    assert found.windows[0].report.main.rows == 4_800
    assert same_numbers(found, whole)
    assert len(found.windows[0].partitions) == 24


PARTITIONS = profiles_of([day_of(6_000).iloc[first::200] for first in range(200)], small_baseline())
WHOLE = ProfileCheck(small_baseline(), profiles_of([day_of(6_000)], small_baseline())).report(START)


@given(st.randoms(use_true_random=False), st.integers(1, 200))
def test_200_partitions_in_any_grouping_and_order_give_the_report_of_the_whole(random: Any, groups: int) -> None:
    mixed = random.sample(PARTITIONS, len(PARTITIONS))
    cuts = sorted(random.randrange(1, len(mixed)) for _ in range(groups - 1))
    parts = [mixed[first:end] for first, end in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]
    merged = [merge_profiles(part) for part in parts if part]
    assert same_numbers(ProfileCheck(small_baseline(), merged).report(START), WHOLE)


def test_against_a_baseline_by_hour_hours_add_up_to_the_day() -> None:
    reference = day_of(24_000, age=40.0, seed=9)
    baseline = create_baseline(reference, BaselineOptions(time="at", by_hour=True))
    day = day_of(4_800)
    hours = [own for _, own in day.groupby(day["at"].dt.hour)]
    found = ProfileCheck(baseline, profiles_of(hours, baseline, time="at")).report(START)
    whole = ProfileCheck(baseline, profiles_of([day], baseline, time="at")).report(START)
    assert same_numbers(found, whole)
    table = Check(baseline, [day.sort_values("at")], CheckOptions(time="at")).report(START)
    np.testing.assert_array_equal(found.windows[0].report.main.psi.psi, table.windows[0].report.main.psi.psi)
    assert found.windows[0].report.drifted == table.windows[0].report.drifted
    with pytest.raises(CheckError, match="the baseline compares by hour of the day"):
        profiles_of([day], baseline)


def test_periods_are_windows_in_order_of_time() -> None:
    days = [day_of(1_000, age=age, seed=index) for index, age in enumerate((40.0, 40.5, 55.0))]
    for index, own in enumerate(days):
        own["at"] += pd.Timedelta(days=index)
    profiles = profiles_of([days[2], days[0], days[1]], small_baseline(), time="at")
    options = CheckOptions(every="1d", ignore=("flag", "city", "prediction"))
    found = ProfileCheck(small_baseline(), profiles, options).report(START)
    assert [own.window for own in found.windows] == ["1970-01-01", "1970-01-02", "1970-01-03"]
    assert [own.drifted for own in found.windows] == [False, False, True]
    assert found.windows[2].since["age"] == "1970-01-03"
    assert found.windows[0].report.rows_observed == 1_000
    assert found.windows[2].report.rows_observed == 3_000
    assert found.windows[1].partitions == ("part-2",)


def test_profiles_of_more_than_one_period_or_without_times_are_refused() -> None:
    day, baseline = day_of(300), small_baseline()
    with pytest.raises(CheckError, match=r"--every 1h: the profile of part-0 has rows from 1970-01-01T00:.* to .*T23:"):
        ProfileCheck(baseline, profiles_of([day], baseline, time="at"), CheckOptions(every="1h"))
    with pytest.raises(CheckError, match="has rows without times: make it with --time COLUMN"):
        ProfileCheck(baseline, profiles_of([day], baseline), CheckOptions(every="1d"))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"statistic": ("ks",)}, "age is judged by ks, which needs the rows themselves"),
        ({"statistic": ("age=wasserstein",)}, "age is judged by wasserstein"),
        ({"whole_rows": True}, "whole rows cannot be compared, because profiles and databases give counts"),
        ({"multivariate": Path("t.csv")}, "whole rows cannot be compared"),
        ({"ignore": ("nothing",)}, "the baseline has no column nothing"),
        ({"ignore": ("age", "flag", "city", "prediction")}, "no column is left to compare"),
    ],
)
def test_what_profiles_cannot_tell_is_refused(options: dict[str, Any], why: str) -> None:
    profiles = profiles_of([day_of(300)], small_baseline())
    with pytest.raises(CheckError, match=why):
        ProfileCheck(small_baseline(), profiles, CheckOptions(**options))


@pytest.mark.parametrize("statistic", ["js", "kl", "chi2"])
def test_verdicts_rest_on_other_statistics_of_counts_as_those_of_tables_do(statistic: str) -> None:
    table, options = day_of(3_000), CheckOptions(statistic=(statistic,))
    expected = Check(small_baseline(), [table], options).report(START)
    found = ProfileCheck(small_baseline(), profiles_of([table], small_baseline()), options).report(START)
    np.testing.assert_array_equal(found.windows[0].report.effects, expected.windows[0].report.effects)


def test_constraints_that_bins_tell_are_those_of_the_table() -> None:
    table, baseline = day_of(4_000), small_baseline()
    domain = small_baseline().bins[2].categories[:2]
    given = Constraints(
        columns=(
            ColumnConstraints("age", "fractional", completeness=1.0, minimum=0.0, maximum=50.0),
            ColumnConstraints("city", "string", domain=domain),
        )
    )
    expected = Check(baseline, [table], constraints=given).report(START).windows[0].quality
    found = ProfileCheck(baseline, profiles_of([table], baseline), constraints=given).report(START)
    own = found.windows[0].quality
    assert own is not None
    assert expected is not None
    told = {(verdict.feature, verdict.constraint): verdict for verdict in expected.verdicts}
    assert [verdict.constraint for verdict in own.violated]
    for verdict in own.verdicts:
        its = told[verdict.feature, verdict.constraint]
        assert (verdict.violations, verdict.severity, verdict.evidence_log10) == (
            its.violations,
            its.severity,
            its.evidence_log10,
        )
    assert found.has_violations
    assert "not checked, because they need the rows themselves" in own.notes[-1]
    assert len(own.verdicts) == len(own.ratios[found.windows[0].window]) < len(expected.verdicts)


def test_columns_are_left_out_when_profiles_are_made_or_when_they_are_compared() -> None:
    table, baseline = day_of(2_000), small_baseline()
    early = ProfileCheck(baseline, profiles_of([table], baseline, ignore=("city",))).report(START)
    late = ProfileCheck(baseline, profiles_of([table], baseline), CheckOptions(ignore=("city",))).report(START)
    assert as_bytes(early) == as_bytes(late)
    assert early.remarks[0] == "not compared, because the profiles do not count it: city"
    assert len(late.remarks) == 1
    policy = Policy(columns={"city": ColumnPolicy(monitor=False)})
    unmonitored = ProfileCheck(baseline, profiles_of([table], baseline), CheckOptions(base=policy))
    assert unmonitored.baseline.names == ("age", "flag", "prediction")


def test_the_report_says_what_profiles_cannot_tell() -> None:
    found = ProfileCheck(small_baseline(), profiles_of([day_of(500)], small_baseline())).report(START)
    (remark,) = found.remarks
    assert "Kolmogorov-Smirnov" in remark
    assert found.to_dict()["unknown"] == remark
    assert found.to_dict()["partitions"] == ["part-0"]
    assert "partitions" not in Check(small_baseline(), [day_of(500)]).report(START).to_dict()


def test_profiles_of_another_baseline_or_of_other_bins_are_refused() -> None:
    (profile,) = profiles_of([day_of(300)], small_baseline())
    other = replace(small_baseline(), rows=small_baseline().rows + 1)
    with pytest.raises(ProfileError, match="the profile of part-0 is of another baseline"):
        ProfileCheck(other, [profile])
    wider = replace(profile, counts=np.pad(profile.counts, ((0, 0), (0, 1))))
    swapped = replace(profile, columns=("flag", "age", "city", "prediction"))
    foreign = replace(profile, columns=("age", "flag", "city", "x"))
    for wrong in (wider, swapped, foreign):
        with pytest.raises(ProfileError, match="does not have the columns and bins of the baseline"):
            ProfileCheck(small_baseline(), [wrong])


def test_periods_of_other_columns_are_refused() -> None:
    day = day_of(300)
    later = day.assign(at=day["at"] + pd.Timedelta(days=1))
    (first,) = profiles_of([day], small_baseline(), time="at")
    (second,) = profiles_of([later], small_baseline(), time="at", ignore=("city",))
    with pytest.raises(ProfileError, match="count different columns; only one has city"):
        ProfileCheck(small_baseline(), [first, second], CheckOptions(every="1d"))


def test_nothing_and_no_rows_are_refused() -> None:
    with pytest.raises(ProfileError, match="there is no profile to compare"):
        ProfileCheck(small_baseline(), [])
    with pytest.raises(ProfileError, match="the profiles have no rows"):
        ProfileCheck(small_baseline(), [ProfileBuilder(small_baseline(), "empty").profile()])


def test_partitions_without_rows_change_no_report() -> None:
    (profile,) = profiles_of([day_of(2_000)], small_baseline(), time="at")
    empty = ProfileBuilder(small_baseline(), "empty").profile()
    found = ProfileCheck(small_baseline(), [empty, profile], CheckOptions(every="1d")).report(START)
    assert [own.window for own in found.windows] == ["1970-01-01"]
    assert not math.isnan(found.windows[0].report.effects[0])
