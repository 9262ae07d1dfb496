"""What the demo replays, and what it prints of it: the story, or the year."""

from __future__ import annotations

from calendar import month_name
from pathlib import Path
from typing import Any, Protocol

import orjson
import pandas as pd
from rich.console import Console

from driftgauge.demo import story, year
from driftgauge.demo.flights import SPRING, WINTER, Recipe, right_scores
from driftgauge.demo.replay import Replay
from driftgauge.demo.story_report import print_beginning, print_story
from driftgauge.models.bundle import BUNDLE_FILE


class Scenario(Protocol):
    """A replay and its report."""

    sent: pd.DataFrame
    """The flights to send, in order."""
    status_every: int
    """Flights between two reads of the status."""

    def begin(self) -> None:
        """Print what will be replayed."""

    def on_batch(self, seen: Replay) -> None:
        """Take note of flights that were sent."""

    def on_status(self, seen: Replay) -> None:
        """Take note of a status."""

    def end(self, seen: Replay) -> None:
        """Print the report."""


def recipe_of(long_view: bool) -> Recipe:
    """Return the recipe of the model that is needed."""
    return WINTER if long_view else SPRING


def scenario_of(
    long_view: bool, console: Console, flights: pd.DataFrame, bundle: Path, rows: int | None = None
) -> Scenario:
    """Return the long view or the story, of the first `rows` flights if given; `flights` are all flights."""
    if long_view:
        return Year(console, year.year_flights(flights).head(rows or len(flights)))
    performance = orjson.loads((bundle / BUNDLE_FILE).read_bytes())["performance"]
    return Story(console, flights, bundle, rows, performance)


class Story:
    """A deploy that breaks a column of a model that is at rest."""

    def __init__(
        self, console: Console, flights: pd.DataFrame, bundle: Path, rows: int | None, performance: dict[str, Any]
    ) -> None:
        right = story.story_flights(flights).head(rows or len(flights))
        self.sent = story.with_fault(right)
        self.status_every = story.STATUS_EVERY_ROWS
        self.log = story.StoryLog(right, console.print)
        self._console, self._performance = console, performance
        self._right = right_scores(flights, SPRING, bundle, right)

    def begin(self) -> None:
        """Print which model it is."""
        held_out = month_name[SPRING.held_out_month]
        quality = self._performance["metrics"]["roc_auc"]
        print_beginning(self._console, SPRING.training_span, held_out, quality, len(self.sent))

    def on_batch(self, seen: Replay) -> None:
        """Tell of the deploy and its repair."""
        self.log.on_batch(seen)

    def on_status(self, seen: Replay) -> None:
        """Tell of alerts."""
        self.log.on_status(seen)

    def end(self, seen: Replay) -> None:
        """Print the table of phases."""
        print_story(self._console, self.log, seen, self.sent["late"], self._right)


class Year:
    """The seasons, as a model of the winter sees them."""

    def __init__(self, console: Console, sent: pd.DataFrame) -> None:
        self.sent = sent
        self.status_every = year.STATUS_EVERY_ROWS
        self._console = console
        self._monthly = year.MonthlyVerdicts(sent)

    def begin(self) -> None:
        """Print nothing: the report says it all."""

    def on_batch(self, seen: Replay) -> None:
        """Wait for the status."""

    def on_status(self, seen: Replay) -> None:
        """Keep the verdicts of the month."""
        self._monthly.on_status(seen)

    def end(self, seen: Replay) -> None:
        """Print verdict and drift by month."""
        year.print_year(self._console, seen, self._monthly)
