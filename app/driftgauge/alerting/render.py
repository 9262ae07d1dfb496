"""Writes the files that Prometheus, Alertmanager and Grafana read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml

from driftgauge.alerting import shipped_folder
from driftgauge.alerting.alerts import alert_rules
from driftgauge.alerting.operator import dashboard_config_maps, operator_resources
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.routing import alertmanager_config
from driftgauge.alerting.rules import recording_rules
from driftgauge.alerting.runbooks import runbooks
from driftgauge.alerting.scraping import prometheus_config
from driftgauge.errors import MonitoringError

NOTE: Final = "# Written by `driftgauge monitoring render`. To change it, run that with other options.\n"
TEMPLATES: Final = "alertmanager/templates/driftgauge.tmpl"
DASHBOARDS: Final = "grafana/dashboards"
VERBATIM: Final = ("alertmanager/templates", "grafana/provisioning")
"""Folders that no option changes."""


def render(options: MonitoringOptions) -> dict[str, str]:
    """Return the text of each file that depends on the options, by its path."""
    contents = _resources(options) if options.platform == "prometheus-operator" else _files(options)
    pages = runbooks(options).pages
    return {
        **{path: NOTE + _yaml(content) for path, content in contents.items()},
        **{f"runbooks/{name}.md": page for name, page in pages.items()},
        **_dashboards(options),
    }


def _dashboards(options: MonitoringOptions) -> dict[str, str]:
    """Return the dashboards with the options' addresses as those of their links, by path."""
    usual = MonitoringOptions()
    addresses = {
        _variable(usual.base_url): _variable(options.base_url.rstrip("/")),
        _variable(usual.runbooks): _variable(options.runbooks),
    }
    found = {}
    for path in sorted((shipped_folder() / DASHBOARDS).glob("*.json")):
        text = path.read_text(encoding="utf-8")
        for address, own in addresses.items():
            text = text.replace(address, own)
        found[f"{DASHBOARDS}/{path.name}"] = text
    return found


def _variable(address: str) -> str:
    """Return the line of a dashboard's variable with an address."""
    return f'"query": {json.dumps(address)},'


def _files(options: MonitoringOptions) -> dict[str, dict[str, Any]]:
    """Return the files of Prometheus and Alertmanager."""
    return {
        "prometheus/prometheus.yml": prometheus_config(options),
        "prometheus/rules/driftgauge.yml": recording_rules(options),
        "prometheus/alerts/driftgauge.yml": alert_rules(options),
        "alertmanager/alertmanager.yml": alertmanager_config(options),
    }


def _resources(options: MonitoringOptions) -> dict[str, dict[str, Any]]:
    """Return the resources of the operator, and the dashboards. Its targets have the label of their namespace."""
    by = options.by if "namespace" in options.by else (*options.by, "namespace")
    resources = operator_resources(replace(options, by=by), shipped_folder() / TEMPLATES)
    return {**resources, **dashboard_config_maps(options, _dashboards(options))}


def write(options: MonitoringOptions, out: Path) -> list[Path]:
    """Write all files into a folder; MonitoringError if it cannot be written.

    Other files in the folder stay.
    """
    try:
        written = []
        for path, text in render(options).items():
            target = out / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            written.append(target)
        skipped = "" if options.platform == "prometheus" else "alertmanager/templates"
        return written + _copied(out, [folder for folder in VERBATIM if folder != skipped])
    except OSError as error:
        raise MonitoringError(f"cannot write {error.filename or out}: {error.strerror}") from error


def _copied(out: Path, folders: Sequence[str]) -> list[Path]:
    source = shipped_folder()
    copied = []
    for folder in folders:
        for path in sorted((source / folder).rglob("*")):
            target = out / path.relative_to(source)
            if path.is_file() and path.resolve() != target.resolve():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                copied.append(target)
    return copied


class _Dumper(yaml.SafeDumper):
    """YAML as people write it: indented lists, and blocks for text of several lines."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _yaml(content: Any) -> str:
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return text
