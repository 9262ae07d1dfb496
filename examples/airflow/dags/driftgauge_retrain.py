"""Retrain a model because of a diagnosis: `driftgauge_daily` triggers it, an action on an alert can, and so can you.

The Variable `driftgauge_retrain` is the command to run, as a JSON list. It finds the diagnosis in a file.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import tempfile
from pathlib import Path

import pendulum
from airflow.sdk import Variable, dag, get_current_context, task

LOG = logging.getLogger(__name__)


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["driftgauge"],
    doc_md=__doc__,
)
def driftgauge_retrain() -> None:
    """Run the training with the diagnosis of the run's conf."""

    @task
    def train() -> None:
        """Run the command of the Variable; `DRIFTGAUGE_DIAGNOSIS` names the file with the conf."""
        command = Variable.get("driftgauge_retrain", deserialize_json=True)
        diagnosis = get_current_context()["dag_run"].conf or {}
        LOG.info("retraining because of: %s", diagnosis.get("reason", "no reason was given"))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "diagnosis.json"
            file.write_text(json.dumps(diagnosis), encoding="utf-8")
            environment = {**os.environ, "DRIFTGAUGE_DIAGNOSIS": str(file)}
            subprocess.run(command, check=True, env=environment)  # noqa: S603  the Variable names it

    train()


driftgauge_retrain()
