from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.conftest import ExampleOf
from tests.e2e.processes import answers, free_port, running, until

pytestmark = pytest.mark.e2e


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
