"""The end of the story: its phases in one table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Column, Table

from driftgauge.demo.quality import auc
from driftgauge.demo.replay import Replay
from driftgauge.demo.story import FIXED_LIMIT, FIXED_ROWS, Phase, StoryLog, counted
from driftgauge.drift.bins import FloatArray


def print_beginning(console: Console, training_span: str, held_out: str, performance: float, rows: int) -> None:
    """Print what is replayed into which model."""
    console.print(
        "\nA model predicts which flights out of New York arrive late. It learned from "
        f"{training_span} 2013. Its AUC in {held_out}, held out, is {performance:.2f}.\n"
        f"{rows:,} flights from 1 August on are sent to it in order, as real requests. Times are New York's.\n"
    )


def print_story(console: Console, log: StoryLog, seen: Replay, late: pd.Series[str], right: FloatArray) -> None:
    """Print the phases in a table.

    `late` are the true delays of the flights that were sent, and `right` the scores with the right hour, both of
    shape [rows].
    """
    console.print(f"\nReplayed {seen.rows:,} flights in {seen.seconds:.0f} s.\n")
    scores = np.asarray(seen.scores, dtype=np.float64)
    console.print(_table(log, late, scores))
    console.print()
    for sentence in _sentences(log, late, right):
        console.print(sentence)


def _table(log: StoryLog, late: pd.Series[str], scores: FloatArray) -> Table:
    numbers = [Column(name, justify="right") for name in ("flights", "AUC")]
    table = Table(
        "phase",
        *numbers,
        "Driftgauge",
        f"PSI ≥ {FIXED_LIMIT} on {FIXED_ROWS:,} flights",
        box=None,
        padding=(0, 2, 0, 0),
    )
    for phase in log.phases:
        part = slice(phase.start, phase.end)
        quality = auc(late.iloc[part], scores[part])
        table.add_row(
            f"{phase.name}, {counted(phase.days, 'day')}",
            f"{phase.end - phase.start:,}",
            "" if quality is None else f"{quality:.2f}",
            _alerts(log, phase),
            counted(log.fixed.alerts(phase), "alert").lower(),
        )
    return table


def _alerts(log: StoryLog, phase: Phase) -> str:
    begun, ended = log.watch.between(phase, True), log.watch.between(phase, False)
    parts = [f"alert: {', '.join(begun)}"] if begun else []
    parts += [f"resolved: {', '.join(ended)}"] if ended else []
    return "; ".join(parts) or "no alert"


def _sentences(log: StoryLog, late: pd.Series[str], right: FloatArray) -> Iterator[str]:
    broken = next((phase for phase in log.phases if phase.name == "hour in UTC"), None)
    if broken is None:
        yield "The replay ended before the deploy of 27 August: leave out --rows to see it."
    else:
        part = slice(broken.start, broken.end)
        wanted = auc(late.iloc[part], right[part])
        if wanted is not None:
            yield f"AUC is from the true delays. With the right hour, the flights of the fault have {wanted:.2f}."
    windows = log.fixed.within(log.phases[0])
    if windows:
        above = sum(map(len, windows)) / len(windows)
        yield (
            f"Before the fault the fixed limit was exceeded in {sum(map(bool, windows))} of {len(windows)} windows, "
            f"by {above:.1f} columns on average: one day of weather always differs from three months of it."
        )
