"""SageMaker's constraints become ours."""

from __future__ import annotations

from typing import Any

import pytest
from driftgauge.checks.sagemaker.constraints import Constraints
from driftgauge.checks.sagemaker.own_constraints import own_constraints
from driftgauge.checks.sagemaker.suggest import suggested
from driftgauge.drift.quality.constraints import ColumnConstraints
from driftgauge.drift.quality.constraints import Constraints as OwnConstraints

from tests.checks.sagemaker.tables import baseline

pytestmark = pytest.mark.usefixtures("sketches")


def given(**content: Any) -> Constraints:
    return Constraints.model_validate({"features": [], **content})


def test_constraints_of_sagemaker_become_ours() -> None:
    found = own_constraints(suggested(baseline()), baseline())
    assert found.column("age") == ColumnConstraints("age", "integral", 1.0, is_non_negative=True)
    assert found.column("income") == ColumnConstraints("income", "fractional", 1.0, is_non_negative=True)
    assert found.column("plan") == ColumnConstraints("plan", "string", 1.0, domain=("a", "b", "c"))
    assert (found.required, found.extra_columns) == (("income", "age", "plan"), False)


def test_shares_that_may_violate_a_type_or_a_domain_leave_it_out() -> None:
    asked = suggested(baseline())
    loose = {"datatype_check_threshold": 0.9, "domain_content_threshold": 0.9}
    found = own_constraints(given(features=asked.model_dump()["features"], monitoring_config=loose), baseline())
    assert found.column("age") == ColumnConstraints("age", "fractional", 1.0, is_non_negative=True)
    assert found.column("plan") == ColumnConstraints("plan", "string", 1.0)


def test_what_is_not_evaluated_is_no_constraint() -> None:
    off = {"evaluate_constraints": "Disabled"}
    found = own_constraints(given(features=[{"name": "age"}], monitoring_config=off), baseline())
    assert found == OwnConstraints()
    assert own_constraints(given(features=[{"name": "unknown"}]), baseline()).columns == ()
