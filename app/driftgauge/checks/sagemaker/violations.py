"""`constraint_violations.json`: the six checks of SageMaker's model monitor, in its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from driftgauge.checks.sagemaker.constraints import Constraints, FeatureConstraints, Rules
from driftgauge.checks.sagemaker.distances import chi_squared_p_value, number_distance, text_distance
from driftgauge.checks.sagemaker.documents import Document
from driftgauge.checks.sagemaker.number_profile import NumberProfile
from driftgauge.checks.sagemaker.points import points_of_sketch
from driftgauge.checks.sagemaker.profile import TableProfile
from driftgauge.checks.sagemaker.text_profile import TextProfile
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import ColumnBaseline

CheckType = Literal[
    "data_type_check",
    "completeness_check",
    "baseline_drift_check",
    "missing_column_check",
    "extra_column_check",
    "categorical_values_check",
]

_ROUNDING: Final = 1e-9
"""Difference of two shares that is none."""


class Violation(Document):
    """A constraint that the data does not meet."""

    feature_name: str
    constraint_check_type: CheckType
    description: str


class Violations(Document):
    """The content of `constraint_violations.json`."""

    violations: tuple[Violation, ...] = ()


def violations_of(
    profile: TableProfile, constraints: Constraints, baseline: Baseline, drifted: Mapping[str, str]
) -> Violations:
    """Return what the tables violate; `drifted` are the columns that drift by our own verdict, with its reason."""
    found: list[Violation] = []
    whole = constraints.rules(FeatureConstraints(name=""))
    if whole.evaluate_constraints:
        found += _of_columns(profile)
    asked = {feature.name: feature for feature in constraints.features}
    columns = {column.name: column for column in baseline.columns}
    for name, own in profile.columns.items():
        feature = asked.get(name, FeatureConstraints(name=name))
        rules = constraints.rules(feature)
        if rules.evaluate_constraints:
            found += _of_column(own, feature, rules)
            if rules.perform_comparison:
                found += _drift(own, columns[name], rules, drifted.get(name))
    return Violations(violations=tuple(found))


def _of_columns(profile: TableProfile) -> Iterator[Violation]:
    expected = len(profile.columns) + len(profile.missing)
    numbers = (
        f"Number of columns in current dataset: {len(profile.columns) + len(profile.extra)}, "
        f"Number of columns in baseline constraints: {expected}"
    )
    if profile.missing:
        names = ", ".join(profile.missing)
        what = f"There are missing columns in current dataset. {numbers}. Missing: {names}"
        yield Violation(feature_name="Missing columns", constraint_check_type="missing_column_check", description=what)
    if profile.extra:
        names = ", ".join(profile.extra)
        what = f"There are extra columns in current dataset. {numbers}. Extra: {names}"
        yield Violation(feature_name="Extra columns", constraint_check_type="extra_column_check", description=what)


def _of_column(own: NumberProfile | TextProfile, feature: FeatureConstraints, rules: Rules) -> Iterator[Violation]:
    def violation(check: CheckType, what: str) -> Violation:
        return Violation(feature_name=own.name, constraint_check_type=check, description=what)

    if isinstance(own, NumberProfile):
        matching = _matching(own, feature)
        if own.present and matching < rules.datatype_check_threshold:
            kind = feature.inferred_type
            yield violation(
                "data_type_check",
                f"Data type match requirement is not met. Expected data type: {kind}, "
                f"Expected match: {100.0 * rules.datatype_check_threshold}%. "
                f"Observed: Only {100.0 * matching}% of data is {kind}.",
            )
        asked = feature.num_constraints
        if asked is not None and asked.is_non_negative and own.negative:
            share = 1.0 - own.negative / own.present
            yield violation("data_type_check", f"{_unmet(share)} Values must not be negative.")
    cells = own.present + own.missing
    complete = own.present / cells if cells else 0.0
    if feature.completeness is not None and complete < feature.completeness - _ROUNDING:
        yield violation("completeness_check", f"{_unmet(complete)} Expected completeness: {feature.completeness}.")
    if isinstance(own, TextProfile) and own.present:
        known = 1.0 - own.unknown / own.present
        if known < rules.domain_content_threshold:
            expected = f"Expected share of known values: {rules.domain_content_threshold}."
            yield violation("categorical_values_check", f"{_unmet(known)} {expected}")


def _matching(own: NumberProfile, feature: FeatureConstraints) -> float:
    """Return the share of cells that have the type; a whole number is a fraction too."""
    if feature.inferred_type in ("String", "Unknown") or not own.present:
        return 1.0
    wrong = own.wrong + (own.fractional if feature.inferred_type == "Integral" else 0)
    return 1.0 - wrong / own.present


def _unmet(value: float) -> str:
    return f"Value: {value} does not meet the constraint requirement!"


def _drift(
    own: NumberProfile | TextProfile, column: ColumnBaseline, rules: Rules, reason: str | None
) -> Iterator[Violation]:
    """Yield that the column drifts, by SageMaker's distance, or else by our own verdict."""
    what = _distance(own, column, rules) or (None if reason is None else f"Drift detected: {reason}")
    if what:
        yield Violation(feature_name=own.name, constraint_check_type="baseline_drift_check", description=what)


def _distance(own: NumberProfile | TextProfile, column: ColumnBaseline, rules: Rules) -> str | None:
    """Return that the distance exceeds its threshold; None if it does not, or there is none."""
    if isinstance(own, NumberProfile):
        points = points_of_sketch(own.sketch.content())
        if not len(points.values) or not column.quantiles:
            return None
        distance, limit = number_distance(points, column, rules.comparison_method), rules.comparison_threshold
        exceeds = f"Numerical distance: {distance} exceeds numerical threshold: {limit}"
        return exceeds if distance > limit else None
    if column.of_text or not own.present:
        return None
    own_limit = rules.categorical_comparison_threshold
    limit = rules.comparison_threshold if own_limit is None else own_limit
    if rules.categorical_drift_method == "ChiSquared":
        p_value = chi_squared_p_value(own.counts, column)
        below = f"Categorical p-value: {p_value} is below categorical threshold: {limit}"
        return below if p_value < limit else None
    distance = text_distance(own.counts, column, rules.comparison_method)
    exceeds = f"Categorical distance: {distance} exceeds categorical threshold: {limit}"
    return exceeds if distance > limit else None
