"""What docs/alerting.md asks of people who already run Prometheus: two files, five lines, and nothing else."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from driftgauge.alerting.alerts import alert_names
from driftgauge.demo import prometheus_stack as stack
from driftgauge.demo.prometheus_stack import Endpoint, Programs

from tests.e2e.monitored import Alertmanager, Prometheus, await_answer, make_bundle, rows, seen, server
from tests.e2e.processes import free_port, run
from tests.e2e.programs import needs_servers

pytestmark = [pytest.mark.e2e, needs_servers]

PAGE: Final = (Path(__file__).parents[2] / "docs" / "alerting.md").read_text(encoding="utf-8")
SECTION: Final = PAGE.split("## You already run Prometheus\n")[1].split("\n## ")[0]
ALERTMANAGER: Final = {"route": {"receiver": "mine"}, "receivers": [{"name": "mine"}]}


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", SECTION, flags=re.DOTALL)
    return str(text)


def existing(alertmanager: int) -> dict[str, Any]:
    """A configuration that somebody had before."""
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]},
        "rule_files": ["mine.yml"],
        "scrape_configs": [{"job_name": "mine", "static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}],
    }


def merged(config: dict[str, Any], lines: dict[str, Any]) -> dict[str, Any]:
    return {**config, **{key: [*config[key], *added] for key, added in lines.items()}}


def copied(folder: Path, base_url: str) -> None:
    """Run the commands of the page, with this folder for those of the system."""
    render, *copies = [shlex.split(line) for line in block("sh").splitlines()]
    assert render[:3] == ["driftgauge", "monitoring", "render"]
    rendered = folder / "rendered"
    given = [str(rendered) if part == "monitoring" else part for part in render[3:]]
    done = run("monitoring", "render", *(base_url if part == "http://localhost:8000" else part for part in given))
    assert done.returncode == 0, done.stderr
    assert len(copies) == 2
    for command, source, target in copies:
        assert command == "cp"
        place = folder / Path(target).relative_to("/etc/prometheus")
        place.write_bytes((rendered / Path(source).relative_to("monitoring")).read_bytes())


def test_the_page_begins_with_two_files_and_five_lines() -> None:
    assert PAGE.startswith(
        "# Alerts and dashboards\n\n## You already run Prometheus\nCopy these two files, merge these five"
    )
    assert len(block("yaml").splitlines()) == 5


@pytest.mark.long
def test_two_files_and_five_lines_are_all_that_a_running_prometheus_needs(servers: Programs, tmp_path: Path) -> None:
    port, prometheus, alertmanager = free_port(), free_port(), free_port()
    copied(tmp_path, f"http://127.0.0.1:{port}")
    lines = yaml.safe_load(block("yaml").replace("localhost:8000", f"127.0.0.1:{port}"))
    (tmp_path / "mine.yml").write_text("groups: []\n")
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(merged(existing(alertmanager), lines)))
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(ALERTMANAGER))
    subprocess.run(["promtool", "check", "config", tmp_path / "prometheus.yml"], check=True, capture_output=True)
    with contextlib.ExitStack() as started:
        app = started.enter_context(server(make_bundle(tmp_path / "bundle", "7"), port, tmp_path / "server.log"))
        addresses = [
            started.enter_context(start(program, tmp_path, tmp_path / name, Endpoint(own), tmp_path / f"{name}.log"))
            for name, start, program, own in (
                ("alertmanager", stack.alertmanager, servers.alertmanager, alertmanager),
                ("prometheus", stack.prometheus, servers.prometheus, prometheus),
            )
        ]
        await_answer(app)
        app.send(rows(1, 2_000))
        watching, notifying = Prometheus(addresses[1]), Alertmanager(addresses[0])
        seen(lambda: watching.value('up{job="driftgauge"}'))
        seen(lambda: watching.value("feature_bin:model_feature_reference_ratio:max"))
        (watchdog,) = seen(lambda: notifying.alerts("Watchdog"))
        assert watchdog["annotations"]["runbook_url"] == f"{app.address}/runbooks/Watchdog"
        assert watching.rules() >= set(alert_names())
