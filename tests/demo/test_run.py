from __future__ import annotations

import socket
import sys
from pathlib import Path

import pandas as pd
import pytest
from driftgauge.demo import run as demo
from driftgauge.demo.prometheus_stack import Endpoint, Endpoints
from driftgauge.demo.run import DemoOptions
from driftgauge.errors import MonitoringError
from rich.console import Console


def test_the_server_is_told_its_host_and_port_and_to_begin_anew() -> None:
    where = Endpoint(81, host="0.0.0.0")  # noqa: S104  # it is not started
    command = demo.serve_command(Path("bundle"), where, Path("new"), insecure=True)
    assert command[:4] == [sys.executable, "-m", "driftgauge", "serve"]
    assert "--host 0.0.0.0 --port 81 --insecure" in " ".join(command)
    assert "--clock event --state-dir new" in " ".join(command)


@pytest.mark.parametrize(
    ("year", "pace", "stack", "kept"),
    [
        (False, None, None, None),
        (False, None, Endpoints(), 400),
        (True, None, Endpoints(), 2_000),
        (False, 50, Endpoints(), 50),
        (True, 50, None, 50),
    ],
)
def test_the_stack_has_a_pace_by_itself(
    year: bool, pace: float | None, stack: Endpoints | None, kept: float | None
) -> None:
    assert DemoOptions(Endpoint(8000), year=year, pace=pace, stack=stack).rows_per_second() == kept


def test_prometheus_is_told_where_everything_listens() -> None:
    places = Endpoints(Endpoint(1), Endpoint(2))
    made = DemoOptions(Endpoint(3, host="::1"), stack=places).monitoring(places)
    assert (made.targets, made.prometheus, made.alertmanager) == (("[::1]:3",), "127.0.0.1:1", "127.0.0.1:2")
    assert made.base_url == "http://[::1]:3"


OPTIONS = ("--port", "--prometheus-port", "--alertmanager-port")


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test whose demo gets as far as its data."""

    def load() -> pd.DataFrame:
        raise AssertionError("the flights must not be read yet")

    monkeypatch.setattr(demo, "load_flights", load)


@pytest.mark.usefixtures("untouched")
def test_missing_programs_are_said_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MonitoringError, match=r"^Prometheus and Alertmanager are not installed\. .*apt-get install"):
        demo.run(DemoOptions(Endpoint(8000), stack=Endpoints()), Console())


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("option", OPTIONS)
def test_a_taken_port_is_said_before_any_work(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("prometheus", "alertmanager"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        places = [Endpoint(port if option == each else 0, each) for each in OPTIONS]
        with pytest.raises(MonitoringError, match=rf"^port {port} is taken .* {option}$"):
            demo.run(DemoOptions(places[0], stack=Endpoints(*places[1:])), Console())
