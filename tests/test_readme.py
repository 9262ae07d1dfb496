"""What the README tells a new user to do works as it stands there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import numpy as np
import pytest
from driftgauge.models.bundle import load_bundle

from tests.e2e.processes import answers, free_port, running, until
from tests.installed import Installed
from tests.pages import ROOT, blocks, page
from tests.test_imports import PACKAGES

README = page("README.md")
QUICKSTART = page("docs", "quickstart.md")
ARCHITECTURE = page("docs", "architecture.md")


@pytest.mark.long
@pytest.mark.e2e
def test_ones_own_model_is_served_in_ten_lines_by_the_installed_wheel(installed: Installed, tmp_path: Path) -> None:
    (code,) = blocks(QUICKSTART, "python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    subprocess.run([installed.python, "-c", code], cwd=tmp_path, env=installed.env, check=True, timeout=120)
    (serve,) = [shlex.split(block) for block in blocks(QUICKSTART, "sh") if block.startswith("driftgauge serve")]
    port, log = free_port(), tmp_path / "log"
    command, *given = serve
    assert command == "driftgauge"
    given += ["--port", str(port)]
    with running(*given, log=log, command=[str(installed.command)], cwd=tmp_path, env=installed.env) as process:
        address = f"http://127.0.0.1:{port}"
        until(lambda: answers(address), process, log)
        asked = next(block for block in blocks(QUICKSTART, "sh") if "/predict -d" in block)
        (body,) = re.findall(r"/predict -d '(.*?)'", asked, flags=re.DOTALL)
        form = {"content-type": "application/x-www-form-urlencoded"}  # what curl says of -d
        (answer,) = httpx.post(f"{address}/predict", content=body, headers=form, timeout=60.0).json()["predictions"]
        (row,) = json.loads(body)["data"]
        model = load_bundle(tmp_path / "bundle").model
        assert answer["prediction"] == model.predict(np.array([row]))[0]
        assert answer["score"] == pytest.approx(model.predict_proba(np.array([row]))[0, 1], rel=1e-12)
        status = httpx.get(f"{address}/drift/status", timeout=60.0).json()
        assert (status["rows_observed"], status["status"]) == (1, "insufficient_data")


def test_the_options_it_names_are_public() -> None:
    import driftgauge

    (named,) = set(re.findall(r"driftgauge\.(\w+)\(time=", QUICKSTART))
    assert hasattr(getattr(driftgauge, named)(time="at"), "time")


def test_it_is_two_screens_long() -> None:
    assert len(README.splitlines()) <= 110


def test_its_lines_for_ones_own_app_are_those_of_their_page() -> None:
    (lines,) = blocks(README, "python")
    shown = "\n".join(blocks(page("docs", "your-own-service.md"), "python"))
    for line in lines.splitlines():
        assert line.partition("  #")[0].strip() in shown, line


def test_its_commands_exist_and_its_links_lead_somewhere() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make ([\w-]+)$", README, flags=re.MULTILINE)
    assert targets == ["demo", "test", "test-all"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for link in [*re.findall(r"\]\(([\w./-]+)\)", README), *re.findall(r'src(?:set)?="([^"]+)"', README)]:
        assert (ROOT / link).is_file(), link


def test_the_first_page_names_every_extra() -> None:
    declared = tomllib.loads(page("pyproject.toml"))["project"]["optional-dependencies"]
    table = QUICKSTART.partition("| extra |")[2].partition("\n\n")[0]
    firsts = "\n".join(re.findall(r"^\| ([^|]*) \|", table, flags=re.MULTILINE))
    assert set(re.findall(r"`([\w-]+)`", firsts)) == set(declared)


def test_its_list_of_documentation_is_whole() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert {Path(link).name for link in re.findall(r"\]\((docs/[\w.-]+)\)", README)} == pages


def test_the_architecture_names_every_package_and_only_paths_that_exist() -> None:
    named = set(re.findall(r"`([\w./]+)`", ARCHITECTURE))
    packages = {name.partition(".")[0] for name in PACKAGES} - {"__main__"}
    assert packages <= {name.partition("/")[0] for name in named}
    for path in named:
        if "/" in path and not path.startswith("/"):
            assert any((folder / path).exists() for folder in (ROOT, ROOT / "app" / "driftgauge")), path
    for link in re.findall(r"\]\(([\w./-]+)\)", ARCHITECTURE):
        assert (ROOT / "docs" / link).is_file(), link


def test_the_generated_pages_are_what_the_code_declares() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "app"), str(ROOT)])},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
