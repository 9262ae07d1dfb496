"""The performance of the demo's model by month, as ground truth shows it and as it was estimated before."""

from __future__ import annotations

from calendar import month_name
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pandas as pd
from rich.console import Console
from rich.table import Column, Table

from driftgauge.demo.ground_truth import MonthlyPerformance, month_of
from driftgauge.drift.performance.estimated import Calibration, Estimates
from driftgauge.models.bundle import BUNDLE_FILE
from driftgauge.models.held_out_file import read

METRICS: Final = ("accuracy", "roc_auc")


def print_performance(
    console: Console,
    performance: MonthlyPerformance,
    flights: pd.DataFrame,
    scores: Sequence[float],
    bundle: Path,
    held_out_month: int,
) -> None:
    """Print a table by month (UTC), and the server's verdict; `flights` were sent, and got these scores."""
    console.print("\n[bold]Ground truth[/bold]: each flight's truth is posted when it has landed")
    if not performance.months:
        console.print("No flight is a day old yet, and younger ones do not count: replay more of them.")
        return
    held_out = orjson.loads((bundle / BUNDLE_FILE).read_bytes())["performance"]
    table = _table()
    table.add_row(f"{month_name[held_out_month]}, held out", f"{held_out['rows']:,}", "", "", *_quality(held_out, {}))
    estimates = estimated_by_month(flights, scores, performance.matured_until, _calibration(bundle))
    for month, cohort in performance.months.items():
        values = {"metrics": {name: own["value"] for name, own in cohort["metrics"].items()}}
        table.add_row(month_name[month.month], *_rows(cohort), *_quality(values, estimates.get(month, {})))
    console.print(table)
    console.print(
        "The estimate needs no truth: it is made of the scores. A flight counts a day after its departure. "
        "Cancelled flights never get a truth; the lag is from the scheduled departure to the landing."
    )
    console.print(f"Now: {performance.report['reason']}")


def estimated_by_month(
    flights: pd.DataFrame, scores: Sequence[float], until: pd.Timestamp, calibration: Calibration | None
) -> Mapping[pd.Timestamp, Estimates]:
    """Return what the scores alone say of the flights before a moment, by month (UTC)."""
    if calibration is None:
        return {}
    times = pd.DatetimeIndex(flights["time"])[: len(scores)]
    counted = np.asarray(times < until)
    months = np.array([month_of(at) for at in times], dtype=object)
    values = np.asarray(scores, dtype=np.float64)
    return {month: calibration.estimate(values[counted & (months == month)]) for month in dict.fromkeys(months)}


def _calibration(bundle: Path) -> Calibration | None:
    held_out = read(bundle)
    return None if held_out is None else held_out.calibration


def _table() -> Table:
    names = ("flights", "with truth", "lag", "accuracy", "estimated", "AUC", "estimated")
    numbers = [Column(name, justify="right") for name in names]
    return Table("month", *numbers, box=None, padding=(0, 2, 0, 0))


def _rows(cohort: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the number of flights, the share whose truth is known, and after how long it was."""
    coverage, lag = cohort["coverage_ratio"], cohort["mean_lag_seconds"]
    return (
        f"{cohort['predictions']:,}",
        "" if coverage is None else f"{coverage:.1%}".replace("%", " %"),
        "" if lag is None else f"{lag / 3_600:.1f} h",
    )


def _quality(measured: Mapping[str, Any], estimated: Estimates) -> list[str]:
    """Return the cells of each metric: its value and its estimate."""
    cells = []
    for name in METRICS:
        cells += [_cell(measured["metrics"].get(name)), _cell(estimated.get(name))]
    return cells


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
