from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from driftgauge.settings.options import GROUPS, load, variable

from tests.deploy.kubernetes import (
    MANIFESTS,
    NEWEST,
    OPERATOR,
    ROOT,
    SIDECARS,
    Resource,
    containers,
    each_version,
    kustomized,
    objections,
    one,
    pod_of,
    server_of,
    variables,
    with_components,
)

COMPONENTS = ("monitoring", "logs", "bundle-claim")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
NAME = {"app.kubernetes.io/name": "driftgauge"}
FLUENT_BIT = {
    "service": {"flush", "grace", "log_level"},
    "parser": {"name", "format", "time_key", "time_format", "time_keep"},
    "tail": {
        *("path", "parser", "db", "read_from_head", "refresh_interval", "skip_long_lines"),
        *("buffer_max_size", "mem_buf_limit"),
    },
    "record_modifier": {"record"},
    "stdout": {"format"},
}
"""Options that we use, as the manual of Fluent Bit 4.0 lists them: it does not start with others."""


@pytest.fixture(scope="module")
def plain() -> list[Resource]:
    return kustomized(MANIFESTS)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> list[Resource]:
    return kustomized(with_components(tmp_path_factory.mktemp("manifests"), *COMPONENTS))


@pytest.fixture(params=["plain", "full"])
def found(request: pytest.FixtureRequest) -> list[Resource]:
    resources: list[Resource] = request.getfixturevalue(request.param)
    return resources


# ---------------------------------------------------------------- Kubernetes takes them


@each_version
def test_the_schemas_take_them(plain: list[Resource], version: str) -> None:
    assert objections(plain, version) == []


@pytest.mark.parametrize("version", [SIDECARS, NEWEST])
def test_the_schemas_take_all_components(full: list[Resource], version: str) -> None:
    assert objections(full, version) == []
    assert {resource["kind"] for resource in full if resource["apiVersion"] == OPERATOR} == {
        "PrometheusRule",
        "ServiceMonitor",
    }


def test_an_unknown_field_is_noticed(plain: list[Resource]) -> None:
    wrong = copy.deepcopy(plain)
    pod_of(wrong)["spec"]["containers"][0]["readinesProbe"] = {}
    (said,) = objections(wrong, NEWEST)
    assert said.startswith("StatefulSet: ")
    assert "readinesProbe" in said


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_component_stands_alone(component: str, tmp_path: Path) -> None:
    found = kustomized(with_components(tmp_path, component))
    assert objections(found, NEWEST) == []
    assert_mounts(pod_of(found), found)


def test_everything_is_in_the_namespace(full: list[Resource]) -> None:
    assert {r["metadata"]["namespace"] for r in full if r["kind"] != "Namespace"} == {"driftgauge"}


# ---------------------------------------------------------------- they fit each other


def assert_mounts(pod: Resource, found: list[Resource]) -> None:
    """Every mounted volume is there, and every ConfigMap of a volume."""
    claims = {own["metadata"]["name"] for own in one("StatefulSet", found)["spec"]["volumeClaimTemplates"]}
    volumes = {own["name"]: own for own in pod["spec"]["volumes"]}
    for container in containers(pod):
        assert {own["name"] for own in container["volumeMounts"]} <= {*volumes, *claims}
    maps = {r["metadata"]["name"] for r in found if r["kind"] == "ConfigMap"}
    assert {own["configMap"]["name"] for own in volumes.values() if "configMap" in own} <= maps


def test_what_is_mounted_exists(found: list[Resource]) -> None:
    assert_mounts(pod_of(found), found)


def test_every_selector_finds_the_pods(found: list[Resource]) -> None:
    labels = pod_of(found)["metadata"]["labels"]
    selectors = [
        one("Service", found)["spec"]["selector"],
        one("StatefulSet", found)["spec"]["selector"]["matchLabels"],
        one("PodDisruptionBudget", found)["spec"]["selector"]["matchLabels"],
        one("NetworkPolicy", found)["spec"]["podSelector"]["matchLabels"],
        *(own["labelSelector"]["matchLabels"] for own in pod_of(found)["spec"]["topologySpreadConstraints"]),
    ]
    assert all(selector == NAME and selector.items() <= labels.items() for selector in selectors)


