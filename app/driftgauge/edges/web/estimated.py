"""What a page says about estimated performance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from driftgauge.drift.performance.estimated import ASSUMPTION, ESTIMATED_METRICS, FEWEST_ROWS
from driftgauge.drift.performance.held_out import Estimated
from driftgauge.drift.verdict.numbers import short


@dataclass(frozen=True)
class EstimatedView:
    """The estimates of the main window, or why there are none."""

    numbers: Mapping[str, str]
    note: str


def estimated_view(estimated: Estimated | None, window: str) -> EstimatedView | None:
    """Return the estimates for a window; None where nothing is estimated, as in the check of a table."""
    if estimated is None:
        return None
    if estimated.unavailable:
        return EstimatedView({}, f"There is no estimate: {estimated.unavailable}.")
    live = estimated.windows.get(window, {})
    if not live:
        return EstimatedView({}, f"There is no estimate yet: it takes {FEWEST_ROWS} rows.")
    numbers = {
        metric.words: _beside(live[metric.name], int(window), estimated.held_out.get(metric.name))
        for metric in ESTIMATED_METRICS
        if metric.name in live
    }
    return EstimatedView(numbers, ASSUMPTION)


def _beside(value: float, rows: int, held_out: float | None) -> str:
    now = f"{short(value)} in the last {rows:,} rows"
    return now if held_out is None else f"{now}, {short(held_out)} on the held-out rows"
