"""Posts the truth of each flight when it lands, and collects the server's performance by month."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import numpy as np
import orjson
import pandas as pd

from driftgauge.demo.replay import Replay, flight_id
from driftgauge.drift.bins import BoolArray
from driftgauge.errors import DemoError

MATURITY_SECONDS: Final = 86_400.0
"""Age from which the server counts predictions, its default."""
MOST_READS: Final = 600
REST_SECONDS: Final = 0.1


class Landings:
    """The truths of flights, in the order in which they become known; a cancelled flight has none."""

    def __init__(self, flights: pd.DataFrame) -> None:
        """Take the flights in the order in which they are sent, with `landed` and `late`."""
        known = np.flatnonzero(flights["late"].notna().to_numpy())
        landed = pd.DatetimeIndex(flights["landed"]).to_numpy(dtype="datetime64[s]")[known]
        order = np.argsort(landed, kind="stable")
        self._positions: Final = known[order]
        self._landed: Final = landed[order]
        self._late: Final = flights["late"].to_numpy(dtype=object)[known[order]]
        self._told = 0
        self.is_told: Final[BoolArray] = np.zeros(len(flights), dtype=np.bool_)
        """Whether the truth of each flight was given out, shape [n]."""

    def until(self, moment: pd.Timestamp) -> list[dict[str, str]]:
        """Return the truths that became known since the last call, as rows of `POST /labels`."""
        end = int(np.searchsorted(self._landed, moment.tz_convert(None).to_datetime64(), side="right"))
        part = slice(self._told, end)
        self._told = max(self._told, end)
        self.is_told[self._positions[part]] = True
        return [
            {"prediction_id": flight_id(position), "label": late, "observed_at": f"{landed}Z"}
            for position, late, landed in zip(
                self._positions[part].tolist(), self._late[part], self._landed[part].astype(str), strict=True
            )
        ]


@dataclass
class MonthlyPerformance:
    """The server's performance by month (UTC), and its last report."""

    matured_until: pd.Timestamp = field(default_factory=lambda: pd.Timestamp(0, tz="UTC"))
    """The flights before it are counted."""
    months: dict[pd.Timestamp, dict[str, Any]] = field(default_factory=dict)
    """Cohorts of `GET /performance` by their start."""
    report: dict[str, Any] = field(default_factory=dict)

    def add(self, answer: Mapping[str, Any]) -> None:
        """Take over an answer; the server forgets cohorts in time, so the fuller one of a month is kept."""
        self.report = dict(answer["performance"] or {})
        self.matured_until = _moment(self.report["matured_until"]) if self.report else self.matured_until
        for cohort in answer["cohorts"]:
            start = _moment(cohort["start"])
            before = self.months.get(start)
            if before is None or before["predictions"] <= cohort["predictions"]:
                self.months[start] = cohort


class GroundTruth:
    """Tells a server the truth of the flights that are replayed into it."""

    def __init__(
        self, client: httpx.Client, flights: pd.DataFrame, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Take the flights in the order in which they are sent."""
        self._client = client
        self._landings = Landings(flights)
        self._times = pd.DatetimeIndex(flights["time"])
        self._sleep = sleep
        self._month = month_of(self._times[0])
        self.performance: Final = MonthlyPerformance()

    def on_batch(self, seen: Replay) -> None:
        """Post the truths that became known, and read the performance of a month once all its flights count."""
        if rows := self._landings.until(seen.at):
            answer = self._client.post("/labels", json=rows)
            if answer.status_code != 200:
                raise DemoError(f"the server refused labels: {answer.text}")
        while matured_until(seen.at) >= (following := month_of(self._month + pd.Timedelta(days=32))):
            self._read(self._month, following)
            self._month = following

    def end(self, seen: Replay) -> None:
        """Read the performance of all flights that count by now."""
        self._read(self._month, matured_until(seen.at))
        self.performance.add(self._answer(None))

    def _read(self, month: pd.Timestamp, until: pd.Timestamp) -> None:
        """Wait until the flights of a month before a moment are counted with their truths, a minute at most."""
        counted = (self._times >= month) & (self._times < until)
        rows = int((counted & self._landings.is_told).sum())
        for _ in range(MOST_READS):
            self.performance.add(self._answer(month))
            found = self.performance.months.get(month, {"rows": 0})["rows"]
            if found >= rows and (not counted.any() or self.performance.matured_until >= until):
                return
            self._sleep(REST_SECONDS)

    def _answer(self, since: pd.Timestamp | None) -> dict[str, Any]:
        query = {"by": "month"} | ({} if since is None else {"since": f"{since:%Y-%m-%dT%H:%M:%SZ}"})
        return dict(orjson.loads(self._client.get("/performance", params=query).raise_for_status().content))


def matured_until(at: pd.Timestamp) -> pd.Timestamp:
    """Return the end of the newest hour whose flights count, at a time of the event clock."""
    return (at - pd.Timedelta(seconds=MATURITY_SECONDS)).floor("h")


def month_of(at: pd.Timestamp) -> pd.Timestamp:
    """Return the start of the month (UTC) of a moment."""
    return pd.Timestamp(year=at.year, month=at.month, day=1, tz="UTC")


def _moment(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)
