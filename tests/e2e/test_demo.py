from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from driftgauge.demo import run as demo
from driftgauge.demo.flights import CLASSES, SPRING, WINTER, Recipe, right_scores
from driftgauge.demo.ground_truth import GroundTruth, matured_until
from driftgauge.demo.prometheus_stack import Endpoint
from driftgauge.demo.replay import read_status, replay, requests
from driftgauge.demo.year import year_flights
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from tests.e2e.processes import COMMAND, answers, free_port, run, running, until
from tests.trained_demo import TrainedDemo

PAGE = Path(__file__).parents[2] / "docs" / "demo.md"

pytestmark = pytest.mark.e2e


@pytest.fixture
def client(trained_demo: TrainedDemo, tmp_path: Path) -> Iterator[httpx.Client]:
    """Give a client of a server of the story's model, with fresh state."""
    yield from _client(trained_demo, tmp_path)


def _client(trained: TrainedDemo, folder: Path) -> Iterator[httpx.Client]:
    with (
        demo.server(trained.bundle, Endpoint(free_port()), folder / "server.log") as (address, _),
        httpx.Client(base_url=address, timeout=60.0) as client,
    ):
        yield client


@pytest.mark.long
def test_the_demo_tells_its_story_and_ends(trained_demo: TrainedDemo) -> None:
    port = free_port()
    done = run("demo", "--exit", "--port", str(port), env=trained_demo.env, seconds=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  No alert in 26 days. Now a deploy breaks an input: hour arrives in UTC" in done.stdout
    (detected,) = re.findall(r"([\d,]+) flights later: drift_detected, severity \w+\. hour: ", done.stdout)
    (resolved,) = re.findall(r"([\d,]+) flights later: hour is normal again\.", done.stdout)
    assert _number(detected) <= 600
    assert _number(resolved) <= 8_000
    before, during, after = (
        re.search(rf"^{phase}, \d+ days +[\d,]+ +(0\.\d\d)  (.*?)  +(\d+) alerts?\b", done.stdout, flags=re.MULTILINE)
        for phase in ("before", "hour in UTC", "repaired")
    )
    assert before is not None
    assert during is not None
    assert after is not None
    assert [match[2] for match in (before, during, after)] == ["no alert", "alert: hour", "resolved: hour"]
    assert int(before[3]) >= 1
    (right,) = re.findall(r"With the right hour, the flights of the fault have (0\.\d\d)\.", done.stdout)
    for quality in (before[1], after[1], right):
        assert float(quality) - float(during[1]) >= 0.05
    for excerpt in _shown_output().split("…"):
        assert " ".join(excerpt.split()) in " ".join(done.stdout.split())
    for path in ("/docs", "/drift/status", "/metrics"):
        assert f"http://127.0.0.1:{port}{path}" in done.stdout
    assert not answers(f"http://127.0.0.1:{port}")


def test_performance_by_month_is_that_of_scikit_learn(
    client: httpx.Client, flights: pd.DataFrame, trained_demo: TrainedDemo
) -> None:
    sent = flights[flights["time"].between("2013-08-30T00:00Z", "2013-09-03T12:00Z")].reset_index(drop=True)
    truth = GroundTruth(client, sent)
    seen = replay(client, requests(sent, SPRING.features, 500), len(sent), on_batch=truth.on_batch)
    truth.end(seen)
    scores = right_scores(flights, SPRING, trained_demo.bundle, sent)
    np.testing.assert_allclose(seen.scores, scores)
    performance = truth.performance
    assert performance.matured_until == matured_until(seen.at)
    assert [f"{month:%Y-%m}" for month in performance.months] == ["2013-08", "2013-09"]
    for month, found in performance.months.items():
        counted = (sent["time"] >= month) & (sent["time"] < performance.matured_until)
        counted &= sent["time"].dt.month == month.month
        known = counted & (sent["landed"] <= seen.at)
        late, own = sent["late"][known] == CLASSES[1], scores[known.to_numpy()]
        assert (found["predictions"], found["rows"]) == (counted.sum(), known.sum())
        assert found["coverage_ratio"] == pytest.approx(known.sum() / counted.sum())
        lag = (sent["landed"] - sent["time"])[known].dt.total_seconds().mean()
        assert found["mean_lag_seconds"] == pytest.approx(lag)
        measured = {name: value["value"] for name, value in found["metrics"].items()}
        assert measured["accuracy"] == pytest.approx(accuracy_score(late, own > 0.5))
        assert measured["precision"] == pytest.approx(precision_score(late, own > 0.5))
        assert measured["recall"] == pytest.approx(recall_score(late, own > 0.5))
        assert measured["f1"] == pytest.approx(f1_score(late, own > 0.5))
        assert measured["roc_auc"] == pytest.approx(roc_auc_score(late, own), abs=1e-3)
        assert measured["log_loss"] == pytest.approx(log_loss(late, own))
        assert measured["brier"] == pytest.approx(brier_score_loss(late, own))


def _number(written: str) -> int:
    return int(written.replace(",", ""))


def _shown_output() -> str:
    """Return what the page on the demo shows of the output of the same command."""
    text = PAGE.read_text(encoding="utf-8")
    (output,) = re.findall(r"```\n(A model predicts .*?)```", text, flags=re.DOTALL)
    return str(output)


@pytest.mark.long
def test_the_year_shows_the_season_and_ends(trained_year: TrainedDemo) -> None:
    done = run("demo", "--year", "--rows", "20000", "--exit", "--port", str(free_port()), env=trained_year.env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Replayed 20,000 flights in" in done.stdout
    assert "Verdict: drift_detected, severity critical\ntemp: " in done.stdout
    assert "this drift is the season, and no fault" in " ".join(done.stdout.split())
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["column", "May", "evidence", "PSI", "limit", "τ"] in rows
    assert [row[1] for row in rows if row[:1] == ["temp"] and len(row) == 6] == ["D"]
    assert "percentile. Significant; large (PSI " in " ".join(done.stdout.split())


@pytest.mark.long
def test_the_demo_stays_up_until_interrupted(trained_demo: TrainedDemo, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "demo.log"
    address = f"http://127.0.0.1:{port}"
    with running("demo", "--rows", "1000", "--port", str(port), log=log, env=trained_demo.env) as process:
        until(lambda: "The server stays up" in log.read_text(), process, log)
        status = httpx.get(f"{address}/drift/status", timeout=60.0).json()
        assert status["rows_observed"] == 1000
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=30) == 0, log.read_text()
    assert not answers(address)


@pytest.mark.long
def test_the_demo_ends_on_an_interrupt_even_if_its_caller_ignores_it(trained_demo: TrainedDemo, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "demo.log"
    deaf = ["sh", "-c", "trap '' INT HUP; exec \"$@\"", "sh", *COMMAND]
    env = {**os.environ, **trained_demo.env}
    with running("demo", "--rows", "100", "--port", str(port), log=log, env=env, command=deaf) as process:
        until(lambda: "The server stays up" in log.read_text(), process, log)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=30) == 0, log.read_text()
    assert not answers(f"http://127.0.0.1:{port}")


@pytest.mark.long
def test_a_taken_port_is_said_and_nothing_else_is_stopped(trained_demo: TrainedDemo, client: httpx.Client) -> None:
    done = run("demo", "--rows", "100", "--exit", "--port", str(client.base_url.port), env=trained_demo.env)
    assert done.returncode == 2
    assert "is taken" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
    assert client.get("/health/ready").status_code == 200


@pytest.fixture
def year_client(trained_year: TrainedDemo, tmp_path: Path) -> Iterator[httpx.Client]:
    """Give a client of a server of the model of the winter, with fresh state."""
    yield from _client(trained_year, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(("recipe", "named"), [(SPRING, "client"), (WINTER, "year_client")])
def test_replaying_the_reference_itself_ends_normal(
    recipe: Recipe, named: str, flights: pd.DataFrame, request: pytest.FixtureRequest
) -> None:
    reference = recipe.training(flights)
    seen = replay(request.getfixturevalue(named), requests(reference, recipe.features, 500), len(reference))
    assert seen.status["rows_observed"] == len(reference)
    assert (seen.status["status"], seen.status["severity"]) == ("normal", None), seen.status["reason"]
    assert {column["status"] for column in seen.status["features"].values()} == {"normal"}


@pytest.mark.long
def test_the_year_drifts_into_summer_while_the_schedule_stays(year_client: httpx.Client, flights: pd.DataFrame) -> None:
    reports = _reports(year_client, year_flights(flights))
    judged = [report for report in reports if report["status"] != "insufficient_data"]
    assert len(judged) > 80
    for name in ("carrier", "hour", "weekday"):
        assert {report["features"][name]["status"] for report in judged} == {"normal"}, name
    # What changed of the timetable is significant and small.
    for name in ("distance", "minute", "origin"):
        found = {(report["features"][name]["status"], report["features"][name]["severity"]) for report in judged}
        assert found == {("normal", None), ("normal", "info")}, name
    # Ten days of flights are not whole weeks: large, and nothing but the calendar.
    weekdays = [report["features"]["weekday"] for report in judged]
    assert any("large but not significant (PSI " in weekday["reason"] for weekday in weekdays)
    assert {f"{weekday['tau']:.3g}"[0] for weekday in weekdays} == {"6"}
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
    for request in requests(flights, WINTER.features, 500):
        client.post("/predict", content=request.body).raise_for_status()
        sent += request.rows
        if sent >= due:
            reports.append(read_status(client, sent))
            due = sent + 2_500
            assert reports[-1]["rows_observed"] == sent
    assert sent == len(flights)
    return reports
