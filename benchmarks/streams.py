"""Rows for the benchmark of detection: columns in which nothing drifts, and shifts of one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from driftgauge.drift.bins import CodeArray, FloatArray, IntArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.drift.windows.blocks import Blocks, hours_of
from scipy.signal import lfilter

COLUMNS: Final = 30
BLOCK_ROWS: Final = 50
ROWS_AN_HOUR: Final = 500
REFERENCE_DAYS: Final = 7
START: Final = 1_700_006_400.0
"""When streams begin, seconds since 1970: midnight, UTC."""
CREATED: Final = "2023-11-15T00:00:00Z"
_DAY_SECONDS: Final = 86_400.0
_HOUR_SECONDS: Final = 3_600.0
_GRAINS: Final = 2**17
"""Parts to which shares of discrete columns are rounded, so that a value is one table look-up."""

Generator = np.random.Generator
Process = Callable[[Generator, FloatArray], FloatArray]
"""Gives the next rows, shape [n, columns], at times in seconds since 1970, shape [n]; categories as their numbers."""


def generator_of(seed: int, *key: int) -> Generator:
    """Return the random numbers of one purpose, independent of those of any other key."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


@dataclass(frozen=True)
class Source:
    """A distribution of rows; each reference and each stream starts a process of its own."""

    name: str
    start: Callable[[], Process]
    categories: int = 0
    """How many categories each column has; 0 for numbers."""
    remedy: bool = False
    """Whether the reference has times, so that dependence is measured."""
    by_hour: bool = False
    """Whether rows are compared with the reference of their hour of the day."""


def normal(columns: int) -> Process:
    """Return independent standard normal columns."""
    return lambda generator, at: generator.standard_normal((len(at), columns))


def discrete(shares: FloatArray, columns: int) -> Process:
    """Return independent columns of the values 0, 1, ... with these shares."""
    table = np.repeat(np.arange(len(shares), dtype=np.float64), _grains(shares))
    return lambda generator, at: np.take(table, generator.integers(0, _GRAINS, (len(at), columns), dtype=np.uint32))


def _grains(shares: FloatArray) -> IntArray:
    ends = np.round(np.cumsum(shares) / shares.sum() * _GRAINS).astype(np.int64)
    grains: IntArray = np.diff(ends, prepend=0)
    return grains


def with_gaps(process: Process, share: float) -> Process:
    """Return a process of which this share of cells is missing."""

    def rows(generator: Generator, at: FloatArray) -> FloatArray:
        cells = process(generator, at)
        gaps: FloatArray = np.where(generator.random(cells.shape) < share, np.nan, cells)
        return gaps

    return rows


def beside(*processes: Process) -> Process:
    """Return the columns of several processes, side by side."""
    return lambda generator, at: np.concatenate([process(generator, at) for process in processes], axis=1)


def common_factor(columns: int, rho: float) -> Process:
    """Return standard normal columns, any two of them with this correlation."""

    def rows(generator: Generator, at: FloatArray) -> FloatArray:
        own = generator.standard_normal((len(at), columns))
        cells: FloatArray = rho**0.5 * generator.standard_normal((len(at), 1)) + (1.0 - rho) ** 0.5 * own
        return cells

    return rows


class Autoregressive:
    """Independent stationary columns x[t] = phi * x[t - 1] + noise, of variance 1."""

    def __init__(self, columns: int, phi: float) -> None:
        self._phi = phi
        self._columns = columns
        self._last: FloatArray | None = None

    def __call__(self, generator: Generator, at: FloatArray) -> FloatArray:
        """Return the next rows."""
        if self._last is None:
            self._last = generator.standard_normal((1, self._columns))
        noise = (1.0 - self._phi**2) ** 0.5 * generator.standard_normal((len(at), self._columns))
        rows: FloatArray = lfilter([1.0], [1.0, -self._phi], noise, axis=0, zi=self._phi * self._last)[0]
        self._last = rows[-1:]
        return rows


def daily(columns: int, deviation: float) -> Process:
    """Return normal columns of variance 1 about a sine of one day, whose standard deviation this is."""

    def rows(generator: Generator, at: FloatArray) -> FloatArray:
        cycle = 2.0**0.5 * deviation * np.sin(2.0 * np.pi * at / _DAY_SECONDS)
        cells: FloatArray = generator.standard_normal((len(at), columns)) + cycle[:, None]
        return cells

    return rows


