"""What the README tells a new user to do works as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pandas as pd
import pytest
import skops.io

from tests.e2e.processes import COMMAND, answers, free_port, running, until

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.e2e
def test_ones_own_model_is_served_in_ten_lines(tmp_path: Path) -> None:
    (code,) = _blocks("python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=120)
    create, serve = next(block for block in _blocks("sh") if "bundle create" in block).replace("\\\n", " ").splitlines()
    subprocess.run([*COMMAND, *create.split()[1:]], cwd=tmp_path, check=True, timeout=120, capture_output=True)
    port, log = free_port(), tmp_path / "log"
    _, command, option, bundle, *more = serve.split()
    assert (command, option) == ("serve", "--bundle")
    with running("serve", option, str(tmp_path / bundle), *more, "--port", str(port), log=log) as process:
        address = f"http://127.0.0.1:{port}"
        until(lambda: answers(address), process, log)
        asked = next(block for block in _blocks("sh") if "/predict -d" in block)
        (body,) = re.findall(r"/predict -d '(.*?)'", asked, flags=re.DOTALL)
        form = {"content-type": "application/x-www-form-urlencoded"}  # what curl says of -d
        (answer,) = httpx.post(f"{address}/predict", content=body, headers=form).json()["predictions"]
        (row,) = json.loads(body)["data"]
        model = skops.io.load(tmp_path / "model.skops")
        expected = pd.DataFrame([row], columns=model.feature_names_in_)
        assert answer["prediction"] == model.predict(expected)[0]
        assert answer["score"] == pytest.approx(model.predict_proba(expected)[0, 1], rel=1e-12)
        assert httpx.get(f"{address}/drift/status").json()["rows_observed"] == 1


def test_its_two_commands_exist_and_its_links_lead_somewhere() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)$", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for link in re.findall(r"\]\(([\w./-]+)\)", README):
        assert (ROOT / link).is_file(), link
    for path in re.findall(r"`(app/[\w/.]+)`", README):
        assert (ROOT / path).exists(), path


def test_the_generated_pages_are_what_the_code_declares() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "app"), str(ROOT)])},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
