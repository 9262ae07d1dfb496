"""The texts of messages, held against those that Alertmanager's own tool makes of the same template and alerts."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from driftgauge.notifications.messages import MessageAlert, message
from driftgauge.notifications.trial import trial_message

from tests.e2e.programs import needs_servers

TEMPLATES = Path(__file__).parents[2] / "monitoring" / "alertmanager" / "templates" / "*.tmpl"
AT = 1_767_225_600.0
LABELS = {"alertname": "ModelFeatureDrift", "job": "driftgauge", "model_name": "delay", "model_version": "1"}
TEXTS = {
    "summary": "temp of delay 1 has drifted from the reference.",
    "description": "94.5% of rows above the reference's largest value.",
    "runbook_url": "https://models.example.org/runbooks/ModelFeatureDrift?feature=temp",
    "page_url": "https://models.example.org/drift/status?model=delay&feature=temp",
    "owner": 'The "flights" team',
}


def told(column: str, **more: Any) -> MessageAlert:
    labels = {**LABELS, "severity": "warning", "feature_name": column}
    return replace(MessageAlert(column, labels, AT - 600, {**TEXTS, "summary": f"{column} has drifted."}), **more)


def made(*alerts: MessageAlert, left_out: int = 0) -> dict[str, Any]:
    return message("id", "team", alerts, external_url="https://models.example.org", left_out=left_out, at=AT)


SERVER = MessageAlert(
    "s", {"alertname": "DriftgaugeLatencyHigh", "job": "driftgauge", "severity": "critical"}, AT, TEXTS
)
WITH_LINKS = {**TEXTS, "dashboard_url": "https://grafana.example.org/d/x", "diagnosis_url": "https://a.example.org/d"}
CASES = {
    "one": [told("temp")],
    "two": [told("temp"), told("dewp", fired_at=AT)],
    "over": [told("temp", ended_at=AT)],
    "both": [told("temp"), told("dewp", ended_at=AT)],
    "of the server": [SERVER],
    "with all links": [told("temp", annotations=WITH_LINKS)],
    "two with all links": [told("temp", annotations=WITH_LINKS), told("dewp", annotations=WITH_LINKS)],
}


@needs_servers
@pytest.mark.parametrize("alerts", CASES.values(), ids=list(CASES))
@pytest.mark.parametrize("name", ["title", "text", "link", "color"])
def test_texts_are_those_that_alertmanager_makes_of_its_template(
    name: str, alerts: list[MessageAlert], tmp_path: Path
) -> None:
    body, data = made(*alerts), tmp_path / "data.json"
    data.write_text(json.dumps(body))
    asked = f'{{{{ template "driftgauge.{name}" . }}}}'
    command = ["amtool", "template", "render", f"--template.glob={TEMPLATES}", f"--template.data={data}"]
    done = subprocess.run([*command, "--template.text", asked], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert body[name] == done.stdout.strip()


def test_a_message_has_the_format_of_alertmanagers_webhooks() -> None:
    body = made(told("temp"), told("dewp", ended_at=AT))
    assert (body["version"], body["status"], body["receiver"]) == ("4", "firing", "team")
    assert body["groupLabels"] == {"job": "driftgauge", "model_name": "delay", "model_version": "1"}
    assert body["commonLabels"] == {**LABELS, "severity": "warning"}
    assert [(own["status"], own["startsAt"], own["endsAt"]) for own in body["alerts"]] == [
        ("firing", "2025-12-31T23:50:00Z", "0001-01-01T00:00:00Z"),
        ("resolved", "2025-12-31T23:50:00Z", "2026-01-01T00:00:00Z"),
    ]


def test_a_message_says_what_it_does_not_list_and_what_was_left_out_before() -> None:
    body = made(*(told(f"f{number}") for number in range(40)), left_out=2)
    assert (len(body["alerts"]), body["truncatedAlerts"], body["leftOut"]) == (30, 10, 2)
    assert body["text"].splitlines()[-2:] == [
        "10 more alerts of this group are not listed.",
        "2 changes could not be sent at the time, because of most_an_hour.",
    ]


def test_a_test_message_says_that_it_is_one() -> None:
    body = trial_message("team", "https://models.example.org", AT)
    assert body["title"] == "[FIRING 1] info: This is a test message of Driftgauge."
    assert trial_message("team", "https://models.example.org", AT)["id"] != body["id"]
