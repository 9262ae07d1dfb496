"""False alarms where nothing drifts, delays where something does, and what evidence costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any, Final

import numpy as np
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.windows.blocks import Blocks

from benchmarks.results import Alarms, Cost, Delays
from benchmarks.rivals import Reference, Rival
from benchmarks.streams import (
    BLOCK_ROWS,
    COLUMNS,
    NUMERIC,
    Generator,
    Shift,
    Source,
    Stream,
    Trials,
    encoded,
    generator_of,
    reference_of,
)

LOT_BLOCKS: Final = 20
"""Blocks that are weighed at once. To be raised twice in so few a column would have to be cleared in between,
which takes longer: no alarm is missed."""
DRAWN_BLOCKS: Final = 200
BURN_IN: Final = (1_000, 3_000)
HORIZON: Final = 100_000
"""Rows after a change that are waited for."""
RIVAL_HORIZON: Final = 25_000
RIVAL_STREAM_ROWS: Final = 200_000
REFERENCE_ROWS: Final = 100_000
"""Of rivals."""


# ---------------------------------------------------------------- false alarms


def false_alarms(
    source: Source, reference_rows: int, streams: Iterable[int], rows: int, tolerances: Sequence[float], seed: int
) -> list[Alarms]:
    """Return the false alarms of streams for each tolerance; every raise of a column counts.

    `streams` are their numbers, each of which draws its own reference.
    """
    own = (Stream(source, reference_rows, generator_of(seed, 0, reference_rows, number)) for number in streams)
    found = np.array([_raised(stream, rows, tolerances) for stream in own])
    return [Alarms(int(each.sum()), rows * len(each), len(each), int((each > 0).sum())) for each in found.T]


def _raised(stream: Stream, rows: int, tolerances: Sequence[float]) -> list[int]:
    """Return how often any column is raised in the next rows, for each tolerance; by the reference's tau alone."""
    detectors = [stream.baseline.detector(Budget(tolerance=tolerance), live=False) for tolerance in tolerances]
    seen = [detector.start() for detector in detectors]
    alarms = [0 for _ in tolerances]
    for _ in range(0, rows, DRAWN_BLOCKS * BLOCK_ROWS):
        for lot in lots(stream.blocks(DRAWN_BLOCKS)):
            for place, detector in enumerate(detectors):
                after = detector.advance(seen[place], lot)
                alarms[place] += int((after.raised & (after.since != seen[place].since)).sum())
                seen[place] = after
    return alarms


def lots(blocks: Blocks, size: int = LOT_BLOCKS) -> Iterable[Blocks]:
    """Return this many blocks."""
    for first in range(0, len(blocks), size):
        yield blocks.part(slice(first, first + size))


# ---------------------------------------------------------------- delays


class References:
    """References for trials, drawn once and used for every shift of such columns."""

    def __init__(self, rows: int, trials: int, seed: int) -> None:
        self._rows = rows
        self._trials = trials
        self._seed = seed
        self._drawn: dict[tuple[float, ...], Reference] = {}

    def __getitem__(self, shares: tuple[float, ...]) -> Reference:
        """Return a reference for each trial, of normal columns, or of categories with these shares."""
        if shares not in self._drawn:
            generator = generator_of(self._seed, 1, self._rows, len(self._drawn))
            values = reference_of(shares, self._rows, self._trials, generator)
            self._drawn[shares] = Reference(values, len(shares))
        return self._drawn[shares]


def delays(
    shift: Shift, reference: Reference, tolerances: Sequence[float], seed: int, *, live: bool = False
) -> list[Delays]:
    """Return the delay of a shift of one of `COLUMNS` columns for each tolerance; `live` measures dependence too.

    The trials are columns of one detector. A column's evidence is its own, and its threshold is that
    of one among `COLUMNS` columns: the others would change nothing.
    """
    trials = Trials(shift, reference.values, BURN_IN, generator_of(seed, 2, len(reference.values)))
    baseline = reference.baseline
    rows_each = Budget().false_alarm_rows * COLUMNS / trials.count
    detectors = [baseline.detector(Budget(rows_each, tolerance=tolerance), live=live) for tolerance in tolerances]
    seen = [detector.start() for detector in detectors]
    told = np.full((len(tolerances), trials.count), np.inf)
    while np.isinf(told).any() and trials.passed < BURN_IN[1] + HORIZON:
        blocks = _blocks_of(trials, baseline, reference.categories)
        for place, detector in enumerate(detectors):
            seen[place] = detector.advance(seen[place], blocks)
            late = seen[place].since - trials.begins
            told[place] = np.minimum(told[place], np.where(late > 0, late, np.inf))
    return [Delays.of(own) for own in told]


