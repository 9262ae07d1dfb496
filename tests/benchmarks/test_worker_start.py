from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from benchmarks import worker_start
from benchmarks.processes import Memory
from benchmarks.worker_start import HEADS, Answers, Found, row_of


def test_a_worker_more_is_relative_to_the_row_before_if_that_has_a_supervisor() -> None:
    one, two, four = (
        Found(count, 1.0, 2.0, 3.0, Memory(100.0, pss)) for count, pss in ((1, 50.0), (2, 90.0), (4, 130.0))
    )
    four.replaced_seconds.extend((0.1, 0.3, 0.2))
    four.all_replaced_seconds.extend((0.4, 0.6, 0.5))
    four.replaced_cpu_seconds.extend((0.7, 0.9, 0.8))
    assert row_of(two, one)[-1] == "–"
    assert row_of(four, two) == ["4", "1.00", "2.00", "3.00", "0.20", "0.50", "0.80", "100", "130", "20"]
    assert len(row_of(four, two)) == len(HEADS)


def test_a_killed_worker_does_not_count_as_one_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    told = [None, process.pid, process.pid, process.pid, os.getpid()]
    monkeypatch.setattr(worker_start, "answering", lambda _: told.pop(0))
    answers = Answers(port=1, workers=1)
    assert [answers.any(), answers.all()] == [False, True]
    answers.kill()
    assert process.wait(30) == -signal.SIGKILL
    assert [answers.any(), answers.any(), answers.any()] == [False, False, True]
