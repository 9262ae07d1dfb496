"""What a server says of the senders of its alerts, metrics and traces."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from driftgauge.edges.http.context import ServerContext
from driftgauge.edges.http.senders import Notified, Sent
from driftgauge.main import compose
from driftgauge.metrics.facts import TelemetryFacts

from tests.examples import Example, quiet

FACTS = TelemetryFacts({("metrics", "sent"): 3.0}, 0.01)


@dataclass
class Receivers:
    """Sends to a receiver that takes nothing."""

    totals: Mapping[tuple[str, str], float]

    def problems(self) -> Sequence[str]:
        return ["receiver ops: it answers 500"]


@dataclass
class Collector:
    """Sends to a collector that does not answer, and notes which threads ask."""

    threads: set[int] = field(default_factory=set)

    def facts(self) -> TelemetryFacts:
        self.threads.add(threading.get_ident())
        return FACTS

    def status(self) -> dict[str, Any]:
        self.threads.add(threading.get_ident())
        return {"endpoint": "http://collector:4318"}

    def problems(self) -> Sequence[str]:
        return ["metrics do not arrive", "receiver ops: it answers 500"]


@pytest.fixture
def context(binary: Example) -> ServerContext:
    return compose(quiet(), binary.bundle, lambda: 1000.0)


def test_their_problems_are_those_of_monitoring_each_once(context: ServerContext) -> None:
    model = context.monitoring.model()
    before, _ = asyncio.run(context.monitoring.state(model))
    notified: Notified = Receivers({})
    sent: Sent = Collector()
    context.monitoring.notified, context.monitoring.telemetry = notified, sent
    after, _ = asyncio.run(context.monitoring.state(model))
    assert after == [*before, "receiver ops: it answers 500", "metrics do not arrive"]


def test_their_numbers_are_facts_of_the_server(context: ServerContext) -> None:
    _, none = asyncio.run(context.monitoring.facts())
    assert (none.notifications, none.telemetry) == ({}, None)
    context.monitoring.notified = Receivers({("ops", "failed"): 2.0})
    context.monitoring.telemetry = Collector()
    _, server = asyncio.run(context.monitoring.facts())
    assert (server.notifications, server.telemetry) == ({("ops", "failed"): 2.0}, FACTS)


def test_a_collector_that_blocks_is_not_asked_in_the_thread_of_the_event_loop(context: ServerContext) -> None:
    assert asyncio.run(context.monitoring.telemetry_status()) is None
    collector = Collector()
    context.monitoring.telemetry = collector

    async def asked() -> int:
        assert await context.monitoring.telemetry_status() == {"endpoint": "http://collector:4318"}
        await context.monitoring.facts()
        return threading.get_ident()

    assert asyncio.run(asked()) not in collector.threads
    assert collector.threads
