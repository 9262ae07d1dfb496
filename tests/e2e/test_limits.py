"""Hostile, slow and silent clients in front of a real process."""

from __future__ import annotations

import contextlib
import re
import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest
from driftgauge.edges.http.connection.connections import RESERVED_FILES

from tests.e2e.processes import answers, free_port, running, until
from tests.examples import Example

pytestmark = pytest.mark.e2e

SLOW = 200
GRACE_SECONDS = 60
"""A server that waits for slow clients ends after this time."""


@contextlib.contextmanager
def connected(port: int, count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10.0)) for _ in range(count)]


def _resident_mib(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


@pytest.fixture
def port() -> int:
    return free_port()


def _arguments(example: Example, port: int, workers: int = 1) -> tuple[str, ...]:
    return (
        *("serve", "--bundle", str(example.folder), "--port", str(port)),
        *("--state-dir", "memory", "--workers", str(workers)),
    )


def _predicted(example: Example, port: int) -> int:
    row = example.rows(1)[0]
    return httpx.post(f"http://127.0.0.1:{port}/predict", json={"features": row}, timeout=5.0).status_code


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_ends_in_time_whatever_slow_clients_do(
    workers: int, binary: Example, port: int, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    env = {"DRIFTGAUGE_SHUTDOWN_GRACE_SECONDS": str(GRACE_SECONDS)}
    with (
        running(*_arguments(binary, port, workers), log=log, env=env) as process,
        contextlib.ExitStack() as stack,
    ):
        until(lambda: answers(f"http://127.0.0.1:{port}"), process, log)
        for nth, one in enumerate(stack.enter_context(connected(port, SLOW))):
            head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n"
            one.sendall([b"", head, head + b"\r\n{", b"GET /health/live HTTP/1.1\r\n\r\n"][nth % 4])
        assert _predicted(binary, port) == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=0.9 * GRACE_SECONDS) in (0, -signal.SIGTERM)
    said = log.read_text()
    assert "Traceback" not in said
    assert "stopped_too_late" not in said


def test_silent_connections_beyond_the_limit_of_files_shut_nobody_out(
    binary: Example, port: int, tmp_path: Path
) -> None:
    log, before = tmp_path / "log", resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, before[1]))
    try:
        starting = running(*_arguments(binary, port), log=log)
        process = starting.__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    with contextlib.ExitStack() as stack:
        stack.push(starting.__exit__)
        until(lambda: answers(f"http://127.0.0.1:{port}"), process, log)
        silent = stack.enter_context(connected(port, 300))
        assert [_predicted(binary, port) for _ in range(5)] == [200] * 5
        assert silent[0].recv(1) == b"", "the oldest was closed"
        files = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        assert files <= 128 - RESERVED_FILES + 40
        lines = [orjson.loads(line) for line in log.read_text().splitlines()]
        told = [line for line in lines if line["event"] == "connections_refused"]
        assert [line["reason"] for line in told] == ["idle_evicted"]
        assert "ulimit" in told[0]["hint"]


ENDLESS = {
    "fields": (b"GET /health HTTP/1.1\r\n", b"".join(b"h%04d: %s\r\n" % (nth, b"v" * 40) for nth in range(1_000))),
    "url": (b"GET /", b"u" * 50_000),
    "field": (b"GET /health HTTP/1.1\r\nX: ", b"v" * 50_000),
    "trailer": (b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"v" * 50_000),
    "pipelined": (b"", b"GET /health/live HTTP/1.1\r\n\r\n" * 2_000),
}
"""How requests begin that have no end, and how they go on."""


@pytest.mark.long
def test_one_connection_holds_little_memory_whatever_it_sends(binary: Example, port: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(*_arguments(binary, port), log=log) as process, contextlib.ExitStack() as stack:
        until(lambda: answers(f"http://127.0.0.1:{port}"), process, log)
        assert _predicted(binary, port) == 200
        before = _resident_mib(process.pid)
        for what, (start, more) in ENDLESS.items():
            (one,) = stack.enter_context(connected(port, 1))
            one.settimeout(0.5)
            one.sendall(start)
            end = time.monotonic() + 2
            with contextlib.suppress(OSError):
                while time.monotonic() < end:
                    one.sendall(more)
            assert _predicted(binary, port) == 200, what
            assert _resident_mib(process.pid) - before < 25, what
