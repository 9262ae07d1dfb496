"""Expected range: the largest PSI between the reference's own windows and the whole reference.

Consecutive rows are seldom independent (weather comes in days, traffic in hours), so a window can differ with nothing
wrong. A threshold has to allow at least what happened in the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

import numpy as np

from driftgauge.drift.bins import CodeArray, FloatArray, IntArray
from driftgauge.drift.statistics.psi import Psi
from driftgauge.drift.windows.blocks import HOURS

STEPS: Final = 20
"""A window is slid over the reference by a twentieth of its size."""
SPANS: Final = (1.0, 0.9, 0.8)
"""Parts of a size that are measured too. When traffic grows by a quarter, a window of as many rows spans a fifth less
time, and goes in and out of step with days and weeks."""
WINDOWS: Final = 8
"""Windows of a size that the reference must hold: fewer make up too much of the reference that they are compared
with, and the range is underestimated (windows of half the reference: exceeded by 40 % of new ones)."""
WINDOWS_OF_SMALLEST: Final = 2
"""The same for the smallest size, because some allowance is better than none."""
_BLOCKS_AT_ONCE: Final = 1_000


class Cells(Protocol):
    """Cells that rows are counted in: a number of columns, and of codes of each."""

    @property
    def columns(self) -> int:
        """Number of columns."""

    @property
    def width(self) -> int:
        """Number of codes."""


def expected_range(
    binner: Cells,
    codes: CodeArray | IntArray,
    psi: Callable[..., Psi],
    sizes: Sequence[int],
    quantile: float = 1.0,
    *,
    hours: IntArray | None = None,
) -> dict[int, FloatArray]:
    """Return the expected range of each column, shape [columns], by window size in rows.

    `codes` (shape [m, columns]) are the reference's rows in order of time. A range is the given
    quantile of `psi_debiased` over windows slid by a twentieth of their size (rounded down to whole
    steps), the last one ending at the last row; sizes of which the reference does not hold enough
    are left out. A smaller window varies at least as much as a larger one, so no size is given less
    than the next.

        `psi` is called with the counts of windows, and, where the hour of the day of each row is given
        (shape [m]), with their rows by hour, shape [windows, 24].
    """
    found: dict[int, FloatArray] = {}
    floor = np.zeros(binner.columns)
    for size in sorted({int(size) for size in sizes}, reverse=True):
        if size * (WINDOWS_OF_SMALLEST if size == min(sizes) else WINDOWS) <= len(codes):
            for span in SPANS:
                debiased = _debiased(binner, codes, psi, max(1, round(size * span)), hours)
                floor = np.maximum(floor, np.quantile(debiased, quantile, axis=0))
            found[size] = floor
    return dict(sorted(found.items()))


def _debiased(
    binner: Cells, codes: CodeArray | IntArray, psi: Callable[..., Psi], size: int, hours: IntArray | None
) -> FloatArray:
    """Return `psi_debiased` of the windows of one size, shape [windows, columns]; 0 without a value."""
    windows = _windows(codes, binner.width, size)
    if hours is None:
        found = [psi(counts) for counts in windows]
    else:
        by_hour = _windows(hours[:, None], HOURS, size)
        found = [psi(counts, rows[:, 0]) for counts, rows in zip(windows, by_hour, strict=True)]
    debiased: FloatArray = np.nan_to_num(np.concatenate([one.debiased for one in found]))
    return debiased


def _windows(codes: CodeArray | IntArray, width: int, size: int) -> Iterator[IntArray]:
    """Yield the counts of the reference's windows, shapes [windows, columns, width], a bounded lot at a time."""
    step = max(1, size // STEPS)
    span = size // step
    for start in range(0, len(codes) - size + 1, step * _BLOCKS_AT_ONCE):
        rows = codes[start : start + step * (_BLOCKS_AT_ONCE + span - 1)]
        blocks = np.cumsum(_block_counts(rows, width, step), axis=0)
        blocks = np.concatenate([np.zeros_like(blocks[:1]), blocks])
        yield blocks[span:] - blocks[:-span]
    yield _block_counts(codes[-size:], width, size)


def _block_counts(codes: CodeArray | IntArray, width: int, step: int) -> IntArray:
    """Return the counts of each whole block of `step` rows, shape [blocks, columns, width]."""
    columns = codes.shape[1]
    blocks = len(codes) // step
    cells = columns * width
    index = np.arange(columns) * width + codes[: blocks * step].astype(np.int64)
    index += (np.arange(blocks * step) // step * cells)[:, None]
    return np.bincount(index.ravel(), minlength=blocks * cells).reshape(blocks, columns, width)
