"""The installed wheel beside a project that has a package `app` of its own."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import answers, free_port, running, until
from tests.examples import Example
from tests.installed import Installed
from tests.pages import blocks, commands, page

pytestmark = pytest.mark.e2e

PAGE = page("docs", "your-own-service.md")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give the folder of a project like many with FastAPI: a package `app`, whose modules have common names."""
    package = tmp_path / "project" / "app"
    package.mkdir(parents=True)
    for name in ("__init__", "main", "settings", "models", "drift"):
        (package / f"{name}.py").write_text(f"NAME = 'the project own {name}'\n")
    return package.parent


def test_a_server_runs_in_the_folder_of_a_project_with_its_own_app(
    installed: Installed, project: Path, binary: Example, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "log"
    given = ["serve", "--bundle", str(binary.folder), "--port", str(port), "--workers", "2", "--state-dir", "memory"]
    with running(*given, log=log, command=[str(installed.command)], cwd=project, env=installed.env) as process:
        address = f"http://127.0.0.1:{port}"
        until(lambda: answers(address), process, log, seconds=180.0)  # nothing of a new environment is compiled yet
        answer = httpx.post(f"{address}/predict", json={"instances": binary.rows(3)}, timeout=60.0)
        assert len(answer.json()["predictions"]) == 3


@pytest.mark.parametrize("module", ["app", "app.main", "app.settings"])
def test_the_project_imports_its_own_app_and_driftgauge(installed: Installed, project: Path, module: str) -> None:
    code = f"import driftgauge, driftgauge.settings, {module} as own; print(own.__file__); print(driftgauge.__file__)"
    done = subprocess.run(
        [installed.python, "-c", code], cwd=project, env=installed.env, check=True, capture_output=True, text=True
    )
    own, ours = map(Path, done.stdout.splitlines())
    assert own.is_relative_to(project)
    assert ours.is_relative_to(installed.folder)


def test_a_wheel_holds_the_package_and_its_metadata_alone(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("dist-info/METADATA"))).decode()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"driftgauge"}
    assert [name for name in names if name.endswith("dist-info/licenses/LICENSE")]
    assert "driftgauge/py.typed" in names
    assert "\nLicense-Expression: Apache-2.0\n" in metadata


SHOWN = """
import json, wsgiref.util, driftgauge
environ = {"PATH_INFO": "/drift/status"}
wsgiref.util.setup_testing_defaults(environ)
answer = b"".join(monitor.wsgi()(environ, lambda status, headers: None))
print(json.loads(answer)["rows_observed"], driftgauge.__file__)
"""


def test_a_program_has_its_model_monitored_by_the_lines_of_the_documentation(
    installed: Installed, project: Path
) -> None:
    rows = [f"{20 + i % 50},0.{i % 9 + 1}" for i in range(400)]
    (project / "training.csv").write_text("\n".join(["age,prediction", *rows]))
    ((_, *build),) = commands(blocks(PAGE, "sh")[0].replace("training.parquet", "training.csv"))
    given = "from fastapi import FastAPI\napp, row, score = FastAPI(), {'age': 41}, 0.3\n"
    program = given + blocks(PAGE, "python")[0] + SHOWN
    for command in ([str(installed.command), *build], [str(installed.python), "-c", program]):
        done = subprocess.run(
            command, cwd=project, env=installed.env, check=True, capture_output=True, text=True, timeout=120
        )
    observed, ours = done.stdout.split()
    assert observed == "1"
    assert Path(ours).is_relative_to(installed.folder)
    assert (project / "state").is_dir()
