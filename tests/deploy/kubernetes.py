"""The files of deploy/ as kubectl and helm render them, and the schemas that Kubernetes has for them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.alerting.test_operator import complaints
from tests.e2e.programs import require

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "deploy" / "kubernetes"
CHART = ROOT / "deploy" / "helm" / "driftgauge"
OLDEST, SIDECARS, NEWEST = "1.27", "1.29", "1.37"
"""Kubernetes versions: the oldest for the server, for Fluent Bit beside it, and the newest with a schema."""
OPERATOR = "monitoring.coreos.com/v1"

Resource = dict[str, Any]


def program(name: str) -> str:
    """Return the path of helm or kubectl; without it the test is skipped, or fails in CI."""
    installed = Path(sys.prefix) / "kubernetes" / name
    found = str(installed) if installed.exists() else shutil.which(name)
    in_ci = os.environ.get("CI", "").lower() in {"true", "1"}
    require(None if found else f"{name} is not installed. Run deploy/tools/install.sh", in_ci=in_ci)
    assert found
    return found


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [program("helm"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def chart(*options: str, release: str = "driftgauge", namespace: str = "driftgauge") -> list[Resource]:
    """Return the resources of a release."""
    done = helm("template", release, CHART, "--namespace", namespace, *options)
    assert done.returncode == 0, done.stderr
    return resources(done.stdout)


def kustomized(folder: Path) -> list[Resource]:
    """Return the resources of a folder."""
    command = [program("kubectl"), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return resources(done.stdout)


def with_components(folder: Path, *names: str) -> Path:
    """Return a copy of the manifests with these components uncommented, as the file itself says."""
    copy = shutil.copytree(MANIFESTS, folder / "kubernetes")
    path = copy / "kustomization.yaml"
    text = path.read_text().replace("# components:", "components:")
    for name in names:
        assert f"#   - components/{name} " in text
        text = text.replace(f"#   - components/{name} ", f"  - components/{name} ")
    path.write_text(text)
    return copy


def resources(text: str) -> list[Resource]:
    return [resource for resource in yaml.safe_load_all(text) if resource]


def one(kind: str, found: Sequence[Resource], name: str = "driftgauge") -> Resource:
    (resource,) = [
        own for own in found if own["kind"] == kind and own["metadata"]["name"].startswith(name) and "data" not in own
    ]
    return resource


def pod_of(found: Sequence[Resource]) -> Resource:
    pod: Resource = one("StatefulSet", found, "")["spec"]["template"]
    return pod


def containers(pod: Mapping[str, Any]) -> Iterator[Resource]:
    yield from pod["spec"].get("initContainers", [])
    yield from pod["spec"]["containers"]


def server_of(pod: Mapping[str, Any]) -> Resource:
    server: Resource = pod["spec"]["containers"][0]
    return server


def variables(container: Mapping[str, Any]) -> dict[str, str]:
    return {own["name"]: own["value"] for own in container["env"] if "value" in own}


def objections(found: Sequence[Resource], version: str) -> list[str]:
    """Return what the schemas have against resources: those of Kubernetes or of the Prometheus Operator."""
    said = []
    for resource in found:
        if resource["apiVersion"] == OPERATOR:
            said += complaints(resource["kind"], resource)
            continue
        try:
            kubernetes_validate.validate(resource, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            said.append(f"{resource['kind']}: {error.message}")
    return said


each_version = pytest.mark.parametrize("version", [OLDEST, NEWEST])
