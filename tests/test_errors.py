from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
from driftgauge.errors import (
    ALIAS_FAILURES,
    DENIALS,
    DROPS,
    FAILURES,
    HANG_UPS,
    LIMITED,
    LOG_DROPS,
    RECOVERIES,
    REJECTIONS,
    SHADOW_DROPS,
    BundleError,
    ModelFailed,
    Reason,
    Refused,
    reasons,
)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_its_own_code_in_snake_case(reason: Reason) -> None:
    assert str(reason) == reason.value == reason.name.lower()
    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", reason)


def test_a_reason_belongs_to_one_metric_except_damage_and_what_fails_in_monitoring() -> None:
    grouped = Counter(
        [
            *REJECTIONS,
            *DENIALS,
            *LIMITED,
            *FAILURES,
            *DROPS,
            *RECOVERIES,
            *HANG_UPS,
            *LOG_DROPS,
            *SHADOW_DROPS,
            *ALIAS_FAILURES,
        ]
    )
    twice = {reason for reason, metrics in grouped.items() if metrics > 1}
    assert twice == {Reason.STATE_DAMAGED, Reason.MONITORING_FAILED}


def test_rows_are_lost_by_a_full_log_by_damage_and_by_errors() -> None:
    assert [str(reason) for reason in DROPS] == ["monitoring_failed", "log_full", "state_damaged"]


def test_reasons_of_no_metric_are_the_clock_and_the_server() -> None:
    assert set(Reason) - {
        *REJECTIONS,
        *DENIALS,
        *LIMITED,
        *FAILURES,
        *DROPS,
        *RECOVERIES,
        *HANG_UPS,
        *LOG_DROPS,
        *SHADOW_DROPS,
        *ALIAS_FAILURES,
    } == {
        Reason.INVALID_LABEL,
        Reason.TOO_MANY_PENDING,
        Reason.INTAKE_FULL,
        Reason.UNREADABLE_RECORD,
        Reason.UNKNOWN_OUTCOME,
        Reason.INVALID_OUTCOME,
        Reason.PREDICTION_LOG_DISABLED,
        Reason.LABELS_NOT_STORED,
        Reason.PREDICTION_LOG_NOT_READ,
        Reason.AHEAD_OF_ARRIVAL,
        Reason.INVALID_ALERT,
        Reason.ACTIONS_DISABLED,
        Reason.ACTIONS_NOT_STORED,
        Reason.NOT_READY,
        Reason.NOT_FOUND,
        Reason.MODEL_NOT_NAMED,
        Reason.MODEL_UNUSABLE,
        Reason.UNKNOWN_WINDOW,
        Reason.TOO_MANY_COLUMNS,
        Reason.INVALID_QUERY,
        Reason.UNKNOWN_FORMAT,
        Reason.MONITORING_DISABLED,
        Reason.NO_KEPT_ROWS,
        Reason.ROWS_NOT_COMPARED,
        Reason.NOT_ACCEPTABLE,
        Reason.INVALID_VERSION,
        Reason.BUNDLE_NOT_ALLOWED,
        Reason.INTERNAL_ERROR,
    }


def test_a_refusal_says_why_what_and_where() -> None:
    detail = {"field": "age", "row": 3}
    refused = Refused(Reason.WRONG_TYPE, "age: give a number", detail)
    assert (refused.reason, refused.message, str(refused)) == (Reason.WRONG_TYPE, *["age: give a number"] * 2)
    detail["row"] = 4
    assert refused.detail == {"field": "age", "row": 3}


def test_a_refusal_without_detail_has_an_empty_one() -> None:
    assert Refused(Reason.NOT_JSON, "send JSON").detail == {}


def test_failures_of_model_and_bundle_are_no_refusals() -> None:
    assert not issubclass(ModelFailed, Refused)
    assert not issubclass(BundleError, Refused)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("Input X contains NaN.\nYou might want to consider another model."), '"Input X contains NaN."'),
        (ValueError("x" * 5_000), f'"{"x" * 200}"'),
    ],
)
def test_a_models_own_words_are_quoted_and_cut(error: Exception, message: str) -> None:
    assert str(ModelFailed.of(error)) == f"the model raised ValueError: {message}"


def test_a_model_that_says_nothing_is_not_quoted() -> None:
    assert str(ModelFailed.of(KeyError())) == "the model raised KeyError"


def test_every_reason_is_explained_where_it_is_declared() -> None:
    (declared,) = [
        node for node in ast.parse(Path(reasons.__file__).read_text(encoding="utf-8")).body if _is_reason(node)
    ]
    assert isinstance(declared, ast.ClassDef)
    pairs = zip(declared.body[1:], declared.body[2:], strict=False)
    explained = {node.targets[0].id for node, after in pairs if isinstance(node, ast.Assign) and _is_text(after)}  # type: ignore[attr-defined]
    assert explained == {reason.name for reason in Reason}


def _is_reason(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and node.name == "Reason"


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and str(node.value.value).endswith(".")
