"""One column in full: its distribution bin by bin, quantiles, statistics and settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import MISSING, OTHER, UNSEEN, FloatArray
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.statistics.two_sample import LEVELS
from driftgauge.drift.verdict.column_statistics import COLUMN_STATISTICS
from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.numbers import percent, short, two_decimals
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.sizes import IN_WORDS
from driftgauge.edges.web.past import ColumnPast, column_past
from driftgauge.edges.web.query import Query
from driftgauge.edges.web.rows import FeatureRow, feature_row, rows_of, verdict_window
from driftgauge.edges.web.trend import Past
from driftgauge.edges.web.words import UNKNOWN, number

MOST_BINS: Final = 24
"""Bins of a chart; the others are in the table below it."""
WIDTH: Final = 100.0
"""Width of a chart's bars: the largest share."""
SPECIAL_WORDS: Final = {
    "below": "below the range",
    "above": "above the range",
    "missing": "missing",
    "unseen": "never seen before",
    "other": "other, rare",
}


@dataclass(frozen=True)
class BinRow:
    """One bin of a distribution."""

    name: str
    is_special: bool
    reference: float
    current: float
    """Lengths of the bars, from 0 to `WIDTH`."""
    reference_share: str
    current_share: str
    psi: str
    psi_share: str
    psi_length: float
    """From 0 to `WIDTH`: the bin's part of the whole PSI."""
    rows: str
    rose: bool


@dataclass(frozen=True)
class Distribution:
    """Reference and window, bin by bin."""

    window: str
    """The window in words: `last 10,000 rows`."""
    charted: Sequence[BinRow]
    bins: Sequence[BinRow]
    left_out: int
    summary: str
    """The chart in one sentence, for those who do not see it."""


@dataclass(frozen=True)
class QuantileRow:
    """A number of the reference beside that of the window."""

    name: str
    reference: str
    current: str
    reference_at: float | None = None
    """Place on a line from 0 to `WIDTH`; None where there is no line."""
    current_at: float | None = None


@dataclass(frozen=True)
class StatisticRow:
    """A statistic in every window."""

    name: str
    help: str
    numbers: Sequence[str]


@dataclass(frozen=True)
class FeatureView:
    """A column in full."""

    row: FeatureRow
    reason: str
    position: int
    distribution: Distribution | None
    quantiles: Sequence[QuantileRow]
    windows: Sequence[str]
    statistics: Sequence[StatisticRow]
    settings: Mapping[str, str]
    past: ColumnPast | None
    main_window: str


def feature_view(report: DriftReport, i: int, query: Query, past: Past | None = None) -> FeatureView:
    """Return the column at position `i`."""
    windows = list(report.windows.values())
    return FeatureView(
        row=feature_row(report, i, query, past),
        reason=report.verdicts[i].reason.removeprefix(f"{report.verdicts[i].name}: "),
        position=i,
        distribution=distribution(report, i),
        quantiles=_quantiles(report, i),
        windows=[window_name(window) for window in windows],
        statistics=[
            StatisticRow(own.name, own.help, [number(float(own.values(window)[i])) for window in windows])
            for own in COLUMN_STATISTICS
        ],
        settings=_settings(report, i),
        past=column_past(report, i, past) if past else None,
        main_window=rows_of(report.main),
    )


def window_name(window: WindowReport) -> str:
    """Return a window's name for a heading."""
    return window.name if window.capacity is None else f"{window.capacity:,} rows"


# ---------------------------------------------------------------- the distribution


def distribution(report: DriftReport, i: int) -> Distribution | None:
    """Return the window of the verdict beside the reference; None without rows."""
    window, column = verdict_window(report, i), report.baseline.columns[i]
    current, reference = window.counts[i].astype(np.float64), window.reference[i]
    size = len(column.bins.names)
    known = _of_rows(column, reference[:size])
    if current.sum() == 0 or known.sum() == 0:
        return None
    terms = report.baseline.psi_terms(window.counts, window.reference)[i, :size]
    rows = _bin_rows(column, current[:size], known, terms)
    charted = _charted(rows, terms)
    return Distribution(
        window=rows_of(window),
        charted=charted,
        bins=rows,
        left_out=len(rows) - len(charted),
        summary=_summary(column, current[:size], known, terms),
    )


def _of_rows(column: ColumnBaseline, reference: FloatArray) -> FloatArray:
    """Return the reference without the expected rows of `unseen`, which are an estimate: the reference has none."""
    known, unseen = reference.astype(np.float64), column.bins.special.get(UNSEEN)
    if unseen is not None:
        known[unseen] = 0.0
    return known


