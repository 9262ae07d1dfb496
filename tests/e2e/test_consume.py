"""`driftgauge consume` on a broker that speaks Kafka's protocol: nothing is lost or counted twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import httpx
import pytest
from driftgauge.drift.reference.baseline import dumps

from tests.e2e.processes import answers, free_port, run, running, status_after, until
from tests.messages import Broker, broker, mock_cluster, row
from tests.monitors import small_baseline

pytestmark = pytest.mark.e2e

ENV = {
    "DRIFTGAUGE_WINDOWS": "1000,2000",
    "DRIFTGAUGE_EVALUATION_REST_FACTOR": "0",
    "DRIFTGAUGE_PREDICTION_LOG": "false",
}
KILLS = 20
QUICK = json.dumps({"session.timeout.ms": 6_000, "heartbeat.interval.ms": 500, "reconnect.backoff.max.ms": 500})


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("broker")) as own:
        yield own


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    path = tmp_path / "baseline.json"
    path.write_text(dumps(small_baseline()))
    return path


def rows(count: int, seed: int = 0) -> list[bytes]:
    generator = random.Random(seed)
    return [row(generator.gauss(40.0, 10.0)) for _ in range(count)]


class Consume:
    """A command that consumes a topic, on a port of its own."""

    def __init__(
        self, kafka: Broker, topic: str, baseline: Path, folder: Path, *more: str, group: str = "group"
    ) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.log = folder.with_name(f"{folder.name}-{port}.log")
        self.env = {**ENV, "DRIFTGAUGE_KAFKA_PROPERTIES": QUICK}
        kafka_of = ("--brokers", kafka.address, "--topic", topic, "--group", f"{topic}-{group}")
        model = ("--baseline", str(baseline), "--model", "churn", "--state-dir", str(folder))
        self.arguments = ("consume", *kafka_of, *model, "--port", str(port), *more)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = httpx.get(f"{self.address}/drift/status", timeout=60.0).json()
        return status

    def sample(self, name: str) -> float:
        text = httpx.get(f"{self.address}/metrics", timeout=60.0).text
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f"{name}{{"))


def finished(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) in (0, -signal.SIGTERM)


def command(arguments: Sequence[str], env: Mapping[str, str], log: Path) -> None:
    """Run the command in this process, which was forked for it."""
    with log.open("wb") as output:
        for own in (1, 2):
            os.dup2(output.fileno(), own)
    os.environ.update(env)
    from driftgauge.cli.main import app

    app(list(arguments))


def _killed(forks: ForkServerContext, own: Consume, state: Path, goal: int) -> None:
    """Run the command until the log has some rows, and kill it then."""
    process = forks.Process(target=command, args=(own.arguments, own.env, own.log))
    process.start()
    deadline = time.monotonic() + 60.0
    try:
        while _appended(state) < goal:
            assert process.is_alive(), own.log.read_text()
            assert time.monotonic() < deadline, own.log.read_text()
            time.sleep(0.001)
    finally:
        process.kill()
        process.join(30)


@pytest.mark.long
def test_a_process_that_is_killed_again_and_again_counts_every_row_once(
    kafka: Broker, baseline: Path, tmp_path: Path
) -> None:
    count, reached = 60_000, [0]
    kafka.create("killed", 3)
    kafka.send("killed", rows(count), 3)
    forks = get_context("forkserver")  # which has imported the command, so that a process starts in half of the time
    forks.set_forkserver_preload(["driftgauge.process.consume", __name__])
    for kill in range(KILLS):
        # The broker waits for the dead member of a group, so each process has a group of its own.
        own = Consume(kafka, "killed", baseline, tmp_path / "state", "--from-beginning", group=str(kill))
        goal = reached[-1] + (count - reached[-1]) // (KILLS + 1 - kill)  # a process may have gone on beyond its own
        _killed(forks, own, tmp_path / "state", goal)
        reached.append(_appended(tmp_path / "state"))
    assert any(0 < rows < count for rows in reached)  # or none was killed in the middle
    own = Consume(kafka, "killed", baseline, tmp_path / "state", "--from-beginning", group="last")
    with running(*own.arguments, log=own.log, env=own.env) as process:
        until(lambda: answers(own.address), process, own.log)
        until(lambda: own.sample("model_ingest_partitions") == 3.0, process, own.log)
        status_after(count, own.address, process, own.log)
        until(lambda: own.sample("model_ingest_lag_messages") == 0.0, process, own.log)
        assert own.status()["rows_observed"] == count
        finished(process)


def _appended(state: Path) -> int:
    """Return the rows of the log, as the file says."""
    try:
        with (state / "churn" / "1" / "0.log").open("rb") as file:
            file.seek(4_096)
            return int.from_bytes(file.read(8), "little")
    except FileNotFoundError:
        return 0


def test_a_broker_that_comes_back_is_read_on(kafka: Broker, baseline: Path, tmp_path: Path) -> None:
    kafka.create("restarted", 2)
    consume = Consume(kafka, "restarted", baseline, tmp_path / "state", "--from-beginning")
    with running(*consume.arguments, log=consume.log, env=consume.env) as process:
        until(lambda: answers(consume.address), process, consume.log)
        kafka.send("restarted", rows(500), 2)
        status_after(500, consume.address, process, consume.log)
        kafka.stop()  # one that is killed may lose what it has acknowledged
        until(lambda: consume.sample("model_ingest_errors_total") > 0, process, consume.log)
        assert any("kafka_failed" in text for text in consume.status()["monitoring"]["problems"])
        kafka.start()
        kafka.send("restarted", rows(500), 2)
        status_after(1_000, consume.address, process, consume.log)
        until(lambda: consume.status()["monitoring"]["problems"] == [], process, consume.log)
        finished(process)


def test_processes_of_a_group_split_the_partitions_and_one_takes_over(
    kafka: Broker, baseline: Path, tmp_path: Path
) -> None:
    kafka.create("shared", 4)
    with ExitStack() as stack:
        found = [Consume(kafka, "shared", baseline, tmp_path / "state", "--from-beginning") for _ in range(2)]
        started = [stack.enter_context(running(*own.arguments, log=own.log, env=own.env)) for own in found]
        for own, process in zip(found, started, strict=True):
            until(lambda own=own: answers(own.address), process, own.log)
            until(lambda own=own: own.sample("model_ingest_partitions") == 2.0, process, own.log)
        kafka.send("shared", rows(2_000), 4)
        status_after(2_000, found[1].address, started[1], found[1].log)
        finished(started[0])  # the broker waits for a killed member for minutes
        kafka.send("shared", rows(2_000), 4)
        status_after(4_000, found[1].address, started[1], found[1].log)
        finished(started[1])


@pytest.mark.long
def test_a_member_that_is_killed_is_replaced_by_another_and_every_row_is_counted_once(
    baseline: Path, tmp_path: Path
) -> None:
    count, topic = 60_000, "taken-over"
    with mock_cluster() as address, ExitStack() as stack:  # which gives up a member that is killed, as Kafka does
        kafka = Broker(tmp_path, int(address.rpartition(":")[2]))
        kafka.send(topic, rows(400), 4)
        found = [Consume(kafka, topic, baseline, tmp_path / "state", "--from-beginning") for _ in range(2)]
        started = [stack.enter_context(running(*own.arguments, log=own.log, env=own.env)) for own in found]
        for own, process in zip(found, started, strict=True):
            until(lambda own=own: answers(own.address), process, own.log)
            until(lambda own=own: own.sample("model_ingest_partitions") == 2.0, process, own.log)
        kafka.send(topic, rows(count - 400, 1), 4)
        until(lambda: _appended(tmp_path / "state") > 1_000, started[0], found[0].log)
        started[0].kill()
        started[0].wait(timeout=30)
        left, process = found[1], started[1]
        until(lambda: left.sample("model_ingest_partitions") == 4.0, process, left.log)
        status_after(count, left.address, process, left.log)
        until(lambda: left.sample("model_ingest_lag_messages") == 0.0, process, left.log)
        assert left.status()["rows_observed"] == count
        until(lambda: left.sample("model_observations_total") == count, process, left.log)
        assert left.sample("model_ingest_rows_total") == left.sample("model_predictions_total") == count
        finished(process)


def test_a_replay_in_event_time_repeats_the_report(kafka: Broker, baseline: Path, tmp_path: Path) -> None:
    kafka.create("replayed", 1)
    kafka.send("replayed", rows(5_000), 1)
    replay = ("--from-beginning", "--clock", "event")
    reports = [_report(kafka, baseline, tmp_path / name, *replay) for name in ("first", "second")]
    assert reports[0] == reports[1]
    assert reports[0]["rows_observed"] == 5_000


def _report(kafka: Broker, baseline: Path, state: Path, *more: str) -> dict[str, Any]:
    """Return the status once all messages are rows, without what says when it was made."""
    consume = Consume(kafka, "replayed", baseline, state, *more, group=state.name)
    with running(*consume.arguments, log=consume.log, env=consume.env) as process:
        until(lambda: answers(consume.address), process, consume.log)
        status = status_after(5_000, consume.address, process, consume.log)
        finished(process)
    assert status["ingestion"].pop("last_received_at")
    return {name: value for name, value in status.items() if name not in {"report_age_seconds", "evaluated_at"}}


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--topic", "t"], "no brokers: give --brokers"),
        (["--brokers", "127.0.0.1:9"], "no topic: give --topic"),
        (["--brokers", "127.0.0.1:9", "--topic", "t", "--format", "xml"], "kafka_format"),
    ],
)
def test_what_is_missing_is_said(baseline: Path, arguments: Sequence[str], message: str) -> None:
    done = run("consume", "--baseline", str(baseline), *arguments)
    assert done.returncode == 2
    assert message in done.stderr
