from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.diagnosis.causes import Cause
from driftgauge.drift.diagnosis.diagnosis import Diagnosis, diagnose
from driftgauge.drift.reference.columns import Categories
from driftgauge.drift.verdict.rule import Status

from tests.drift.diagnosis.made import CITIES, START, facts_of, made_baseline, table

Rows = dict[str, Any]
QUIET_ROWS = 2_000


def first_cause(change: Callable[[Rows], Rows], share: float = 1.0, **others: Any) -> Cause:
    """Return the first cause after a part of the rows has changed."""
    found = diagnosis_of(change, share, **others).first
    assert found is not None
    return found


def diagnosis_of(change: Callable[[Rows], Rows], share: float = 1.0, **others: Any) -> Diagnosis:
    """Return the diagnosis after a part of the rows has changed."""
    rows = table(1_500, 3)
    changed = change(dict(rows))
    some = np.random.default_rng(4).random(1_500) < share
    for name, own in rows.items():
        if not isinstance(own, Categories):
            rows[name] = np.where(some, changed[name], own)
        else:
            rows[name] = changed[name]
    return diagnose(facts_of(made_baseline(), table(QUIET_ROWS, 2), rows, **others))


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_a_change_of_unit_is_told_with_its_factor_and_share(share: float) -> None:
    found = first_cause(lambda rows: rows | {"weight": rows["weight"] * 1_000.0}, share)
    assert (found.kind, found.columns) == ("unit_change", ("weight",))
    assert found.evidence["factor"] == 1_000.0
    assert "Growth" not in found.why
    assert found.evidence["share"] == pytest.approx(share, abs=0.07)


def test_a_unit_of_about_the_same_size_is_told_too() -> None:
    found = first_cause(lambda rows: rows | {"distance": rows["distance"] * 1.609344})
    assert (found.kind, found.columns) == ("unit_change", ("distance",))
    assert "miles to kilometres" in found.why
    assert found.why.endswith("Growth by about this factor looks the same.")


def test_the_first_cause_says_since_when() -> None:
    found = first_cause(lambda rows: rows | {"weight": rows["weight"] * 1_000.0})
    assert found.since == pytest.approx(START + QUIET_ROWS, abs=60.0)


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_a_standardised_column_is_told(share: float) -> None:
    found = first_cause(lambda rows: rows | {"temp": (rows["temp"] - 17.8) / 8.6}, share)
    assert (found.kind, found.columns) == ("scaled_feature", ("temp",))


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_stuck_sensor_is_told_with_its_value(share: float) -> None:
    found = first_cause(lambda rows: rows | {"temp": np.full(1_500, 21.5)}, share)
    assert (found.kind, found.columns) == ("stuck_sensor", ("temp",))
    assert found.evidence["value"] == 21.5


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_swapped_columns_are_told_together(share: float) -> None:
    found = first_cause(lambda rows: rows | {"temp": rows["weight"], "weight": rows["temp"]}, share)
    assert (found.kind, set(found.columns)) == ("swapped_columns", {"temp", "weight"})


def test_of_two_swapped_columns_only_one_needs_a_significant_change() -> None:
    rows = table(1_500, 3)
    facts = facts_of(made_baseline(), table(QUIET_ROWS, 2), rows | {"temp": rows["weight"], "weight": rows["temp"]})
    verdicts = list(facts.report.verdicts)
    i = facts.baseline.names.index("weight")
    finding = verdicts[i].finding
    assert finding is not None
    quieter = replace(finding, significant=False)
    verdicts[i] = replace(verdicts[i], finding=quieter, severity=None, status=Status.NORMAL)
    found = diagnose(replace(facts, report=replace(facts.report, verdicts=tuple(verdicts)))).first
    assert found is not None
    assert (found.kind, set(found.columns)) == ("swapped_columns", {"temp", "weight"})


@pytest.mark.parametrize("hours", [-8, 3, 6])
def test_hours_of_another_time_zone_are_told(hours: int) -> None:
    found = first_cause(lambda rows: rows | {"hour": np.mod(rows["hour"] + hours, 24.0)})
    assert (found.kind, found.columns) == ("time_zone_shift", ("hour",))
    assert found.evidence["hours"] == hours


@pytest.mark.parametrize("share", [0.05, 0.7])
def test_columns_that_go_missing_together_have_one_cause(share: float) -> None:
    gone = np.full(1_500, np.nan)
    found = first_cause(lambda rows: rows | {"temp": gone, "weight": gone}, share)
    assert (found.kind, set(found.columns)) == ("missing_upstream", {"temp", "weight"})
    assert "They began together" in found.why


def test_columns_that_went_missing_at_different_times_have_two_causes() -> None:
    first, second = table(1_000, 3), table(1_000, 5)
    first["temp"] = second["temp"] = second["weight"] = np.full(1_000, np.nan)
    found = diagnose(facts_of(made_baseline(), table(1_000, 2), first, second)).causes
    assert {own.columns for own in found if own.kind == "missing_upstream"} == {("temp",), ("weight",)}


def test_a_new_category_is_told_with_its_name_where_it_is_known() -> None:
    def renamed(rows: Rows) -> Rows:
        own = rows["city"]
        codes = np.where(np.arange(1_500) % 5 == 0, 3, own.codes)
        return rows | {"city": Categories(codes, (*own.names, "west"))}

    found = first_cause(renamed)
    assert (found.kind, found.columns) == ("new_category", ("city",))
    assert found.evidence == {"unseen_ratio": pytest.approx(0.2, abs=0.03)}
    named = first_cause(renamed, unseen_values={"city": {"west": 300}})
    assert "west" in named.why
    assert named.evidence["values"] == "west"


def test_a_plain_shift_has_no_signature() -> None:
    found = first_cause(lambda rows: rows | {"temp": rows["temp"] + 5.0})
    assert (found.kind, found.columns) == ("column_drift", ("temp",))


def renamed_city(rows: Rows) -> Rows:
    """Return rows of which a part has a city that the reference lacks."""
    codes = np.where(np.arange(1_500) % 5 == 0, 3, rows["city"].codes)
    return rows | {"city": Categories(codes, (*CITIES, "zurich"))}


@pytest.mark.parametrize(
    ("change", "kind", "values"),
    [
        (lambda rows: rows | {"temp": np.full(1_500, 21.5)}, "stuck_sensor", ("21.5",)),
        (renamed_city, "new_category", ("zurich",)),
        (lambda rows: rows | {"temp": rows["temp"] + 5.0}, "column_drift", ("mean 2",)),
    ],
)
def test_no_value_of_a_redacted_column_is_told(
    change: Callable[[Rows], Rows], kind: str, values: tuple[str, ...]
) -> None:
    unseen = {"city": {"zurich": 300}}
    found, hidden = (
        diagnosis_of(change, redacted=redacted, unseen_values=unseen)
        for redacted in (frozenset[str](), frozenset({"temp", "city"}))
    )
    for own in (found, hidden):
        assert own.first is not None
        assert own.first.kind == kind
        assert own.first.why in own.summary
    assert all(value in repr(found) for value in values)
    assert not any(value in repr(hidden) for value in values)
