from __future__ import annotations

from typing import Any

import pytest
from driftgauge.actions.executors.confirmation import PERFORMANCE, ModelStatus, StatusConfirmer
from driftgauge.drift.performance.verdict import PerformanceStatus

from tests.actions.decided import action_of, alert_of


def confirmed(status: ModelStatus | None, **condition: str) -> tuple[bool, str] | None:
    settings: dict[str, Any] = {"confirm": condition} if condition else {}
    found = StatusConfirmer(lambda _: status).confirm(action_of("switch", **settings), alert_of())
    return None if found is None else (found.holds, found.detail)


def test_an_action_without_a_condition_needs_no_confirmation() -> None:
    assert confirmed(None) is None


@pytest.mark.parametrize(
    ("found", "wanted", "holds"),
    [
        ("degraded", "degraded", True),
        ("warning", "degraded", False),
        ("normal", "warning", False),
        ("degraded", "warning", True),
        ("insufficient_labels", "warning", False),
    ],
)
def test_ground_truth_confirms_from_a_status_on(found: str, wanted: str, *, holds: bool) -> None:
    said = confirmed(ModelStatus(found, None, None), performance=wanted)
    assert said == (holds, f"performance is {found}, and must be at least {wanted}")


@pytest.mark.parametrize(("found", "holds"), [(None, False), ("info", False), ("warning", True), ("critical", True)])
def test_drift_confirms_from_a_severity_on(found: str | None, *, holds: bool) -> None:
    said = confirmed(ModelStatus(None, found, "critical"), drift="warning")
    assert said == (holds, f"drift is {found or 'normal'}, and must be at least warning")


def test_all_parts_of_a_condition_must_hold() -> None:
    status = ModelStatus("degraded", "critical", "warning")
    found = confirmed(status, performance="degraded", drift="critical", prediction_drift="warning")
    assert found is not None
    assert found[0] is True
    assert found[1] == (
        "performance is degraded, and must be at least degraded; drift is critical, and must be at least critical; "
        "prediction_drift is warning, and must be at least warning"
    )
    found = confirmed(status, performance="degraded", prediction_drift="critical")
    assert found is not None
    assert found[0] is False


def test_what_is_not_known_confirms_nothing() -> None:
    assert confirmed(None, drift="warning") == (False, "nothing is known of the model churn")
    said = (False, "performance is unknown, and must be at least degraded")
    assert confirmed(ModelStatus(None, "critical", None), performance="degraded") == said


def test_the_ranks_are_those_of_the_verdict_on_performance() -> None:
    assert tuple(PerformanceStatus) == PERFORMANCE
