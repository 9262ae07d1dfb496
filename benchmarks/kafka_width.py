"""What a row costs consumers that share the partitions of a topic: CPU time of all of them together.

Each consumer has a state of its own. The topic is filled while they stand still.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import typer

from benchmarks import ingest_rows as written
from benchmarks.contestants.catalogue import Start
from benchmarks.ingest_kafka import appended, broker, create, fill, missing_kafka
from benchmarks.ingest_run import serving
from benchmarks.measuring import number, table

SERVER_CORE: Final = 0
BROKER_CORE: Final = 1
CASES: Final = ((1, 1), (1, 12), (2, 12), (3, 12))
"""Consumers and partitions."""
WARM_UP_ROWS: Final = 6_000
WAIT_SECONDS: Final = 300.0
POLL_SECONDS: Final = 0.25


def starter(address: str, topic: str, baseline: Path, profiles: Path | None) -> Callable[[int, Path], Start]:
    """Return what starts a consumer of a topic's group with a state of its own."""

    def start(port: int, folder: Path) -> Start:
        kafka = ("--brokers", address, "--topic", topic, "--group", topic, "--from-beginning")
        model = ("--baseline", str(baseline), "--model", "model", "--state-dir", str(folder / "state"))
        how = ("--port", str(port), "--log-level", "warning")
        more = () if profiles is None else ("--profile-out", str(profiles))
        env = {"DRIFTGAUGE_PREDICTION_LOG": "false"}
        return Start((sys.executable, "-m", "driftgauge", "consume", *kafka, *model, *how, *more), env)

    return start


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; TimeoutError if it does not come true."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the consumers were not done after {WAIT_SECONDS:g} s")
        time.sleep(POLL_SECONDS)


def measured(
    case: tuple[int, int], address: str, topic: str, messages: Sequence[bytes], folder: Path, *, profiles: bool
) -> float:
    """Return the CPU time of a row in microseconds, of all consumers together."""
    count, partitions = case
    create(address, topic, partitions)
    fill(address, topic, messages[:WARM_UP_ROWS], partitions)
    start = starter(address, topic, folder / "baseline.json", folder / topic / "profiles" if profiles else None)
    with ExitStack() as stack:
        found = [stack.enter_context(serving(start, folder / topic / str(own), SERVER_CORE)) for own in range(count)]

        def total(name: str) -> float:
            return sum(own.sample(name) for own in found)

        until(
            lambda: total("model_ingest_partitions") == partitions and total("model_observations_total") >= WARM_UP_ROWS
        )
        until(lambda: all(own.sample("model_ingest_partitions") == partitions // count for own in found))
        with ExitStack() as suspended:
            for own in found:
                suspended.enter_context(own.suspended())
            fill(address, topic, messages[WARM_UP_ROWS:], partitions)
            before = sum(own.cpu_seconds() for own in found)
        states = [folder / topic / str(own) / "state" for own in range(count)]
        until(lambda: sum(map(appended, states)) >= len(messages))  # to ask the consumers would cost CPU time
        spent = sum(own.cpu_seconds() for own in found) - before
        if (counted := total("model_observations_total")) != len(messages):
            raise RuntimeError(f"the consumers have counted {counted:g} of {len(messages)} rows")
    return 1e6 * spent / (len(messages) - WARM_UP_ROWS)


def main(
    rows: Annotated[int, typer.Option(help="Rows of each run.")] = 60_000,
    rounds: Annotated[int, typer.Option(help="Runs of each case, in turn.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the rows.")] = 1,
) -> None:
    """Measure the CPU time of a row by number of consumers and partitions."""
    if why := missing_kafka():
        raise typer.BadParameter(why)
    messages = [written.own_list(row) for row in written.rows_of(rows, seed)]
    cases = [(case, profiles) for case in CASES for profiles in (False, True)]
    found: dict[tuple[tuple[int, int], bool], list[float]] = {case: [] for case in cases}
    with tempfile.TemporaryDirectory() as place, broker(Path(place) / "broker", BROKER_CORE) as address:
        written.write_baseline(Path(place) / "baseline.json", seed)
        for turn in range(rounds):
            for case, profiles in cases:
                topic = f"width-{turn}-{case[0]}-{case[1]}-{profiles}".lower()
                spent = measured(case, address, topic, messages, Path(place), profiles=profiles)
                found[case, profiles].append(spent)
                print(topic, number(spent, 1), file=sys.stderr)
    lines = [
        [str(case[0]), str(case[1]), *(number(median(found[case, profiles]), 1) for profiles in (False, True))]
        for case in CASES
    ]
    print(
        table(
            "CPU time of a row by consumers", ["consumers", "partitions", "CPU, µs a row", "with a profile, µs"], lines
        )
    )


if __name__ == "__main__":
    typer.run(main)
