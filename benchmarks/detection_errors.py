"""False alarms and delays of detectors of concept drift, on the errors of one model.

The model answers from scores that are calibrated until the change. Ours gets 0/1 errors and residuals and shares the
budget of 30 columns, as beside a monitor of 29 features and a score; the others get the 0/1 errors, with their
defaults. Prints tables for benchmarks/README.md.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Final

import numpy as np
import typer
from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.performance.errors import ErrorDetector, ErrorRows, class_errors, error_table
from driftgauge.drift.reference.build import build_baseline
from threadpoolctl import threadpool_limits

from benchmarks.streams import CREATED, Generator, generator_of

HELD_OUT_ROWS: Final = 20_000
COLUMNS: Final = 30
BURN_IN: Final = 3_000
HORIZON: Final = 50_000
LOT: Final = 1_000

Draw = Callable[[Generator, int], FloatArray]
"""Draws the errors of this many rows, shape [n, 2]."""


def drawn(*, shift: float = 0.0, flipped: float = 0.0, inputs: float = 0.0) -> Draw:
    """Return rows whose truths have other log odds than the scores, are flipped, or whose scores have moved."""

    def draw(generator: Generator, rows: int) -> FloatArray:
        odds = generator.normal(inputs, 2.0, rows)
        scores = 1.0 / (1.0 + np.exp(-odds))
        truth: BoolArray = generator.random(rows) < 1.0 / (1.0 + np.exp(-odds - shift))
        truth ^= generator.random(rows) < flipped
        return class_errors((scores > 0.5) == truth, scores, truth)

    return draw


QUIET: Final = drawn()
CHANGES: Final = {
    "log odds of the truth + 0.25": drawn(shift=0.25),
    "log odds of the truth + 0.5": drawn(shift=0.5),
    "log odds of the truth + 1": drawn(shift=1.0),
    "5 % of truths flipped": drawn(flipped=0.05),
    "20 % of truths flipped": drawn(flipped=0.2),
}


@dataclass(frozen=True)
class Watcher:
    """A detector: `start` returns what takes errors (shape [n, 2]) and tells after which of them it raised alarms."""

    name: str
    start: Callable[[Generator], Callable[[FloatArray], list[int]]]


def evidence(generator: Generator) -> Callable[[FloatArray], list[int]]:
    """Return our detector against held-out rows of its own."""
    reference = build_baseline(error_table(QUIET(generator, HELD_OUT_ROWS)), created=CREATED)
    detector = ErrorDetector(reference, beside=COLUMNS)
    state, passed = detector.start(), 0

    def watch(errors: FloatArray) -> list[int]:
        nonlocal state, passed
        found = []
        for first in range(0, len(errors), 50):
            was, at = state.is_raised, passed + np.arange(1.0, 1.0 + len(errors[first : first + 50]))
            state = detector.after(state, ErrorRows(at, errors[first : first + 50]), matured_until=at[-1] + 0.5)
            passed += len(at)
            if state.is_raised and not was:
                found.append(first + len(at))
        return found

    return watch


def one_by_one(make: Callable[[], object]) -> Callable[[Generator], Callable[[FloatArray], list[int]]]:
    """Return a detector of river, which takes one error after the other."""

    def start(_: Generator) -> Callable[[FloatArray], list[int]]:
        detector: object = make()

        def watch(errors: FloatArray) -> list[int]:
            found = []
            for place, wrong in enumerate(errors[:, 0].tolist(), 1):
                detector.update(wrong)  # type: ignore[attr-defined]
                if detector.drift_detected:  # type: ignore[attr-defined]
                    found.append(place)
            return found

        return watch

    return start


def watchers() -> list[Watcher]:
    """Return ours and, where river is installed, its detectors."""
    ours = Watcher("evidence of errors (Driftgauge)", evidence)
    try:
        drift, binary = import_module("river.drift"), import_module("river.drift.binary")
    except ImportError:
        return [ours]
    of = f"river {version('river')}"
    return [
        ours,
        Watcher(f"ADWIN, δ = 0.002 ({of})", one_by_one(lambda: drift.ADWIN(delta=0.002))),
        Watcher(f"DDM ({of})", one_by_one(binary.DDM)),
        Watcher(f"EDDM ({of})", one_by_one(binary.EDDM)),
    ]


def false_alarms(watcher: Watcher, rows: int, streams: int, seed: int) -> float:
    """Return the alarms per million rows of streams without a change."""
    alarms = 0
    for stream in range(streams):
        generator = generator_of(seed, 7, stream)
        watch = watcher.start(generator)
        for _ in range(rows // streams // LOT):
            alarms += len(watch(QUIET(generator, LOT)))
    return 1e6 * alarms / rows


def delays(watcher: Watcher, change: Draw, trials: int, seed: int) -> tuple[float, float]:
    """Return the median delay in rows, and the share of trials in which the change was found in time."""
    found = []
    for trial in range(trials):
        generator = generator_of(seed, 8, trial)
        watch = watcher.start(generator)
        for _ in range(BURN_IN // LOT):
            watch(QUIET(generator, LOT))
        for lot in range(HORIZON // LOT):
            if alarms := watch(change(generator, LOT)):
                found.append(lot * LOT + alarms[0])
                break
    missed = [float("inf")] * (trials - len(found))
    return float(np.median([*found, *missed])), len(found) / trials


def main(
    rows: Annotated[int, typer.Option(help="Rows without a change, for each detector.")] = 1_000_000,
    streams: Annotated[int, typer.Option(help="Streams they are split into.")] = 10,
    trials: Annotated[int, typer.Option(help="Trials for each change.")] = 40,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
) -> None:
    """Simulate errors without and with a change, and print how often and how soon each detector raises an alarm."""
    print(f"Python {platform.python_version()}, {rows:,} rows in {streams} streams, {trials} trials, seed {seed}\n")
    names = list(CHANGES)
    print("| detector | false alarms per 1e6 rows |", " | ".join(names), "|")
    print("|---|---|" + "---|" * len(names))
    with threadpool_limits(1):
        for watcher in watchers():
            cells = [f"{false_alarms(watcher, rows, streams, seed):.0f}"]
            for change in CHANGES.values():
                median, share = delays(watcher, change, trials, seed)
                cells.append("not found" if np.isinf(median) else f"{median:,.0f}" + f" ({share:.0%})" * (share < 1.0))
            print(f"| {watcher.name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
