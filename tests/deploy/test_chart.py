from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from driftgauge import __version__

from tests.deploy.kubernetes import (
    CHART,
    MANIFESTS,
    NEWEST,
    SIDECARS,
    Resource,
    chart,
    each_version,
    helm,
    kustomized,
    objections,
    one,
    pod_of,
    server_of,
    variables,
    with_components,
)

FULL = ("--set", "monitoring.enabled=true,fluentBit.enabled=true,bundleClaim=driftgauge-bundle")
BARE = (
    *("--set", "persistence.enabled=false,networkPolicy.enabled=false,podDisruptionBudget.enabled=false"),
    *("--set", "monitoring.enabled=true,monitoring.rules=false,monitoring.dashboards=false"),
)
OTHER = (
    "--set-json",
    json.dumps(
        {
            "imagePullSecrets": [{"name": "registry"}],
            "image": {"pullPolicy": "Always"},
            "persistence": {"storageClass": "fast"},
            "service": {"type": "NodePort", "port": 80},
            "env": [{"name": "DRIFTGAUGE_WORKERS", "value": "2"}],
            "podAnnotations": {"team": "models"},
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "models", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "settings": 'windows = [500, 5000]\n[features."mean area"]\nalert = false\n',
        }
    ).replace("\n", "\\n"),
)


def test_helm_lint_has_nothing_to_say() -> None:
    done = helm("lint", "--strict", CHART)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


@each_version
@pytest.mark.parametrize("options", [(), BARE, OTHER], ids=["default", "bare", "other"])
def test_the_schemas_take_every_rendering(options: tuple[str, ...], version: str) -> None:
    assert objections(chart(*options), version) == []


@pytest.mark.parametrize("version", [SIDECARS, NEWEST])
def test_the_schemas_take_all_parts(version: str) -> None:
    assert objections(chart(*FULL), version) == []


@pytest.mark.parametrize("components", [(), ("monitoring", "logs", "bundle-claim")], ids=["plain", "full"])
def test_a_release_is_what_the_manifests_are(components: tuple[str, ...], tmp_path: Path) -> None:
    folder = with_components(tmp_path, *components) if components else MANIFESTS
    expected = {_key(own): _essence(own) for own in kustomized(folder) if own["kind"] != "Namespace"}
    found = {_key(own): _essence(own) for own in chart(*(FULL if components else ()))}
    assert found.keys() == expected.keys()
    for key, resource in found.items():
        assert resource == expected[key], key


def _key(resource: Resource) -> tuple[str, str]:
    return resource["kind"], _unhashed(resource["metadata"]["name"])


def _unhashed(name: str) -> str:
    """Return a name without the hash that kustomize appends to its own ConfigMaps."""
    head, _, tail = name.rpartition("-")
    return head if head and len(tail) == 10 and any(letter.isdigit() for letter in tail) else name


def _essence(resource: Any) -> Any:
    """Return a resource without what names a release, and with its configurations parsed."""
    if isinstance(resource, list):
        return [_essence(part) for part in resource]
    if not isinstance(resource, dict):
        return resource
    kept = {}
    for key, value in resource.items():
        if key in ("app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by"):
            continue
        if key in ("helm.sh/chart", "checksum/config", "namespace"):
            continue
        if key in ("driftgauge.toml", "fluent-bit.yaml"):
            kept[key] = _lines(value) if key.endswith("toml") else yaml.safe_load(value)
            continue
        kept[key] = _unhashed(value) if key == "name" and isinstance(value, str) else _essence(value)
    return {key: value for key, value in kept.items() if value != {} or key in ("podSelector", "emptyDir")}


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


# ---------------------------------------------------------------- its values


def test_rules_and_links_are_those_of_the_release() -> None:
    urls = "monitoring.serverUrl=https://delays.example.org,monitoring.grafanaUrl=https://grafana.example.org"
    labels = "monitoring.enabled=true,monitoring.labels.release=kps"
    found = chart("--set", f"{labels},{urls}", release="delays", namespace="models")
    rule = one("PrometheusRule", found, "delays-driftgauge")
    assert rule["metadata"]["namespace"] == "models"
    assert rule["metadata"]["labels"]["release"] == "kps"
    text = yaml.safe_dump(found)
    assert 'namespace="models"' in text
    assert "https://delays.example.org/runbooks/DriftgaugeDown" in text
    assert "https://grafana.example.org/d/driftgauge-overview" in text
    assert "release-namespace" not in text
    assert ".invalid" not in text
    monitor = one("ServiceMonitor", found, "delays-driftgauge")["spec"]["selector"]["matchLabels"]
    assert monitor.items() <= one("Service", found, "delays-driftgauge")["metadata"]["labels"].items()
    assert monitor["app.kubernetes.io/instance"] == "delays"


