"""Tokens and TLS, as an operator sets them up: real workers, a real Prometheus, files that change."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import write
from driftgauge.demo import prometheus_stack as stack
from driftgauge.demo.prometheus_stack import Endpoint, Programs

from tests.conftest import ExampleOf
from tests.e2e.monitored import Prometheus, seen
from tests.e2e.processes import free_port, run, running, until
from tests.e2e.programs import needs_servers

pytestmark = [pytest.mark.e2e, pytest.mark.long]


def created(file: Path, name: str, scopes: str) -> str:
    done = run("token", "create", name, "--scopes", scopes, "--file", str(file))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def issued(authority: trustme.CA, folder: Path) -> dict[str, str]:
    """Write a certificate of this machine; gives the settings of it."""
    own = authority.issue_cert("localhost", "127.0.0.1")
    own.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    own.private_key_pem.write_to_path(str(folder / "key.pem"))
    return {
        "DRIFTGAUGE_SSL_CERTFILE": str(folder / "cert.pem"),
        "DRIFTGAUGE_SSL_KEYFILE": str(folder / "key.pem"),
    }


def presented(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port))


def ready(port: int, trusting: ssl.SSLContext) -> bool:
    try:
        return httpx.get(f"https://127.0.0.1:{port}/health/ready", verify=trusting, timeout=60.0).status_code == 200
    except httpx.TransportError:
        return False


def serve(example_of: ExampleOf, port: int, *more: str) -> list[str]:
    bundle = str(example_of("binary").folder)
    return ["serve", "--bundle", bundle, "--port", str(port), "--state-dir", "memory", "--log-format", "json", *more]


@needs_servers
@pytest.mark.parametrize("workers", ["1", "2"])
def test_prometheus_scrapes_with_a_token_over_tls_and_a_signal_renews_the_certificate(
    workers: str, example_of: ExampleOf, servers: Programs, tmp_path: Path
) -> None:
    authority, port, own = trustme.CA(), free_port(), free_port()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    file, log = tmp_path / "tokens", tmp_path / "log"
    predicting = created(file, "shop", "predict")
    (tmp_path / "token").write_text(created(file, "prometheus", "read"))
    env = {**issued(authority, tmp_path), "DRIFTGAUGE_TOKENS_FILE": str(file)}
    write(
        MonitoringOptions(
            scrape_interval="1s",
            window="5s",
            targets=(f"127.0.0.1:{port}",),
            scheme="https",
            ca_file=str(tmp_path / "ca.pem"),
            token_file=str(tmp_path / "token"),
            prometheus=f"127.0.0.1:{own}",
        ),
        tmp_path / "monitoring",
    )
    with running(*serve(example_of, port, "--workers", workers), log=log, env=env) as process:
        until(lambda: ready(port, trusting), process, log)
        until(lambda: f"https://127.0.0.1:{port}/metrics" in log.read_text(), process, log)
        row = {"features": example_of("binary").rows(1)[0]}
        with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trusting, timeout=60.0) as client:
            assert client.post("/predict", json=row).status_code == 401
            answer = client.post("/predict", json=row, headers=bearer(predicting))
            assert answer.status_code == 200
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
            folder = tmp_path / "monitoring" / "prometheus"
            with stack.prometheus(servers.prometheus, folder, tmp_path / "data", Endpoint(own), tmp_path / "p.log"):
                watching = Prometheus(f"http://127.0.0.1:{own}")
                seen(lambda: watching.value('up{job="driftgauge"} == 1'))
            before = presented(port)
            issued(authority, tmp_path)
            process.send_signal(signal.SIGHUP)
            until(lambda: presented(port) != before, process, log)
            # A connection that is open goes on, or, with several workers, is closed between two requests.
            with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trusting, timeout=60.0) as after:
                assert after.post("/predict", json=row, headers=bearer(predicting)).status_code == 200
        (tmp_path / "key.pem").write_text("broken")
        process.send_signal(signal.SIGHUP)
        said = "certificate_not_reloaded" if workers == "1" else "cannot_reload"
        until(lambda: said in log.read_text(), process, log)
        assert ready(port, trusting)
        assert predicting not in log.read_text()


def test_every_worker_sees_a_changed_file_of_tokens(example_of: ExampleOf, tmp_path: Path) -> None:
    port, file, log = free_port(), tmp_path / "tokens", tmp_path / "log"
    old = created(file, "reader", "read")
    watcher = bearer(created(file, "watcher", "read"))
    arguments = serve(example_of, port, "--workers", "3", "--tokens-file", str(file))
    with running(*arguments, log=log) as process:
        until(lambda: '"ready"' in log.read_text(), process, log)

        def workers_that_take(token: str) -> tuple[set[int], set[int]]:
            """Ask on new connections, so that each worker answers some of them."""
            taken: set[int] = set()
            for _ in range(30):
                got = httpx.get(f"http://127.0.0.1:{port}/v2", headers=bearer(token), timeout=60.0).status_code
                pid = int(
                    httpx.get(f"http://127.0.0.1:{port}/health", headers=watcher, timeout=60.0).json()["worker"]["pid"]
                )
                taken.add(got)
                pids.add(pid)
            return taken, pids

        pids: set[int] = set()
        assert workers_that_take(old)[0] == {200}
        new = created(file, "reader", "read")
        until(lambda: workers_that_take(new)[0] == {200}, process, log)
        kept = [line for line in file.read_text().splitlines() if not line.endswith(file.read_text().split()[2])]
        replacement = file.with_name("next")
        replacement.write_text("\n".join(kept) + "\n")
        replacement.replace(file)
        until(lambda: workers_that_take(old)[0] == {401}, process, log)
        file.write_text("broken\n")
        until(lambda: "tokens_not_read" in log.read_text(), process, log)
        assert workers_that_take(new)[0] == {200}
        assert workers_that_take(old)[0] == {401}
        assert len(pids) > 1


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "host 0.0.0.0 can be reached by other machines, and requests need no token: set tokens_file"),
        ({"DRIFTGAUGE_TOKENS_FILE": "none"}, "tokens_file none cannot be used: No such file or directory"),
        ({"DRIFTGAUGE_INSECURE": "true", "DRIFTGAUGE_SSL_CERTFILE": "none"}, "ssl_certfile none cannot be used: No"),
    ],
)
def test_a_server_that_would_be_open_does_not_start(
    env: Mapping[str, str], said: str, example_of: ExampleOf, tmp_path: Path
) -> None:
    for workers in ("1", "2"):
        done: subprocess.CompletedProcess[str] = run(
            *serve(example_of, free_port(), "--host", "0.0.0.0", "--workers", workers),  # noqa: S104  it does not start
            env=env,
        )
        assert done.returncode == 2, done.stderr
        lines = [line for line in done.stderr.splitlines() if line.startswith("driftgauge:")]
        assert len(lines) == 1
        assert said in lines[0]


def test_logs_hold_no_token_and_no_value_of_a_feature(example_of: ExampleOf, tmp_path: Path) -> None:
    port, file, log = free_port(), tmp_path / "tokens", tmp_path / "log"
    secret, value = created(file, "shop", "predict,read"), 918273645.5
    lost = "dg_a-token-that-is-not-in-the-file"
    row: dict[str, Any] = dict.fromkeys(example_of("binary").rows(1)[0], value)
    with running(*serve(example_of, port, "--tokens-file", str(file), "--log-level", "debug"), log=log) as process:
        until(lambda: '"ready"' in log.read_text(), process, log)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=bearer(secret), timeout=60.0) as client:
            client.post("/predict", json={"features": row})
            client.post("/predict", json={"features": row | {"unknown": str(value)}})
            client.post("/predict", content=f'{{"features": {value}')
            client.post(f"/predict?value={value}&token={secret}", json=[value])
            client.get(f"/drift/status?feature={value}&token={secret}")
            client.get(f"/{value}/{secret}")
            client.get("/metrics", headers=bearer(lost))
            client.get(f"/runbooks/{secret}")
            client.request("GET", "/metrics", headers={"authorization": f"Bearer {lost} {value}"})
            problems = client.get("/drift/status").json()["monitoring"]["problems"]
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=60) in (0, -signal.SIGTERM)
    assert problems == []
    text = log.read_text()
    assert "stopped" in text
    for hidden in (secret, lost, "918273645"):
        assert hidden not in text
