"""The services of examples/ run by the commands of their own pages, and say when their rows drift."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.processes import COMMAND, anything_answers, free_port, running, status_after, until
from tests.pages import ROOT, blocks, commands, page

pytestmark = [pytest.mark.e2e, pytest.mark.long]

ADDRESS: Final = "localhost:8000"
ROWS: Final = 300
"""Enough for a verdict; small drifts need more."""
Ask = Callable[[httpx.Client, list[dict[str, Any]]], None]


class Service(NamedTuple):
    """A running example."""

    client: httpx.Client
    process: subprocess.Popen[bytes]
    log: Path


def one_by_one(client: httpx.Client, flights: list[dict[str, Any]]) -> None:
    for flight in flights:
        answer = client.post("/predict", json=flight)
        assert 0 < answer.json()["late"] < 1, answer.text


def at_once(client: httpx.Client, flights: list[dict[str, Any]]) -> None:
    answer = client.post("/predict", json={"flights": flights})
    assert len(answer.json()["late"]) == len(flights), answer.text


@contextlib.contextmanager
def example(name: str, folder: Path, bearer: str = "") -> Iterator[Service]:
    """Run the commands of an example's page in a copy of it; the last of them is the server, with a token if given."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    cwd, port, log = folder / "examples" / name, free_port(), folder / "log"
    _, train, baseline, serve = commands(blocks(page("examples", name, "README.md"), "sh")[0])
    assert train[0] == "python"
    assert baseline[0] == "driftgauge"
    for command in ([sys.executable, *train[1:]], [*COMMAND, *baseline[1:]]):
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=120)
    if bearer:
        _, serve = commands(blocks(page("examples", name, "README.md"), "sh")[2])
    given = [part.replace("8000", str(port)) for part in serve[1:]]
    own = [sys.executable, "-m", serve[0]]
    with running(*given, log=log, command=own, cwd=cwd, env={**os.environ, "SERVICE_TOKEN": bearer}) as process:
        address = f"http://127.0.0.1:{port}"
        until(lambda: anything_answers(address), process, log)
        with httpx.Client(base_url=address, timeout=30) as client:
            yield Service(client, process, log)


def asked_of(name: str, client: httpx.Client) -> Sequence[httpx.Response]:
    """Send the requests that the page sends with curl."""
    answers = []
    for _, _, url, *options in commands(blocks(page("examples", name, "README.md"), "sh")[1]):
        path = url.removeprefix(ADDRESS)
        sent = json.loads(options[options.index("-d") + 1]) if "-d" in options else None
        answers.append(client.get(path) if sent is None else client.post(path, json=sent))
    return answers


def flights(random: np.random.Generator, hours_ahead: int = 0) -> list[dict[str, Any]]:
    """Return flights as those of examples/train.py, their hour perhaps in another time zone."""
    hours = random.integers(5, 23, ROWS) + hours_ahead
    carriers, distances = random.choice(["AA", "DL", "UA"], ROWS), random.gamma(4.0, 250.0, ROWS).round()
    columns = zip(carriers.tolist(), hours.tolist(), distances.tolist(), strict=True)
    return [{"carrier": carrier, "hour": hour, "distance": distance} for carrier, hour, distance in columns]


def counted(client: httpx.Client, name: str) -> float:
    """Return the sum of a counter; another worker's is published each second."""
    families = text_string_to_metric_families(client.get("/monitoring/metrics").text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


@pytest.mark.parametrize(("name", "ask"), [("fastapi", one_by_one), ("flask", at_once)])
def test_an_example_says_when_its_rows_drift(name: str, ask: Ask, tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    with example(name, tmp_path) as (client, process, log):
        first, *_ = answers = asked_of(name, client)
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert "late" in first.json()
        monitoring = f"{client.base_url}/monitoring"
        ask(client, flights(random))
        assert status_after(ROWS + 1, monitoring, process, log)["status"] == "normal"
        ask(client, flights(random, hours_ahead=5))
        status = status_after(2 * ROWS + 1, monitoring, process, log)
        assert (status["status"], status["drifted_features"]) == ("drift_detected", ["hour"])
        assert status["monitoring"]["problems"] == []
        for counter in ("model_observations_total", "model_predictions_total"):
            until(lambda name=counter: counted(client, name) == 2 * ROWS + 1, process, log)


@pytest.mark.parametrize("name", ["fastapi", "flask"])
def test_the_token_of_a_service_protects_the_routes_of_its_monitor_too(name: str, tmp_path: Path) -> None:
    with example(name, tmp_path, bearer="the-token-of-the-service") as (client, process, log):
        paths = ["", "/", "/metrics", "/drift/status", "/drift/report", "/drift/history", "/health", "/runbooks"]
        for path in (*(f"/monitoring{path}" for path in paths), "//monitoring/metrics", "/%6Donitoring/metrics"):
            for headers in (
                {},
                {"authorization": "Bearer another-token"},
                {"authorization": "the-token-of-the-service"},
            ):
                answer = client.get(path, headers=headers)
                assert (answer.status_code, answer.text) == (401, "a token is needed\n"), path
        client.headers["authorization"] = "Bearer the-token-of-the-service"
        answers = asked_of(name, client)
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        until(lambda: counted(client, "model_predictions_total") == 1, process, log)
