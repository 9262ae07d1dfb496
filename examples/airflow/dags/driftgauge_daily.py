"""Check yesterday's rows every day, and retrain the model if they drifted or an assertion failed.

The DAG calls the `driftgauge` command and never imports it, so Driftgauge can live in an environment of its own.
README.md explains the Variable `driftgauge` and the Connection `driftgauge_notify`.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import urllib.error
import urllib.request
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Connection, Param, Variable, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

LOG = logging.getLogger(__name__)
MOST_COLUMNS = 50
"""Columns in the conf of the retraining; the report has all of them."""
KEPT = ("severity", "reason", "since", "psi_debiased")
"""What the conf says of a column."""


@dag(
    schedule="0 3 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=20)},
    params={"date": Param(None, type=["null", "string"], format="date", description="The day; by default yesterday.")},
    tags=["driftgauge"],
    doc_md=__doc__,
)
def driftgauge_daily() -> None:
    """Check, and act only if something is wrong."""

    @task
    def check() -> dict[str, Any]:
        """Check the partition of the day, keep the reports, and return the diagnosis."""
        options, day = Variable.get("driftgauge", deserialize_json=True), _day()
        partition = Path(options["partition"].format(date=day))
        if not partition.exists():
            raise FileNotFoundError(f"{partition} is missing: without rows nothing is known of {day}")
        folder = Path(options["reports"]) / day
        folder.mkdir(parents=True, exist_ok=True)
        command = [options["command"], "check", str(partition), "--baseline", options["baseline"]]
        command += ["--json", "--html", str(folder / "report.html")]
        if options.get("time"):
            command += ["--time", options["time"]]
        if options.get("suite"):
            command += ["--suite", options["suite"], "--junit", str(folder / "junit.xml")]
        report = _run(command)
        (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
        return {"date": day, "partition": str(partition), "report": str(folder / "report.html"), **_diagnosis(report)}

    @task.short_circuit
    def is_wrong(diagnosis: dict[str, Any]) -> bool:
        """End the run here if nothing is wrong."""
        return bool(diagnosis["wrong"])

    @task
    def ask_server(diagnosis: dict[str, Any]) -> dict[str, Any]:
        """Add what a running server says, if the Variable names one."""
        options = Variable.get("driftgauge", deserialize_json=True)
        if not options.get("server"):
            return {**diagnosis, "server": None}
        command = [options["command"], "diagnose", "--url", options["server"], "--json"]
        if options.get("token_file"):
            command += ["--token-file", options["token_file"]]
        try:
            return {**diagnosis, "server": _run(command)}
        except AirflowFailException as error:
            LOG.warning("going on without the server: %s", error)
            return {**diagnosis, "server": None}

    @task
    def notify(diagnosis: dict[str, Any]) -> None:
        """Post a message to the Connection `driftgauge_notify`, or write it to the log."""
        text = "\n".join([f"Rows of {diagnosis['date']}: {diagnosis['reason']}", *diagnosis["failed_assertions"]])
        try:
            receiver = Connection.get("driftgauge_notify")
        except AirflowNotFoundException:
            LOG.warning(text)
            return
        headers = {"content-type": "application/json"}
        if receiver.password:
            headers["authorization"] = f"Bearer {receiver.password}"
        address = str(receiver.host)
        if not address.startswith(("https://", "http://")):
            raise AirflowFailException("the host of driftgauge_notify is no address: begin it with https://")
        body = json.dumps({"text": text, "report": diagnosis["report"]}).encode()
        request = urllib.request.Request(address, body, headers)  # noqa: S310  its scheme is checked above
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=30) as answer:
                LOG.info("the receiver answered %s", answer.status)
        except urllib.error.HTTPError as error:
            if 300 <= error.code < 400:
                raise AirflowFailException(
                    f"the host of driftgauge_notify answered {error.code}, a redirect, which is not followed: give the "
                    "address that it leads to"
                ) from None
            raise

    found = check()
    diagnosis = ask_server(found)
    # A day is retrained once, however often its run is repeated.
    retrain = TriggerDagRunOperator(
        task_id="retrain",
        trigger_dag_id="driftgauge_retrain",
        trigger_run_id="driftgauge__{{ ti.xcom_pull(task_ids='check')['date'] }}",
        conf=diagnosis,
        skip_when_already_exists=True,
        openlineage_inject_parent_info=False,
    )
    is_wrong(found) >> diagnosis >> notify(diagnosis) >> retrain


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: the token would go to whatever address an answer names."""

    def redirect_request(self, *_: object) -> None:
        """Return None, so that the answer is an error."""


def _day() -> str:
    """Return the day to check: that of the parameter, or the one before the run."""
    context = get_current_context()
    if named := context["params"]["date"]:
        return date.fromisoformat(named).isoformat()
    run = context["dag_run"]
    return str(((run.logical_date or run.run_after) - timedelta(days=1)).date())


def _run(command: list[str]) -> dict[str, Any]:
    """Run a command of Driftgauge that prints JSON; 0 means that all is well, 1 that something is wrong."""
    environment = {name: own for name, own in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603  the Variable names it
    if done.returncode not in {0, 1}:
        raise AirflowFailException(f"{' '.join(command)} failed with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def _diagnosis(report: dict[str, Any]) -> dict[str, Any]:
    """Return what is wrong in a report of `driftgauge check --json`, small enough for the conf of a run."""
    check = report.get("check", report)
    violated = [own["reason"] for own in check["quality"]["violations"] if own["severity"]] if check["quality"] else []
    failed = [f"{own['assertion']}: {own['reason']}" for own in report.get("assertions", []) if not own["passed"]]
    drifted = check["status"] == "drift_detected"
    return {
        "wrong": drifted or bool(violated) or bool(failed),
        "status": check["status"],
        "severity": check["severity"],
        "reason": check["reason"],
        "columns": [
            {"name": name, **{key: check["features"][name][key] for key in KEPT}}
            for name in check["drifted_features"][:MOST_COLUMNS]
        ],
        "violated_constraints": violated,
        "failed_assertions": failed,
    }


driftgauge_daily()
