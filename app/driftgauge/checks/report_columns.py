"""The numbers of a report's columns, declared once for the terminal, DataFrames and notebooks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.verdict.column import ColumnVerdict
from driftgauge.drift.verdict.column_statistics import BY_NAME
from driftgauge.drift.verdict.report import DriftReport

NOTHING: Final = "-"
"""Stands for an unknown value."""


@dataclass(frozen=True)
class Number:
    """A number of each column of a report."""

    name: str
    """As in JSON."""
    values: Callable[[DriftReport], FloatArray]
    """Shape [columns], NaN where unknown."""


@dataclass(frozen=True)
class Shown:
    """A number in a table for people: the sum of one or several."""

    heading: str
    format: str
    numbers: tuple[Number, ...]

    def text(self, report: DriftReport, index: int) -> str:
        """Return the number of a column in words."""
        known = [value for one in self.numbers if not math.isnan(value := float(one.values(report)[index]))]
        return format(sum(known), self.format) if known else NOTHING


def _of_window(name: str) -> Number:
    """Return a statistic of the window, as metrics and JSON have it."""
    return Number(name, lambda report: BY_NAME[name].values(report.main))


def _psi_limit(report: DriftReport) -> FloatArray:
    """Return the limit of PSI, of the columns that it judges."""
    judged = np.array([own == "psi" for own in report.main.sizes.statistics], dtype=np.bool_)
    return np.where(judged, report.main.thresholds["warning"], np.nan)


SCORES: Final = (
    Shown("evidence", ".1f", (Number("evidence_log10", lambda report: report.evidence.log10),)),
    Shown("PSI", ".3f", (_of_window("psi_debiased"),)),
    Shown("limit", ".3f", (Number("psi_threshold", _psi_limit),)),
)
DETAILS: Final = (
    Shown("p-value", ".2g", (_of_window("p_value"),)),
    Shown("KS", ".3f", (_of_window("ks_statistic"),)),
    Shown("W", ".3f", (_of_window("wasserstein_ratio"),)),
    Shown("JS", ".3f", (_of_window("js_distance"),)),
    Shown("shift", "+.2f", (_of_window("mean_shift"),)),
)
SHARES: Final = (
    Shown("missing", ".1%", (_of_window("missing_ratio"),)),
    Shown("unseen", ".1%", (_of_window("unseen_ratio"), _of_window("out_of_range_ratio"))),
)


def moved(column: ColumnVerdict) -> str:
    """Return what moved in a column in words."""
    return (column.finding.moved if column.finding else "") or NOTHING


def began(since: Mapping[str, str], column: ColumnVerdict) -> str:
    """Return the window in which a column's drift began, or else when its change began."""
    words = column.finding.since.removeprefix("since ") if column.finding else ""
    return since.get(column.name) or words or NOTHING


def verdict_in_words(report: DriftReport) -> str:
    """Return the status, with its severity if there is one."""
    return f"{report.status} ({report.severity})" if report.severity else str(report.status)