def _rare() -> Process:
    third = COLUMNS // 3
    flags = discrete(np.array([0.998, 0.002]), third)
    values = discrete(np.array([0.5, 0.3, 0.15, 0.049, 0.001]), third)
    return beside(flags, with_gaps(normal(third), 0.001), values)


def _flags() -> Process:
    shares = [np.array([1.0 - share, share]) for share in (0.5, 0.2, 0.03)]
    return beside(*(discrete(own, 8) for own in shares), discrete(np.ones(1), COLUMNS - 24))


_FIVE: Final = np.array([0.4, 0.25, 0.2, 0.1, 0.05])
_ZIPF: Final = np.arange(1.0, 5_001.0) ** -1.1

NUMERIC: Final = Source("numeric: normal", lambda: normal(COLUMNS))
INDEPENDENT: Final = (
    NUMERIC,
    Source("5 categories", lambda: discrete(_FIVE, COLUMNS), categories=len(_FIVE)),
    Source("5,000 categories, Zipf", lambda: discrete(_ZIPF, COLUMNS), categories=len(_ZIPF)),
    Source("rare bins", _rare),
    Source("flags and constants", _flags),
    Source("correlated, ρ = 0.8", lambda: common_factor(COLUMNS, 0.8)),
)
DEPENDENT: Final = (
    Source("AR(1), φ = 0.5", lambda: Autoregressive(COLUMNS, 0.5)),
    Source("AR(1), φ = 0.5, with τ", lambda: Autoregressive(COLUMNS, 0.5), remedy=True),
    Source("AR(1), φ = 0.9", lambda: Autoregressive(COLUMNS, 0.9)),
    Source("AR(1), φ = 0.9, with τ", lambda: Autoregressive(COLUMNS, 0.9), remedy=True),
    Source("daily cycle", lambda: daily(COLUMNS, 0.5)),
    Source("daily cycle, by hour", lambda: daily(COLUMNS, 0.5), remedy=True, by_hour=True),
)


class Stream:
    """Rows of a source as a monitor counts them, against a reference of their own."""

    def __init__(self, source: Source, reference_rows: int, generator: Generator) -> None:
        self._generator = generator
        self.baseline: Final = _baseline(source, reference_rows, generator)
        self._encoded = _encoded(self.baseline, source.categories)
        self._process = source.start()
        self._rows = 0

    def codes(self, rows: int) -> tuple[CodeArray, FloatArray]:
        """Return the bins of the next rows, shape [rows, columns], and when each came, shape [rows]."""
        passed = np.arange(self._rows, self._rows + rows, dtype=np.float64)
        at = START + passed * (_HOUR_SECONDS / ROWS_AN_HOUR)
        self._rows += rows
        cells = self._process(self._generator, at)
        for column, codes in enumerate(self._encoded):
            cells[:, column] = np.take(codes, cells[:, column].astype(np.int64))
        return self.baseline.binner.codes(cells), at

    def blocks(self, count: int) -> Blocks:
        """Return the next rows in this many blocks, each within one hour."""
        codes, at = self.codes(count * BLOCK_ROWS)
        counts = self.baseline.binner.counts_by(codes, np.repeat(np.arange(count), BLOCK_ROWS), count)
        ends = at[BLOCK_ROWS - 1 :: BLOCK_ROWS]
        return Blocks(counts, hours_of(ends), ends)


def _baseline(source: Source, rows: int, generator: Generator) -> Baseline:
    """Return the baseline of rows that came evenly in the week before the stream."""
    at = START - REFERENCE_DAYS * _DAY_SECONDS * (1.0 - (np.arange(rows) + 0.5) / rows)
    table = table_of(source.start()(generator, at), source.categories)
    if not source.remedy:
        return build_baseline(table, created=CREATED)
    return build_baseline(table, created=CREATED, ordered_by="time", hours=hours_of(at) if source.by_hour else None)


def table_of(values: FloatArray, categories: int) -> Table:
    """Return columns of numbers, or of categories given by number, as a table."""
    names = [f"f{column:03}" for column in range(values.shape[1])]
    if not categories:
        return {name: np.ascontiguousarray(own) for name, own in zip(names, values.T, strict=True)}
    known = category_names(categories)
    return {name: Categories(own.astype(np.int64), known) for name, own in zip(names, values.T, strict=True)}


