from __future__ import annotations

import httpx
import numpy as np
import orjson
import pandas as pd
from driftgauge.demo import replay as demo
from driftgauge.demo.flights import FEATURES


def test_a_request_holds_the_flights_of_one_hour(flights: pd.DataFrame) -> None:
    part = flights[flights["month"] == 5].head(3_000)
    bodies = [(orjson.loads(body), rows, date) for body, rows, date in demo.requests(part, 40)]
    assert sum(rows for _, rows, _ in bodies) == len(part)
    assert max(rows for _, rows, _ in bodies) == 40
    for body, rows, date in bodies:
        assert len(body["data"]) == len(body["timestamps"]) == rows
        assert len({time[:13] for time in body["timestamps"]}) == 1
        assert body["timestamps"][0].startswith(date)
    sent = [row for body, _, _ in bodies for row in body["data"]]
    assert [row[FEATURES.index("dest")] for row in sent] == part["dest"].tolist()
    gusts = [np.nan if row[FEATURES.index("wind_gust")] is None else row[FEATURES.index("wind_gust")] for row in sent]
    np.testing.assert_equal(gusts, part["wind_gust"].to_numpy())


# ---------------------------------------------------------------- the pace


class FakeTime:
    """A clock that goes on when something sleeps or works."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_a_pace_is_kept_from_the_start_on() -> None:
    time = FakeTime()
    pace = demo.Pace(100, time.clock, time.sleep)
    starts = []
    for batch, work in enumerate([0.25, 0.0, 1.75, 0.5, 0.125]):
        pace.wait(batch * 50)
        starts.append(time.now - 1_000.0)
        time.now += work
    # the third batch takes longer than its share; the fourth is late, the fifth on time again
    assert starts == [0.0, 0.5, 1.0, 2.75, 3.25]
    pace.wait(500)
    assert time.now == 1_005.0


def test_without_a_pace_nothing_waits() -> None:
    time = FakeTime()
    pace = demo.Pace(None, time.clock, time.sleep)
    for rows in (0, 1_000_000):
        pace.wait(rows)
    assert time.slept == []


def test_a_replay_keeps_the_pace_and_tells_the_date(flights: pd.DataFrame) -> None:
    part = flights[flights["month"] == 5].head(6_000)
    time, dates, shown, sent = FakeTime(), list[str](), list[int](), list[float]()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/drift/status":
            assert request.url.params["windows"] == "all"
            verdict = {"status": "drift_detected", "severity": "critical"}
            return httpx.Response(200, json={"features": {}, "prediction": verdict})
        rows = orjson.loads(request.content)["data"]
        sent.extend([time.now - 1_000.0] * len(rows))
        return httpx.Response(200, json={"predictions": [{"score": 0.5}] * len(rows)})

    with httpx.Client(base_url="http://server", transport=httpx.MockTransport(answer)) as client:
        pace = demo.Pace(1_000, time.clock, time.sleep)
        seen = demo.replay(client, part, 100, pace, dates.append, lambda seen, date: shown.append(seen.rows))
    assert seen.rows == len(sent) == 6_000
    # a row leaves with its batch, at the time of the batch's first row
    behind = np.arange(6_000) / 1_000 - np.array(sent)
    assert behind.min() >= -1e-9
    assert behind.max() < 0.1
    assert len(dates) == 3
    assert seen.verdicts == {5: {"prediction": ("drift_detected", "critical")}}
    assert shown == sorted(shown)
    assert shown[-1] == 6_000
    assert dates == sorted(dates)
    assert dates[-1] == part["time"].iloc[-1].strftime("%Y-%m-%d")
