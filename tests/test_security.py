"""What docs/security.md states holds for the program and for the files of deploy/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from driftgauge.access.caller import Scope
from driftgauge.drift.bins import MAX_CATEGORIES
from driftgauge.edges.formats.fields import ID_LENGTH
from driftgauge.edges.http.routes import ROUTES
from driftgauge.serving.caller_limits import MAX_CALLERS
from driftgauge.settings.limits import LimitSettings
from driftgauge.settings.options import Settings

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
DEFAULTS = {name: field.default for name, field in Settings.model_fields.items()}


def section(title: str) -> str:
    """Return the section of a title."""
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def rows(text: str) -> list[list[str]]:
    """Return the cells of the rows of all tables, without heads."""
    lines = re.sub(r"^\|.*\|\n\|[-|]+\|$", "", text, flags=re.MULTILINE).splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_the_table_of_limits_has_every_limit_with_its_default() -> None:
    stated = {name.strip("`"): default for name, default, _ in rows(section("Limits"))}
    assert list(stated) == list(LimitSettings.model_fields)
    for name, text in stated.items():
        if DEFAULTS[name] is None:
            assert not text.replace(".", "").isdigit(), name
        else:
            assert text == str(DEFAULTS[name])


def test_without_settings_the_server_listens_on_loopback_and_believes_no_proxy() -> None:
    assert (DEFAULTS["host"], DEFAULTS["tokens_file"], DEFAULTS["insecure"]) == ("127.0.0.1", None, False)
    assert (DEFAULTS["trusted_proxies"], DEFAULTS["trusted_types"], DEFAULTS["allowed_origins"]) == ((), (), ())


def test_the_page_lists_the_scopes_and_the_routes_that_need_none() -> None:
    stated = section("What a caller may do")
    assert re.findall(r"^\| `(\w+)` \|", stated, flags=re.MULTILINE) == [scope.value for scope in Scope]
    open_routes = {name for row in rows(stated) for name in re.findall(r"`(/[^`]*)`", row[0])}
    assert open_routes == {route.path for route in ROUTES if route.scope is None}


def test_the_numbers_of_the_page_are_those_of_the_program() -> None:
    poisoned = section("How monitoring could be poisoned")
    assert f"`max_event_ahead_seconds` ({DEFAULTS['max_event_ahead_seconds']:.0f} s)" in poisoned
    assert f"at most {MAX_CATEGORIES} categories" in poisoned
    assert f"at most {ID_LENGTH} printable characters" in poisoned
    assert f"at most {MAX_CALLERS:,} callers" in section("Limits")


def test_every_setting_that_the_page_names_exists() -> None:
    for name in re.findall(r"`((?:max|trusted|allowed|bundle|tokens|state|log|metrics)_\w+)", PAGE):
        assert name in DEFAULTS, name


# ---------------------------------------------------------------- the files of deploy/


def document(*path: str) -> Any:
    return yaml.safe_load((ROOT.joinpath(*path)).read_text(encoding="utf-8"))


def test_manifests_run_it_as_another_user_on_a_file_system_that_is_read_only() -> None:
    pod = document("deploy", "kubernetes", "base", "statefulset.yaml")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/var/lib/driftgauge", "/tmp"}  # noqa: S108  a mount of its own


@pytest.mark.parametrize("wanted", ["runAsNonRoot: true", "readOnlyRootFilesystem: true", "drop: [ALL]"])
def test_the_chart_does_the_same(wanted: str) -> None:
    text = (ROOT / "deploy" / "helm" / "driftgauge" / "templates" / "statefulset.yaml").read_text(encoding="utf-8")
    values = (ROOT / "deploy" / "helm" / "driftgauge" / "values.yaml").read_text(encoding="utf-8")
    assert wanted in text + values


def test_the_network_policy_lets_out_nothing_and_lets_in_two_namespaces() -> None:
    policy = document("deploy", "kubernetes", "base", "networkpolicy.yaml")["spec"]
    assert policy["egress"] == []
    assert [list(peer) for peer in policy["ingress"][0]["from"]] == [["podSelector"], ["namespaceSelector"]]


def test_the_image_runs_as_the_same_user() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "--uid 10001" in dockerfile
    assert "\nUSER driftgauge\n" in dockerfile
