"""What actions do, on a real server with two workers: call a URL, run a command, switch a version and take it back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from driftgauge.common.webhook import SIGNATURE_HEADER, is_signed
from driftgauge.models.creation.create import create_bundle
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from tests.actions.decided import HOSTILE
from tests.e2e.workers import Service, service
from tests.receivers import Receiver, receiver_of

pytestmark = pytest.mark.e2e
HIDDEN = "hunter2-hunter2-hunter2"
MODEL = "coin"


@dataclass(frozen=True)
class Acting:
    """A server with actions."""

    running: Service
    folder: Path

    def alert(self, action: str, **labels: str) -> None:
        """Let Alertmanager's webhook bring the alert that leads to an action."""
        alert = {
            "status": "firing",
            "labels": {"alertname": action, "severity": "critical", "model_name": MODEL, **labels},
            "annotations": {"summary": f"{MODEL} has drifted"},
            "startsAt": datetime.now(UTC).isoformat(),
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.com/graph",
            "fingerprint": action,
        }
        body = {"version": "4", "groupKey": f"{{}}:{action}", "truncatedAlerts": 0, "status": "firing"}
        body |= {"receiver": "actions", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}}
        answer = httpx.post(
            f"{self.running.address}/actions/alertmanager",
            json=body | {"externalURL": "http://alertmanager.example.com", "alerts": [alert]},
            timeout=30.0,
        )
        assert answer.status_code == 200, answer.text

    def decision(self, action: str, state: str) -> dict[str, Any]:
        """Return the newest decision on an action once it is in a state."""
        deadline = time.monotonic() + 60.0
        while True:
            decisions = httpx.get(f"{self.running.address}/actions", timeout=30.0).json()["decisions"]
            found: dict[str, Any] = next((own for own in decisions if own["action"] == action), {})
            if found.get("state") == state:
                return found
            assert time.monotonic() < deadline, (found, self.running.log.read_text()[-3000:])
            time.sleep(0.1)

    def load(self, version: str) -> None:
        """Let a version answer."""
        body = {"bundle": version, "reason": "a new model", "who": "ann"}
        answer = httpx.post(f"{self.running.address}/models/{MODEL}/versions", json=body, timeout=120.0)
        assert answer.status_code == 200, answer.text

    def predict(self, requests: int) -> set[str]:
        """Send requests to both workers, and return the versions that answer."""
        rows = {"data": [{"a": 2.0, "b": 0.5}]}
        found = set()
        for client in self.running.clients(2).values():
            found |= {client.post("/predict", json=rows).json()["model_version"] for _ in range(requests)}
        return found

    def history(self) -> list[dict[str, Any]]:
        """The changes of the model's versions, the newest first."""
        answer = httpx.get(f"{self.running.address}/models/{MODEL}/versions", timeout=60.0)
        found: list[dict[str, Any]] = answer.json()["history"]
        return found


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 and 2 of a model, the first one slow, and a fallback."""
    folder = tmp_path_factory.mktemp("bundles")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_000, 2))
    y = (x[:, 0] > 0).astype(np.int64)
    slow = RandomForestClassifier(300, max_depth=3, random_state=0, n_jobs=1)
    for version, model in {"1": slow, "2": LogisticRegression(), "fallback": LogisticRegression()}.items():
        table = {"a": x[:, 0], "b": x[:, 1], "y": y}
        create_bundle(model.fit(x, y), table, "y", name=MODEL, version=version, out=folder / version)
    return folder


@contextmanager
def acting(bundles: Path, tmp_path: Path, first: str, text: str) -> Iterator[Acting]:
    """Run a server with two workers whose settings have actions, none of them a dry run."""
    (tmp_path / "settings.toml").write_text(text, "utf-8")
    settings: Mapping[str, Any] = {"config": tmp_path / "settings.toml", "windows": "500,1000"}
    with service(bundles / first, tmp_path / "state", 2, tmp_path / "log", **settings) as running:
        running.clients(2)
        yield Acting(running, tmp_path)


def table(name: str, kind: str, *lines: str) -> str:
    head = ["[[actions]]", f'name = "{name}"', f'kind = "{kind}"', f'alerts = ["{name}"]', "dry_run = false"]
    return "\n".join([*head, "cooldown_seconds = 0", *lines, ""])


def kept(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield everything that the server has written."""
    for path in [folder / "log", *(folder / "state").rglob("*")]:
        if path.is_file():
            yield path, path.read_bytes()


def calls(receiver: Receiver, folder: Path) -> str:
    (folder / "secret").write_text(HIDDEN, "utf-8")
    (folder / "url").write_text(f"{receiver.url}/{HIDDEN}", "utf-8")
    return table(
        "call",
        "url",
        f'url_file = "{folder}/url"',
        f'token_file = "{folder}/secret"',
        f'signature_file = "{folder}/secret"',
        'body = {feature = "{labels.feature_name}", cause = "{diagnosis}"}',
    )


