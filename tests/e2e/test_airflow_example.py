"""The DAGs of examples/airflow in a real Airflow 3, which runs them with `dag.test()`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.e2e.environments import python_of
from tests.e2e.processes import COMMAND
from tests.e2e.webhooks import webhook
from tests.pages import ROOT
from tests.redirects import redirecting

pytestmark = [pytest.mark.e2e, pytest.mark.long]
DAGS = ROOT / "examples" / "airflow" / "dags"
RUN_DAG = ROOT / "tests" / "e2e" / "run_dag.py"


def rows(count: int, seed: int, unit: float = 1.0) -> pd.DataFrame:
    """Flights; their distance is in miles, and with another unit in something else."""
    chance = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "distance": chance.gamma(2.0, 500.0, count) * unit,
            "hour": chance.integers(5, 23, count),
            "carrier": chance.choice(["AA", "DL", "UA"], count),
        }
    )


class Airflow:
    """An Airflow with its metadata in SQLite, whose Variables are environment variables."""

    def __init__(self, folder: Path) -> None:
        self.python, self.folder = python_of(".venv-airflow"), folder
        command = folder / "driftgauge"
        command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT / "app"} exec {" ".join(COMMAND)} "$@"\n', encoding="utf-8")
        command.chmod(0o755)
        self.options = {
            "command": str(command),
            "partition": f"{folder}/date={{date}}",
            "baseline": str(folder / "baseline.json"),
            "reports": str(folder / "reports"),
        }
        self.environment = {
            **{name: own for name, own in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))},
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        }
        self._ended([str(self.python.parent / "airflow"), "db", "migrate"])

    def run(self, dag: str, when: str, conf: Any = None, **environment: str) -> dict[str, Any]:
        """Run a DAG for a time; return its state, those of its tasks and the runs that it triggered."""
        command = [str(self.python), str(RUN_DAG), dag, when, *([] if conf is None else [json.dumps(conf)])]
        printed = self._ended(command, AIRFLOW_VAR_DRIFTGAUGE=json.dumps(self.options), **environment)
        return dict(json.loads(printed.splitlines()[-1]))

    def _ended(self, command: list[str], **environment: str) -> str:
        done = subprocess.run(
            command, env={**self.environment, **environment}, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline, a quiet day and one whose distances are in kilometres."""
    folder = tmp_path_factory.mktemp("airflow")
    rows(20_000, seed=1).to_parquet(folder / "reference.parquet")
    for day, unit in (("2026-11-01", 1.0), ("2026-11-02", 1.609)):
        (folder / f"date={day}").mkdir()
        rows(3_000, seed=2, unit=unit).to_parquet(folder / f"date={day}" / "part-0.parquet")
    build = ["baseline", "build", str(folder / "reference.parquet"), "--out", str(folder / "baseline.json")]
    subprocess.run([*COMMAND, *build], check=True, capture_output=True, timeout=120)
    return folder


@pytest.fixture
def airflow(made: Path, tmp_path: Path) -> Airflow:
    """An Airflow of the test's own, beside the tables."""
    shutil.copytree(made, tmp_path / "data")
    return Airflow(tmp_path / "data")


def test_a_quiet_day_ends_green_and_triggers_nothing(airflow: Airflow) -> None:
    run = airflow.run("driftgauge_daily", "2026-11-02T03:00:00+00:00")
    assert run["state"] == "success"
    assert (run["tasks"]["check"], run["tasks"]["notify"], run["tasks"]["retrain"]) == ("success", "skipped", "skipped")
    assert run["queued"] == []
    assert (airflow.folder / "reports" / "2026-11-01" / "report.html").exists()


def test_a_drifted_day_sends_a_message_and_triggers_one_retraining_with_its_diagnosis(airflow: Airflow) -> None:
    with webhook() as inbox:
        receiver = json.dumps({"conn_type": "http", "host": inbox.address, "password": "kept-secret"})
        runs = [
            airflow.run("driftgauge_daily", "2026-11-03T03:00:00+00:00", AIRFLOW_CONN_DRIFTGAUGE_NOTIFY=receiver)
            for _ in range(2)
        ]
    assert [run["tasks"]["retrain"] for run in runs] == ["success", "skipped"]
    (triggered,) = runs[1]["queued"]
    assert (triggered["dag"], triggered["run"]) == ("driftgauge_retrain", "driftgauge__2026-11-02")
    conf = triggered["conf"]
    assert [own["name"] for own in conf["columns"]] == ["distance"]
    assert (conf["status"], conf["severity"], conf["date"]) == ("drift_detected", "critical", "2026-11-02")
    assert inbox.bodies[0]["text"] == f"Rows of 2026-11-02: {conf['reason']}"
    assert Path(inbox.bodies[0]["report"]).exists()


def test_a_message_and_its_token_follow_no_redirect(airflow: Airflow) -> None:
    with redirecting() as (url, paths):
        receiver = json.dumps({"conn_type": "http", "host": url, "password": "kept-secret"})
        run = airflow.run("driftgauge_daily", "2026-11-03T03:00:00+00:00", AIRFLOW_CONN_DRIFTGAUGE_NOTIFY=receiver)
    assert paths == []
    assert (run["tasks"]["check"], run["tasks"]["notify"]) == ("success", "failed")
    assert run["queued"] == []


def test_the_retraining_hands_its_conf_to_the_command(airflow: Airflow) -> None:
    kept = airflow.folder / "kept.json"
    copy = "import os, shutil, sys; shutil.copy(os.environ['DRIFTGAUGE_DIAGNOSIS'], sys.argv[1])"
    command = json.dumps([sys.executable, "-c", copy, str(kept)])
    conf = {"reason": "distance: mean 1,625", "columns": [{"name": "distance"}]}
    run = airflow.run("driftgauge_retrain", "none", conf, AIRFLOW_VAR_DRIFTGAUGE_RETRAIN=command)
    assert run["state"] == "success"
    assert json.loads(kept.read_text(encoding="utf-8")) == conf


def test_a_failed_assertion_triggers_a_retraining_though_nothing_drifted(airflow: Airflow) -> None:
    suite = airflow.folder / "suite.yaml"
    suite.write_text("assertions:\n  - rows >= 5_000\n  - missing(distance) <= 0.01\n", encoding="utf-8")
    airflow.options["suite"] = str(suite)
    run = airflow.run("driftgauge_daily", "none", {"date": "2026-11-01"})
    (triggered,) = run["queued"]
    assert triggered["conf"]["failed_assertions"] == ["rows >= 5_000: it is 3000"]
    assert (triggered["conf"]["status"], triggered["conf"]["columns"]) == ("normal", [])
    assert (airflow.folder / "reports" / "2026-11-01" / "junit.xml").exists()


def test_a_missing_partition_is_a_failure_and_no_drift(airflow: Airflow) -> None:
    run = airflow.run("driftgauge_daily", "2026-11-10T03:00:00+00:00")
    assert (run["state"], run["tasks"]["check"]) == ("failed", "failed")
    assert run["queued"] == []


def test_a_table_that_cannot_be_checked_is_a_failure_and_no_drift(airflow: Airflow) -> None:
    (airflow.folder / "date=2026-11-05").mkdir()
    rows(3_000, seed=3).drop(columns="distance").to_parquet(airflow.folder / "date=2026-11-05" / "part-0.parquet")
    run = airflow.run("driftgauge_daily", "2026-11-06T03:00:00+00:00")
    assert (run["state"], run["queued"]) == ("failed", [])
