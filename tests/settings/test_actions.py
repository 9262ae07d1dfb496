from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.errors import SettingsError
from driftgauge.settings.actions import minutes_of
from driftgauge.settings.options import Settings, load

RETRAIN = """
[[actions]]
name = "retrain"
kind = "url"
alerts = ["ModelPerformanceDegraded"]
url = "https://jobs.example.com/run"
"""


def from_file(folder: Path, text: str) -> Settings:
    (folder / "settings.toml").write_text(text, "utf-8")
    return load({}, folder / "settings.toml")


def test_guards_hold_where_the_file_says_nothing(tmp_path: Path) -> None:
    (action,) = from_file(tmp_path, RETRAIN).actions
    assert (action.name, action.kind, action.alerts) == ("retrain", "url", ("ModelPerformanceDegraded",))
    assert (action.severity, action.model, action.labels) == (("critical",), None, {})
    assert (action.dry_run, action.cooldown_seconds, action.most_a_day) == (True, 3_600.0, 3)
    assert (action.quiet_hours, action.for_seconds, action.most_attempts) == (None, 0.0, 5)


def test_one_name_is_a_list_of_one(tmp_path: Path) -> None:
    text = RETRAIN.replace('["ModelPerformanceDegraded"]', '"ModelFeatureDrift"') + 'severity = "warning"'
    (action,) = from_file(tmp_path, text).actions
    assert (action.alerts, action.severity) == (("ModelFeatureDrift",), ("warning",))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cooldwn_seconds = 5", "actions: retrain: unknown key cooldwn_seconds; did you mean cooldown_seconds?"),
        ("cooldown_seconds = -1", "actions: retrain: cooldown_seconds: -1 cannot be used: give a number, at least 0"),
        ("most_a_day = 0", "actions: retrain: most_a_day: 0 cannot be used: give a whole number from 1 to 1,000"),
        ('dry_run = "perhaps"', "actions: retrain: dry_run: 'perhaps' cannot be used: give true or false"),
        ('quiet_hours = "22-6"', "actions: retrain: quiet_hours: '22-6' is no time of the day: give e.g. 22:00-06:00"),
        (
            'quiet_hours = "08:00-08:00"',
            "actions: retrain: quiet_hours: 08:00-08:00 begins when it ends: leave it out, or give e.g. 22:00-06:00",
        ),
        (
            'time_zone = "Mars/Olympus"',
            "actions: retrain: time_zone: 'Mars/Olympus' is not a time zone: give an IANA name, e.g. Europe/Berlin",
        ),
        (
            'severity = ["severe"]',
            "actions: retrain: severity.0: 'severe' cannot be used: give a list of critical, warning or info",
        ),
    ],
)
def test_an_error_names_the_action_and_the_key(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_file(tmp_path, RETRAIN + line)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "retrain"', "", "actions: number 1 needs a name: give a table, e.g. "),
        ('name = "retrain"', 'name = "Re train"', "actions: Re train: name: 'Re train' is no name: give small letters"),
        ('kind = "url"', 'kind = "link"', "actions: retrain: kind 'link' cannot be used: give url, switch, command"),
        ('kind = "url"', "", "actions: retrain: kind is missing: give url, switch, command"),
        ('alerts = ["ModelPerformanceDegraded"]', "", "actions: retrain: alerts is missing: give a list of names"),
        ('alerts = ["ModelPerformanceDegraded"]', "alerts = []", "actions: retrain: alerts: [] cannot be used: give a"),
    ],
)
def test_what_an_action_needs_is_asked_for(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_file(tmp_path, RETRAIN.replace(old, new))
    assert str(caught.value).startswith(message)


def test_two_actions_have_two_names(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        from_file(tmp_path, RETRAIN * 2)
    assert str(caught.value) == "actions: two have the name retrain: give each its own name"


def test_a_span_of_hours_may_pass_midnight() -> None:
    assert minutes_of("22:00-06:30") == (1_320, 390)
    assert minutes_of("00:00-23:59") == (0, 1_439)
