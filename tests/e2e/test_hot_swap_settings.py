"""Versions swapped on two workers that read `[models.NAME]` and tokens from files, and then restart by a signal."""

from __future__ import annotations

import contextlib
from pathlib import Path

import httpx
import pytest

from tests.conftest import ExampleOf
from tests.e2e.processes import answers, free_port, run, running, until
from tests.e2e.workers import Service, reload
from tests.versions import versions_of

pytestmark = [pytest.mark.e2e, pytest.mark.long]
NAME = "cells"
"""What the settings call the model; its bundles call it otherwise."""


def test_a_swap_needs_a_token_and_outlives_a_signal(example_of: ExampleOf, tmp_path: Path) -> None:
    example = example_of("binary")
    versions_of(example.folder, tmp_path / "bundles", "12")
    other = example_of("multiclass").folder
    tokens, config, log = tmp_path / "tokens", tmp_path / "driftgauge.toml", tmp_path / "log"
    admin, reader, shop = (
        {"authorization": f"Bearer {created(tokens, scope)}"} for scope in ("admin", "read", "predict")
    )
    config.write_text(
        f'tokens_file = "{tokens}"\nstate_dir = "{tmp_path / "state"}"\nworkers = 2\n'
        f'[models.{NAME}]\nbundle = "{tmp_path / "bundles" / "1"}"\n[models.flowers]\nbundle = "{other}"\n'
    )
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    versions = f"{address}/models/{NAME}/versions"

    def predicting() -> set[str]:
        found = set()
        for _ in range(10):  # over connections of their own, which either worker may take
            body = {"features": example.rows(1)[0]}
            answer = httpx.post(f"{address}/models/{NAME}/predict", json=body, headers=shop, timeout=30.0)
            assert answer.status_code == 200, answer.text
            found.add(answer.json()["model_version"])
        return found

    with running("serve", "--config", str(config), "--port", str(port), log=log) as process:
        until(lambda: answers(address), process, log, 120.0)
        service = Service(process, address, log, contextlib.ExitStack())
        body = {"bundle": "2", "reason": "a test", "who": "someone else"}
        for headers, status in (({}, 401), (reader, 403), (shop, 403)):
            assert httpx.post(versions, json=body, headers=headers, timeout=30.0).status_code == status
        assert predicting() == {"1"}
        swapped = httpx.post(versions, json=body, headers=admin, timeout=120.0)
        assert swapped.status_code == 200, swapped.text
        assert (swapped.json()["who"], swapped.json()["all_workers"]) == ("admin", True)
        assert predicting() == {"2"}
        reload(service)
        until(lambda: answers(address), process, log, 120.0)
        assert predicting() == {"2"}
        listed = httpx.get(versions, headers=reader, timeout=30.0).json()
        assert [change["kind"] for change in listed["history"]] == ["load", "configured"]
        assert httpx.get(versions, headers=shop, timeout=30.0).status_code == 403


def created(file: Path, scope: str) -> str:
    done = run("token", "create", scope, "--scopes", scope, "--file", str(file))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
