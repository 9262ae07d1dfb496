from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROMETHEUS = ROOT / "monitoring" / "prometheus" / "prometheus.yml"
DATASOURCES = ROOT / "monitoring" / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
PROVIDERS = ROOT / "monitoring" / "grafana" / "provisioning" / "dashboards" / "driftgauge.yml"


def test_it_is_a_compose_file() -> None:
    tool = Path(sys.executable).parent / "check-jsonschema"
    command = [str(tool), "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_checked_and_local(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["ports"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    tag = service["image"].rpartition(":")[2]
    assert "build" in service or re.fullmatch(r"v?\d+\.\d+\.\d+", tag), service["image"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_mounts_exists(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source, _, rest = mount.partition(":")
        if source.startswith("."):
            assert (ROOT / source).is_dir(), source
            assert rest.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_services_that_exist(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        assert other in SERVICES
        assert how["condition"] == "service_healthy"


def test_the_admin_of_grafana_has_no_default_password() -> None:
    assert re.fullmatch(
        r"\$\{GRAFANA_ADMIN_PASSWORD:\?.+\}", SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"]
    )


def test_prometheus_scrapes_and_notifies_services_of_the_file() -> None:
    config = yaml.safe_load(PROMETHEUS.read_text(encoding="utf-8"))
    groups = [group for job in config["scrape_configs"] for group in job["static_configs"]]
    groups += [group for manager in config["alerting"]["alertmanagers"] for group in manager["static_configs"]]
    targets = {target for group in groups for target in group["targets"]}
    assert {"app:8000", "alertmanager:9093"} <= targets
    assert {target.replace("localhost:", "prometheus:") for target in targets} <= _addresses()


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    (source,) = yaml.safe_load(DATASOURCES.read_text(encoding="utf-8"))["datasources"]
    assert source["uid"] == "prometheus"
    assert source["isDefault"]
    assert source["url"].removeprefix("http://") in _addresses()
    (provider,) = yaml.safe_load(PROVIDERS.read_text(encoding="utf-8"))["providers"]
    mounted = [mount.split(":")[1] for mount in SERVICES["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounted
    assert "/etc/grafana/provisioning" in mounted


def test_images_are_built_from_stages_that_exist_and_the_server_is_the_default() -> None:
    stages = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    built = [service["build"]["target"] for service in SERVICES.values() if "build" in service]
    assert set(built) <= set(stages)
    assert stages[-1] == "server"


def _addresses() -> set[str]:
    return {f"{name}:{port.rpartition(':')[2]}" for name, service in SERVICES.items() for port in service["ports"]}
