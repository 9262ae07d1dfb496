from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import orjson
import pandas as pd
import pytest
from driftgauge.demo import ground_truth as demo
from driftgauge.demo.replay import Replay
from driftgauge.errors import DemoError


@pytest.fixture
def turn(flights: pd.DataFrame) -> pd.DataFrame:
    """Give the flights from 30 August to 3 September (UTC)."""
    chosen = (flights["time"] >= "2013-08-30T00:00Z") & (flights["time"] < "2013-09-04T00:00Z")
    return flights[chosen].reset_index(drop=True)


def test_a_truth_is_told_once_its_flight_has_landed_and_never_of_a_cancelled_one(turn: pd.DataFrame) -> None:
    landings, told = demo.Landings(turn), list[dict[str, str]]()
    for moment in pd.date_range("2013-08-30", "2013-09-05", freq="h", tz="UTC"):
        rows = landings.until(moment)
        assert all(moment - pd.Timedelta(hours=1) < pd.Timestamp(row["observed_at"]) <= moment for row in rows)
        told += rows
    positions = [int(row["prediction_id"].removeprefix("flight-")) for row in told]
    assert len(set(positions)) == len(positions)
    assert set(positions) == set(np.flatnonzero(turn["late"].notna()))
    assert [row["label"] for row in told] == turn["late"].iloc[positions].tolist()
    assert landings.is_told.tolist() == turn["late"].notna().tolist()
    assert landings.until(pd.Timestamp("2013-09-06", tz="UTC")) == []


def cohort(start: str, predictions: int) -> dict[str, Any]:
    return {"start": start, "predictions": predictions}


def test_the_fuller_answer_of_a_month_is_kept() -> None:
    kept = demo.MonthlyPerformance()
    kept.add({"performance": None, "cohorts": []})
    assert (kept.months, kept.report) == ({}, {})
    july, august = "2013-07-01T00:00:00Z", "2013-08-01T00:00:00Z"
    report = {"matured_until": "2013-08-03T00:00:00Z"}
    kept.add({"performance": report, "cohorts": [cohort(july, 90)]})
    kept.add({"performance": report, "cohorts": [cohort(july, 40), cohort(august, 5)]})
    assert kept.matured_until == pd.Timestamp("2013-08-03", tz="UTC")
    assert [own["predictions"] for own in kept.months.values()] == [90, 5]


@pytest.mark.parametrize(("at", "month"), [("2013-08-31T23:59:59Z", "2013-08-01"), ("2013-09-01T00:00Z", "2013-09-01")])
def test_a_month_begins_in_utc(at: str, month: str) -> None:
    assert demo.month_of(pd.Timestamp(at)) == pd.Timestamp(month, tz="UTC")


def test_flights_count_a_day_after_their_hour() -> None:
    assert demo.matured_until(pd.Timestamp("2013-09-02T11:45Z")) == pd.Timestamp("2013-09-01T11:00Z")


def test_a_month_is_read_when_all_its_flights_count_and_all_at_the_end(turn: pd.DataFrame) -> None:
    asked, labels, slept = list[str | None](), list[dict[str, str]](), list[float]()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/labels":
            labels.extend(orjson.loads(request.content))
            return httpx.Response(200, json={})
        asked.append(request.url.params.get("since"))
        behind = asked.count(asked[-1]) == 1 and asked[-1] is not None
        until = "2013-09-01T00:00:00Z" if len(set(asked)) == 1 else "2013-09-03T00:00:00Z"
        cohorts = [{"start": own, "rows": 0 if behind else 10_000, "predictions": 1} for own in MONTHS]
        return httpx.Response(200, json={"performance": {"matured_until": until}, "cohorts": cohorts})

    with httpx.Client(base_url="http://server", transport=httpx.MockTransport(answer)) as client:
        truth, seen = demo.GroundTruth(client, turn, slept.append), Replay()
        for seen.at in turn["time"].dt.floor("h").unique():
            seen.rows = int((turn["time"] <= seen.at).sum())
            truth.on_batch(seen)
            if seen.at < pd.Timestamp("2013-09-02T00:00Z"):
                assert asked == []
        truth.end(seen)
    # the first answer of each is behind
    assert asked == [MONTHS[0], MONTHS[0], MONTHS[1], MONTHS[1], None]
    assert slept == [demo.REST_SECONDS] * 2
    landed = turn["landed"] <= seen.at
    assert len(labels) == landed.sum()
    assert {own: cohort["rows"] for own, cohort in truth.performance.months.items()} == {
        pd.Timestamp(month): 10_000 for month in MONTHS
    }


MONTHS = ("2013-08-01T00:00:00Z", "2013-09-01T00:00:00Z")


def test_refused_labels_end_the_demo(turn: pd.DataFrame) -> None:
    refuse = httpx.MockTransport(lambda request: httpx.Response(422, text="no"))
    seen = Replay(rows=len(turn), at=turn["time"].iloc[-1])
    with httpx.Client(base_url="http://server", transport=refuse) as client:
        truth = demo.GroundTruth(client, turn)
        with pytest.raises(DemoError, match=r"^the server refused labels: no$"):
            truth.on_batch(seen)


def test_a_server_that_stays_behind_is_not_waited_for_for_ever(turn: pd.DataFrame) -> None:
    slept = list[float]()
    empty = httpx.MockTransport(lambda request: httpx.Response(200, json={"performance": None, "cohorts": []}))
    seen = Replay(rows=len(turn), at=turn["time"].iloc[-1])
    with httpx.Client(base_url="http://server", transport=empty) as client:
        truth = demo.GroundTruth(client, turn, slept.append)
        truth.on_batch(seen)
    assert len(slept) == demo.MOST_READS
    assert truth.performance.months == {}
