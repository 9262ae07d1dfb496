"""Which cause is it: twelve faults in three sizes on two models, and three quiet streams of each.

Faults are injected into made rows; baselines, reports, labels and the diagnosis are those of the server. Prints a table
for benchmarks/README.md.
"""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from driftgauge.drift.diagnosis.diagnosis import Diagnosis
from threadpoolctl import threadpool_limits

from benchmarks.diagnosis_faults import FAULTS, SIZES, Fault, Size, faulty, quiet
from benchmarks.diagnosis_tables import TABLES, Made, Trained, train
from benchmarks.diagnosis_watch import Watch

SEED: Final = 26
QUIET_ROWS: Final = 2_000
"""Rows before a fault."""
FAULTY_ROWS: Final = 4_000
STEP: Final = 250
"""Rows between two diagnoses."""
STREAM_ROWS: Final = 10_000
"""Rows of a quiet stream."""
QUIET: Final[Mapping[str, Mapping[str, Any]]] = {
    "plain": {},
    "with gaps": {"gaps": 0.03},
    "in a daily rhythm": {"rhythm": True},
}
"""Quiet streams, and how their reference and their rows are made."""
NEEDED: Final = 10
"""Faults of the twelve whose first cause has to be right."""


@dataclass(frozen=True)
class Result:
    """What was said of one fault."""

    fault: Fault
    size: Size
    model: str
    said: str
    """The first cause at the end, with its columns."""
    is_right: bool
    rows: int | None
    """Rows of the fault after which the right cause was first, and stayed so; None if it was not at the end."""


def is_right(found: Diagnosis, fault: Fault, made: Made) -> bool:
    """Return whether the first cause is the fault, in its columns."""
    first, columns = found.first, fault.columns(made)
    if found.state != "wrong" or first is None or first.kind != fault.kind:
        return False
    return columns is None or set(first.columns) == set(columns)


def in_words(found: Diagnosis) -> str:
    """Return the first cause and its columns."""
    if found.first is None:
        return found.state
    return f"{found.first.kind} {', '.join(found.first.columns)}".strip()


def run(trained: Trained, fault: Fault, size: Size, seed: int) -> Result:
    """Inject a fault into a stream, and ask for the diagnosis after each step."""
    rng = np.random.default_rng([seed, FAULTS.index(fault), SIZES.index(size)])
    watch, made = Watch(trained), trained.made
    watch.see(quiet(trained, made.rows(rng, QUIET_ROWS), rng))
    watch.see(quiet(trained, made.rows(rng, STEP), rng))
    batch = faulty(trained, fault, fault.sizes[SIZES.index(size)], rng, FAULTY_ROWS)
    since: int | None = None
    for first in range(0, FAULTY_ROWS, STEP):
        watch.see(batch.part(first, first + STEP))
        found = watch.diagnosis()
        right = is_right(found, fault, made)
        since = (since or first + STEP) if right else None
    return Result(fault, size, made.name, in_words(found), right, since)


@dataclass(frozen=True)
class Quiet:
    """What was said of a quiet stream."""

    looks: int
    """Diagnoses that could tell."""
    wrong: tuple[str, ...]
    """The first causes of those that said that something is wrong."""
    at_the_end: str


def run_quiet(trained: Trained, kind: str, seed: int) -> Quiet:
    """Return what was said of a quiet stream."""
    rng = np.random.default_rng([seed, list(QUIET).index(kind)])
    watch, said = Watch(trained), []
    frame = trained.made.rows(rng, STREAM_ROWS, **QUIET[kind])
    for first in range(0, STREAM_ROWS, STEP):
        watch.see(quiet(trained, frame[first : first + STEP].reset_index(drop=True), rng))
        found = watch.diagnosis()
        if found.state != "cannot_tell":
            said.append(in_words(found))
    return Quiet(len(said), tuple(own for own in said if own != "nothing_wrong"), said[-1])


def results(trained: Trained, seed: int, sizes: Sequence[Size] = SIZES) -> Iterator[Result]:
    """Yield the result of every fault in some sizes on one model."""
    for fault in FAULTS:
        for size in sizes:
            yield run(trained, fault, size, seed)


def main(
    seed: Annotated[int, typer.Option(help="Of all chance.")] = SEED,
    only: Annotated[str, typer.Option(help="Kind of fault, by default all.")] = "",
) -> None:
    """Print the table."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scikit-learn"))
    print(f"{platform.machine()}, Python {platform.python_version()}, {packages}, seed {seed}\n")
    print("| fault | size | model | first cause | right | rows until it was said |")
    print("|---" * 6 + "|")
    found: list[Result] = []
    began = time.process_time()
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        for made in TABLES:
            trained = train(made, Path(folder) / made.group, seed)
            for fault in FAULTS:
                for size in SIZES if only in ("", fault.kind) else ():
                    found.append(run(trained, fault, size, seed))
                    _print(found[-1])
        print()
        for made in TABLES:
            for size in SIZES:
                own = [result.is_right for result in found if (result.model, result.size) == (made.name, size)]
                print(f"{made.name}, {size}: {sum(own)} of {len(own)} right")
        if not only:
            _print_quiet(Path(folder), seed)
    print(f"{time.process_time() - began:.0f} s of CPU")


def _print_quiet(folder: Path, seed: int) -> None:
    for made in TABLES:
        for kind, how in QUIET.items():
            found = run_quiet(train(made, folder / f"{made.group} {kind}", seed, **how), kind, seed)
            wrong = f"; else {', '.join(found.wrong)}" if found.wrong else ""
            right = found.looks - len(found.wrong)
            print(f"quiet {kind}, {made.name}: nothing wrong {right} times of {found.looks}{wrong}", flush=True)


def _print(own: Result) -> None:
    amount = own.fault.sizes[SIZES.index(own.size)]
    right, rows = "yes" if own.is_right else "no", "" if own.rows is None else f"{own.rows:,}"
    print(f"| {own.fault.kind} | {own.size} ({amount:g}) | {own.model} | {own.said} | {right} | {rows} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
