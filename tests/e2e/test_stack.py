from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.demo import prometheus_stack as stack
from driftgauge.demo.prometheus_stack import Endpoint, Endpoints, Programs
from driftgauge.errors import MonitoringError

from tests.e2e.processes import anything_answers, free_port, run, running, until
from tests.e2e.programs import needs_servers
from tests.trained_demo import TrainedDemo

pytestmark = [pytest.mark.e2e, needs_servers]


@pytest.fixture(scope="module")
def cache(trained_demo: TrainedDemo) -> Mapping[str, str]:
    return trained_demo.env


@pytest.fixture
def ports() -> dict[str, int]:
    return {name: free_port() for name in ("--port", "--prometheus-port", "--alertmanager-port")}


@pytest.fixture
def arguments(ports: dict[str, int]) -> list[str]:
    return ["demo", "--stack", *(part for name, port in ports.items() for part in (name, str(port)))]


@pytest.fixture
def address(ports: dict[str, int]) -> dict[str, str]:
    return {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}


@pytest.mark.long
def test_the_stack_scrapes_the_demo_and_ends(
    arguments: list[str], address: dict[str, str], trained_year: TrainedDemo
) -> None:
    done = run(*arguments, "--year", "--rows", "12000", "--exit", env=trained_year.env)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in (
        f"{address['--port']}/drift/status",
        f"{address['--port']}/metrics",
        f"{address['--port']}/docs",
        f"{address['--alertmanager-port']}/",
    ):
        assert page in done.stdout
    before, _, end = done.stdout.partition("Alerts in Alertmanager")
    assert "DriftgaugeDown" not in before, "an alert fired before the first scrape"
    assert "12,000 predictions counted" in end
    rows = [line.split() for line in end.splitlines()]
    assert rows[-1] == ["Watchdog", "none"]
    (drift,) = [row for row in rows if row[:1] == ["ModelFeatureDrift"]]
    assert drift[1] == "critical"
    assert "temp" in " ".join(drift[2:])
    assert not [where for where in address.values() if anything_answers(where)]


@pytest.mark.long
def test_the_stack_notifies_of_the_fault_alone_and_resolves_it(arguments: list[str], cache: Mapping[str, str]) -> None:
    done = run(*arguments, "--exit", env=cache, seconds=600)
    assert done.returncode == 0, done.stdout + done.stderr
    told = [
        line.split(maxsplit=1)
        for line in done.stdout.splitlines()
        if re.match(r"2013-\d\d-\d\d  (?!firing: Watch)", line)
    ]
    changes = [change for _, change in told if "flights/s" not in change]
    assert {date[:7] for date, change in told if "firing" in change} <= {"2013-08", "2013-09"}
    of_fault = ("ModelFeatureDrift (critical) hour", "ModelDataQuality (warning) hour")  # hours that never were
    assert len(changes) == 2 * len(of_fault)
    for alert in of_fault:
        assert [change for change in changes if alert in change] == [f"firing: {alert}", f"resolved: {alert}"]


@pytest.mark.long
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_stack_stays_up_until_it_is_ended(
    stop: signal.Signals, arguments: list[str], address: dict[str, str], cache: Mapping[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "demo.log"
    with running(*arguments, "--rows", "1000", log=log, env=cache) as process:
        until(lambda: "The servers stay up; Ctrl-C stops them." in log.read_text(), process, log)
        assert stack.total(address["--prometheus-port"], "model_predictions_total") == 1_000
        assert stack.total(address["--prometheus-port"], "up") >= 1
        page = stack.alerts_page(address["--prometheus-port"])
        assert f"alerts         {page}" in log.read_text()
        assert httpx.get(page, timeout=60.0).status_code == 200
        alertmanager = stack.alertmanager_page(address["--alertmanager-port"])
        assert f"Alertmanager   {alertmanager}" in log.read_text()
        assert "does not include a web" not in httpx.get(alertmanager, timeout=60.0).text
        found = httpx.get(f"{address['--alertmanager-port']}/api/v2/alerts", timeout=60.0).json()
        assert "Watchdog" in {alert["labels"]["alertname"] for alert in found}
        if stop is signal.SIGINT:
            os.killpg(process.pid, stop)  # as the terminal does
        else:
            process.send_signal(stop)
        assert process.wait(timeout=30) == 0, log.read_text()
        assert not [where for where in address.values() if anything_answers(where)]


@pytest.fixture
def places(ports: dict[str, int]) -> Endpoints:
    return Endpoints(*(Endpoint(ports[option], option) for option in ("--prometheus-port", "--alertmanager-port")))


def test_a_server_without_its_configuration_is_said_with_its_log(
    servers: Programs, places: Endpoints, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with (
        pytest.raises(MonitoringError, match=r"(?s)^Prometheus stopped unexpectedly; its log is .*prometheus\.yml"),
        stack.prometheus(servers.prometheus, tmp_path / "nowhere", tmp_path / "data", places.prometheus, log),
    ):
        raise AssertionError("it must not be taken for ready")


@pytest.mark.long
def test_alertmanager_ends_when_prometheus_cannot_start(servers: Programs, places: Endpoints, tmp_path: Path) -> None:
    broken = Programs("false", servers.alertmanager)
    with (
        pytest.raises(MonitoringError, match="Prometheus stopped unexpectedly"),
        stack.stack(broken, places, MonitoringOptions(), tmp_path),
    ):
        raise AssertionError("it must not be taken for ready")
    assert not anything_answers(places.alertmanager.address)