def test_two_releases_in_a_namespace_do_not_share_pods() -> None:
    first, second = (chart(release=name) for name in ("delays", "arrivals"))
    selector = one("Service", first, "delays")["spec"]["selector"]
    assert selector.items() <= pod_of(first)["metadata"]["labels"].items()
    assert not selector.items() <= pod_of(second)["metadata"]["labels"].items()


def test_a_longer_shutdown_gives_the_pod_more_time() -> None:
    pod = pod_of(chart("--set", "shutdownGraceSeconds=60"))
    assert variables(server_of(pod))["DRIFTGAUGE_SHUTDOWN_GRACE_SECONDS"] == "60"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 75


def test_a_release_without_tokens_says_so() -> None:
    insecure = ("--set", "tokensSecret=,insecure=true,monitoring.enabled=true")
    found = chart(*insecure)
    assert variables(server_of(pod_of(found)))["DRIFTGAUGE_INSECURE"] == "true"
    assert "DRIFTGAUGE_TOKENS_FILE" not in variables(server_of(pod_of(found)))
    assert "authorization" not in one("ServiceMonitor", found)["spec"]["endpoints"][0]
    done = helm("template", "driftgauge", CHART, "--set", "tokensSecret=")
    assert done.returncode != 0
    assert "requests need a token: name a Secret in tokensSecret, or set insecure=true" in done.stderr


def test_a_release_can_name_its_secret() -> None:
    found = chart("--set", "tokensSecret=callers,monitoring.enabled=true")
    (secret,) = [own["secret"] for own in pod_of(found)["spec"]["volumes"] if "secret" in own]
    assert secret["secretName"] == "callers"
    (endpoint,) = one("ServiceMonitor", found)["spec"]["endpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "callers", "key": "prometheus"}


def test_changed_settings_restart_the_pods() -> None:
    before, after = (chart(*options) for options in ((), OTHER))
    annotation = "checksum/config"
    assert pod_of(before)["metadata"]["annotations"][annotation] != pod_of(after)["metadata"]["annotations"][annotation]
    (config,) = [own["data"] for own in after if own["kind"] == "ConfigMap"]
    assert config["driftgauge.toml"] == 'windows = [500, 5000]\n[features."mean area"]\nalert = false\n'


def test_the_output_of_fluent_bit_is_the_users() -> None:
    output = {"name": "loki", "match": "driftgauge", "host": "loki.logs.svc"}
    found = chart("--set", "fluentBit.enabled=true", "--set-json", f"fluentBit.outputs={json.dumps([output])}")
    (text,) = [own["data"]["fluent-bit.yaml"] for own in found if "fluent-bit.yaml" in own.get("data", {})]
    config = yaml.safe_load(text)
    assert config["pipeline"]["outputs"] == [output]
    assert config["pipeline"]["inputs"][0]["name"] == "tail"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("replicas=-1", "/replicas"),
        ("replica=3", "'replica' not allowed"),
        ("image.tag=1", "/image/tag"),
        ("settings.workers=2", "/settings"),
        ("shutdownGraceSeconds=1", "/shutdownGraceSeconds"),
        ("resources.limits.memory=1GB", "/resources/limits/memory"),
        ("service.type=Ingress", "/service/type"),
        ("monitoring.serverUrl=model.example.org", "/monitoring/serverUrl"),
        ("fluentBit.image=", "/fluentBit/image"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(given: str, named: str) -> None:
    done = helm("template", "driftgauge", CHART, "--set", given)
    assert done.returncode != 0
    assert named in done.stderr


def test_every_default_is_described_by_the_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))["properties"]
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert set(schema) - {"global"} == set(values)
    for name, value in values.items():
        if isinstance(value, dict) and "properties" in schema[name]:
            assert set(schema[name]["properties"]) == set(value), name


def test_the_chart_has_the_version_of_the_package() -> None:
    chart_file = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart_file["version"] == chart_file["appVersion"] == __version__
