"""The six checks, their thresholds and their words."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Any

import numpy as np
import pytest
from driftgauge.checks.sagemaker.constraints import Constraints
from driftgauge.checks.sagemaker.suggest import suggested
from driftgauge.checks.sagemaker.violations import Violation, violations_of

from tests.checks.sagemaker.tables import ROWS, baseline, profiled, table

pytestmark = pytest.mark.usefixtures("sketches")


def found(rows: dict[str, Any], constraints: Constraints | None = None, **drifted: str) -> list[Violation]:
    own = constraints or suggested(baseline())
    return list(violations_of(profiled(rows, constraints=own), own, baseline(), drifted).violations)


def kinds(violations: list[Violation]) -> list[tuple[str, str]]:
    return [(own.feature_name, own.constraint_check_type) for own in violations]


def changed(config: dict[str, Any], **features: dict[str, Any]) -> Constraints:
    """Return the suggested constraints with other ones in their place."""
    content = suggested(baseline()).model_dump(exclude_none=True)
    content["monitoring_config"] |= config
    for feature in content["features"]:
        feature |= features.get(feature["name"], {})
    return Constraints.model_validate(content)


def test_rows_like_the_reference_violate_nothing() -> None:
    assert found(table(1)) == []


def test_text_among_whole_numbers_is_another_type() -> None:
    rows = {**table(1)}
    rows["age"] = ["oops", *map(str, rows["age"][1:])]
    (own,) = found(rows)
    assert own.constraint_check_type == "data_type_check"
    share = 100.0 * (1.0 - 1.0 / ROWS)
    assert own.description == (
        "Data type match requirement is not met. Expected data type: Integral, Expected match: 100.0%. "
        f"Observed: Only {share}% of data is Integral."
    )
    assert found(rows, changed({"datatype_check_threshold": 0.99})) == []


def test_fractions_are_no_whole_numbers_and_whole_numbers_are_fractions() -> None:
    rows = table(1)
    fractions = {**rows, "age": rows["age"] + 0.5}
    assert kinds(found(fractions)) == [("age", "data_type_check")]
    whole = changed({"distribution_constraints": {"perform_comparison": "Disabled"}})
    assert found({**rows, "income": np.round(rows["income"])}, whole) == []


def test_negative_numbers_are_named() -> None:
    rows = table(1)
    rows["income"][0] = -1.0
    (own,) = found(rows)
    assert own.description == "Value: 0.99975 does not meet the constraint requirement! Values must not be negative."


def test_missing_values_are_incomplete() -> None:
    rows = table(1)
    rows["income"][:40] = np.nan
    (own,) = found(rows)
    assert (own.feature_name, own.constraint_check_type) == ("income", "completeness_check")
    assert own.description == "Value: 0.99 does not meet the constraint requirement! Expected completeness: 1.0."
    assert found(rows, changed({}, income={"completeness": 0.98})) == []


def test_unknown_values_are_outside_the_domain() -> None:
    rows = table(1)
    rows["plan"][:20] = "z"
    (own,) = found(rows)
    assert (own.feature_name, own.constraint_check_type) == ("plan", "categorical_values_check")
    assert own.description.startswith("Value: 0.995 does not meet the constraint requirement!")
    lenient = changed({}, plan={"string_constraints": {"domains": ["a", "b", "c"], "monitoring_config_overrides": {
        "domain_content_threshold": 0.9}}})  # fmt: skip
    assert found(rows, lenient) == []


def test_columns_are_counted_and_named() -> None:
    rows = {**table(1), "one": [0] * ROWS, "two": [0] * ROWS}
    del rows["plan"]
    missing, extra = found(rows)
    numbers = "Number of columns in current dataset: 4, Number of columns in baseline constraints: 3"
    assert (missing.feature_name, extra.feature_name) == ("Missing columns", "Extra columns")
    assert missing.description == f"There are missing columns in current dataset. {numbers}. Missing: plan"
    assert extra.description == f"There are extra columns in current dataset. {numbers}. Extra: one, two"


def test_a_distance_above_its_threshold_is_drift() -> None:
    rows = table(1)
    rows["income"] = rows["income"] + 1.0
    (own,) = found(rows)
    assert own.constraint_check_type == "baseline_drift_check"
    assert own.description.startswith("Numerical distance: 0.3")
    assert own.description.endswith(" exceeds numerical threshold: 0.1")
    assert found(rows, changed({"distribution_constraints": {"comparison_threshold": 0.5}})) == []


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("LInfinity", "Categorical distance: 0.* exceeds categorical threshold: 0.1"),
        ("ChiSquared", "Categorical p-value: *e-* is below categorical threshold: 0.1"),
    ],
)
def test_shares_of_values_drift_by_the_method_of_the_file(method: str, words: str) -> None:
    rows = table(1)
    rows["plan"][:1_200] = "c"
    (own,) = found(rows, changed({"distribution_constraints": {"categorical_drift_method": method}}))
    assert fnmatch(own.description, words), own.description


def test_our_own_verdict_counts_where_the_distance_does_not() -> None:
    (own,) = found(table(1), age="age: moved.")
    assert own.description == "Drift detected: age: moved."
    off = changed({"distribution_constraints": {"perform_comparison": "Disabled"}})
    assert found(table(1), off, age="age: moved.") == []


def test_constraints_that_are_switched_off_are_not_evaluated() -> None:
    rows = {**table(1), "extra": [0] * ROWS}
    rows["income"][:40] = np.nan
    assert found(rows, changed({"evaluate_constraints": "Disabled"})) == []
    one = changed({}, income={"monitoringConfigOverrides": {"evaluate_constraints": "Disabled"}})
    assert kinds(found(rows, one)) == [("Extra columns", "extra_column_check")]
