from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from driftgauge.common.rfc3339 import rfc3339
from hypothesis import given
from hypothesis import strategies as st


@given(st.floats(-62135596800.0, 253402300799.0))
def test_a_time_reads_back(at: float) -> None:
    assert abs(datetime.fromisoformat(rfc3339(at)).timestamp() - at) <= 1.0
    assert abs(datetime.fromisoformat(rfc3339(at, "milliseconds")).timestamp() - at) <= 0.001 + 4 * math.ulp(at)


@pytest.mark.parametrize("at", [-62135596800.0, -62135596801.0, float("-inf")])
def test_a_time_before_the_year_1_becomes_its_beginning(at: float) -> None:
    assert rfc3339(at) == "0001-01-01T00:00:00Z"
    assert datetime.fromisoformat(rfc3339(at)) == datetime.min.replace(tzinfo=UTC)


@pytest.mark.parametrize("at", [253402300799.0, 253402300799.9999, 1e18, float("inf")])
def test_a_time_after_the_year_9999_becomes_its_end(at: float) -> None:
    assert rfc3339(at) == "9999-12-31T23:59:59Z"


def test_a_time_is_in_utc() -> None:
    assert rfc3339(1_700_000_000.75) == "2023-11-14T22:13:20Z"
