from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import httpx
import pytest
from driftgauge import __version__
from driftgauge.main import create_app
from fastapi import FastAPI

from tests.examples import Example, quiet
from tests.served import Served, served


@pytest.fixture(scope="module")
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        yield running


def unstarted(app: FastAPI, path: str) -> httpx.Response:
    """Ask an application that is not running: before it starts or after it stopped."""

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_a_server_is_alive_and_ready_while_it_runs(server: Served) -> None:
    for path in ("/health/live", "/health/ready"):
        answer = server.client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"health": "ok"})


def test_a_server_is_not_ready_before_it_starts_and_after_it_stopped(binary: Example) -> None:
    app = create_app(quiet(), bundle=binary.bundle)
    before = unstarted(app, "/health/ready")
    assert before.status_code == 503
    assert before.json()["error"]["code"] == "not_ready"
    assert unstarted(app, "/health/live").status_code == 200
    assert unstarted(app, "/health").json()["health"] == "starting"
    with served(binary) as running:
        assert running.client.get("/health/ready").status_code == 200
        stopped = running.app
    assert unstarted(stopped, "/health/ready").status_code == 503


def test_health_says_what_is_served(server: Served) -> None:
    assert server.client.get("/health").json() == {
        "health": "ok",
        "version": __version__,
        "model_name": "binary",
        "model_version": "1.2",
        "worker": {"slot": 0, "pid": os.getpid()},
        "monitoring": {"healthy": True, "problems": []},
    }
