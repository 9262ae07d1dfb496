"""An MLflow server of an environment of its own, with its database and artifacts in a folder."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.environments import python_of
from tests.e2e.processes import free_port, until


@dataclass
class MlflowServer:
    """A server that a test can stop and start again."""

    program: Path
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> Any:
        """MLflow's own client."""
        from mlflow.tracking import MlflowClient

        return MlflowClient(self.address, self.address)

    def answers(self) -> bool:
        """Say whether it answers."""
        try:
            return httpx.get(f"{self.address}/health", timeout=5.0).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = self.folder / "mlflow.log"
        options = ("--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db", "--host", "127.0.0.1", "--workers", "1")
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [
                    *(self.program, "server", *options, "--port", str(self.port)),
                    *("--artifacts-destination", str(self.folder / "artifacts")),
                ],
                stdout=out,
                stderr=out,
                cwd=self.folder,
                env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                start_new_session=True,
            )
        until(self.answers, self.process, log, seconds=180.0)

    def stop(self) -> None:
        """Stop it with all of its processes, at once."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, 9)
            self.process.wait(timeout=60.0)
            self.process = None


@contextlib.contextmanager
def mlflow_server(folder: Path) -> Iterator[MlflowServer]:
    """Run a server while the block runs."""
    program = python_of(".venv-mlflow").parent / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    server = MlflowServer(program, folder, free_port())
    try:
        server.start()
        yield server
    finally:
        server.stop()
