from __future__ import annotations

import httpx
import numpy as np
import orjson
import pandas as pd
import pytest
from driftgauge.demo import replay as demo
from driftgauge.demo.flights import FEATURES
from driftgauge.errors import DemoError


def test_a_request_holds_the_flights_of_one_hour(flights: pd.DataFrame) -> None:
    part = flights[flights["month"] == 5].head(3_000)
    bodies = [(orjson.loads(each.body), each.rows, each.last) for each in demo.requests(part, FEATURES, 40)]
    assert sum(rows for _, rows, _ in bodies) == len(part)
    assert max(rows for _, rows, _ in bodies) == 40
    for body, rows, last in bodies:
        assert len(body["data"]) == len(body["timestamps"]) == rows
        assert len({time[:13] for time in body["timestamps"]}) == 1
        assert body["timestamps"][-1] == f"{last:%Y-%m-%dT%H:%M:%SZ}"
    ids = [own for body, _, _ in bodies for own in body["prediction_ids"]]
    assert ids == [demo.flight_id(position) for position in range(len(part))]
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


def test_a_replay_keeps_the_pace_and_reads_the_status_every_so_many_rows(flights: pd.DataFrame) -> None:
    part = flights[flights["month"] == 5].head(6_050)
    time, sent = FakeTime(), list[float]()
    status_rows, batch_rows, last = list[int](), list[int](), list[pd.Timestamp]()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/drift/status":
            assert request.url.params["windows"] == "1000,10000"
            return httpx.Response(
                200, json={"rows_observed": len(sent), "features": {}, "prediction": {"rows": len(sent)}}
            )
        rows = orjson.loads(request.content)["data"]
        sent.extend([time.now - 1_000.0] * len(rows))
        return httpx.Response(200, json={"predictions": [{"score": 0.5}] * len(rows)})

    def on_status(seen: demo.Replay) -> None:
        status_rows.append(seen.rows)
        last.append(seen.at)
        assert demo.columns_of(seen.status) == {"prediction": {"rows": seen.rows}}

    with httpx.Client(base_url="http://server", transport=httpx.MockTransport(answer)) as client:
        pace = demo.Pace(1_000, time.clock, time.sleep)
        requests = demo.requests(part, FEATURES, 100)
        seen = demo.replay(client, requests, 2_000, pace, on_status, lambda seen: batch_rows.append(seen.rows))
    assert seen.rows == len(sent) == len(seen.scores) == 6_050
    # a row leaves with its batch, at the time of the batch's first row
    behind = np.arange(6_050) / 1_000 - np.array(sent)
    assert behind.min() >= -1e-9
    assert behind.max() < 0.1
    # the first batch that reaches each multiple, and the end
    assert status_rows == [*(min(n for n in batch_rows if n >= due) for due in (2_000, 4_000, 6_000)), 6_050]
    assert last == [part["time"].iloc[rows - 1] for rows in status_rows]
    assert batch_rows == sorted(batch_rows)
    assert batch_rows[-1] == 6_050


def test_a_report_that_is_behind_is_read_again_and_not_for_ever() -> None:
    covered, slept = iter([90, 90, 100]), list[float]()
    answers = httpx.MockTransport(lambda request: httpx.Response(200, json={"rows_observed": next(covered)}))
    with httpx.Client(base_url="http://server", transport=answers) as client:
        assert demo.read_status(client, 100, slept.append) == {"rows_observed": 100}
    assert slept == [demo.REST_SECONDS] * 2
    answers = httpx.MockTransport(lambda request: httpx.Response(200, json={"rows_observed": 90}))
    with (
        httpx.Client(base_url="http://server", transport=answers) as client,
        pytest.raises(DemoError, match=r"it covers 90 of 100 flights$"),
    ):
        demo.read_status(client, 100, slept.append)
    assert len(slept) == 2 + demo.MOST_READS
