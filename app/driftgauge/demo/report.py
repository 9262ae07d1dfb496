"""What every replay of the demo prints: addresses, progress, alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Column, Table

from driftgauge.demo.prometheus_stack import Alert

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
