from __future__ import annotations

import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from app import demo
from app.flights import CLASSES, FEATURES, load_flights


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return load_flights()


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


def test_auc_by_month_is_that_of_the_arrived_flights(flights: pd.DataFrame) -> None:
    part = flights[flights["month"].isin([5, 6])]
    scores = np.random.default_rng(0).random(len(part))
    by_month = demo.auc_by_month(part, scores.tolist())
    may = (part["month"] == 5) & part["late"].notna()
    assert set(by_month) == {5, 6}
    assert by_month[5][0] == may.sum()
    assert by_month[5][1] == pytest.approx(roc_auc_score(part["late"][may] == CLASSES[1], scores[may.to_numpy()]))
