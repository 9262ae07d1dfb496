"""The demo's output: addresses, progress, verdict, model quality, drift by month, alerts."""

from __future__ import annotations

from calendar import month_abbr
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Column, Table
from sklearn.metrics import roc_auc_score

from driftgauge.demo.flights import CLASSES
from driftgauge.demo.prometheus_stack import Alert
from driftgauge.demo.replay import Replay, columns_of

LETTERS: Final[Mapping[tuple[str, str | None], str]] = {
    ("insufficient_data", None): "?",
    ("normal", None): "·",
    ("normal", "info"): "i",
    ("warning", "info"): "l",
    ("warning", "warning"): "w",
    ("drift_detected", "warning"): "d",
    ("drift_detected", "critical"): "D",
}
"""A letter for each status and severity, so that a year fits into a line."""
LEGEND: Final = """\
·  normal                             i  normal: significant but small, severity info
w  warning: size not known yet        l  warning while learning, severity info
d  drift_detected, severity warning   D  drift_detected, severity critical
?  insufficient_data

evidence  log10; significant at {threshold:.1f} and above
PSI       noise-corrected; large at its limit and above
limit     PSI threshold: 0.1, or the expected range in the reference if that is higher
τ         how many consecutive flights carry the information of one independent flight"""


# ---------------------------------------------------------------- before and during the replay


def print_addresses(console: Console, server: str, stack: Mapping[str, str] | None = None) -> None:
    """Print the address of every page of the server, and of the given others."""
    pages = {
        "verdict": f"{server}/drift/status",
        "metrics": f"{server}/metrics",
        "documentation": f"{server}/docs",
        **(stack or {}),
    }
    for name, address in pages.items():
        console.print(f"  {name:<14} {address}", soft_wrap=True)


def progress_bar(console: Console) -> Progress:
    """Return a progress bar with room for a note."""
    return Progress(
        TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=9)),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


def in_short(status: Mapping[str, Any]) -> str:
    """Return the status and up to three columns that have drifted."""
    if not status:
        return ""
    drifted = status["drifted_features"]
    names = ", ".join(drifted[:3]) + (f" +{len(drifted) - 3}" if len(drifted) > 3 else "")
    return f"{status['status']}{': ' if names else ''}{names}"


# ---------------------------------------------------------------- after the replay


def print_summary(console: Console, seen: Replay, flights: pd.DataFrame, performance: Mapping[str, Any]) -> None:
    """Print the speed, the verdict, the quality of the model by month, and drift by month and column."""
    console.print(f"\nReplayed {seen.rows:,} flights in {seen.seconds:.1f} s: {seen.rows_per_second:,.0f} per second.")
    severity = f", severity {seen.status['severity']}" if seen.status["severity"] else ""
    console.print(f"\nVerdict: [bold]{seen.status['status']}[/bold]{severity}")
    console.print(f"{seen.status['reason']}\n")
    console.print("[bold]Model quality[/bold]: AUC of the predicted delays, by month")
    console.print(quality_table(flights, seen.scores, performance))
    console.print("\n[bold]Drift[/bold]: the verdict on each column at the end of each month, then its last numbers")
    console.print(drift_table(seen))
    console.print(f"\n{LEGEND.format(threshold=seen.status['evidence']['threshold_log10'])}", soft_wrap=True)


def quality_table(flights: pd.DataFrame, scores: Sequence[float], performance: Mapping[str, Any]) -> Table:
    """Return a table of the AUC of the held-out month and of each month that was replayed."""
    table = Table("month", Column("arrived flights", justify="right"), Column("AUC", justify="right"), box=None)
    table.add_row("Apr (held out)", f"{performance['rows']:,}", f"{performance['metrics']['roc_auc']:.3f}")
    for month, (arrived, auc) in auc_by_month(flights, scores).items():
        table.add_row(month_abbr[month], f"{arrived:,}", f"{auc:.3f}")
    return table


