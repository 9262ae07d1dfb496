"""The long view of the demo: May to December by month, into a model of the winter."""

from __future__ import annotations

from calendar import month_abbr
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd
from rich.console import Console
from rich.table import Column, Table

from driftgauge.demo.flights import WINTER
from driftgauge.demo.replay import Replay, columns_of
from driftgauge.drift.verdict.numbers import short

FIRST_MONTH: Final = WINTER.held_out_month + 1
STATUS_EVERY_ROWS: Final = 2_500
SEASON: Final = (
    f"The model learned from {WINTER.training_span}. Temperature and dew point of the other seasons are new to it: "
    "this drift is the season, and no fault. The remedy is training data of a whole year."
)
LETTERS: Final[Mapping[tuple[str, str | None], str]] = {
    ("insufficient_data", None): "?",
    ("normal", None): "·",
    ("normal", "info"): "i",
    ("warning", "info"): "l",
    ("drift_detected", "info"): "s",
    ("warning", "warning"): "w",
    ("drift_detected", "warning"): "d",
    ("drift_detected", "critical"): "D",
}
"""A letter for each status and severity, so that a year fits into a line."""
LEGEND: Final = """\
·  normal                             i  normal: significant but small, severity info
w  warning: size not known yet        l  warning while learning, severity info
s  drift_detected, silenced: severity info
d  drift_detected, severity warning   D  drift_detected, severity critical
?  insufficient_data

evidence  log10; significant at {threshold:.1f} and above
PSI       noise-corrected; large at its limit and above
limit     PSI threshold: 0.1, or the expected range in the reference if that is higher
τ         how many consecutive flights carry the information of one independent flight"""


def year_flights(flights: pd.DataFrame) -> pd.DataFrame:
    """Return the flights of the long view."""
    return flights[flights["month"] >= FIRST_MONTH].reset_index(drop=True)


@dataclass
class MonthlyVerdicts:
    """Keeps the last verdicts of each month."""

    flights: pd.DataFrame
    """The flights that are replayed."""
    verdicts: dict[int, dict[str, tuple[str, str | None]]] = field(default_factory=dict)
    """By month and column, the last status and severity of the month."""

    def on_status(self, seen: Replay) -> None:
        """Keep the verdict on each column."""
        month = int(self.flights["month"].iloc[seen.rows - 1])
        columns = columns_of(seen.status).items()
        self.verdicts[month] = {name: (column["status"], column["severity"]) for name, column in columns}


def print_year(console: Console, seen: Replay, monthly: MonthlyVerdicts) -> None:
    """Print the speed, the verdict, and drift by month and column."""
    console.print(f"\nReplayed {seen.rows:,} flights in {seen.seconds:.1f} s: {seen.rows_per_second:,.0f} per second.")
    severity = f", severity {seen.status['severity']}" if seen.status["severity"] else ""
    console.print(f"\nVerdict: [bold]{seen.status['status']}[/bold]{severity}")
    console.print(f"{seen.status['reason']}\n")
    console.print(f"{SEASON}\n")
    console.print("[bold]Drift[/bold]: the verdict on each column at the end of each month, then its last numbers")
    console.print(drift_table(monthly.verdicts, columns_of(seen.status)))
    console.print(f"\n{LEGEND.format(threshold=seen.status['evidence']['threshold_log10'])}", soft_wrap=True)


def drift_table(
    verdicts: Mapping[int, Mapping[str, tuple[str, str | None]]], columns: Mapping[str, Mapping[str, Any]]
) -> Table:
    """Return a table of the verdicts by column and month, and the last numbers of each column."""
    numbers = [Column(name, justify="right") for name in ("evidence", "PSI", "limit", "τ")]
    table = Table("column", *(month_abbr[month] for month in verdicts), *numbers, box=None, padding=(0, 1, 0, 0))
    for name, column in columns.items():
        letters = (LETTERS[found[name]] if name in found else "" for found in verdicts.values())
        table.add_row(name, *letters, *_numbers(column))
    return table


def _numbers(column: Mapping[str, Any]) -> Iterator[str]:
    """Yield evidence, PSI and its limit of the window furthest above it, and the autocorrelation time."""
    judged = [window for window in column["windows"].values() if window["psi_threshold"]]
    window = max(judged, key=_relative_size)
    yield "" if column["evidence_log10"] is None else f"{column['evidence_log10']:.1f}"
    yield "" if window["psi_debiased"] is None else f"{window['psi_debiased']:.2f}"
    yield f"{window['psi_threshold']['warning']:.2f}"
    yield "" if column["tau"] is None else short(column["tau"])


def _relative_size(window: Mapping[str, Any]) -> float:
    """Return a window's PSI in units of its threshold."""
    return float((window["psi_debiased"] or 0.0) / window["psi_threshold"]["warning"])
