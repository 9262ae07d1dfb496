from __future__ import annotations

import time

import pytest
from driftgauge.monitor.publisher import Publisher

from tests.library.watching import watching


def test_a_task_that_ends_is_a_problem_of_monitoring(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: Publisher) -> None:
        raise MemoryError("no room for it")

    monkeypatch.setattr(Publisher, "run", broken)
    with watching() as monitor:
        deadline = time.monotonic() + 30.0
        while not (problems := monitor._parts().monitoring.service.problems.current()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert problems == [
        "monitoring_ended: MemoryError: no room for it: verdicts and counters may be old; restart the program"
    ]