def test_the_monitor_finds_one_service_and_its_port(full: list[Resource]) -> None:
    spec = one("ServiceMonitor", full)["spec"]
    wanted = spec["selector"]["matchLabels"].items()
    (service,) = [r for r in full if r["kind"] == "Service" and wanted <= r["metadata"]["labels"].items()]
    assert {own["port"] for own in spec["endpoints"]} == {own["name"] for own in service["spec"]["ports"]}


def test_the_pods_are_scraped_by_one_way_only(plain: list[Resource], full: list[Resource]) -> None:
    annotations = pod_of(plain)["metadata"]["annotations"]
    port = server_of(pod_of(plain))["ports"][0]["containerPort"]
    assert annotations == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(port),
        "prometheus.io/path": "/metrics",
    }
    assert "annotations" not in pod_of(full)["metadata"]


def test_the_rules_name_the_namespace(full: list[Resource]) -> None:
    rules = [rule for group in one("PrometheusRule", full)["spec"]["groups"] for rule in group["rules"]]
    (down,) = [rule for rule in rules if rule.get("alert") == "DriftgaugeDown"]
    assert 'namespace="driftgauge"' in down["expr"]


# ---------------------------------------------------------------- the pod


def test_every_container_is_confined(found: list[Resource]) -> None:
    pod = pod_of(found)["spec"]
    own = pod["securityContext"]
    assert own["runAsNonRoot"] is True
    assert own["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in containers(pod_of(found)):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]["limits"]) == set(container["resources"]["requests"]) == {"cpu", "memory"}
    assert all({*own} & {"configMap", "emptyDir", "persistentVolumeClaim", "secret"} for own in pod["volumes"])


def test_the_user_and_the_folder_are_those_of_the_image(plain: list[Resource]) -> None:
    uid = re.search(r"--uid (\d+)", DOCKERFILE)
    assert uid
    assert pod_of(plain)["spec"]["securityContext"]["runAsUser"] == int(uid[1])
    image = dict(re.findall(r"^(?:ENV)? +(DRIFTGAUGE_\w+)=(\S+)", DOCKERFILE, re.MULTILINE))
    assert image.items() <= variables(server_of(pod_of(plain))).items()


def test_the_variables_are_settings_and_the_file_of_settings_is_one(
    full: list[Resource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {variable(name) for group in GROUPS.values() for name in group.model_fields}
    given = variables(server_of(pod_of(full)))
    assert set(given) - {"DRIFTGAUGE_CONFIG"} <= known
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    (texts,) = [r["data"] for r in full if r["kind"] == "ConfigMap" and "driftgauge.toml" in r["data"]]
    path = tmp_path / Path(given["DRIFTGAUGE_CONFIG"]).name
    path.write_text(texts[path.name])
    settings = load(config=path)
    assert settings.log_format == "json"
    assert settings.state_folder == Path("/var/lib/driftgauge")


def test_the_server_reads_tokens_from_a_secret_and_prometheus_sends_its_own(full: list[Resource]) -> None:
    (secret,) = [own["secret"] for own in pod_of(full)["spec"]["volumes"] if "secret" in own]
    assert secret == {"secretName": "driftgauge-tokens", "items": [{"key": "tokens", "path": "tokens"}]}
    server = server_of(pod_of(full))
    (mounted,) = [own for own in server["volumeMounts"] if own["name"] == "tokens"]
    assert variables(server)["DRIFTGAUGE_TOKENS_FILE"] == f"{mounted['mountPath']}/tokens"
    assert mounted["readOnly"]
    (endpoint,) = one("ServiceMonitor", full)["spec"]["endpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "driftgauge-tokens", "key": "prometheus"}


def test_a_pod_has_the_time_to_finish(plain: list[Resource]) -> None:
    pod = pod_of(plain)["spec"]
    server = server_of(pod_of(plain))
    pause = int(server["lifecycle"]["preStop"]["exec"]["command"][1])
    grace = int(variables(server)["DRIFTGAUGE_SHUTDOWN_GRACE_SECONDS"])
    assert pod["terminationGracePeriodSeconds"] >= pause + grace + 10


def test_each_replica_has_a_volume_for_its_state(plain: list[Resource]) -> None:
    (claim,) = one("StatefulSet", plain)["spec"]["volumeClaimTemplates"]
    mounts = {own["name"]: own["mountPath"] for own in server_of(pod_of(plain))["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == variables(server_of(pod_of(plain)))["DRIFTGAUGE_STATE_DIR"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


# ---------------------------------------------------------------- Fluent Bit


@pytest.fixture(scope="module")
def fluent_bit(full: list[Resource]) -> dict[str, Any]:
    (text,) = [
        r["data"]["fluent-bit.yaml"] for r in full if r["kind"] == "ConfigMap" and "fluent-bit.yaml" in r["data"]
    ]
    config: dict[str, Any] = yaml.safe_load(text)
    return config


def test_fluent_bit_reads_the_file_that_the_server_writes(full: list[Resource], fluent_bit: dict[str, Any]) -> None:
    sidecar, server = containers(pod_of(full))
    (source,) = fluent_bit["pipeline"]["inputs"]
    assert source["path"] == variables(server)["DRIFTGAUGE_LOG_FILE"]
    assert source["parser"] in {own["name"] for own in fluent_bit["parsers"]}
    shared = {"name": "logs", "mountPath": str(Path(source["path"]).parent)}
    assert shared in sidecar["volumeMounts"]
    assert shared in server["volumeMounts"]
    assert Path(source["db"]).parent == Path(source["path"]).parent  # the rest of the disk is read-only
    config = Path(sidecar["command"][1].removeprefix("--config="))
    (mounted,) = [own["mountPath"] for own in sidecar["volumeMounts"] if own["name"] == "fluent-bit"]
    assert config == Path(mounted) / "fluent-bit.yaml"


def test_fluent_bit_knows_every_option(fluent_bit: dict[str, Any]) -> None:
    assert fluent_bit["service"].keys() <= FLUENT_BIT["service"]
    for parser in fluent_bit["parsers"]:
        assert parser.keys() <= FLUENT_BIT["parser"]
    for plugins in fluent_bit["pipeline"].values():
        for plugin in plugins:
            assert plugin.keys() <= {"name", "match", "tag"} | FLUENT_BIT[plugin["name"]]


def test_fluent_bit_starts_before_the_server_and_stops_after_it(full: list[Resource]) -> None:
    (sidecar,) = pod_of(full)["spec"]["initContainers"]
    assert sidecar["restartPolicy"] == "Always"


def test_fluent_bit_matches_every_line_and_its_variables_are_given(
    full: list[Resource], fluent_bit: dict[str, Any]
) -> None:
    tag = fluent_bit["pipeline"]["inputs"][0]["tag"]
    assert {own["match"] for kind in ("filters", "outputs") for own in fluent_bit["pipeline"][kind]} == {tag}
    given = {own["name"] for own in next(containers(pod_of(full)))["env"]}
    assert set(re.findall(r"\$\{(\w+)\}", yaml.safe_dump(fluent_bit))) == given


def test_fluent_bit_may_reach_a_store_and_the_server_alone_reaches_nothing(
    plain: list[Resource], full: list[Resource]
) -> None:
    assert one("NetworkPolicy", plain)["spec"]["egress"] == []
    assert one("NetworkPolicy", full)["spec"]["egress"] == [{}]