def auc_by_month(flights: pd.DataFrame, scores: Sequence[float]) -> dict[int, tuple[int, float]]:
    """Return the number of arrived flights and the AUC of their scores, by month."""
    rows = flights.iloc[: len(scores)].assign(score=scores)
    rows = rows[rows["late"].notna()]
    return {
        month: (len(part), float(roc_auc_score(part["late"] == CLASSES[1], part["score"])))
        for month in rows["month"].unique().tolist()
        if (part := rows[rows["month"] == month])["late"].nunique() == 2
    }


def drift_table(seen: Replay) -> Table:
    """Return a table of the verdicts by column and month, and the last numbers of each column."""
    numbers = [Column(name, justify="right") for name in ("evidence", "PSI", "limit", "τ")]
    table = Table("column", *(month_abbr[month] for month in seen.verdicts), *numbers, box=None, padding=(0, 1, 0, 0))
    for name, column in columns_of(seen.status).items():
        letters = (
            LETTERS[seen.verdicts[month][name]] if name in seen.verdicts[month] else "" for month in seen.verdicts
        )
        table.add_row(name, *letters, *_numbers(column))
    return table


def _numbers(column: Mapping[str, Any]) -> Iterator[str]:
    """Yield evidence, PSI and its limit of the window furthest above it, and the autocorrelation time."""
    judged = [window for window in column["windows"].values() if window["psi_threshold"]]
    window = max(judged, key=_relative_size)
    yield "" if column["evidence_log10"] is None else f"{column['evidence_log10']:.1f}"
    yield "" if window["psi_debiased"] is None else f"{window['psi_debiased']:.2f}"
    yield f"{window['psi_threshold']['warning']:.2f}"
    yield "" if column["tau"] is None else f"{column['tau']:.3g}"


def _relative_size(window: Mapping[str, Any]) -> float:
    """Return a window's PSI in units of its threshold."""
    return float((window["psi_debiased"] or 0.0) / window["psi_threshold"]["warning"])


# ---------------------------------------------------------------- alerts


class AlertLog:
    """Prints which alerts began to fire, changed their severity or were resolved since the last look."""

    def __init__(self, ask: Callable[[], Iterable[Alert]], say: Callable[[str], None]) -> None:
        self._ask = ask
        self._say = say
        self._known: Mapping[tuple[str, str], Alert] = {}

    def look(self, date: str) -> None:
        """Ask for the alerts and say what changed, with the date of the replay."""
        known = {(alert.name, alert.feature): alert for alert in self._ask()}
        changes = {
            "firing": [alert for key, alert in known.items() if key not in self._known],
            "now": [alert for key, alert in known.items() if alert != self._known.get(key, alert)],
            "resolved": [alert for key, alert in self._known.items() if key not in known],
        }
        for change, changed in changes.items():
            for name, severity, features in by_alert(changed):
                self._say(f"{date}  {change}: {name} ({severity}){' ' if features else ''}{features}")
        self._known = known


def by_alert(found: Iterable[Alert]) -> Iterator[tuple[str, str, str]]:
    """Yield name, severity and features of the alerts; those that differ in the feature alone together."""
    for key, group in groupby(sorted(found), key=lambda alert: (alert.name, alert.severity)):
        features = dict.fromkeys(alert.feature for alert in group if alert.feature)
        yield *key, ", ".join(features)


def print_alerts(console: Console, found: Sequence[Alert], predictions: float, hold: str) -> None:
    """Print the number of predictions that Prometheus counted, and the alerts that Alertmanager notifies of."""
    console.print("\n[bold]Alerts in Alertmanager[/bold]")
    console.print(f"{predictions:,.0f} predictions counted. An alert fires when its condition has held for {hold}.")
    table = Table("alert", "severity", "features", box=None)
    for row in by_alert(found):
        table.add_row(*row)
    console.print(table)
