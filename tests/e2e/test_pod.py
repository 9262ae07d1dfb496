"""The server as a pod runs it: the manifests' arguments and variables, another user, a disk that is read-only."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import yaml

from tests.conftest import ExampleOf
from tests.e2e.processes import answers, free_port, running, until
from tests.e2e.programs import require

pytestmark = pytest.mark.e2e

MANIFESTS = Path(__file__).parents[2] / "deploy" / "kubernetes"
POD: dict[str, Any] = yaml.safe_load((MANIFESTS / "base" / "statefulset.yaml").read_text())["spec"]["template"]["spec"]
LOGS: dict[str, Any] = yaml.safe_load((MANIFESTS / "components" / "logs" / "statefulset.yaml").read_text())
FLUENT_BIT: dict[str, Any] = yaml.safe_load((MANIFESTS / "components" / "logs" / "fluent-bit.yaml").read_text())
USER = POD["securityContext"]["runAsUser"]
TOKEN = "the-token-of-this-test"  # noqa: S105  of a server that ends with it
ANY_SCOPE = {"authorization": f"Bearer {TOKEN}"}
CAPABILITIES = "-all,+dac_read_search"
"""The only right beyond those of a pod: to read a Python that is installed in root's home."""
CONFINE = f"""
for folder in "$VOLUMES"/state "$VOLUMES"/tmp "$VOLUMES"/logs; do mount --bind "$folder" "$folder" || exit 1; done
[ "$STATE" = claim ] || mount -t tmpfs -o mode=2777,gid={USER} tmpfs "$VOLUMES"/state || exit 1
mount -o remount,bind,ro / || exit 1
exec setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs --inh-caps={CAPABILITIES} \\
    --ambient-caps={CAPABILITIES} --bounding-set={CAPABILITIES} "$@"
"""


@dataclass(frozen=True)
class Pod:
    """A folder with what a pod mounts, at paths of its own, and the server's port."""

    folder: Path
    port: int
    state: str
    """`claim`: a volume that outlives the pod; `emptyDir`: one that does not."""

    @property
    def log(self) -> Path:
        return self.folder / "logs" / "server.log"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def env(self) -> Mapping[str, str]:
        """The variables of the manifests, with the paths of this folder, and those that Python needs."""
        given = {own["name"]: own["value"] for own in (*_server()["env"], *_server_with_logs()["env"])}
        paths = {
            "/etc/driftgauge-tokens": "secret",
            "/etc/driftgauge": "config",
            "/bundle": "bundle",
            "/var/lib/driftgauge": "state",
            "/var/log/driftgauge": "logs",
        }
        for mounted, own in paths.items():
            given = {name: value.replace(mounted, str(self.folder / own)) for name, value in given.items()}
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        local = {"DRIFTGAUGE_HOST": "127.0.0.1", "DRIFTGAUGE_PORT": str(self.port)}
        return {
            **kept,
            **given,
            **local,
            "TMPDIR": str(self.folder / "tmp"),
            "VOLUMES": str(self.folder),
            "STATE": self.state,
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[int]:
        """Run the server until the end of the block; gives its process id."""
        shell = ["unshare", "--mount", "--propagation", "private", "sh", "-c", CONFINE, "sh"]
        command = [*shell, sys.executable, "-m", "driftgauge", *_server()["args"]]
        output = self.folder / "output"
        with running(log=output, command=command, env=self.env) as process:
            until(lambda: answers(self.address), process, output)
            yield process.pid
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=POD["terminationGracePeriodSeconds"]) in (0, -signal.SIGTERM)

    def predict(self, row: Mapping[str, Any]) -> None:
        response = httpx.post(f"{self.address}/predict", json={"features": row}, headers=ANY_SCOPE, timeout=60.0)
        assert response.status_code == 200, response.text

    def predictions(self) -> float:
        lines = httpx.get(f"{self.address}/metrics", headers=ANY_SCOPE, timeout=60.0).text.splitlines()
        (count,) = [line.split()[-1] for line in lines if line.startswith("model_predictions_total{")]
        return float(count)


def _server() -> dict[str, Any]:
    server: dict[str, Any] = POD["containers"][0]
    return server


def _server_with_logs() -> dict[str, Any]:
    server: dict[str, Any] = LOGS["spec"]["template"]["spec"]["containers"][0]
    return server


@pytest.fixture(params=["claim", pytest.param("emptyDir", marks=pytest.mark.long)])
def pod(request: pytest.FixtureRequest, tmp_path: Path, example_of: ExampleOf) -> Pod:
    absent = [name for name in ("unshare", "setpriv", "mount") if not shutil.which(name)]
    sentence = f"{', '.join(absent)} not found" if absent else "" if os.geteuid() == 0 else "this test needs root"
    require(sentence or None, in_ci=os.environ.get("CI", "").lower() in {"true", "1"})
    for name in ("state", "logs", "tmp"):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, 0, USER)
        (tmp_path / name).chmod(0o2775)  # as fsGroup has it
    shutil.copytree(example_of("binary").folder, tmp_path / "bundle")
    (tmp_path / "config").mkdir()
    shutil.copy(MANIFESTS / "driftgauge.toml", tmp_path / "config")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "tokens").write_text(f"test predict,read token:{TOKEN}\n")
    return Pod(tmp_path, free_port(), request.param)


def test_it_serves_stops_in_time_and_keeps_its_state_on_a_claim(pod: Pod, example_of: ExampleOf) -> None:
    (row,) = example_of("binary").rows(1)
    with pod.running() as process:
        assert _says(process, "Uid") == {str(USER)}
        assert _disk_is_read_only(process)
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert httpx.get(pod.address + _server()[kind]["httpGet"]["path"], timeout=60.0).status_code == 200
        assert httpx.post(f"{pod.address}/predict", json={"features": row}, timeout=60.0).status_code == 401
        pod.predict(row)
        status = httpx.get(f"{pod.address}/drift/status", headers=ANY_SCOPE, timeout=60.0).json()
        assert status["monitoring"]["problems"] == []
    with pod.running():  # the pod that follows it
        pod.predict(row)
        assert pod.predictions() == (2.0 if pod.state == "claim" else 1.0)


@pytest.mark.parametrize("pod", ["claim"], indirect=True)
def test_fluent_bit_finds_json_lines_with_times_in_the_file(pod: Pod) -> None:
    with pod.running():
        pass
    lines = [orjson.loads(line) for line in pod.log.read_bytes().splitlines()]
    assert {"started", "ready", "stopped"} <= {line["event"] for line in lines}
    assert pod.log.stat().st_uid == USER
    (parser,) = FLUENT_BIT["parsers"]
    assert parser["format"] == "json"
    for line in lines:  # %L of Fluent Bit is a fraction of a second, Python's %f
        assert datetime.strptime(line[parser["time_key"]], parser["time_format"].replace("%L", "%f")).tzinfo


def _says(process: int, field: str) -> set[str]:
    (line,) = [own for own in Path(f"/proc/{process}/status").read_text().splitlines() if own.startswith(f"{field}:")]
    return set(line.split()[1:])


def _disk_is_read_only(process: int) -> bool:
    mounts = [line.split() for line in Path(f"/proc/{process}/mounts").read_text().splitlines()]
    options = [mount[3] for mount in mounts if mount[1] == "/"]
    return "ro" in options[-1].split(",")
