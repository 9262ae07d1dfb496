"""What docs/your-own-service.md tells a user to do works as it stands there."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import joblib
import pandas as pd
import pytest
import yaml
from driftgauge import Monitor, Reason, Refused
from driftgauge.edges.http.monitoring_routes import MONITORING_ROUTES
from driftgauge.library.endpoints import HEALTH
from driftgauge.settings.options import Settings
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from tests.e2e.processes import COMMAND, anything_answers, free_port, running, status_after, until
from tests.pages import blocks, commands, page

PAGE: Final = page("docs", "your-own-service.md")
PYTHON: Final = blocks(PAGE, "python")
SECTIONS: Final = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))
BASELINE: Final = blocks(PAGE, "sh")[0]
STARTS, TRAIN, APP, *OTHERS = PYTHON


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder in which the model was trained and its baseline built, by the commands of the page."""
    folder = tmp_path_factory.mktemp("service")
    subprocess.run([sys.executable, "-c", TRAIN], cwd=folder, check=True, timeout=120)
    ((command, *build),) = commands(BASELINE)
    assert command == "driftgauge"
    subprocess.run([*COMMAND, *build], cwd=folder, check=True, capture_output=True, timeout=120)
    return folder


def posted(app: FastAPI, body: Any) -> httpx.Response:
    """Send a request to the application, without a server."""

    async def post() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service") as client:
            return await client.post("/predict", json=body)

    return asyncio.run(post())


@pytest.fixture
def names(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Give the variables that a reader of the page has, in a folder with the model and its baseline."""
    for name in ("model.joblib", "training.parquet", "baseline.json"):
        (tmp_path / name).symlink_to(trained / name)
    monkeypatch.chdir(tmp_path)
    table = pd.read_parquet("training.parquet")
    frame = table.drop(columns="prediction")
    row = frame.iloc[0].to_dict()
    known: dict[str, Any] = {"pd": pd, "frame": frame, "scores": table["prediction"], "row": row, "score": 0.9}
    with Monitor.open("baseline.json", on_error="raise") as monitor:
        yield {**known, "Monitor": Monitor, "monitor": monitor, "app": FastAPI(), "model": joblib.load("model.joblib")}


def test_the_page_begins_with_the_lines_that_a_program_needs(names: dict[str, Any]) -> None:
    assert PAGE.index(BASELINE) < PAGE.index(STARTS) < PAGE.index("\n## ")
    exec(STARTS, names)  # noqa: S102  # our own page
    with names["monitor"] as monitor:
        assert monitor.report().rows_observed == 1
    assert [route.path for route in names["app"].routes if route.path == "/monitoring"]
    assert Path("state").is_dir()


@pytest.mark.parametrize("code", OTHERS, ids=lambda code: code.strip().splitlines()[-1][:40])
def test_every_other_piece_of_code_runs(
    code: str, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = CollectorRegistry()
    monkeypatch.setattr("prometheus_client.REGISTRY", registry)
    before = names["monitor"]
    exec(code, names)  # noqa: S102  # our own page
    calls = re.findall(r"^ *(?:monitor\.observe|score_of|answer_to)\((\w+|{)", code, flags=re.MULTILINE)
    if "instrument(" in code:
        assert posted(names["app"], {"rows": [names["row"]] * 2}).status_code == 200
        calls += ["posted"] * 2
    expected = sum(len(names["frame"]) if of == "frame" else 1 for of in calls)
    report = names["report"] if "report" in names else names["monitor"].report()
    assert getattr(report, "rows_observed", expected) == expected
    assert ("print(" in code) == bool(capsys.readouterr().out)
    assert ("REGISTRY" in code) == bool([*registry.collect()])
    if names["monitor"] is not before:
        names["monitor"].close()


@pytest.mark.long
@pytest.mark.e2e
def test_the_complete_service_is_monitored_by_all_its_workers(trained: Path, tmp_path: Path) -> None:
    (trained / "app.py").write_text(APP, encoding="utf-8")
    (serve,) = commands(blocks(SECTIONS["A complete service"], "sh")[0])
    port, log = free_port(), tmp_path / "log"
    given = [part.replace("8000", str(port)) for part in serve[1:]]
    command = [sys.executable, "-m", serve[0]]
    with running(*given, log=log, command=command, cwd=trained, env=dict(os.environ)) as process:
        address = f"http://127.0.0.1:{port}"
        until(lambda: anything_answers(address), process, log)
        row = pd.read_parquet(trained / "training.parquet").drop(columns="prediction").iloc[0].to_dict()
        for _ in range(10):
            assert httpx.post(f"{address}/predict", json=row, timeout=60.0).json() > 0.0
        status = status_after(10, f"{address}/monitoring", process, log)
        assert status["status"] == "insufficient_data"
        assert (status["model_name"], status["monitoring"]["problems"]) == ("tumours", [])


def test_the_page_names_every_route() -> None:
    (first, *_) = SECTIONS["FastAPI, Starlette"].split("\n\nEveryone")
    named = {path for row in re.findall(r"^\| (`/.*?) \|", first, flags=re.MULTILINE) for path in row.split(", ")}
    paths = {HEALTH, *(route.path for route in MONITORING_ROUTES)} - {"/static/{asset}"}
    assert named == {f"`{path}`" for path in paths}


@pytest.mark.parametrize(
    ("reason", "given"),
    [
        ("missing_feature", lambda row: ({}, {})),
        ("unknown_feature", lambda row: ({**row, "mean mass": 1.0}, {})),
        ("wrong_type", lambda row: ({**row, "mean area": "large"}, {})),
        ("not_finite", lambda row: ({**row, "mean area": float("inf")}, {})),
        ("wrong_feature_count", lambda row: ([1.0, 2.0], {})),
        ("unknown_shape", lambda row: ("row", {})),
        ("invalid_timestamp", lambda row: (row, {"at": "yesterday"})),
    ],
)
def test_the_page_names_the_reason_of_every_error(reason: str, given: Any, names: dict[str, Any]) -> None:
    assert f"| `{reason}` |" in SECTIONS["Errors"]
    rows, options = given(names["row"])
    with pytest.raises(Refused) as refused:
        names["monitor"].observe(rows, prediction=0.5, **options)
    assert refused.value.reason == Reason(reason)


def test_the_rules_for_prometheus_know_the_job_and_the_address(tmp_path: Path) -> None:
    (scrape,) = yaml.safe_load(blocks(SECTIONS["Prometheus"], "yaml")[0])["scrape_configs"]
    ((_, *render),) = commands(blocks(SECTIONS["Prometheus"], "sh")[0])
    subprocess.run([*COMMAND, *render], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    alerts = (tmp_path / "monitoring" / "prometheus" / "alerts" / "driftgauge.yml").read_text(encoding="utf-8")
    assert f'up{{job="{scrape["job_name"]}"}}' in alerts
    mounted = scrape["metrics_path"].removesuffix("/metrics")
    assert f"http://{scrape['static_configs'][0]['targets'][0]}{mounted}/runbooks/ModelFeatureDrift" in alerts


def test_the_settings_that_it_names_exist() -> None:
    named = set(re.findall(r"`(\w+)`", SECTIONS["Settings"].partition("Those of the server")[2]))
    assert named
    assert named <= set(Settings.model_fields)
