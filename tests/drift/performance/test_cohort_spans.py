"""Spans of time that cohorts are joined by."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest
from driftgauge.drift.performance.cohort_spans import SPANS, span_around
from hypothesis import given
from hypothesis import strategies as st

moments = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))


@given(moments)
def test_a_month_is_that_of_the_calendar(moment: datetime) -> None:
    month = pd.Timestamp(moment).tz_localize(None).to_period("M")
    start, end = span_around(moment.timestamp(), "month")
    assert start == month.start_time.timestamp()
    assert end == (month + 1).start_time.timestamp()


@pytest.mark.parametrize("span", SPANS)
@given(moment=moments)
def test_spans_follow_each_other(span: str, moment: datetime) -> None:
    (own,) = (each for each in SPANS if each == span)
    start, end = span_around(moment.timestamp(), own)
    assert start <= moment.timestamp() < end
    assert span_around(start, own) == (start, end)
    assert span_around(end, own)[0] == end
