from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from driftgauge.demo import replay as demo
from driftgauge.demo.flights import FIRST_REPLAYED_MONTH, TRAINING_MONTHS, load_flights, make_bundle

from tests.e2e.processes import answers, free_port, run, running, until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")), "COLUMNS": "200"}


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return load_flights()


@pytest.fixture(scope="module")
def bundle(flights: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "bundle"
    make_bundle(flights, folder)
    return folder


@pytest.fixture
def client(bundle: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    """Give a client of a server with fresh state."""
    with (
        demo.server(bundle, free_port(), tmp_path / "server.log") as (address, _),
        httpx.Client(base_url=address, timeout=60.0) as client,
    ):
        yield client


def test_the_demo_trains_replays_reports_and_ends(cache: dict[str, str]) -> None:
    port = free_port()
    done = run("demo", "--rows", "20000", "--exit", "--port", str(port), env=cache)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20,000 flights in" in done.stdout
    assert "verdict: drift_detected" in done.stdout
    assert "temp: real (evidence 10^" in done.stdout
    for path in ("/docs", "/drift/status", "/metrics"):
        assert f"http://127.0.0.1:{port}{path}" in done.stdout
    assert not answers(f"http://127.0.0.1:{port}")


def test_the_demo_stays_up_until_interrupted(cache: dict[str, str], tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "demo.log"
    address = f"http://127.0.0.1:{port}"
    with running("demo", "--rows", "1000", "--port", str(port), log=log, env=cache) as process:
        until(lambda: "The server stays up" in log.read_text(), process, log)
        status = httpx.get(f"{address}/drift/status").json()
        assert status["rows_observed"] == 1000
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=30) == 0, log.read_text()
    assert not answers(address)


def test_a_taken_port_is_said_and_nothing_else_is_stopped(cache: dict[str, str], client: httpx.Client) -> None:
    done = run("demo", "--rows", "100", "--exit", "--port", str(client.base_url.port), env=cache)
    assert done.returncode == 2
    assert "is taken" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
    assert client.get("/health/ready").status_code == 200


def test_replaying_the_reference_itself_ends_normal(client: httpx.Client, flights: pd.DataFrame) -> None:
    reference = flights[flights["month"].isin(TRAINING_MONTHS)]
    seen = demo.replay(client, reference, batch_rows=500)
    assert seen.status["rows_observed"] == len(reference)
    assert (seen.status["status"], seen.status["severity"]) == ("normal", None), seen.status["reason"]
    assert {column["status"] for column in seen.status["features"].values()} == {"normal"}


def test_the_year_drifts_into_summer_while_the_schedule_stays(client: httpx.Client, flights: pd.DataFrame) -> None:
    reports = _reports(client, flights[flights["month"] >= FIRST_REPLAYED_MONTH])
    judged = [report for report in reports if report["status"] != "insufficient_data"]
    assert len(judged) > 80
    for name in ("carrier", "hour", "weekday"):
        assert {report["features"][name]["status"] for report in judged} == {"normal"}, name
    # What changed of the timetable is real, and small.
    for name in ("distance", "minute", "origin"):
        assert {report["features"][name]["status"] for report in judged} == {"normal", "warning"}, name
    # Ten days of flights are not whole weeks: large, and nothing but the calendar.
    weekdays = {report["features"]["weekday"]["reason"] for report in judged}
    assert any("large, but not distinguishable from chance" in reason and "τ = 6" in reason for reason in weekdays)
    summer = [report for report in judged if "2013-06" <= report["evaluated_at"] < "2013-09"]
    assert summer
    for report in summer:
        temp = report["features"]["temp"]
        assert (temp["status"], temp["severity"]) == ("drift_detected", "critical")
        assert "temp" in report["drifted_features"]
        assert temp["since"] < "2013-06"
        assert temp["mean"] > temp["reference"]["mean"] + temp["reference"]["std"]
        assert report["drifted_features"][0] in report["reason"]


def _reports(client: httpx.Client, flights: pd.DataFrame) -> list[dict[str, Any]]:
    """Replay the flights and return the status as it was every 2,500 rows."""
    reports, sent, due = [], 0, 0
    for body, rows, _ in demo.requests(flights, 500):
        client.post("/predict", content=body).raise_for_status()
        sent += rows
        if sent >= due:
            reports.append(client.get("/drift/status").raise_for_status().json())
            due = sent + 2_500
            assert reports[-1]["rows_observed"] == sent
    assert sent == len(flights)
    return reports
