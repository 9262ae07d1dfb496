"""Windows of a table, as a monitor has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.windows.window import Rows, Window, sliding_windows

NOW: Final = 1_000_000.0


def rows_of(baseline: Baseline, columns: Sequence[FloatArray | Sequence[str | None]]) -> Rows:
    """Return rows, one a second until now; categories are given as texts."""
    cells = [
        own if isinstance(own, np.ndarray) else bins.encode(own)
        for bins, own in zip(baseline.bins, columns, strict=True)
    ]
    values = np.stack(cells, axis=1)
    return Rows(values, baseline.binner.codes(values), NOW - np.arange(len(values), dtype=np.float64)[::-1])


def windows_of(
    baseline: Baseline, columns: Sequence[FloatArray | Sequence[str | None]], sizes: Sequence[int] = (100, 1_000)
) -> list[Window]:
    """Return the sliding windows of rows."""
    return sliding_windows(rows_of(baseline, columns), sizes, 0.0, baseline.binner)
