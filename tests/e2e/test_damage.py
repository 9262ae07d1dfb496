"""Files that are truncated under a running server: reading behind their end would end its process."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.damage import CUT, FILES, Seen
from tests.e2e.processes import answers, free_port, running, until
from tests.examples import Example

pytestmark = pytest.mark.e2e

ANSWER_SECONDS = 60.0
"""Longest wait for an answer; one that comes later has no status 200."""


@pytest.mark.parametrize("name", ["cut off", pytest.param("emptied", marks=pytest.mark.long)])
@pytest.mark.parametrize("file", [FILES[0], *(pytest.param(file, marks=pytest.mark.long) for file in FILES[1:])])
def test_a_server_whose_files_are_cut_off_goes_on(file: str, name: str, binary: Example, tmp_path: Path) -> None:
    log, port = tmp_path / "log", free_port()
    arguments = ("--bundle", str(binary.folder), "--port", str(port), "--state-dir", str(tmp_path / "state"))
    (row,) = binary.rows(1)
    with running("serve", *arguments, log=log) as process, _client(f"http://127.0.0.1:{port}") as client:
        until(lambda: answers(str(client.base_url)), process, log)
        seen = Seen().look(client, row)
        CUT[name](tmp_path / "state" / "binary" / "1.2" / file)
        seen.look(client, row, seconds=2.0)
        assert process.poll() is None, log.read_text()
        assert seen.codes == {path: {"200"} for path in seen.codes}
        assert (seen.fallen, seen.unhealthy) == (set(), True)
        assert f"{file}: it was truncated" in " ".join(seen.problems)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) in (0, -signal.SIGTERM)
    lines = log.read_text().splitlines()
    assert sum('"event": "state_in_memory"' in line for line in lines) == 1
    assert any('"event": "stopped"' in line for line in lines)
    with running("serve", *arguments, log=log) as process, _client(f"http://127.0.0.1:{port}") as client:
        until(lambda: answers(str(client.base_url)), process, log)
        assert client.get("/drift/status").json()["monitoring"]["healthy"] is True


@pytest.mark.long
@pytest.mark.parametrize("file", FILES)
def test_workers_that_share_a_state_continue_when_a_file_is_truncated(
    file: str, binary: Example, tmp_path: Path
) -> None:
    log, port = tmp_path / "log", free_port()
    state = tmp_path / "state"
    arguments = ("--bundle", str(binary.folder), "--port", str(port), "--state-dir", str(state), "--workers", "2")
    (row,) = binary.rows(1)
    address = f"http://127.0.0.1:{port}"
    with running("serve", *arguments, log=log) as process:
        until(lambda: answers(address), process, log)
        until(lambda: _pids(address).keys() == {0, 1}, process, log)
        before = _pids(address)
        for number in (0, 1):
            with _connected(address, number) as client:
                Seen().look(client, row)
        CUT["emptied"](state / "binary" / "1.2" / file)
        for number in (1, 0):
            with _connected(address, number) as client:
                seen = Seen().look(client, row, seconds=1.0)
                assert seen.codes == {path: {"200"} for path in seen.codes}
                assert (seen.fallen, seen.unhealthy) == (set(), True)
        assert _pids(address) == before, log.read_text()


def _client(address: str) -> httpx.Client:
    return httpx.Client(base_url=address, timeout=ANSWER_SECONDS)


def _pids(address: str) -> dict[int, int]:
    """Return the processes of the slots that answer some requests."""
    workers = [httpx.get(f"{address}/health", timeout=60.0).json()["worker"] for _ in range(20)]
    return {worker["slot"]: worker["pid"] for worker in workers}


@contextlib.contextmanager
def _connected(address: str, number: int) -> Iterator[httpx.Client]:
    """Connect a client to the worker of a slot."""
    while True:
        with _client(address) as client:
            if client.get("/health").json()["worker"]["slot"] == number:
                yield client
                return