def _blocks_of(trials: Trials, baseline: Baseline, categories: int) -> Blocks:
    """Return the next rows of trials in blocks, whose time is the rows that have passed."""
    before = trials.passed
    codes = baseline.binner.codes(encoded(trials.rows(LOT_BLOCKS * BLOCK_ROWS), baseline, categories))
    counts = baseline.binner.counts_by(codes, np.repeat(np.arange(LOT_BLOCKS), BLOCK_ROWS), LOT_BLOCKS)
    ends = before + BLOCK_ROWS * np.arange(1.0, LOT_BLOCKS + 1.0)
    return Blocks(counts, np.zeros(LOT_BLOCKS, dtype=np.int64), ends)


# ---------------------------------------------------------------- rivals


def rival_alarms(rival: Rival, seconds: float, most_rows: int, seed: int) -> Alarms:
    """Return the false alarms of a rival on `COLUMNS` normal columns, on as many rows as fit into a time.

    An alarm is a column that is called drifting and was not at the last look.
    """
    until = time.monotonic() + seconds
    alarms, rows, streams, streams_with = 0, 0, 0, 0
    while time.monotonic() < until and rows < most_rows:
        generator = generator_of(seed, 3, streams)
        watch = rival.start(Reference(NUMERIC.start()(generator, np.zeros(REFERENCE_ROWS))))
        own, passed = _rival_stream(rival, watch, generator, until)
        alarms, rows, streams, streams_with = alarms + own, rows + passed, streams + 1, streams_with + (own > 0)
    return Alarms(alarms, rows, streams, streams_with)


def _rival_stream(
    rival: Rival, watch: Callable[[FloatArray], tuple[IntArray, Any]], generator: Generator, until: float
) -> tuple[int, int]:
    """Return the alarms of one stream and the rows after its first window."""
    process, alarms, passed = NUMERIC.start(), 0, 0
    before = np.zeros((1, COLUMNS), dtype=np.bool_)
    while passed <= rival.window or (time.monotonic() < until and passed < RIVAL_STREAM_ROWS):
        _, raised = watch(process(generator, np.zeros(rival.lot)))
        alarms += int((raised & ~np.concatenate([before, raised])[:-1]).sum())
        before = raised[-1:] if len(raised) else before
        passed += rival.lot
    return alarms, passed - rival.window


def rival_delays(rival: Rival, shift: Shift, seconds: float, trials: int, seed: int) -> Delays:
    """Return how late a rival tells a shift of a column, of as many trials as fit into a time."""
    until = time.monotonic() + seconds
    told: list[FloatArray] = []
    while not told or (time.monotonic() < until and len(told) * rival.trials < trials):
        generator = generator_of(seed, 4, len(told))
        told.append(_rival_trials(rival, shift, generator))
    return Delays.of(np.concatenate(told))


def _rival_trials(rival: Rival, shift: Shift, generator: Generator) -> FloatArray:
    """Return the rows from the change to its detection by a rival, infinite without, shape [trials]."""
    values = reference_of(shift.shares, REFERENCE_ROWS, rival.trials, generator)
    least = max(BURN_IN[0], rival.window)
    trials = Trials(shift, values, (least, least + 1_000), generator)
    watch = rival.start(Reference(values, len(shift.shares)))
    told = np.full(trials.count, np.inf)
    while np.isinf(told).any() and trials.passed < least + 1_000 + RIVAL_HORIZON:
        ends, raised = watch(trials.rows(rival.lot))
        late = np.where(raised, (ends[:, None] - trials.begins).astype(np.float64), np.inf)
        told = np.minimum(told, np.where(late > 0.0, late, np.inf).min(axis=0, initial=np.inf))
    return told


# ---------------------------------------------------------------- cost


def cost(seed: int, repeats: int = 15) -> Cost:
    """Return what evidence costs beside binning, the median of several runs."""
    stream = Stream(NUMERIC, REFERENCE_ROWS, generator_of(seed, 5))
    detector = stream.baseline.detector(Budget())
    blocks = stream.blocks(DRAWN_BLOCKS)
    rows = DRAWN_BLOCKS * BLOCK_ROWS

    def advance(size: int) -> Callable[[], None]:
        def work() -> None:
            evidence = detector.start()
            for lot in lots(blocks, size):
                evidence = detector.advance(evidence, lot)

        return work

    cells = generator_of(seed, 5).standard_normal((rows, COLUMNS))
    group = np.repeat(np.arange(DRAWN_BLOCKS), BLOCK_ROWS)
    binner = stream.baseline.binner

    def binned() -> None:
        binner.counts_by(binner.codes(cells), group, DRAWN_BLOCKS)

    return Cost(*(1e6 * _cpu_seconds(work, repeats) / rows for work in (advance(LOT_BLOCKS), advance(1), binned)))


def _cpu_seconds(work: Callable[[], None], repeats: int) -> float:
    """Return the median CPU time of ten calls, by call, after some that are not counted."""
    taken = []
    for _ in range(repeats + 1):
        began = time.process_time()
        for _ in range(10):
            work()
        taken.append((time.process_time() - began) / 10.0)
    return median(taken[1:])
