"""Sends flights to a server over HTTP in scheduled order, and collects its verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import numpy as np
import orjson
import pandas as pd

from driftgauge.errors import DemoError

SLIDING_WINDOWS: Final = "1000,10000"
"""The windows that verdicts rest on, as the status names them."""
MOST_READS: Final = 300
REST_SECONDS: Final = 0.1


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
    at: pd.Timestamp = field(default_factory=lambda: pd.Timestamp(0, tz="UTC"))
    """The scheduled departure of the last flight that was sent."""
    status: dict[str, Any] = field(default_factory=dict)
    """The last `/drift/status`."""

    @property
    def rows_per_second(self) -> float:
        """The rate so far."""
        return self.rows / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Request:
    """The flights of one request."""

    body: bytes
    rows: int
    last: pd.Timestamp
    """The scheduled departure of the last flight."""


def requests(flights: pd.DataFrame, features: Sequence[str], batch_rows: int) -> Iterator[Request]:
    """Yield requests in order, each with the flights of one scheduled hour, `batch_rows` at most."""
    columns = [flights[name].astype(object).where(flights[name].notna(), None).tolist() for name in features]
    times = flights["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
    hours = flights["time"].dt.floor("h")
    starts = np.flatnonzero((hours != hours.shift()).to_numpy())
    for start, end in zip(starts, [*starts[1:], len(times)], strict=True):
        for first in range(int(start), int(end), batch_rows):
            part = slice(first, min(first + batch_rows, int(end)))
            rows = [list(row) for row in zip(*(column[part] for column in columns), strict=True)]
            ids = list(map(flight_id, range(part.start, part.stop)))
            body = orjson.dumps({"data": rows, "timestamps": times[part], "prediction_ids": ids})
            yield Request(body, len(rows), flights["time"].iloc[part.stop - 1])


def flight_id(position: int) -> str:
    """Return the prediction id of the flight that is sent at a position."""
    return f"flight-{position}"


def replay(
    client: httpx.Client,
    sent: Iterable[Request],
    status_every: int,
    pace: Pace | None = None,
    on_status: Callable[[Replay], None] = lambda seen: None,
    on_batch: Callable[[Replay], None] = lambda seen: None,
) -> Replay:
    """Send requests in order; read the status whenever `status_every` more rows were sent, and at the end.

    The callbacks come after each status and after each batch.
    """
    seen, pace = Replay(), pace or Pace()
    started, next_status = time.perf_counter(), status_every
    for request in sent:
        pace.wait(seen.rows)
        seen.scores.extend(_predict(client, request.body))
        seen.rows, seen.at = seen.rows + request.rows, request.last
        seen.seconds = time.perf_counter() - started
        on_batch(seen)
        if seen.rows >= next_status:
            next_status = (seen.rows // status_every + 1) * status_every
            seen.status = read_status(client, seen.rows)
            on_status(seen)
    seen.status = read_status(client, seen.rows)
    on_status(seen)
    return seen


def _predict(client: httpx.Client, body: bytes) -> list[float]:
    """Return the scores of a batch."""
    answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
    if answer.status_code != 200:
        raise DemoError(f"the server refused a batch: {answer.text}")
    return [row["score"] for row in orjson.loads(answer.content)["predictions"]]


def read_status(client: httpx.Client, rows: int, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Return a status that covers `rows` flights.

    A busy machine may answer with an older report; it is asked again, for half a minute. DemoError if it stays behind.
    """
    for _ in range(MOST_READS):
        status = client.get("/drift/status", params={"windows": SLIDING_WINDOWS}).raise_for_status().json()
        if status["rows_observed"] >= rows:
            return dict(status)
        sleep(REST_SECONDS)
    raise DemoError(f"the server's report is behind: it covers {status['rows_observed']:,} of {rows:,} flights")


def columns_of(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return the features of a status, and the prediction as the last column."""
    return {**status["features"], "prediction": status["prediction"]}
