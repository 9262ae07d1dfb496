"""A PostgreSQL that stops, hangs and comes back under a server that logs into it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from driftgauge.errors import Reason
from driftgauge.predictions import bounded_postgres

from tests.edges.http.test_prediction_log import DROPPED, WRITTEN, logged
from tests.examples import Example
from tests.postgres import PostgresServer, own_postgres
from tests.served import Served, served

QUEUE_ROWS = 50
SECONDS = 60.0
MODES = pytest.mark.parametrize("durability", ["written_behind", "acknowledged"])


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with own_postgres() as server:
        yield server


def ask(running: Served, example: Example, name: str, count: int, rows: int = 1) -> list[str]:
    """Predict requests of some rows each, and return the ids of the answers."""
    ids: list[str] = []
    for number in range(count):
        own = [f"{name} {number} {row}" for row in range(rows)]
        answer = running.predict({"instances": example.rows(rows), "prediction_ids": own})
        assert answer.status_code == 200
        ids += own
    return ids


def until_written(running: Served) -> None:
    log = running.context.monitoring.predictions
    assert log is not None
    deadline = time.monotonic() + SECONDS
    while log.writer.queued_rows:
        assert time.monotonic() < deadline, log.writer.queued_rows
        time.sleep(0.01)


@MODES
def test_predictions_wait_for_a_database_that_is_away_and_are_logged_when_it_is_back(
    durability: str, binary: Example, server: PostgresServer
) -> None:
    url = server.running.new_database()
    options: dict[str, Any] = {"prediction_log_url": url, "prediction_log_durability": durability}
    with served(binary, prediction_log_queue_rows=QUEUE_ROWS, **options) as running:
        before = ask(running, binary, "before", 5)
        until_written(running)
        server.stop()
        during = ask(running, binary, "during", QUEUE_ROWS // 2)
        problems = running.status()["monitoring"]["problems"]
        assert running.metric(WRITTEN) == len(before)
        server.start()
        until_written(running)
        after = ask(running, binary, "after", 5)
        until_written(running)
        assert running.metric(WRITTEN) == len([*before, *during, *after])
        if durability == "acknowledged":
            assert any(problem.startswith("prediction_log_failed: PredictionLogAway") for problem in problems)
    assert sorted(logged(None, "binary", url).ids) == sorted([*before, *during, *after])


def test_what_a_full_queue_has_no_room_for_while_the_database_is_away_is_dropped_and_counted(
    binary: Example, server: PostgresServer
) -> None:
    url = server.running.new_database()
    with served(binary, prediction_log_url=url, prediction_log_queue_rows=QUEUE_ROWS) as running:
        ask(running, binary, "before", 1)
        until_written(running)
        server.stop()
        during = ask(running, binary, "during", 20, rows=5)
        log = running.context.monitoring.predictions
        assert log is not None
        assert log.writer.queued_rows == QUEUE_ROWS
        server.start()
        until_written(running)
        dropped = running.metric(DROPPED, reason=Reason.PREDICTION_LOG_QUEUE_FULL)
        assert dropped == len(during) - QUEUE_ROWS
        assert running.metric(DROPPED, reason=Reason.PREDICTION_LOG_FAILED) == 0
    assert set(logged(None, "binary", url).ids) == {"before 0 0", *during[:QUEUE_ROWS]}


@MODES
def test_nothing_waits_for_a_database_that_hangs(
    durability: str, binary: Example, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_postgres, "ANSWER_SECONDS", 2.0)
    url = server.running.new_database()
    options: dict[str, Any] = {"prediction_log_url": url, "prediction_log_durability": durability}
    with served(binary, prediction_log_queue_rows=QUEUE_ROWS, **options) as running:
        before = ask(running, binary, "before", 5)
        until_written(running)
        with server.hanging():  # what waited for an answer would not end before the block does
            during = ask(running, binary, "during", 10)
            assert running.status()["monitoring"]["prediction_log"]["kept"] == "postgresql"
            assert running.metric(WRITTEN) == len(before)
            log = running.context.monitoring.predictions
            assert log is not None
            deadline = time.monotonic() + SECONDS
            while not any("PredictionLogAway" in problem for problem in running.status()["monitoring"]["problems"]):
                assert time.monotonic() < deadline
                time.sleep(0.05)
        until_written(running)
        drops = running.metric(DROPPED, reason=Reason.PREDICTION_LOG_FAILED)
        assert drops == 0
    assert sorted(logged(None, "binary", url).ids) == sorted([*before, *during])
