"""Blocks of rows of two columns, and a recount of them row by row."""

from __future__ import annotations

import numpy as np
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import CodeArray, FloatArray, fit_numeric
from driftgauge.drift.windows.blocks import Blocks, hours_of, step_rows

HOUR = 3_600.0
STEP = step_rows(2)
BINNER = Binner([fit_numeric(np.arange(100.0)), fit_numeric(np.tile([0.0, 1.0], 50))])


def codes_of(rows: int, seed: int) -> CodeArray:
    """Return codes of generated rows, shape [rows, 2]."""
    rng = np.random.default_rng(seed)
    return BINNER.codes(np.stack([rng.uniform(-5.0, 105.0, rows), rng.integers(0, 3, rows)], axis=1))


def naive_blocks(codes: CodeArray, at: FloatArray, *, by_hour: bool) -> list[tuple[int, int, int, float]]:
    """Return (first row, behind the last, hour, when) of each block that has ended, going row by row."""
    found, first = [], 0
    hours = hours_of(at)
    for row in range(len(codes)):
        turned = by_hour and row > first and hours[row] != hours[row - 1]
        if turned:
            found.append((first, row, int(hours[row - 1]), float(at[:row].max())))
            first = row
        if (row + 1) % STEP == 0:
            found.append((first, row + 1, int(hours[row]) if by_hour else 0, float(at[: row + 1].max())))
            first = row + 1
    return found


def assert_blocks(blocks: Blocks, codes: CodeArray, expected: list[tuple[int, int, int, float]]) -> None:
    """Assert that blocks are those of rows, given as `naive_blocks` gives them."""
    assert len(blocks) == len(expected)
    for place, (first, end, hour, at) in enumerate(expected):
        np.testing.assert_array_equal(blocks.counts[place], BINNER.counts(codes[first:end]))
        assert (blocks.hours[place], blocks.at[place]) == (hour, at)
