"""What the wheel brings along: an installed Driftgauge renders and explains what a checkout does."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.installed import ROOT, build_wheel


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a wheel's content."""
    folder = tmp_path_factory.mktemp("wheel")
    wheel = build_wheel(folder)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "content")
    return folder / "content"


def test_a_wheel_renders_all_that_the_repository_holds(unpacked: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "driftgauge", "monitoring", "render", "--out", str(tmp_path / "out")]
    subprocess.run(command, cwd=unpacked, check=True, capture_output=True, timeout=120)
    written = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {path.name for path in written} >= {"prometheus.yml", "alertmanager.yml", "driftgauge.tmpl", "Watchdog.md"}
    for path in written:
        assert (tmp_path / "out" / path).read_bytes() == (ROOT / "monitoring" / path).read_bytes(), path
    for folder in ("runbooks", "grafana/dashboards", "grafana/provisioning", "alertmanager/templates"):
        kept = {p.relative_to(ROOT / "monitoring") for p in (ROOT / "monitoring" / folder).rglob("*") if p.is_file()}
        assert kept
        assert kept <= written


def test_a_wheel_brings_the_runbooks_that_a_server_shows(unpacked: Path) -> None:
    code = "from driftgauge.alerting.runbooks import runbooks; print(*runbooks().names)"
    done = subprocess.run([sys.executable, "-c", code], cwd=unpacked, check=True, capture_output=True, text=True)
    assert done.stdout.split() == sorted(path.stem for path in (ROOT / "monitoring" / "runbooks").glob("*.md"))


def test_a_wheel_brings_the_files_of_the_documentation_page(unpacked: Path) -> None:
    folder = Path("driftgauge/edges/http/swagger_ui")
    files = {path.name: path.read_bytes() for path in (ROOT / "app" / folder).iterdir()}
    assert {"swagger-ui-bundle.js", "swagger-ui.css", "LICENSE", "NOTICE"} <= set(files)
    assert {path.name: path.read_bytes() for path in (unpacked / folder).iterdir()} == files


def test_a_wheel_brings_the_files_of_the_page(unpacked: Path) -> None:
    for folder in (Path("driftgauge/edges/web/templates"), Path("driftgauge/edges/web/static")):
        files = {path.name: path.read_bytes() for path in (ROOT / "app" / folder).iterdir()}
        assert files
        assert {path.name: path.read_bytes() for path in (unpacked / folder).iterdir()} == files


def test_a_wheel_says_that_it_is_typed(unpacked: Path) -> None:
    assert (unpacked / "driftgauge" / "py.typed").is_file()


def test_a_wheel_brings_the_pages_that_a_monitor_shows(unpacked: Path) -> None:
    code = """
import wsgiref.util
import driftgauge

baseline = driftgauge.create_baseline({"age": [31, 42, 57, 38] * 100})
with driftgauge.Monitor.open(baseline) as monitor:
    for path in ("/", "/static/page.css", "/drift/report", "/runbooks"):
        environ = {"PATH_INFO": path, "HTTP_ACCEPT": "text/html,*/*"}
        wsgiref.util.setup_testing_defaults(environ)
        body = b"".join(monitor.wsgi()(environ, lambda status, headers: print(path, status)))
        assert body
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=unpacked, check=True, capture_output=True, text=True, timeout=120
    )
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["200"] * 4, done.stdout
