"""What docs/your-own-model.md and examples/onnx tell a user to do works as it stands there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from driftgauge.models.formats.registry import LIBRARIES

from tests.e2e.processes import COMMAND, answers, free_port, run, running, until
from tests.pages import ROOT, blocks, commands, page

PAGE = page("docs", "your-own-model.md")
EXAMPLE = ROOT / "examples" / "onnx"


def made(commands: list[list[str]], folder: Path) -> None:
    """Make the bundle that a block's commands make."""
    (create,) = [command for command in commands if command[:3] == ["driftgauge", "bundle", "create"]]
    done = subprocess.run([*COMMAND, *create[1:]], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "onnx, model.onnx" in done.stdout
    assert ["driftgauge", "serve", "--bundle", "bundle"] in commands


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    port, log = free_port(), folder / "log"
    with running("serve", "--bundle", str(folder / "bundle"), "--port", str(port), log=log) as process:
        address = f"http://127.0.0.1:{port}"
        until(lambda: answers(address), process, log)
        yield address


def asked(address: str, body: Any) -> Any:
    answer = httpx.post(f"{address}/predict", json=body, timeout=60.0)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.long
@pytest.mark.e2e
def test_the_page_begins_with_a_model_that_is_served(tmp_path: Path) -> None:
    first, sh = blocks(PAGE, "python")[0], blocks(PAGE, "sh")[0]
    subprocess.run([sys.executable, "-c", first], cwd=tmp_path, check=True, timeout=120)
    made(commands(sh), tmp_path)
    row = pd.read_parquet(tmp_path / "held-out.parquet").drop(columns="target").iloc[:1]
    checked = run("check", str(tmp_path / "held-out.parquet"), "--baseline", str(tmp_path / "bundle"))
    assert checked.returncode in (0, 1), checked.stderr
    with serving(tmp_path) as address:
        answer = asked(address, {"features": row.iloc[0].astype(float).to_dict()})
    import onnxruntime

    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    labels, probabilities = session.run(None, {"X": row.to_numpy(np.float32)})
    assert answer["prediction"] == labels[0]
    assert answer["score"] == pytest.approx(float(probabilities[0, 1]), rel=1e-6)


@pytest.mark.long
@pytest.mark.e2e
def test_the_example_of_onnx_is_served_and_takes_an_unseen_category(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(EXAMPLE / "train.py")], cwd=tmp_path, check=True, timeout=120)
    make, ask = blocks(page("examples", "onnx", "README.md"), "sh")
    made(commands(make), tmp_path)
    (curl,) = commands(ask)
    with serving(tmp_path) as address:
        answer = asked(address, json.loads(curl[-1]))
        assert answer["prediction"] in ("no", "yes")
        assert 0 < answer["score"] < 1


def test_every_extra_is_named_and_exists() -> None:
    named = set(re.findall(r"`driftgauge\[(\w+)\]`", PAGE))
    project = page("pyproject.toml")
    assert named == set(LIBRARIES)
    assert all(re.search(rf"^{extra} = \[", project, flags=re.MULTILINE) for extra in named)
