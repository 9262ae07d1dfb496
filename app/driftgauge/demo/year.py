"""The long view of the demo: May to December by month, into a model of the winter."""

from __future__ import annotations

from calendar import month_abbr
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Column, Table

from driftgauge.demo.flights import WINTER
from driftgauge.demo.quality import auc
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


def print_year(console: Console, seen: Replay, monthly: MonthlyVerdicts, performance: Mapping[str, Any]) -> None:
    """Print the speed, the verdict, the quality of the model by month, and drift by month and column."""
    console.print(f"\nReplayed {seen.rows:,} flights in {seen.seconds:.1f} s: {seen.rows_per_second:,.0f} per second.")
    severity = f", severity {seen.status['severity']}" if seen.status["severity"] else ""
    console.print(f"\nVerdict: [bold]{seen.status['status']}[/bold]{severity}")
    console.print(f"{seen.status['reason']}\n")
    console.print(f"{SEASON}\n")
    console.print("[bold]Model quality[/bold]: AUC of the predicted delays, by month")
    console.print(quality_table(monthly.flights, seen.scores, performance))
    console.print("\n[bold]Drift[/bold]: the verdict on each column at the end of each month, then its last numbers")
    console.print(drift_table(monthly.verdicts, columns_of(seen.status)))
    console.print(f"\n{LEGEND.format(threshold=seen.status['evidence']['threshold_log10'])}", soft_wrap=True)


def quality_table(flights: pd.DataFrame, scores: Sequence[float], performance: Mapping[str, Any]) -> Table:
    """Return a table of the AUC of the held-out month and of each month that was replayed."""
    table = Table("month", Column("arrived flights", justify="right"), Column("AUC", justify="right"), box=None)
    table.add_row("Apr (held out)", f"{performance['rows']:,}", f"{performance['metrics']['roc_auc']:.3f}")
    for month, (arrived, quality) in auc_by_month(flights, scores).items():
        table.add_row(month_abbr[month], f"{arrived:,}", f"{quality:.3f}")
    return table


def auc_by_month(flights: pd.DataFrame, scores: Sequence[float]) -> dict[int, tuple[int, float]]:
    """Return the number of arrived flights and the AUC of their scores, by month."""
    sent, values = flights.iloc[: len(scores)], np.asarray(scores)
    found = {}
    for month in sent["month"].unique().tolist():
        chosen = (sent["month"] == month).to_numpy()
        late = sent.loc[chosen, "late"]
        if (quality := auc(late, values[chosen])) is not None:
            found[month] = (int(late.notna().sum()), quality)
    return found


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