def category_names(categories: int) -> tuple[str, ...]:
    """Return the names of this many categories."""
    return tuple(f"c{number}" for number in range(categories))


def _encoded(baseline: Baseline, categories: int) -> Sequence[FloatArray]:
    """Return for each column of categories the bin of each of them; nothing for numbers."""
    return [own.encode(category_names(categories)) for own in baseline.bins] if categories else []


# ---------------------------------------------------------------- shifts


Shifting = Callable[[Generator, FloatArray, IntArray], FloatArray]
"""Shifts cells, given how many rows after the change each lies (negative: before); shapes [n, columns]."""


@dataclass(frozen=True)
class Shift:
    """A change of a column's distribution."""

    name: str
    of: Shifting
    shares: tuple[float, ...] = ()
    """Of the column's categories; none for a normal column."""
    missing: bool = False
    """Whether only missing values become more."""


def _mean(shift: float) -> Shifting:
    return lambda generator, cells, age: cells + shift * (age >= 0)


def _with_missing(generator: Generator, cells: FloatArray, age: IntArray) -> FloatArray:
    gaps: FloatArray = np.where((age >= 0) & (generator.random(cells.shape) < 0.05), np.nan, cells)
    return gaps


def _first_category(share: float, points: float) -> Shifting:
    """Return a shift of the first category's share, taken from all others alike."""

    def shifted(generator: Generator, cells: FloatArray, age: IntArray) -> FloatArray:
        moved = (age >= 0) & (generator.random(cells.shape) < points / (1.0 - share))
        first: FloatArray = np.where(moved, 0.0, cells)
        return first

    return shifted


SHIFTS: Final = (
    Shift("mean 0.1 sd", _mean(0.1)),
    Shift("mean 0.25 sd", _mean(0.25)),
    Shift("mean 0.5 sd", _mean(0.5)),
    Shift("mean 1 sd", _mean(1.0)),
    Shift("variance × 1.5", lambda generator, cells, age: np.where(age >= 0, 1.5**0.5, 1.0) * cells),
    Shift("missing 0 → 5 %", _with_missing, missing=True),
    Shift("category 10 → 20 %", _first_category(0.1, 0.1), shares=(0.1, 0.225, 0.225, 0.225, 0.225)),
    Shift("category 20 → 30 %", _first_category(0.2, 0.1), shares=(0.2, 0.2, 0.2, 0.2, 0.2)),
    Shift("gradual 0.5 sd in 10k", lambda generator, cells, age: cells + 0.5 * np.clip(age / 10_000.0, 0.0, 1.0)),
)


class Trials:
    """Columns each of which is a trial: a reference of its own, and a shift that begins at a row of its own.

    `reference` has shape [m, trials].
    """

    def __init__(self, shift: Shift, reference: FloatArray, burn_in: tuple[int, int], generator: Generator) -> None:
        self.count: Final[int] = reference.shape[1]
        self.begins: Final[IntArray] = generator.integers(*burn_in, (self.count,))
        """The first shifted row, shape [trials]."""
        self.passed = 0
        self._shift = shift
        self._process = _process_of(shift.shares, self.count)
        self._generator = generator

    def rows(self, count: int) -> FloatArray:
        """Return the next rows, shape [count, trials], categories as their numbers."""
        cells = self._process(self._generator, np.zeros(count))
        age = np.arange(self.passed, self.passed + count)[:, None] - self.begins
        self.passed += count
        return self._shift.of(self._generator, cells, age)


def _process_of(shares: tuple[float, ...], columns: int) -> Process:
    return discrete(np.array(shares), columns) if shares else normal(columns)


def reference_of(shares: tuple[float, ...], rows: int, columns: int, generator: Generator) -> FloatArray:
    """Return a reference for each trial, shape [rows, columns]."""
    return _process_of(shares, columns)(generator, np.zeros(rows))


def encoded(cells: FloatArray, baseline: Baseline, categories: int) -> FloatArray:
    """Return cells as a monitor takes them: categories as the codes of their bins."""
    codes = _encoded(baseline, categories)
    if not codes:
        return cells
    return np.stack([np.take(own, cells[:, i].astype(np.int64)) for i, own in enumerate(codes)], axis=1)