def runs(folder: Path) -> str:
    program = folder / "program"
    program.write_text('#!/bin/sh\nprintf "%s" "$1" > "$OUT"\necho "seen $ACTION_MODEL"\n', "utf-8")
    program.chmod(0o755)
    return table(
        "run",
        "command",
        f'command = ["{program}", "{{labels.feature_name}}"]',
        f'environment = {{OUT = "{folder}/out"}}',
    )


def test_a_url_is_called_and_a_command_run_with_hostile_labels_and_no_secret_is_kept(
    bundles: Path, tmp_path: Path
) -> None:
    clean = 'a "; rm -rf / #$(reboot)`id`{model} '
    with receiver_of() as receiver:
        first = f'allow_commands = ["{tmp_path}/program"]\n'
        with acting(bundles, tmp_path, "2", first + calls(receiver, tmp_path) + runs(tmp_path)) as own:
            own.alert("call", feature_name=HOSTILE)
            done = own.decision("call", "done")
            (request,) = receiver.requests
            assert json.loads(request.body) == {"feature": clean, "cause": None}
            assert request.headers["idempotency-key"] == done["execution_id"]
            assert request.headers["authorization"] == f"Bearer {HIDDEN}"
            assert is_signed(request.headers[SIGNATURE_HEADER], HIDDEN.encode(), request.body, time.time())
            own.alert("run", feature_name=HOSTILE)
            done = own.decision("run", "done")
            assert (tmp_path / "out").read_text("utf-8") == clean
            assert done["notes"]["output"] == f"seen {MODEL}\n"
            for path in ("actions", "metrics"):
                assert HIDDEN not in httpx.get(f"{own.running.address}/{path}", timeout=60.0).text
        found = dict(kept(tmp_path))
        assert any(path.name == "actions.db" for path in found)
        assert [path for path, content in found.items() if HIDDEN.encode() in content] == []


def test_a_call_that_fails_for_a_while_is_repeated_with_its_key(bundles: Path, tmp_path: Path) -> None:
    with receiver_of() as receiver:
        receiver.answer(503, b"", {"Retry-After": "1"})
        with acting(bundles, tmp_path, "2", calls(receiver, tmp_path)) as own:
            own.alert("call")
            receiver.wait_for(1)
            receiver.answer(200)
            done = own.decision("call", "done")
            assert done["attempts"] == 2
            keys = [request.headers["idempotency-key"] for request in receiver.requests]
            assert keys == [done["execution_id"]] * 2


def test_a_switch_that_turns_out_worse_is_taken_back_once(bundles: Path, tmp_path: Path) -> None:
    with acting(bundles, tmp_path, "1", table("back", "switch", "judge_seconds = 600")) as own:
        own.predict(60)
        own.load("2")
        assert own.predict(60) == {"2"}
        own.alert("back", model_version="2")
        watched = own.decision("back", "watched")
        assert watched["detail"] == f"version 1 of {MODEL} answers instead of 2"
        assert own.predict(60) == {"1"}
        done = own.decision("back", "done")
        assert f"version 2 of {MODEL} answers again, because 1 was worse: p50 latency +" in done["detail"]
        assert own.predict(5) == {"2"}
        assert [(one["who"], one["to_version"]) for one in own.history()] == [
            ("action back", "2"),
            ("action back", "1"),
            ("ann", "2"),
            ("settings", "1"),
        ]
        own.alert("back", model_version="2")  # as Alertmanager does while it fires: this is a new firing
        failed = own.decision("back", "failed")
        assert "version 1 of coin is not taken: action back has left it at" in failed["detail"]
        assert own.predict(5) == {"2"}


def test_a_fallback_waits_for_its_confirmation(bundles: Path, tmp_path: Path) -> None:
    lines = ('to = "fallback"', 'bundle = "fallback"', 'confirm = {drift = "warning"}', "confirm_within_seconds = 600")
    text = table("now", "switch", *lines[:-1]) + table("later", "switch", *lines)
    with acting(bundles, tmp_path, "2", text) as own:
        own.alert("now")
        refused = own.decision("now", "refused")
        assert refused["reason"] == "confirm"
        assert refused["detail"].startswith("not confirmed: drift is normal, and must be at least warning")
        own.alert("later")
        assert own.decision("later", "waiting")["reason"] == "confirm"
        assert own.predict(1) == {"2"}
        drifted = {"data": [{"a": 50.0 + place % 7, "b": -30.0} for place in range(250)]}
        for client in own.running.clients(2).values():
            for _ in range(4):
                assert client.post("/predict", json=drifted).status_code == 200
        done = own.decision("later", "done")
        assert done["detail"] == f"version fallback of {MODEL} answers instead of 2"
        assert own.predict(1) == {"fallback"}
