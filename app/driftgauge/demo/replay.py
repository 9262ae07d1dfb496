"""Sends flights to a server over HTTP in scheduled order, and collects its verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import numpy as np
import orjson
import pandas as pd

from driftgauge.demo.flights import FEATURES
from driftgauge.errors import DemoError

STATUS_EVERY_ROWS: Final = 2_500
"""Flights between two reads of the status."""


class Pace:
    """Keeps an average rate of rows per second; a late batch does not delay the next."""

    def __init__(
        self,
        rows_per_second: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rows_per_second = rows_per_second
        self._clock = clock
        self._sleep = sleep
        self._started: float | None = None

    def wait(self, rows: int) -> None:
        """Wait until the given number of rows is due; the first call starts the clock."""
        if self._started is None:
            self._started = self._clock()
        if self._rows_per_second is None:
            return
        early = self._started + rows / self._rows_per_second - self._clock()
        if early > 0:
            self._sleep(early)


@dataclass
class Replay:
    """What was sent, and what the server answered."""

    rows: int = 0
    seconds: float = 0.0
    scores: list[float] = field(default_factory=list)
    verdicts: dict[int, dict[str, tuple[str, str | None]]] = field(default_factory=dict)
    """By month and column, the last status and severity of the month."""
    status: dict[str, Any] = field(default_factory=dict)
    """The last `/drift/status`."""

    @property
    def rows_per_second(self) -> float:
        """The rate so far."""
        return self.rows / self.seconds if self.seconds else 0.0


def requests(flights: pd.DataFrame, batch_rows: int) -> Iterator[tuple[bytes, int, str]]:
    """Yield a request body for each scheduled hour, its number of flights and its date."""
    columns = [flights[name].astype(object).where(flights[name].notna(), None).tolist() for name in FEATURES]
    times = flights["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
    hours = flights["time"].dt.floor("h")
    starts = np.flatnonzero((hours != hours.shift()).to_numpy())
    for start, end in zip(starts, [*starts[1:], len(times)], strict=True):
        for first in range(start, end, batch_rows):
            part = slice(first, min(first + batch_rows, end))
            rows = [list(row) for row in zip(*(column[part] for column in columns), strict=True)]
            yield orjson.dumps({"data": rows, "timestamps": times[part]}), len(rows), times[first][:10]


def replay(
    client: httpx.Client,
    flights: pd.DataFrame,
    batch_rows: int,
    pace: Pace | None = None,
    on_status: Callable[[str], None] = lambda date: None,
    on_batch: Callable[[Replay, str], None] = lambda seen, date: None,
) -> Replay:
    """Send the flights in order, and call back after each status and each batch.

    The callbacks get the date.
    """
    seen, pace = Replay(), pace or Pace()
    started, next_status = time.perf_counter(), STATUS_EVERY_ROWS
    for body, rows, date in requests(flights, batch_rows):
        pace.wait(seen.rows)
        seen.scores.extend(_predict(client, body))
        seen.rows += rows
        if seen.rows >= next_status or seen.rows == len(flights):
            next_status = seen.rows + STATUS_EVERY_ROWS
            _read_status(client, seen, int(flights["month"].iloc[seen.rows - 1]))
            on_status(date)
        seen.seconds = time.perf_counter() - started
        on_batch(seen, date)
    return seen


def _predict(client: httpx.Client, body: bytes) -> list[float]:
    """Return the scores of a batch."""
    answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
    if answer.status_code != 200:
        raise DemoError(f"the server refused a batch: {answer.text}")
    return [row["score"] for row in orjson.loads(answer.content)["predictions"]]


def _read_status(client: httpx.Client, seen: Replay, month: int) -> None:
    """Read the status and keep the verdict on each column."""
    seen.status = client.get("/drift/status", params={"windows": "all"}).raise_for_status().json()
    columns = columns_of(seen.status).items()
    seen.verdicts[month] = {name: (column["status"], column["severity"]) for name, column in columns}


def columns_of(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return the features of a status, and the prediction as the last column."""
    return {**status["features"], "prediction": status["prediction"]}
