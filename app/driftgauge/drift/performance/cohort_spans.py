"""Spans by which cohorts are joined: hours, days, weeks and months."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final, Literal, get_args

import numpy as np

from driftgauge.drift.performance.cohort import Cohort

Span = Literal["hour", "day", "week", "month"]
SPANS: Final[tuple[Span, ...]] = get_args(Span)
"""Lengths of the cohorts that a history may have."""
_SECONDS: Final[Mapping[Span, int]] = {"hour": 3_600, "day": 86_400, "week": 604_800}
"""Those of a fixed length; weeks begin with Thursday, as 1970 did."""
_YEAR_3000: Final = 32_503_680_000.0


def cohorts_by(cohorts: Iterable[Cohort], span: Span) -> list[Cohort]:
    """Return cohorts joined by hour, day, week or month (UTC), in order."""
    joined = []
    for (start, end), parts in groupby(cohorts, key=lambda own: span_around(own.start, span)):
        first, *others = parts
        for own in others:
            first = first + own
        joined.append(Cohort(**{**vars(first), "start": start, "end": end}))
    return joined


def span_around(at: float, span: Span) -> tuple[float, float]:
    """Return the start and the end of the hour, day, week or month (UTC) of a moment, seconds since 1970.

    >>> span_around(90_000.0, "day"), span_around(90_000.0, "month")
    ((86400.0, 172800.0), (0.0, 2678400.0))
    """
    if span != "month":
        start = at // _SECONDS[span] * _SECONDS[span]
        return start, start + _SECONDS[span]
    month = np.datetime64(int(min(max(at, 0.0), _YEAR_3000)), "s").astype("datetime64[M]")
    first, following = (own.astype("datetime64[s]").astype(np.int64) for own in (month, month + 1))
    return float(first), float(following)
