from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest
from driftgauge.edges.http.context import ServerContext
from driftgauge.edges.http.model_facts import queue_used
from driftgauge.main import compose
from driftgauge.metrics.server_series import MODEL_QUEUE, WORKER_NUMBERS
from driftgauge.models.predictor import Batch
from driftgauge.serving.request import QueuedRequest
from driftgauge.settings.options import Settings
from driftgauge.state.snapshot import SlotTotals

from tests.examples import Example, quiet
from tests.served import served


def worker(requests: float, rows: float, *, is_running: bool = True) -> SlotTotals:
    numbers = np.zeros(WORKER_NUMBERS)
    numbers[MODEL_QUEUE] = requests, rows
    return SlotTotals(0, is_running, {"process": numbers}, 0)


def test_the_queue_is_that_of_all_running_workers_beside_what_they_may_hold() -> None:
    settings = Settings(max_queued_requests=10, max_queued_rows=100)
    workers = [worker(10, 20), worker(0, 80), worker(9, 99, is_running=False)]
    assert queue_used(workers, settings) == (0.5, 0.5)
    assert all(map(math.isnan, queue_used(workers[2:], settings)))


def test_metrics_have_the_queue_of_a_model_that_is_served(binary: Example) -> None:
    with served(binary) as running:
        assert running.metric("model_queue_used_ratio", limit="requests") == 0.0
        assert running.metric("model_queue_used_ratio", limit="rows") == 0.0


@pytest.fixture
def context(binary: Example) -> ServerContext:
    return compose(quiet(), binary.bundle, lambda: 1000.0)


def test_a_worker_publishes_the_requests_and_rows_that_wait_in_its_queue(
    context: ServerContext, binary: Example
) -> None:
    model = context.model()

    async def waiting() -> tuple[int, int] | None:
        request = QueuedRequest(Batch(np.ones((3, len(binary.names))), {}), 1000.0, None, 0.0, ["a", "b", "c"])
        answer = model.batcher.submit(request)
        found = model.monitoring.publisher.model_queue
        told = None if found is None else found()
        await answer
        return told

    assert asyncio.run(waiting()) == (1, 3)
