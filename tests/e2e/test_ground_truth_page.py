"""The walk through docs/ground-truth.md, as a reader copies it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.processes import COMMAND, answers, free_port, running, until
from tests.pages import blocks, page

pytestmark = [pytest.mark.e2e, pytest.mark.long]

WALK = page("docs", "ground-truth.md").partition("## Try it")[2].partition("\n## ")[0]
(MODEL,) = blocks(page("docs", "quickstart.md"), "python")
(ROWS,) = blocks(WALK, "python")
(ASKED,) = blocks(WALK, "sh")


def test_its_commands_lead_from_a_server_to_performance(tmp_path: Path) -> None:
    for code in (MODEL, ROWS):
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=120)
    port, log = free_port(), tmp_path / "log"
    address = f"http://127.0.0.1:{port}"
    predict, labels, _, performance = (
        shlex.split(re.sub(r"(http://)?localhost:8000", address, line)) for line in ASKED.splitlines()
    )
    env = {"DRIFTGAUGE_PERFORMANCE_INTERVAL_SECONDS": "0.5"}
    serve = ("serve", "--bundle", str(tmp_path / "bundle"), "--port", str(port))
    with running(*serve, log=log, env=env) as process:
        until(lambda: answers(address), process, log)
        assert predict[0] == performance[0] == "curl"
        body = (tmp_path / predict[predict.index("-d") + 1].removeprefix("@")).read_bytes()
        form = {"content-type": predict[predict.index("-H") + 1].partition(": ")[2]}
        httpx.post(predict[2], content=body, headers=form, timeout=60.0).raise_for_status()
        told = subprocess.run(
            [*COMMAND, *labels[1:]], cwd=tmp_path, check=True, timeout=60, capture_output=True, text=True
        )
        assert "569 rows sent" in told.stdout
        found: dict[str, Any] = {}

        def has_all() -> bool:
            found.update(httpx.get(performance[-1], timeout=60.0).json())
            windows = found["performance"]["windows"] if found["performance"] else {}
            return any(own["rows"] == 569 for own in windows.values())

        until(has_all, process, log)
        window = next(own for own in found["performance"]["windows"].values() if own["rows"] == 569)
        accuracy = window["metrics"]["accuracy"]["value"]
        assert f"569 labelled rows and an accuracy of {accuracy:.2f}" in WALK
