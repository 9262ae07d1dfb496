"""What a page says about the rolling reference: each column against the training, and against the days before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.rolling.report import RollingReport
from driftgauge.drift.verdict.numbers import two_decimals
from driftgauge.drift.windows.time_spans import DAY_SECONDS

MOST_ROWS: Final = 20
"""Columns that the table shows, the largest change against the days before first."""


@dataclass(frozen=True)
class ReferenceRow:
    """One column of the table."""

    name: str
    training: str
    """PSI against the baseline of the training."""
    rolling: str
    limit: str
    days: str
    is_large: bool


@dataclass(frozen=True)
class ReferencesView:
    """The section on the rolling reference."""

    title: str
    colour: str
    note: str
    rows: Sequence[ReferenceRow]


def references_view(found: RollingReport | None) -> ReferencesView | None:
    """Return what is said of a comparison; None without a rolling reference."""
    if found is None:
        return None
    reference = found.reference
    if not reference.is_known.any():
        return ReferencesView("Too few rows", "unknown", "The days before do not have enough rows yet.", ())
    order = np.argsort(-np.nan_to_num(found.effects, nan=-1.0), kind="stable").tolist()
    begin, end = (rfc3339(day * DAY_SECONDS)[:10] for day in (reference.first_day, reference.last_day))
    return ReferencesView(
        title="Changed" if found.severity else "No large change",
        colour="warning" if found.severity else "normal",
        note=f"PSI of the last {found.report.main.rows:,} rows against the training and against the days from {begin} "
        f"to {end}, without those on which a column had drifted. It is no part of the verdict.",
        rows=[_row(found, index) for index in order[:MOST_ROWS]],
    )


def _row(found: RollingReport, index: int) -> ReferenceRow:
    return ReferenceRow(
        name=found.report.baseline.names[index],
        training=_number(found.report.main.psi.debiased[index].item()),
        rolling=_number(found.psi_debiased[index].item()),
        limit=_number(found.thresholds[index, 0].item()),
        days=str(found.reference.days[index]),
        is_large=found.severities[index] is not None,
    )


def _number(value: float) -> str:
    return "–" if math.isnan(value) else two_decimals(value)
