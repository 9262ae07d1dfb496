"""From Alertmanager to an action: a real Alertmanager, a server with two workers, and a receiver."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import write
from driftgauge.demo import prometheus_stack as stack
from driftgauge.demo.prometheus_stack import Endpoint, Programs

from tests.e2e.processes import free_port
from tests.e2e.programs import needs_servers
from tests.e2e.workers import Service, coin_bundle, service
from tests.receivers import Answer, Received, Receiver, receiver_of
from tests.served import total

pytestmark = pytest.mark.e2e
SECONDS = 60.0
ALERT = "ModelPerformanceDegraded"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coin_bundle(tmp_path_factory.mktemp("bundle") / "bundle")


@contextlib.contextmanager
def acting(bundle: Path, folder: Path, receiver: Receiver, *lines: str) -> Iterator[Service]:
    """Run a server with two workers and one action that calls the receiver."""
    head = ["[[actions]]", 'name = "retrain"', 'kind = "url"', f'alerts = ["{ALERT}"]', f'url = "{receiver.url}/run"']
    (folder / "settings.toml").write_text("\n".join([*head, *lines, ""]), "utf-8")
    with service(bundle, folder / "state", 2, folder / "log", config=folder / "settings.toml") as running:
        running.clients(2)
        yield running


def decisions(running: Service) -> list[dict[str, Any]]:
    """Return the decisions, the newest first."""
    found: list[dict[str, Any]] = httpx.get(f"{running.address}/actions", timeout=30.0).json()["decisions"]
    return found


def until(condition: Callable[[], bool], said: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, said()
        time.sleep(0.05)


def states(running: Service) -> list[tuple[str, str]]:
    """Return state and reason of each decision, the oldest first."""
    return [(own["state"], own["reason"]) for own in reversed(decisions(running))]


def await_states(running: Service, *wanted: tuple[str, str]) -> None:
    until(lambda: states(running) == [*wanted], lambda: decisions(running))


@needs_servers
def test_alertmanager_leads_to_one_action_within_the_guards(bundle: Path, servers: Programs, tmp_path: Path) -> None:
    place = Endpoint(free_port())

    def fire(model: str) -> None:
        labels = {"alertname": ALERT, "severity": "critical", "model_name": model, "job": "driftgauge"}
        sent = httpx.post(f"{place.address}/api/v2/alerts", json=[{"labels": labels}], timeout=30.0)
        assert sent.status_code == 200, sent.text

    @contextlib.contextmanager
    def alerting(running: Service, data: str) -> Iterator[None]:
        write(
            MonitoringOptions(group_wait="1s", group_interval="1s", actions_url=running.address), tmp_path / "rendered"
        )
        config, log = tmp_path / "rendered" / "alertmanager", tmp_path / f"{data}.log"
        with stack.alertmanager(servers.alertmanager, config, tmp_path / data, place, log):
            yield

    with receiver_of() as receiver:
        with acting(bundle, tmp_path, receiver) as running, alerting(running, "tried"):
            fire("coin")
            await_states(running, ("dry_run", "dry_run"))
            fire("other")  # another alert, within the hour
            await_states(running, ("dry_run", "dry_run"), ("refused", "cooldown_seconds"))
        assert receiver.requests == []
        real = ("dry_run = false", "cooldown_seconds = 0", "most_a_day = 1")
        with acting(bundle, tmp_path, receiver, *real) as running, alerting(running, "real"):
            fire("coin")
            until(lambda: states(running)[2:] == [("done", "allowed")], lambda: decisions(running))
            fire("other")
            until(lambda: states(running)[3:] == [("refused", "most_a_day")], lambda: decisions(running))
            (request,) = receiver.requests
            assert request.headers["Idempotency-Key"] == decisions(running)[1]["execution_id"]
            assert total(running.samples(), "server_actions_total", action="retrain", result="done") == 1.0


def leader(running: Service) -> int:
    """Return the worker that runs actions: it keeps the lock's file open."""

    def holders() -> set[int]:
        return {pid for pid in running.pids() if _holds(pid)}

    found = holders()
    deadline = time.monotonic() + SECONDS
    while len(found) != 1:
        assert time.monotonic() < deadline, "no worker leads"
        time.sleep(0.05)
        found = holders() & holders()
    return found.pop()


def _holds(pid: int) -> bool:
    with contextlib.suppress(OSError):
        for own in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(own).endswith("@actions/runner.lock"):
                    return True
    return False


def post(running: Service, fingerprint: str) -> None:
    alert = {
        "status": "firing",
        "labels": {"alertname": ALERT, "severity": "critical", "model_name": "coin"},
        "startsAt": "2026-03-04T12:00:00Z",
        "fingerprint": fingerprint,
    }
    body = {"version": "4", "groupKey": "{}", "alerts": [alert]}
    answer = httpx.post(f"{running.address}/actions/alertmanager", json=body, timeout=30.0)
    assert answer.status_code == 200, answer.text
    assert answer.json()["decisions"][0]["state"] == "decided"


def test_kill_9_neither_loses_nor_repeats_what_was_decided(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalled, release = threading.Event(), threading.Event()
    with receiver_of() as receiver:
        usual = receiver.take

        def take(request: Received) -> Answer:
            if not stalled.is_set():
                stalled.set()
                release.wait(SECONDS)
            return usual(request)

        monkeypatch.setattr(receiver, "take", take)
        with acting(
            bundle, tmp_path, receiver, "dry_run = false", "cooldown_seconds = 0", "timeout_seconds = 60"
        ) as own:
            post(own, "sent")
            assert stalled.wait(SECONDS)
            post(own, "decided")  # one action at a time: it waits for the first
            assert states(own) == [("sent", "allowed"), ("decided", "allowed")]
            os.kill(leader(own), signal.SIGKILL)
            await_states(own, ("unknown", "interrupted"), ("done", "allowed"))
            release.set()
            until(lambda: len(receiver.requests) == 2, lambda: receiver.requests)
            time.sleep(1.0)
            keys = [request.headers["Idempotency-Key"] for request in receiver.requests]
            assert sorted(keys) == sorted(found["execution_id"] for found in decisions(own))
