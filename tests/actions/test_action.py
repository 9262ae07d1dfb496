from __future__ import annotations

from typing import Any

import pytest
from driftgauge.actions.action import Action, ActionFailed, Alert
from driftgauge.settings.actions import UrlAction

LABELS = {"alertname": "ModelFeatureDrift", "severity": "critical", "model_name": "churn", "feature_name": "age"}


def alert(**labels: str) -> Alert:
    return Alert("{}", "f1", is_firing=True, labels={**LABELS, **labels}, annotations={}, starts_at=1_000.0)


def action(**settings: Any) -> Action:
    own = {"name": "a", "kind": "url", "alerts": ("ModelFeatureDrift",), "url": "https://jobs.example.com", **settings}
    return Action(UrlAction.model_validate(own))


@pytest.mark.parametrize(
    ("settings", "labels"),
    [
        ({}, {}),
        ({}, {"model_name": "other"}),
        ({"model": "churn"}, {}),
        ({"labels": {"feature_name": "age"}}, {}),
        ({"severity": ("warning", "critical")}, {"severity": "warning"}),
        ({"alerts": ("ModelDataQuality", "ModelFeatureDrift")}, {}),
    ],
)
def test_an_alert_leads_to_an_action_that_names_it(settings: dict[str, Any], labels: dict[str, str]) -> None:
    assert action(**settings).matches(alert(**labels))


@pytest.mark.parametrize(
    ("settings", "labels"),
    [
        ({}, {"alertname": "ModelDataQuality"}),
        ({}, {"severity": "warning"}),
        ({"model": "churn"}, {"model_name": "other"}),
        ({"labels": {"feature_name": "income"}}, {}),
        ({"labels": {"team": "risk"}}, {}),
    ],
)
def test_another_alert_does_not(settings: dict[str, Any], labels: dict[str, str]) -> None:
    assert not action(**settings).matches(alert(**labels))


def test_an_alert_of_the_server_has_no_model() -> None:
    own = Alert("{}", "f1", is_firing=True, labels={"alertname": "DriftgaugeDown"}, annotations={}, starts_at=0.0)
    assert (own.name, own.model, own.severity) == ("DriftgaugeDown", "", "")


def test_a_failure_says_whether_the_same_may_succeed_later() -> None:
    error = ActionFailed("the address answered 503", retryable=True, retry_after_seconds=30.0)
    assert (str(error), error.retryable, error.retry_after_seconds) == ("the address answered 503", True, 30.0)
