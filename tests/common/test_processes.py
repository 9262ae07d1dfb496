from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import driftgauge.common.processes
import pytest
from driftgauge.common.processes import may_run, pid_of, service_id

IDENTITY = """
import os
from driftgauge.common.processes import pid_of, service_id
print(service_id(), pid_of(service_id()) == os.getpid())
"""


def test_each_process_has_a_service_id_of_its_own() -> None:
    command = [sys.executable, "-c", IDENTITY]
    said = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(2)]
    assert len({str(service_id()), *(own for own, _ in said)}) == 3
    assert [is_pid for _, is_pid in said] == ["True", "True"]


def test_processes_of_one_number_that_started_at_other_times_are_two_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = tmp_path / "stat"
    monkeypatch.setattr(driftgauge.common.processes, "_OWN_STAT", stat)
    found = set()
    for started in (100, 101):
        stat.write_text(f"1 (a) program) S {'0 ' * 18}{started} 0 0\n")
        found.add(service_id())
    stat.unlink()  # as on other systems than Linux
    assert service_id() == os.getpid()
    assert len(found | {service_id()}) == 3
    assert {pid_of(own) for own in found} == {os.getpid()}


def test_a_process_may_run_until_it_has_ended() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert may_run(os.getpid())
    assert may_run(1)  # another user's, unless root runs the tests
    assert [may_run(pid) for pid in (ended.pid, 0, -1, 2**40)] == [False] * 4
