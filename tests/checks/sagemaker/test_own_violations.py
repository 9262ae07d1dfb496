"""What violates our constraints is in SageMaker's file of violations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.reference import Reference
from driftgauge.checks.sagemaker.constraints import Constraints
from driftgauge.checks.sagemaker.execution import Execution, Job, Limits, execute
from driftgauge.checks.sagemaker.own_constraints import own_constraints
from driftgauge.checks.sagemaker.suggest import suggested
from driftgauge.drift.quality.constraints import ColumnConstraints
from driftgauge.drift.quality.constraints import Constraints as OwnConstraints

from tests.checks.sagemaker.tables import NOW, baseline, table

pytestmark = pytest.mark.usefixtures("sketches")


def given(**content: Any) -> Constraints:
    return Constraints.model_validate({"features": [], **content})


def executed(rows: Any, own: OwnConstraints, asked: Constraints | None = None) -> Execution:
    return execute(Job(Reference(baseline()), [rows], CheckOptions(), asked, own), Limits(lambda: NOW))


def violations(found: Execution) -> list[tuple[str, str]]:
    return [(own.feature_name, own.constraint_check_type) for own in found.violations.violations]


def test_violations_of_our_constraints_are_in_the_file_of_violations() -> None:
    rows = table(1)
    rows["income"] = rows["income"].copy()
    rows["income"][:60] = 40.0
    limited = OwnConstraints((ColumnConstraints("income", "fractional", maximum=30.0),))
    assert violations(executed(rows, OwnConstraints())) == []
    found = executed(rows, limited)
    assert (found.status, violations(found)) == ("CompletedWithViolations", [("income", "data_type_check")])
    assert "60 of the 4,000 rows are above 30" in found.violations.violations[0].description


def test_a_violation_that_sagemaker_finds_too_is_written_once() -> None:
    rows = table(1)
    rows["age"] = np.where(np.arange(len(rows["age"])) < 400, np.nan, rows["age"])
    own = own_constraints(suggested(baseline()), baseline())
    found = executed(rows | {"note": ["x"] * len(rows["age"])}, own)
    assert violations(found).count(("age", "completeness_check")) == 1
    assert [name for name, check in violations(found) if check == "extra_column_check"] == ["Extra columns"]
    alone = executed(rows, replace(own, extra_columns=True), given())
    assert ("age", "completeness_check") in violations(alone)
