from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from driftgauge.errors import Reason, Refused
from driftgauge.library.times import event_times

NEW_YEAR = 1_767_225_600.0
DAY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "at",
    [
        DAY,
        datetime(2026, 1, 1),
        date(2026, 1, 1),
        pd.Timestamp("2026-01-01T01:00:00", tz="Europe/Berlin"),
        np.datetime64("2026-01-01"),
        np.array("2026-01-01", dtype="M8[s]"),
        np.array(NEW_YEAR),
        np.int64(NEW_YEAR),
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00",
        int(NEW_YEAR),
    ],
    ids=repr,
)
def test_one_time_is_that_of_all_rows(at: Any) -> None:
    times = event_times(at, 2)
    assert times is not None
    assert times.tolist() == [NEW_YEAR, NEW_YEAR]


@pytest.mark.parametrize(
    "at",
    [
        [DAY, None],
        ["2026-01-01T00:00:00Z", pd.NaT],
        [np.datetime64("2026-01-01"), np.datetime64("NaT")],
        np.array(["2026", "NaT"], dtype="M8[Y]"),
        np.array([DAY, None]),
        np.array([NEW_YEAR, math.nan]),
        np.ma.masked_array(np.array([NEW_YEAR, 1.0]), np.array([False, True])),
        pd.Series([DAY, None]),
        pd.Series([datetime(2026, 1, 1), None]),
        pl.Series([DAY, None]),
        pa.array([DAY, None]),
        pa.chunked_array([[DAY, None]]),
    ],
    ids=lambda at: type(at).__name__,
)
def test_times_of_rows_may_be_missing(at: Any) -> None:
    times = event_times(at, 2)
    assert times is not None
    assert times[0] == NEW_YEAR
    assert math.isnan(times[1])


def test_an_hour_that_comes_twice_has_two_times() -> None:
    hours = [datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=ZoneInfo("Europe/Berlin")) for fold in (0, 1)]
    times = event_times(hours, 2)
    assert times is not None
    assert times[1] - times[0] == 3_600.0


def test_times_before_1970_are_times() -> None:
    times = event_times([date(1960, 1, 1), -1e9], 2)
    assert times is not None
    assert times.tolist() == [-315_619_200.0, -1e9]


@pytest.mark.parametrize(
    ("at", "row", "message"),
    [
        (True, 0, "'True' is not a time"),
        (NEW_YEAR * 1_000, 0, "is not a time: send RFC 3339 text"),
        (np.array([NEW_YEAR, NEW_YEAR * 1_000]), 1, "is not a time: send RFC 3339 text"),
        (np.array([math.nan, -1e300]), 1, "'-1e+300' is not a time"),
        (np.array([NEW_YEAR, math.inf]), 1, "'inf' is not a time"),
        ([NEW_YEAR, "tomorrow"], 1, "'tomorrow' is not a time"),
        ({0: 1.0}.values(), None, "dict_values is no time and no list of times"),
    ],
)
def test_what_is_no_time_is_refused_with_its_row(at: Any, row: int | None, message: str) -> None:
    with pytest.raises(Refused) as caught:
        event_times(at, 2)
    assert caught.value.reason is Reason.INVALID_TIMESTAMP
    assert message in caught.value.message
    assert caught.value.detail.get("row") == row
