from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from driftgauge.edges.formats.alertmanager import MOST_ALERTS, PostedAlerts
from pydantic import ValidationError

FIRING: dict[str, Any] = {
    "status": "firing",
    "labels": {"alertname": "ModelFeatureDrift", "severity": "critical", "model_name": "churn"},
    "annotations": {"summary": "Drift", "description": "x" * 3_000},
    "startsAt": "2026-03-04T12:00:00.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus:9090/graph",
    "fingerprint": "c0ffee",
}
BODY: dict[str, Any] = {
    "version": "4",
    "groupKey": '{}:{alertname="ModelFeatureDrift"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "actions",
    "groupLabels": {},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager:9093",
    "notification_reason": "new",
    "alerts": [FIRING],
}


def parsed(**changes: Any) -> PostedAlerts:
    body = copy.deepcopy(BODY)
    body["alerts"][0] |= changes
    return PostedAlerts.model_validate_json(json.dumps(body))


def test_a_firing_alert_has_no_end() -> None:
    (alert,) = parsed().as_alerts()
    assert (alert.name, alert.severity, alert.model) == ("ModelFeatureDrift", "critical", "churn")
    assert (alert.fingerprint, alert.group_key, alert.is_firing) == ("c0ffee", BODY["groupKey"], True)
    assert alert.starts_at == pytest.approx(1_772_625_600.123456)
    assert alert.ends_at is None
    assert len(alert.annotations["description"]) == 2_000


def test_a_resolved_alert_has_one() -> None:
    (alert,) = parsed(status="resolved", endsAt="2026-03-04T13:00:00+01:00").as_alerts()
    assert (alert.is_firing, alert.ends_at) == (False, 1_772_625_600.0)


@pytest.mark.parametrize("end", ["0001-01-01T00:00:00Z", "", "soon"])
def test_an_end_that_is_none_is_not_known(end: str) -> None:
    (alert,) = parsed(status="resolved", endsAt=end).as_alerts()
    assert alert.ends_at is None


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"status": "pending"}, ("alerts", 0, "status")),
        ({"labels": {"a": 1}}, ("alerts", 0, "labels", "a")),
        ({"labels": {"a": "x" * 1_001}}, ("alerts", 0, "labels", "a")),
        ({"labels": {f"l{number}": "" for number in range(101)}}, ("alerts", 0, "labels")),
        ({"startsAt": "yesterday"}, ("alerts", 0, "startsAt")),
        ({"fingerprint": ""}, ("alerts", 0, "fingerprint")),
    ],
)
def test_an_alert_that_cannot_be_used_is_refused(changes: dict[str, Any], where: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        parsed(**changes)
    assert caught.value.errors()[0]["loc"] == where


def test_a_request_has_a_bounded_number_of_alerts() -> None:
    with pytest.raises(ValidationError):
        PostedAlerts.model_validate_json(json.dumps(BODY | {"alerts": [FIRING] * (MOST_ALERTS + 1)}))


@pytest.mark.parametrize(
    "alerts",
    [
        [{**FIRING, "labels": {f"l{number}": number for number in range(20_000)}}],
        [{**FIRING, "labels": {f"l{number}": number for number in range(100)}}] * MOST_ALERTS,
        [{}] * (MOST_ALERTS + 1),
    ],
    ids=["too many labels", "wrong alerts", "too many alerts"],
)
def test_a_wrong_body_is_not_looked_at_to_its_end(alerts: list[dict[str, Any]]) -> None:
    with pytest.raises(ValidationError) as caught:
        PostedAlerts.model_validate_json(json.dumps(BODY | {"alerts": alerts}))
    assert caught.value.error_count() <= 100  # thousands would take the event loop seconds to describe
