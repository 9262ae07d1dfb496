from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from driftgauge.errors import StateError
from driftgauge.library.background import Background
from driftgauge.library.endpoints import Endpoints
from driftgauge.library.session import Opened

from tests.library.watching import watching

GET: dict[str, Any] = {"method": "GET", "path": "/metrics", "headers": [], "query_string": b""}


def test_a_request_that_the_end_of_the_monitor_interrupts_is_answered_503(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    async def endless(_: object) -> None:
        begun.set()
        await asyncio.sleep(3600)

    monkeypatch.setattr("driftgauge.edges.http.monitoring.Monitoring.facts", endless)
    with watching() as monitor:
        endpoints = Endpoints(monitor._parts)
        statuses: list[int] = []
        asking = [
            threading.Thread(target=lambda: statuses.append(endpoints.waited(GET).status)),
            threading.Thread(target=lambda: statuses.append(asyncio.run(endpoints.awaited(GET)).status)),
        ]
        for thread in asking:
            thread.start()
            assert begun.wait(30.0)
            begun.clear()
        monitor.close()
        for thread in asking:
            thread.join(30.0)
        assert statuses == [503, 503]


def test_a_caller_that_ends_its_request_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def endless(_: object) -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    monkeypatch.setattr("driftgauge.edges.http.monitoring.Monitoring.facts", endless)
    with watching() as monitor:

        async def cancelled() -> bool:
            task = asyncio.create_task(Endpoints(monitor._parts).awaited(GET))
            await asyncio.to_thread(begun.wait, 30.0)
            task.cancel()
            await asyncio.wait((task,))
            return task.cancelled()

        assert asyncio.run(cancelled())
        assert ended.wait(30.0)


def test_a_monitor_that_cannot_be_opened_is_answered_503() -> None:
    def refused() -> Opened:
        raise StateError("another service uses the folder")

    assert Endpoints(refused).waited(GET).status == 503
    assert asyncio.run(Endpoints(refused).awaited(GET)).status == 503


def test_a_thread_that_has_ended_is_answered_503() -> None:
    with watching() as monitor:
        opened: Any = monitor._parts()
        background: Background = opened.background
        background.stop()
        assert Endpoints(lambda: opened).waited(GET).status == 503
        assert asyncio.run(Endpoints(lambda: opened).awaited(GET)).status == 503
