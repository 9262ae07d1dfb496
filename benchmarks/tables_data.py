"""Tables of any size for `benchmarks.tables`: 30 columns of every kind, from a seed, in parts of Parquet.

A part is made by itself from the seed and its number, so memory holds one part whatever the rows, and a smaller table
is the beginning of a larger one.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.tables_columns import CATEGORIES, COLUMNS, GAPS, NORMAL

PART_ROWS: Final = 500_000
GROUP_ROWS: Final = 125_000
"""Rows of a row group."""
START: Final = np.datetime64("2026-01-01", "us")
STEP: Final = np.timedelta64(100_000, "us")
"""Between two rows."""


def part(index: int, rows: int, seed: int) -> pa.Table:
    """Return the rows of one part, in the order of their times."""
    generator = np.random.default_rng([seed, index])
    columns: dict[str, Any] = {"time": START + (index * PART_ROWS + np.arange(rows)) * STEP}
    common = generator.normal(size=rows)
    for place, name in enumerate(NORMAL):
        own = generator.normal(size=rows)
        columns[name] = 0.6 * common + 0.8 * own if place < 4 else 10.0 * place + own
    columns |= _heavy(generator, rows) | _counts(generator, rows)
    for name, missing in zip(GAPS, (0.05, 0.2), strict=True):
        columns[name] = pa.array(generator.normal(size=rows), mask=generator.random(rows) < missing)
    columns["price"] = np.round(generator.gamma(2.0, 20.0, size=rows), 2)
    columns["ratio"] = np.round(generator.beta(2.0, 5.0, size=rows), 3)
    for name, count in CATEGORIES.items():
        columns[name] = _categories(generator, rows, name, count)
    columns["paid"] = generator.random(rows) < 0.3
    return pa.table({name: columns[name] for name in COLUMNS})


def _heavy(generator: np.random.Generator, rows: int) -> dict[str, Any]:
    return {
        "lognormal": generator.lognormal(3.0, 1.5, size=rows),
        "pareto": generator.pareto(1.5, size=rows),
        "student": generator.standard_t(2.0, size=rows),
        "cauchy": generator.standard_cauchy(size=rows),
    }


def _counts(generator: np.random.Generator, rows: int) -> dict[str, Any]:
    return {
        "poisson": generator.poisson(3.0, size=rows),
        "geometric": generator.geometric(0.02, size=rows),
        "percent": generator.integers(0, 101, size=rows),
        "minutes": generator.integers(0, 1_440, size=rows),
        "year": generator.integers(1950, 2026, size=rows),
    }


def _categories(generator: np.random.Generator, rows: int, name: str, count: int) -> pa.Array:
    shares = np.arange(1, count + 1) ** -1.1
    codes = generator.choice(count, size=rows, p=shares / shares.sum()).astype(np.int32)
    names = pa.array([f"{name} {index}" for index in range(count)])
    return pa.DictionaryArray.from_arrays(pa.array(codes), names).cast(pa.string())


def write(folder: Path, rows: int, seed: int) -> int:
    """Write a table as a folder of parts, unless it is there; returns its bytes."""
    if not folder.exists():
        unfinished = folder.with_name(folder.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for index, first in enumerate(range(0, rows, PART_ROWS)):
            table = part(index, min(PART_ROWS, rows - first), seed)
            pq.write_table(
                table, unfinished / f"part-{index:05}.parquet", row_group_size=GROUP_ROWS, compression="zstd"
            )
        unfinished.rename(folder)
    return sum(file.stat().st_size for file in folder.iterdir())
