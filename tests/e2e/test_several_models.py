from __future__ import annotations

import shutil
import time
from pathlib import Path

import httpx
import pytest

from tests.conftest import ExampleOf
from tests.e2e.processes import answers, anything_answers, free_port, running, until
from tests.e2e.workers import samples_of

pytestmark = [pytest.mark.e2e, pytest.mark.long]


def test_two_workers_serve_several_models_and_count_for_each(example_of: ExampleOf, tmp_path: Path) -> None:
    examples = {name: example_of(name) for name in ("binary", "multiclass")}
    port, log = free_port(), tmp_path / "log"
    address = f"http://127.0.0.1:{port}"
    bundles = [option for own in examples.values() for option in ("--bundle", str(own.folder))]
    options = ("--port", str(port), "--workers", "2", "--state-dir", str(tmp_path / "state"))
    with running("serve", *bundles, *options, log=log) as process:
        until(lambda: answers(address), process, log, 120.0)
        for name, rows in (("binary", 7), ("multiclass", 3)):
            for _ in range(4):  # over connections of their own, which either worker may take
                body = {"instances": examples[name].rows(rows)}
                answer = httpx.post(f"{address}/models/{name}/predict", json=body, timeout=30.0)
                assert (answer.status_code, answer.json()["model_name"]) == (200, name)
        assert httpx.post(f"{address}/predict", json={}, timeout=30.0).status_code == 400
        for name, rows in (("binary", 28), ("multiclass", 12)):
            status = httpx.get(f"{address}/drift/status", params={"model": name}, timeout=30.0).json()
            assert (status["rows_observed"], status["monitoring"]["state"]["workers"]) == (rows, 2)


def test_a_broken_bundle_among_three_stops_no_worker_and_no_other_model(example_of: ExampleOf, tmp_path: Path) -> None:
    examples = {name: example_of(name) for name in ("binary", "multiclass")}
    broken = tmp_path / "broken"
    shutil.copytree(examples["binary"].folder, broken)
    (broken / "bundle.json").write_text("{")
    file = tmp_path / "driftgauge.toml"
    folders = {**{name: own.folder for name, own in examples.items()}, "broken": broken}
    file.write_text("".join(f'[models.{name}]\nbundle = "{folder}"\n' for name, folder in folders.items()))
    port, log = free_port(), tmp_path / "log"
    address = f"http://127.0.0.1:{port}"
    options = ("--config", str(file), "--port", str(port), "--workers", "2", "--state-dir", str(tmp_path / "state"))
    with running("serve", *options, log=log) as process:
        until(lambda: anything_answers(address), process, log, 120.0)
        slots: set[int] = set()
        deadline = time.monotonic() + 60.0
        while len(slots) < 2:
            assert time.monotonic() < deadline, log.read_text()
            slots.add(httpx.get(f"{address}/health", timeout=30.0).json()["worker"]["slot"])
            for name, code in (("binary", 200), ("multiclass", 200), ("broken", 503)):
                body = {"instances": examples.get(name, examples["binary"]).rows(2)}
                answer = httpx.post(f"{address}/models/{name}/predict", json=body, timeout=30.0)
                assert answer.status_code == code, answer.text
        ready = httpx.get(f"{address}/health/ready", timeout=30.0)
        assert list(ready.json()["unusable_models"]) == ["broken"]
        text = httpx.get(f"{address}/metrics", timeout=30.0).text
    samples = samples_of(text).items()
    found = {dict(labels)["model_name"]: value for (name, labels), value in samples if name == "model_available"}
    assert found == {"binary": 1.0, "multiclass": 1.0, "broken": 0.0}
