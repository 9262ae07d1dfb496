"""What violates our constraints, in SageMaker's six checks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from driftgauge.checks.report import CheckReport
from driftgauge.checks.sagemaker.violations import CheckType, Violation
from driftgauge.drift.quality.report import EXTRA_COLUMNS, REQUIRED

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
