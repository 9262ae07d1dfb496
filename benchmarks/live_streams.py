"""Dependent rows without times in the reference: waves, daily cycles, and real streams of New York's airports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import pandas as pd
from driftgauge.demo.flights import CATEGORIES, FEATURES, WEATHER, load_flights, read_data
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.drift.windows.blocks import Blocks, hours_of

from benchmarks.streams import BLOCK_ROWS, COLUMNS, CREATED, START, Autoregressive, Generator, normal

ROW_SECONDS: Final = 0.1
"""Between two rows of a simulated stream."""


@dataclass(frozen=True)
class Waves:
    """A stationary source of normal columns of variance 1, each row like the ones before it."""

    name: str
    start: Callable[[Generator], Callable[[int], FloatArray]]
    """Starts a stream, which gives the next rows, shape [rows, columns]."""


def _autoregressive(phi: float) -> Callable[[Generator], Callable[[int], FloatArray]]:
    def start(generator: Generator) -> Callable[[int], FloatArray]:
        process = Autoregressive(COLUMNS, phi)
        return lambda rows: process(generator, np.zeros(rows))

    return start


def _cycle(period: int, deviation: float = 0.5) -> Callable[[Generator], Callable[[int], FloatArray]]:
    """Return columns about a sine of this many rows, whose standard deviation is given; each with its own phase."""

    def start(generator: Generator) -> Callable[[int], FloatArray]:
        phase, passed = generator.uniform(0.0, 2.0 * np.pi, COLUMNS), 0

        def rows(count: int) -> FloatArray:
            nonlocal passed
            angle = 2.0 * np.pi * np.arange(passed, passed + count)[:, None] / period + phase
            passed += count
            noise = (1.0 - deviation**2) ** 0.5 * generator.standard_normal((count, COLUMNS))
            cells: FloatArray = 2.0**0.5 * deviation * np.sin(angle) + noise
            return cells

        return rows

    return start


def _independent(generator: Generator) -> Callable[[int], FloatArray]:
    process = normal(COLUMNS)
    return lambda rows: process(generator, np.zeros(rows))


WAVES: Final = (
    Waves("independent", _independent),
    Waves("AR(1), φ = 0.5", _autoregressive(0.5)),
    Waves("AR(1), φ = 0.9", _autoregressive(0.9)),
    Waves("AR(1), φ = 0.99", _autoregressive(0.99)),
    Waves("daily cycle of 5,000 rows", _cycle(5_000)),
    Waves("daily cycle of 50,000 rows", _cycle(50_000)),
)


class WaveStream:
    """A system of `COLUMNS` columns against a reference of their distribution, in no order."""

    def __init__(self, waves: Waves, reference_rows: int, generator: Generator) -> None:
        self.baseline: Final = build_baseline(_reference(waves, reference_rows, generator), created=CREATED)
        self._next = waves.start(generator)
        self._rows = 0

    def blocks(self, count: int, shift: float = 0.0) -> Blocks:
        """Return the next rows in this many blocks, all columns shifted by `shift` standard deviations."""
        cells = self._next(count * BLOCK_ROWS) + shift
        self._rows += len(cells)
        ends = START + ROW_SECONDS * (self._rows - len(cells) + BLOCK_ROWS * np.arange(1.0, count + 1.0))
        return counted(self.baseline, cells, ends)


def counted(baseline: Baseline, cells: FloatArray, ends: FloatArray) -> Blocks:
    """Return cells in blocks that end at given times; rows after the last whole block are left out."""
    count = len(ends)
    codes = baseline.binner.codes(cells[: count * BLOCK_ROWS])
    counts = baseline.binner.counts_by(codes, np.repeat(np.arange(count), BLOCK_ROWS), count)
    return Blocks(counts, hours_of(ends), ends)


def _reference(waves: Waves, rows: int, generator: Generator) -> Table:
    """Return rows of many independent moments: for a column at a time, so that each has its own."""
    if waves.name.startswith("daily"):
        angle = generator.uniform(0.0, 2.0 * np.pi, (rows, COLUMNS))
        cells = 0.5**0.5 * np.sin(angle) + 0.75**0.5 * generator.standard_normal((rows, COLUMNS))
    else:
        cells = generator.standard_normal((rows, COLUMNS))
    return {f"f{column:03}": np.ascontiguousarray(own) for column, own in enumerate(cells.T)}


# ---------------------------------------------------------------- real streams


@dataclass(frozen=True)
class RealStream:
    """Rows of a real table in order of time."""

    name: str
    table: pd.DataFrame
    """In order of time; `time` is in seconds since 1970."""
    numbers: Sequence[str]
    categories: Sequence[str] = ()

    def baseline(self, rows: pd.DataFrame, *, ordered: bool = False) -> Baseline:
        """Return the baseline of some rows, in order of time only if said."""
        table: dict[str, FloatArray | Categories] = {
            name: rows[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in self.numbers
        }
        for name in self.categories:
            codes, known = pd.factorize(rows[name])
            table[name] = Categories(codes.astype(np.int64), tuple(map(str, known)))
        return build_baseline(table, created=CREATED, ordered_by="time" if ordered else None)

    def blocks(self, baseline: Baseline, rows: pd.DataFrame) -> Blocks:
        """Return rows in blocks, in the columns of a baseline."""
        cells = [rows[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in self.numbers]
        encoded = [
            baseline.bins[len(self.numbers) + place].encode([str(cell) for cell in rows[name]])
            for place, name in enumerate(self.categories)
        ]
        ends = rows["time"].to_numpy(dtype=np.float64)[BLOCK_ROWS - 1 :: BLOCK_ROWS]
        return counted(baseline, np.column_stack([*cells, *encoded]), ends)


@cache
def flights() -> RealStream:
    """Return the flights of 2013 with the demo's features."""
    table = load_flights()
    table["time"] = table["time"].astype("datetime64[ns, UTC]").astype("int64") / 1e9
    return RealStream("flights", table, [name for name in FEATURES if name not in CATEGORIES], CATEGORIES)


@cache
def weather() -> RealStream:
    """Return the hourly weather of three airports as rows."""
    table = read_data("weather.csv")
    table["time"] = pd.to_datetime(table["time_hour"], utc=True).astype("datetime64[ns, UTC]").astype("int64") / 1e9
    return RealStream("weather", table.sort_values(["time", "origin"], kind="stable"), WEATHER)


@cache
def delays() -> RealStream:
    """Return how late each flight left and landed, and its time in the air, in the order of departures."""
    table = read_data("flights.csv.zip")
    at = pd.to_datetime(table["time_hour"], utc=True).astype("datetime64[ns, UTC]").astype("int64") / 1e9
    table["time"] = at + 60.0 * (table["minute"] + table["dep_delay"].fillna(0.0))
    numbers = ("dep_delay", "arr_delay", "air_time", "distance")
    return RealStream("delays", table.sort_values("time", kind="stable"), numbers)


def halves(table: pd.DataFrame, generator: Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a random half of the rows and the other one, both in their order."""
    first = generator.random(len(table)) < 0.5
    return table[first], table[~first]


def lots(blocks: Blocks, size: int) -> Iterator[Blocks]:
    """Yield blocks, this many at once."""
    for begin in range(0, len(blocks), size):
        yield blocks.part(slice(begin, begin + size))
