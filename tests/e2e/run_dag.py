"""Run a DAG of examples/airflow in the environment that has Airflow, and print what came of it as JSON.

Usage: python run_dag.py DAG LOGICAL_DATE|none [CONF]. `AIRFLOW_HOME` and `AIRFLOW__CORE__DAGS_FOLDER` are set.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.configuration import conf as options
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session


def dags() -> Any:
    """Parse the folder of DAGs; an import error ends the program."""
    folder = Path(options.get("core", "dags_folder"))
    bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
    if bag.import_errors:
        sys.exit(str(bag.import_errors))
    return bag.dags


def outcome(run: Any) -> dict[str, Any]:
    """Return the state of a run and of its tasks."""
    return {"state": run.state, "tasks": {own.task_id: own.state for own in run.get_task_instances()}}


def queued() -> list[dict[str, Any]]:
    """Return the runs that wait for a scheduler: those that a task triggered."""
    with create_session() as session:
        runs = session.query(DagRun).filter(DagRun.state == "queued").order_by(DagRun.id)
        return [{"dag": run.dag_id, "run": run.run_id, "conf": run.conf} for run in runs]


def main() -> None:
    """Run the DAG; tasks are tried once, because a test does not wait for twenty minutes."""
    name, when, *rest = sys.argv[1:]
    dag = dags()[name]
    for own in dag.tasks:
        own.retries = 0
    date = None if when == "none" else datetime.fromisoformat(when)
    run = dag.test(logical_date=date, run_conf=json.loads(rest[0]) if rest else None)
    sys.stdout.write(json.dumps({**outcome(run), "queued": queued()}) + "\n")


main()
