"""What a page says about gradual drift: each column in the time windows of a week or more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.gradual.day_variation import FEWEST_DAYS
from driftgauge.drift.gradual.report import GradualReport
from driftgauge.drift.verdict.rule import JUDGED_ROWS

MOST_ROWS: Final = 20
"""Columns that the table shows, the largest change first."""


@dataclass(frozen=True)
class GradualRow:
    """One column of the table."""

    name: str
    cells: Sequence[tuple[str, str]]
    """PSI and its limit, by window."""
    is_large: bool


@dataclass(frozen=True)
class GradualView:
    """The section on gradual drift."""

    title: str
    colour: str
    note: str
    windows: Sequence[str]
    rows: Sequence[GradualRow]


def gradual_view(found: GradualReport | None) -> GradualView | None:
    """Return what is said of the long windows; None without any."""
    if found is None:
        return None
    names = [window.name for window in found.windows]
    effects = np.stack([np.nan_to_num(window.effects, nan=-1.0) for window in found.windows]).max(axis=0)
    missing = _missing(found)
    if (effects < 0.0).all():
        return GradualView(_title(found), "unknown", missing, names, ())
    note = (
        f"PSI of weeks against the training. The limit is above the usual differences between {found.variation.days} "
        "days. It is no part of the verdict."
    )
    return GradualView(
        title="Changed" if found.severity else "No large change",
        colour="warning" if found.severity else "normal",
        note=f"{note} {missing}".rstrip(),
        windows=names,
        rows=[_row(found, index) for index in np.argsort(-effects, kind="stable").tolist()[:MOST_ROWS]],
    )


def _title(found: GradualReport) -> str:
    """Return what is missing while no column is judged, in two words."""
    if found.variation.days < FEWEST_DAYS:
        return "Too few days"
    is_few = all(window.rows < JUDGED_ROWS for window in found.windows)
    return "Too few rows" if is_few else "Not judged"


def _missing(found: GradualReport) -> str:
    """Return why windows are not judged, in a sentence for each reason."""
    windows: dict[str, list[str]] = {}
    for window in found.windows:
        if window.reason is not None:
            windows.setdefault(window.reason, []).append(window.name)
    return " ".join(f"Not judged: {' and '.join(names)} ({reason})." for reason, names in windows.items())


def _row(found: GradualReport, index: int) -> GradualRow:
    values = [(own.psi_debiased[index].item(), own.thresholds[index, 0].item()) for own in found.windows]
    return GradualRow(
        name=found.report.baseline.names[index],
        cells=[(_number(psi), _number(limit)) for psi, limit in values],
        is_large=any(window.severities[index] for window in found.windows),
    )


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
