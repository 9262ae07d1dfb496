"""Times of rows in databases, against Python's own clock."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from driftgauge.engines.times import as_epoch, require_times
from driftgauge.errors import TableError

from tests.engines.databases import Hold

TIMES = [
    datetime(2026, 3, 29, 0, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, tzinfo=timezone(timedelta(hours=2))),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 58, 500_000, tzinfo=UTC),
    datetime(1899, 12, 31, 12, tzinfo=UTC),
]


def epochs(hold: Hold, column: pa.Array) -> list[Any]:
    """Return a column of times as a database has them."""
    source = hold(pa.table({"row": range(len(column)), "at": column}))
    found = source.fetch(source.table.order_by("row").select(v=as_epoch(source.table, "at")))
    return list(found["v"].to_pylist())


@pytest.mark.parametrize("of", [pa.timestamp("us", "UTC"), pa.timestamp("us")], ids=str)
def test_times_are_whole_seconds_since_1970_and_without_a_zone_in_utc(hold: Hold, of: pa.DataType) -> None:
    plain = [own.astimezone(UTC) if of.tz else own.astimezone(UTC).replace(tzinfo=None) for own in TIMES]
    assert epochs(hold, pa.array(plain, of)) == [float(math.floor(own.timestamp())) for own in TIMES]


def test_a_missing_time_stays_missing(hold: Hold) -> None:
    assert epochs(hold, pa.array([TIMES[0], None], pa.timestamp("us", "UTC")))[1] is None


def test_numbers_are_seconds_already(hold: Hold) -> None:
    assert epochs(hold, pa.array([0.5, -1.0, 1.7e9])) == [0.5, -1.0, 1.7e9]
    assert epochs(hold, pa.array([0, 1_700_000_000])) == [0.0, 1.7e9]


def test_a_date_is_its_midnight_in_utc(hold: Hold) -> None:
    source = hold(pa.table({"at": pa.array([datetime(2026, 3, 29, 13)], pa.timestamp("us"))}))
    dates = source.table.mutate(at=source.table.at.cast("date"))
    (found,) = source.fetch(dates.select(v=as_epoch(dates, "at")))["v"].to_pylist()
    assert found == datetime.combine(date(2026, 3, 29), datetime.min.time(), UTC).timestamp()


def test_rows_without_a_time_are_counted(hold: Hold) -> None:
    source = hold(pa.table({"at": pa.array([TIMES[0], None, None], pa.timestamp("us")), "n": [1.0, 2.0, 3.0]}))
    with pytest.raises(TableError, match=rf"^{source.label}: at: 2 rows have no time: fill or drop them$"):
        require_times(source, "at")
    require_times(source, "n")


def test_text_is_no_time(hold: Hold) -> None:
    source = hold(pa.table({"at": ["2026-01-01"]}))
    with pytest.raises(TableError, match=rf"^{source.label}: at: it holds cells of type string, which are not times"):
        require_times(source, "at")
