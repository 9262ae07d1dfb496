"""Real processes for end-to-end tests: each is started by the test and ended by it, by its id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

COMMAND = [sys.executable, "-m", "driftgauge"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(
    *arguments: str, env: Mapping[str, str] | None = None, seconds: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; one that takes too long is ended with the processes that it started."""
    command = [*COMMAND, *arguments]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.terminate()  # it ends its servers, which may have sessions of their own
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


@contextlib.contextmanager
def running(
    *arguments: str,
    log: Path,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = COMMAND,
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command in a session of its own, so that a signal reaches what it started too."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})} if command is COMMAND else env,
            start_new_session=True,
            cwd=cwd,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)


def until(condition: object, process: subprocess.Popen[bytes], log: Path, seconds: float = 60.0) -> None:
    """Wait until a condition holds; fails with the process's output if it ends first or takes too long."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def status_after(rows: int, address: str, process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    """Return the drift status of so many rows; a worker that has just evaluated answers with an earlier report."""
    status: dict[str, Any] = {}

    def has_all() -> bool:
        status.update(httpx.get(f"{address}/drift/status", timeout=60.0).json())
        return bool(status["rows_observed"] == rows)

    until(has_all, process, log)
    return status


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def anything_answers(address: str) -> bool:
    """Whether anything answers there, whatever it says."""
    try:
        httpx.get(address)
    except httpx.TransportError:
        return False
    return True
