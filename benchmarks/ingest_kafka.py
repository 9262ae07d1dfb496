"""A topic of a broker that speaks Kafka's protocol, and what its consumer pays for a row."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from benchmarks.contestants.catalogue import Start, environment
from benchmarks.ingest_run import Cost, serving
from benchmarks.processes import free_port, running, until_ready

BROKER: Final = Path(sys.executable).with_name("noida-db")
LIBRARY: Final = "confluent_kafka"
WARM_UP_ROWS: Final = 5_000
READ_SECONDS: Final = 300.0
POLL_SECONDS: Final = 0.02
METRICS_SECONDS: Final = 0.5
ROWS_AT: Final = 4_096
"""Where the file of a state has its number of rows."""


def missing_kafka() -> str | None:
    """Return why there is no broker or no client, or None."""
    try:
        import_module(LIBRARY)
    except ImportError:
        return f"{LIBRARY} is not installed"
    return None if BROKER.exists() else "noida-db is not installed"


@contextlib.contextmanager
def broker(folder: Path, core: int) -> Iterator[str]:
    """Start a broker with its data in a folder, and yield its address."""
    folder.mkdir(parents=True)
    address, log = f"127.0.0.1:{(port := free_port())}", folder / "log"
    command = (str(BROKER), "start", "--only", "kafka", "--kafka-port", str(port), "--data-dir", str(folder / "data"))
    with running(command, core=core, env=environment({}), folder=folder, log=log) as process:
        until_ready(process, lambda: _answers(address), log)
        yield address


def _answers(address: str) -> bool:
    with contextlib.suppress(Exception):
        return bool(_admin(address).list_topics(timeout=2).brokers)
    return False


def _admin(address: str) -> Any:
    return import_module(f"{LIBRARY}.admin").AdminClient({"bootstrap.servers": address, "log_level": 0})


def create(address: str, topic: str, partitions: int = 1) -> None:
    """Create a topic of so many partitions."""
    new: Any = import_module(f"{LIBRARY}.admin").NewTopic(topic, partitions, 1)
    client = _admin(address)
    for made in client.create_topics([new]).values():
        made.result(30)


def fill(address: str, topic: str, messages: Sequence[bytes], partitions: int = 1) -> None:
    """Send messages to the partitions of a topic in turn, and wait until the broker has all of them."""
    producer: Any = import_module(LIBRARY).Producer(
        {"bootstrap.servers": address, "linger.ms": 20, "queue.buffering.max.messages": 2_000_000, "log_level": 0}
    )
    for number, message in enumerate(messages):
        producer.produce(topic, message, partition=number % partitions)
        if number % 1_000 == 0:
            producer.poll(0)
    left = producer.flush(120)
    if left:
        raise RuntimeError(f"{left} messages did not reach the broker")


@dataclass(frozen=True)
class Topic:
    """A topic and the format of its messages."""

    address: str
    name: str
    kind: str


def consumed(topic: Topic, messages: Sequence[bytes], baseline: Path, folder: Path, core: int, *, log: bool) -> Cost:
    """Return what a consumer pays for messages that are in the topic before it is measured.

    It has read the first of them; it stands still while the topic is filled with the others.
    """
    create(topic.address, topic.name)
    warm_up = min(WARM_UP_ROWS, len(messages) // 2)
    fill(topic.address, topic.name, messages[:warm_up])

    def start(port: int, own: Path) -> Start:
        where = ("--brokers", topic.address, "--topic", topic.name, "--group", topic.name, "--format", topic.kind)
        model = ("--baseline", str(baseline), "--model", "model", "--state-dir", str(own / "state"))
        env = {
            "DRIFTGAUGE_PREDICTION_LOG": str(log).lower(),
            "DRIFTGAUGE_PREDICTION_LOG_QUEUE_ROWS": str(len(messages) + 1),  # else rows that wait would be dropped
        }
        how = ("--from-beginning", "--port", str(port), "--log-level", "warning")
        return Start((sys.executable, "-m", "driftgauge", "consume", *where, *model, *how), env)

    with serving(start, folder, core) as server:

        def wait(rows: int) -> None:
            _until(lambda: appended(folder / "state") >= rows, POLL_SECONDS)
            if log:
                _until(lambda: server.sample("model_prediction_log_written_total") >= rows, METRICS_SECONDS)

        wait(warm_up)
        with server.suspended():
            fill(topic.address, topic.name, messages[warm_up:])
            before = server.cpu_seconds()
        wait(len(messages))
        spent = server.cpu_seconds() - before
        if (counted := server.sample("model_ingest_rows_total", 'result="taken"')) != len(messages):
            raise RuntimeError(f"the consumer has counted {counted:g} of {len(messages)} rows")
    return Cost(1e6 * spent / (len(messages) - warm_up), len(messages) - warm_up)


def appended(state: Path) -> int:
    """Return the rows of the consumer's state, as its file says: to ask the consumer itself would cost CPU time."""
    try:
        with (state / "model" / "1" / "0.log").open("rb") as file:
            file.seek(ROWS_AT)
            return int.from_bytes(file.read(8), "little")
    except OSError:
        return 0


def _until(condition: Callable[[], bool], pause: float) -> None:
    """Wait for a condition; TimeoutError if it does not come true."""
    deadline = time.monotonic() + READ_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the consumer was not done after {READ_SECONDS:g} s")
        time.sleep(pause)
