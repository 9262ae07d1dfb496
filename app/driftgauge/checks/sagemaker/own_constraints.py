"""Our constraints and SageMaker's: those of `constraints.json` as ours, and what violates ours in its six checks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from driftgauge.checks.report import CheckReport
from driftgauge.checks.sagemaker.constraints import Constraints, FeatureConstraints, Rules
from driftgauge.checks.sagemaker.violations import CheckType, Violation
from driftgauge.drift.quality.constraints import ColumnConstraints
from driftgauge.drift.quality.constraints import Constraints as OwnConstraints
from driftgauge.drift.quality.report import EXTRA_COLUMNS, REQUIRED
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.reference.columns import ColumnBaseline

CHECKS: Final[Mapping[str, CheckType]] = {
    "completeness": "completeness_check",
    "domain": "categorical_values_check",
    "range": "data_type_check",
    "non_negative": "data_type_check",
    "integrality": "data_type_check",
    "max_length": "data_type_check",
    REQUIRED: "missing_column_check",
    EXTRA_COLUMNS: "extra_column_check",
}
"""The check that each of our constraints belongs to; SageMaker has none of duplicates."""


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


def more_violations(report: CheckReport, found: Collection[Violation]) -> Iterator[Violation]:
    """Yield what violates our constraints, each column and check once, and none that was found before."""
    known = {(own.feature_name, own.constraint_check_type) for own in found}
    of_columns = {own.constraint_check_type for own in found} & {CHECKS[REQUIRED], CHECKS[EXTRA_COLUMNS]}
    for own in report.violated_constraints:
        check = CHECKS.get(own.constraint)
        if check is None or own.feature is None or check in of_columns or (own.feature, check) in known:
            continue
        known.add((own.feature, check))
        yield Violation(feature_name=own.feature, constraint_check_type=check, description=own.reason)
