"""SageMaker's constraints, those of `constraints.json`, as ours."""

from __future__ import annotations

from driftgauge.checks.sagemaker.constraints import Constraints, FeatureConstraints, Rules
from driftgauge.drift.quality.constraints import ColumnConstraints
from driftgauge.drift.quality.constraints import Constraints as OwnConstraints
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.reference.columns import ColumnBaseline


def own_constraints(given: Constraints, baseline: Baseline) -> OwnConstraints:
    """Return SageMaker's constraints as ours, on the columns that the baseline has.

    A type or a domain that a share of the cells may violate is left out, because ours have no such share.
    """
    asked = {feature.name: feature for feature in given.features}
    found = (
        _of_column(column, asked[column.name], given.rules(asked[column.name]))
        for column in baseline.columns
        if column.name in asked and column.name not in RESERVED
    )
    required = tuple(name for name in baseline.names if name not in RESERVED)
    whole = given.rules(FeatureConstraints(name=""))
    return OwnConstraints(
        tuple(own for own in found if own is not None),
        required if whole.evaluate_constraints else (),
        extra_columns=not whole.evaluate_constraints,
    )


def _of_column(column: ColumnBaseline, feature: FeatureConstraints, rules: Rules) -> ColumnConstraints | None:
    if not rules.evaluate_constraints:
        return None
    completeness = min(1.0, max(0.0, feature.completeness or 0.0))
    if column.kind == "categorical" or column.of_text:
        is_strict = rules.domain_content_threshold >= 1.0 and not column.of_text
        return ColumnConstraints(feature.name, "string", completeness, domain=feature.domains if is_strict else None)
    is_whole = feature.inferred_type == "Integral" and rules.datatype_check_threshold >= 1.0
    numbers = feature.num_constraints
    return ColumnConstraints(
        feature.name,
        "integral" if is_whole else "fractional",
        completeness,
        is_non_negative=numbers is not None and bool(numbers.is_non_negative),
    )
