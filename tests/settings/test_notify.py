from __future__ import annotations

import json
from typing import Any

import pytest
from driftgauge.errors import SettingsError
from driftgauge.settings.options import load


def refusal(table: dict[str, Any]) -> str:
    """Return what is wrong with the table of a receiver."""
    with pytest.raises(SettingsError) as found:
        load({"notify": json.dumps([{"name": "team", **table}])})
    return str(found.value)


MAIL = {"kind": "mail", "to": ["a@example.org"], "smtp_host": "smtp.example.org"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"kind": "slack"}, "notify: team: url is missing: give it, or url_file or url_variable"),
        (
            {"kind": "slack", "url": "ftp://secret"},
            "notify: team: the URL cannot be used: give one like https://host/path",
        ),
        ({"kind": "slack", "url": "https://a", "url_file": "b"}, "notify: team: give only one of url and url_file"),
        ({"kind": "slack", "url": "https://a", "token_file": "b"}, "notify: team: unknown key token_file"),
        ({"kind": "file"}, "notify: team: path is missing: give a path"),
        (
            {"kind": "file", "path": "a", "severity": "high"},
            "notify: team: severity: 'high' cannot be used: give info, ",
        ),
        (
            {"kind": "file", "path": "a", "repeat_seconds": 1},
            "notify: team: repeat_seconds: 1 cannot be used: give a number",
        ),
        ({**MAIL, "to": []}, "notify: team: to: [] cannot be used: give a list of addresses"),
        ({**MAIL, "to": ["a b@c\n"]}, "notify: team: to: 'a b@c\\n' is no mail address: give e.g. team@example.org"),
        ({**MAIL, "smtp_host": "a:25"}, "notify: team: smtp_host: 'a:25' is no host: give its name without a port"),
        ({**MAIL, "password_file": "a"}, "notify: team: user is missing: a password needs it"),
        ({**MAIL, "user": "u"}, "notify: team: password_file is missing: give it, or password_variable"),
        (
            {**MAIL, "user": "u", "password_file": "a", "smtp_tls": "none"},
            'notify: team: a password needs TLS: give smtp_tls = "starttls" or "tls"',
        ),
    ],
)
def test_a_receiver_that_cannot_work_is_refused_by_its_name_and_key(table: dict[str, Any], said: str) -> None:
    assert refusal(table).startswith(said)


def test_several_workers_in_memory_cannot_share_what_was_sent() -> None:
    table = json.dumps([{"name": "log", "kind": "file", "path": "sent"}])
    with pytest.raises(SettingsError, match="notify needs state_dir with several workers"):
        load({"notify": table, "workers": 2, "state_dir": "memory"})
    assert load({"notify": table, "workers": 1, "state_dir": "memory"}).notify[0].name == "log"


def test_the_range_of_rules_holds_two_samples() -> None:
    with pytest.raises(SettingsError, match="notify_hold_seconds must be at least twice notify_interval_seconds"):
        load({"notify_hold_seconds": 20, "notify_interval_seconds": 15})
