"""`constraints.json` in all its spellings, and the constraints that a baseline suggests."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from driftgauge.checks.sagemaker.constraints import Constraints, Rules
from driftgauge.checks.sagemaker.documents import document_bytes, parse_document
from driftgauge.checks.sagemaker.suggest import suggested
from driftgauge.drift.reference.baseline import measuring_length
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.errors import BaselineError

FILES: Final = Path(__file__).parent / "files"


def constraints(config: dict[str, Any], **feature: Any) -> Constraints:
    return Constraints.model_validate({"features": [{"name": "x", **feature}], "monitoring_config": config})


def test_both_spellings_of_overrides_hold_for_their_column() -> None:
    own = parse_document((FILES / "constraints.json").read_bytes(), Constraints, "constraints.json")
    age, balance, plan, note = own.features
    assert own.rules(age).datatype_check_threshold == 0.9
    assert own.rules(balance).datatype_check_threshold == 1.0
    assert own.rules(plan).domain_content_threshold == 0.8
    assert own.rules(note) == Rules()
    assert plan.domains == ("basic", "gold")


@pytest.mark.parametrize("spelling", ["monitoringConfigOverrides", "monitoring_config_overrides"])
@pytest.mark.parametrize("is_inside", [True, False])
def test_an_override_of_the_comparison_is_read_wherever_it_stands(spelling: str, is_inside: bool) -> None:
    override = {spelling: {"distribution_constraints": {"comparison_threshold": 0.3}}}
    feature: dict[str, Any] = {"string_constraints": override} if is_inside else override
    own = constraints({"distribution_constraints": {"comparison_method": "Simple"}}, **feature)
    rules = own.rules(own.features[0])
    assert (rules.comparison_threshold, rules.comparison_method) == (0.3, "Simple")


def test_a_switch_that_is_off_for_all_can_be_on_for_one() -> None:
    own = constraints(
        {"evaluate_constraints": "Disabled", "distribution_constraints": {"perform_comparison": "Disabled"}},
        monitoringConfigOverrides={"evaluate_constraints": "Enabled"},
    )
    assert own.rules(own.features[0]) == Rules(perform_comparison=False)


def test_the_names_of_older_files_are_read() -> None:
    own = constraints({"distribution_constraints": {"enable_comparisons": False, "comparion_method": "Simple"}})
    rules = own.rules(own.features[0])
    assert (rules.perform_comparison, rules.comparison_method) == (False, "Simple")


def test_a_file_survives_reading_and_writing() -> None:
    first = parse_document((FILES / "constraints.json").read_bytes(), Constraints, "constraints.json")
    assert parse_document(document_bytes(first), Constraints, "again") == first


def test_a_method_that_does_not_exist_is_refused() -> None:
    content = b'{"features": [], "monitoring_config": {"distribution_constraints": {"comparison_method": "Best"}}}'
    with pytest.raises(BaselineError, match=r"comparison_method is Best"):
        parse_document(content, Constraints, "constraints.json")


def test_a_baseline_suggests_what_its_rows_meet() -> None:
    table: Table = {
        "whole": np.array([1.0, 2.0, 3.0, np.nan] * 25),
        "halves": np.array([0.0, 0.5, 1.0, 1.0] * 25),
        "signed": np.linspace(-1.0, 1.0, 100),
        "plan": Categories(np.array([0, 1] * 50), ("a", "b")),
        "city": Categories(np.array([0] * 60 + [*range(1, 41)]), tuple(f"c{i:02}" for i in range(41))),
        "words": np.arange(100.0),
    }
    baseline = measuring_length(build_baseline(table, created="2026-01-31T00:00:00Z"), {"words"})
    whole, halves, signed, plan, city, words = suggested(baseline).features
    assert (whole.inferred_type, whole.completeness) == ("Integral", 0.75)
    assert whole.num_constraints is not None
    assert whole.num_constraints.is_non_negative is True
    assert halves.inferred_type == "Fractional"
    assert signed.inferred_type == "Fractional"
    assert signed.num_constraints is not None
    assert signed.num_constraints.is_non_negative is False
    assert (plan.inferred_type, plan.completeness, plan.domains) == ("String", 1.0, ("a", "b"))
    assert city.domains is None
    assert (words.inferred_type, words.domains, words.num_constraints) == ("String", None, None)
