"""examples/sagemaker works as its page says, without AWS."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import COMMAND, answers, free_port, running, until
from tests.pages import ROOT, blocks, commands, page
from tests.sketches import require_sketches

pytestmark = [pytest.mark.e2e, pytest.mark.long]


def test_the_commands_of_the_page_find_the_drift_of_the_second_day(tmp_path: Path) -> None:
    cwd, port, log = tmp_path / "sagemaker", free_port(), tmp_path / "log"
    shutil.copytree(ROOT / "examples" / "sagemaker", cwd)
    _, script, baseline, ingest, serve = commands(blocks(page("examples", "sagemaker", "README.md"), "sh")[0])
    subprocess.run([sys.executable, *script[1:]], cwd=cwd, check=True, timeout=60)
    printed = [
        subprocess.run([*COMMAND, *own[1:]], cwd=cwd, check=True, capture_output=True, text=True, timeout=120).stdout
        for own in (baseline, ingest, ingest)
    ]
    assert "2,880 rows counted, 0 known from before" in printed[1]
    assert "0 rows counted" in printed[2]
    address = f"http://127.0.0.1:{port}"
    with running(*serve[1:], "--port", str(port), log=log, cwd=cwd) as process:
        until(lambda: answers(address), process, log, 120.0)
        status = httpx.get(f"{address}/drift/status", timeout=60.0).json()
    assert (status["rows_observed"], status["status"]) == (2_880, "drift_detected")


def test_the_files_of_the_model_monitor_are_written_imported_and_checked(tmp_path: Path) -> None:
    require_sketches()
    cwd = tmp_path / "sagemaker"
    shutil.copytree(ROOT / "examples" / "sagemaker", cwd)
    every = [commands(block) for block in blocks(page("examples", "sagemaker", "README.md"), "sh")]
    _, script, baseline, *_ = every[0]
    (files,) = [own for own in every if any("import-sagemaker" in command for command in own)]
    subprocess.run([sys.executable, *script[1:]], cwd=cwd, check=True, timeout=60)
    printed = [
        subprocess.run([*COMMAND, *own[1:]], cwd=cwd, check=True, capture_output=True, text=True, timeout=120).stdout
        for own in (baseline, *files[1:])
    ]
    assert " Completed: 0 violations in 5,000 rows; monitor/" in printed[-1]
