from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from driftgauge.demo import prometheus_stack as stack
from driftgauge.demo.prometheus_stack import SERVERS, Endpoint, Programs
from driftgauge.errors import MonitoringError

from tests.e2e import programs as gate


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the only folder in which programs are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def _install(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


# ---------------------------------------------------------------- the programs


@pytest.mark.parametrize(
    ("installed", "named"),
    [
        ((), "Prometheus and Alertmanager are not installed."),
        (("prometheus",), "Alertmanager is not installed."),
        (("alertmanager",), "Prometheus is not installed."),
        (("prometheus-alertmanager", "promtool"), "Prometheus is not installed."),
    ],
)
def test_a_missing_program_is_named_with_how_to_get_it(path: Path, installed: Sequence[str], named: str) -> None:
    _install(path, *installed)
    with pytest.raises(MonitoringError) as raised:
        stack.programs()
    said = str(raised.value)
    assert said.startswith(named)
    assert "apt-get install prometheus prometheus-alertmanager" in said
    assert "brew install prometheus alertmanager" in said
    assert "https://prometheus.io/download/" in said


@pytest.mark.parametrize("name", SERVERS["Alertmanager"])
def test_alertmanager_is_found_by_either_name(path: Path, name: str) -> None:
    _install(path, "prometheus", name)
    assert stack.programs() == Programs(str(path / "prometheus"), str(path / name))
    assert stack.missing(SERVERS) is None


# ---------------------------------------------------------------- where they listen


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104  # parsed, not bound
        ("::", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_an_address_is_one_that_this_machine_can_open(host: str, address: str) -> None:
    assert Endpoint(8000, host=host).address == address


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])  # noqa: S104  # it is taken
def test_a_taken_port_is_refused_with_the_option_that_chooses_another(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = Endpoint(taken.getsockname()[1], "--prometheus-port", host)
        with pytest.raises(MonitoringError, match=rf"^port {place.port} is taken .*--prometheus-port$"):
            stack.require_free(place)
    stack.require_free(place)


def test_a_host_that_is_not_here_is_said() -> None:
    with pytest.raises(MonitoringError, match=r"nowhere\.invalid is not an address of this machine"):
        stack.require_free(Endpoint(8000, host="nowhere.invalid"))


# ---------------------------------------------------------------- processes

PYTHON = [sys.executable, "-u", "-c"]


def test_a_server_that_ends_by_itself_is_said_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [*PYTHON, "raise SystemExit('no such configuration')"]
    with pytest.raises(MonitoringError) as raised, stack.running("Prometheus", command, "http://127.0.0.1:1/", log):
        raise AssertionError("it must not be taken for ready")
    assert f"Prometheus stopped unexpectedly; its log is {log}:\nno such configuration" in str(raised.value)


def test_a_server_runs_while_the_block_runs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with stack.running("the server", command, f"http://127.0.0.1:{port}/", log) as process:
        assert process.poll() is None
        os.kill(process.pid, 0)
    assert process.returncode is not None


def test_a_server_that_ignores_sigterm_is_killed() -> None:
    ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    command = [*PYTHON, f"{ignore}; print('deaf'); time.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"deaf\n"
        stack.end(process, seconds=0.1)
        assert process.returncode == -9


# ---------------------------------------------------------------- the gate of the tests


def test_missing_servers_skip_a_test_and_fail_it_in_ci() -> None:
    gate.require(None, in_ci=True)
    with pytest.raises(pytest.skip.Exception, match="programs missing: Prometheus is not installed"):
        gate.require("Prometheus is not installed.", in_ci=False)
    with pytest.raises(pytest.fail.Exception, match="programs missing: Prometheus is not installed"):
        gate.require("Prometheus is not installed.", in_ci=True)


CONFTEST = """
import pytest
from tests.e2e.programs import say_what_was_skipped, servers
def pytest_terminal_summary(terminalreporter): say_what_was_skipped(terminalreporter)
"""
TESTS = """
import pytest
from tests.e2e.programs import NO_HARDWARE, needs_servers
@pytest.mark.skip(reason=f"{NO_HARDWARE}: no GPU of NVIDIA, so no real one was read")
def test_gpu(): ...
@needs_servers
def test_real(): raise AssertionError("it must not run")
@pytest.mark.skip(reason="of something else")
def test_other(): ...
"""


@pytest.mark.long
@pytest.mark.parametrize("workers", [("-n", "0"), ("-n", "2")], ids=" ".join)
def test_what_was_skipped_for_missing_servers_or_hardware_is_said_at_the_end(
    tmp_path: Path, workers: Sequence[str]
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    done = _pytest(tmp_path, *workers)
    assert done.returncode == 0, done.stdout + done.stderr
    _, _, end = done.stdout.partition("NOT TESTED: programs missing")
    end, _, of_hardware = end.partition("NOT TESTED: hardware missing")
    assert "test_it.py::test_gpu" in of_hardware
    assert "hardware missing: no GPU of NVIDIA" in of_hardware
    assert "test_it.py::test_real" in end
    assert "apt-get install prometheus" in end
    assert "test_other" not in end


def test_missing_servers_fail_a_run_in_ci(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    done = _pytest(tmp_path, "-n", "0", CI="true")
    assert done.returncode == 1
    assert "promtool and amtool are not installed" in done.stdout
    assert "NOT TESTED: programs missing" not in done.stdout


def _pytest(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a folder where no program is found."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), *arguments]
    rest = {"PATH": str(folder), "PYTHONPATH": str(root), "CI": "", **env}
    return subprocess.run([*command, str(folder)], cwd=folder, env=rest, capture_output=True, text=True, timeout=120)