def _bin_rows(column: ColumnBaseline, current: FloatArray, reference: FloatArray, terms: FloatArray) -> list[BinRow]:
    p, q = current / current.sum(), reference / reference.sum()
    special = {code: name for name, code in column.bins.special.items()}
    largest, whole = max(float(p.max()), float(q.max())), max(float(terms.sum()), 1e-12)
    return [
        BinRow(
            name=SPECIAL_WORDS[special[code]] if code in special else name,
            is_special=code in special,
            reference=round(WIDTH * float(q[code]) / largest, 2),
            current=round(WIDTH * float(p[code]) / largest, 2),
            reference_share=percent(float(q[code])),
            current_share=percent(float(p[code])),
            psi=two_decimals(float(terms[code])),
            psi_share=f"{100.0 * float(terms[code]) / whole:.0f} %",
            psi_length=round(WIDTH * float(terms[code]) / whole, 1),
            rows=f"{int(current[code]):,}",
            rose=bool(p[code] > q[code]),
        )
        for code, name in enumerate(column.bins.names)
        if code not in special or p[code] > 0 or (q[code] > 0 and special[code] in (MISSING, OTHER, UNSEEN))
    ]


def _charted(rows: Sequence[BinRow], terms: FloatArray) -> list[BinRow]:
    """Return the bins of the chart: all, or those with the largest part of the PSI, in their order."""
    if len(rows) <= MOST_BINS:
        return list(rows)
    largest = sorted(rows, key=lambda row: -row.psi_length)[:MOST_BINS]
    kept = {id(row) for row in largest}
    return [row for row in rows if id(row) in kept]


def _summary(column: ColumnBaseline, current: FloatArray, reference: FloatArray, terms: FloatArray) -> str:
    """Return the bin that moved most, in one sentence."""
    most = int(terms.argmax())
    special = {code: SPECIAL_WORDS[name] for name, code in column.bins.special.items()}
    name = special.get(most, column.bins.names[most])
    now, before = percent(float(current[most] / current.sum())), percent(float(reference[most] / reference.sum()))
    return f"Largest difference: {name}, {now} of rows now and {before} in the reference."


# ---------------------------------------------------------------- numbers


def _quantiles(report: DriftReport, i: int) -> list[QuantileRow]:
    """Return moments and quantiles of both sides; empty for a column without numbers."""
    column, sample = report.baseline.columns[i], verdict_window(report, i).sample
    if column.kind != "numeric" or not column.quantiles:
        return []
    levels = np.quantile(np.array(column.quantiles), LEVELS)
    ends = [column.min, float(sample.min[i]), column.max, float(sample.max[i])]
    line = _Line.of([*levels.tolist(), *sample.quantiles[:, i].tolist()])
    rows = [QuantileRow("minimum", number(ends[0]), number(ends[1]))]
    for level, before, now in zip(LEVELS, levels.tolist(), sample.quantiles[:, i].tolist(), strict=True):
        name = "median" if level == 0.5 else f"{100 * level:.0f} % are below"
        rows.append(QuantileRow(name, number(before), number(now), line.at(before), line.at(now)))
    rows += [
        QuantileRow("maximum", number(ends[2]), number(ends[3])),
        QuantileRow("mean", number(column.mean), number(float(sample.mean[i]))),
        QuantileRow("standard deviation", number(column.std), number(float(sample.std[i]))),
    ]
    return rows


@dataclass(frozen=True)
class _Line:
    """Places numbers on a line from 0 to `WIDTH`."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> _Line:
        known = [value for value in values if math.isfinite(value)]
        return cls(min(known, default=0.0), max(known, default=0.0))

    def at(self, value: float) -> float | None:
        spread = self.high - self.low
        if not math.isfinite(value) or not 0.0 < spread < math.inf:
            return None
        return round(WIDTH * (value - self.low) / spread, 2)


def _settings(report: DriftReport, i: int) -> dict[str, str]:
    column, own, window = (
        report.baseline.columns[i],
        report.policy.column(report.verdicts[i].name),
        verdict_window(report, i),
    )
    sizes, name = window.sizes, IN_WORDS[window.sizes.statistics[i]]
    warning, critical = (float(sizes.thresholds[limit][i]) for limit in ("warning", "critical"))
    origin = "the reference's expected range" if sizes.by_expected_range[i] else "the settings"
    tolerance = report.policy.budget.tolerance if own.tolerance is None else own.tolerance
    reference_tau = "unknown without times" if column.tau is None else short(column.tau)
    return {
        f"{name} thresholds": f"{two_decimals(warning)} warning, {two_decimals(critical)} critical, from {origin}",
        f"Noise of {name}": f"{two_decimals(n)} in a window of this size"
        if not math.isnan(n := float(sizes.noise[i]))
        else UNKNOWN,
        "Monitored": "yes" if own.monitor else "no",
        "Raises alerts": "yes" if own.alert and own.monitor else "no",
        "Smallest shift that counts": f"{short(tolerance)} standard deviations",
        "Autocorrelation time": f"{_rows(float(report.evidence.tau[i]))} ({reference_tau} in the reference)",
        "Reference": f"{column.rows:,} rows, {len(column.counts)} bins",
    }


def _rows(number: float) -> str:
    words = short(number)
    return "1 row" if words == "1" else f"{words} rows"
