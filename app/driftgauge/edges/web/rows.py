"""The table of columns: one row each, sorted by what matters, searched and paged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.novelty.novelty import OUTLIER
from driftgauge.drift.reference.baseline import OUTPUTS
from driftgauge.drift.verdict.column import ColumnVerdict
from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.numbers import two_decimals
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.wording import sentence
from driftgauge.edges.web.query import PER_PAGE, SHOWN, Query
from driftgauge.edges.web.trend import Past
from driftgauge.edges.web.words import ago, badge, colour, minute, share

BAR: Final = 90.0
"""Length of a bar; its threshold is at two thirds."""
MOST_BARS: Final = 14
"""Bins of the small chart in a row; those with most rows."""
THRESHOLD_AT: Final = BAR * 2.0 / 3.0


@dataclass(frozen=True)
class Bar:
    """A number beside its threshold."""

    length: float
    """From 0 to `BAR`."""
    is_over: bool
    value: str
    note: str = ""


@dataclass(frozen=True)
class Since:
    """When a change began."""

    at: float
    text: str
    ago: str


@dataclass(frozen=True)
class FeatureRow:
    """A column in the table."""

    name: str
    address: str
    kind: str
    colour: str
    badge: str
    moved: str
    weight: str
    limited: str
    since: Since | None
    psi: Bar | None
    evidence: Bar | None
    missing: str
    unseen: str
    out_of_range: str
    much_missing: bool
    much_unseen: bool
    """Whether the share is at its threshold."""
    shape: tuple[str, str]
    """Paths of the bars of reference and window, bin by bin; empty without rows."""
    trend: str = ""
    """Points of the line of its PSI; empty without a history."""


@dataclass(frozen=True)
class Choice:
    """A part of the table that can be chosen, or an order."""

    word: str
    address: str
    is_chosen: bool
    rows: int = 0


@dataclass(frozen=True)
class FeatureTable:
    """One page of the table."""

    rows: Sequence[FeatureRow]
    total: int
    """Columns that the search and the chosen part have."""
    first: int
    """Position of the first row, from 1; 0 without rows."""
    parts: Sequence[Choice]
    orders: Mapping[str, Choice]
    previous: str | None
    following: str | None
    pages: int
    threshold: str
    """Of evidence."""
    window: str
    """The main window in words."""
    span: str = ""
    """How much of the past the lines show; empty without any."""


def feature_table(report: DriftReport, query: Query, past: Past | None = None, *, paged: bool = True) -> FeatureTable:
    """Return the part of the table that a query asks for."""
    found = _searched(report, query.search)
    chosen = [i for i in found if query.show in ("all", _part(report.verdicts[i]))]
    order = _sorted(report, chosen, query.sort)
    pages = max(1, math.ceil(len(order) / PER_PAGE)) if paged else 1
    page = min(query.page, pages)
    start = (page - 1) * PER_PAGE if paged else 0
    shown = order[start : start + PER_PAGE] if paged else order
    return FeatureTable(
        rows=[feature_row(report, i, query, past) for i in shown],
        total=len(order),
        first=start + 1 if shown else 0,
        parts=_parts(report, found, query),
        orders={
            name: Choice(name, query.address(sort=name, page=1, features=()), query.sort == name)
            for name in ("severity", "name", "psi", "evidence", "missing")
        },
        previous=query.address(page=page - 1) if page > 1 else None,
        following=query.address(page=page + 1) if page < pages else None,
        pages=pages,
        threshold=f"{report.evidence.threshold_log10:.1f}",
        window=rows_of(report.main),
        span=past.span if past else "",
    )


def _searched(report: DriftReport, text: str) -> list[int]:
    wanted = text.casefold()
    return [i for i in report.worst_first if wanted in report.verdicts[i].name.casefold()]


def _part(verdict: ColumnVerdict) -> str:
    return verdict.severity or "normal"


def _parts(report: DriftReport, found: Sequence[int], query: Query) -> list[Choice]:
    sizes = dict.fromkeys(SHOWN, 0) | {"all": len(found)}
    for i in found:
        sizes[_part(report.verdicts[i])] += 1
    return [
        Choice(name, query.address(show=name, page=1, features=()), query.show == name, rows)
        for name, rows in sizes.items()
        if rows or name in ("all", query.show)
    ]


def _sorted(report: DriftReport, columns: Sequence[int], sort: str) -> list[int]:
    """Return columns in an order; equal ones stay worst first."""
    largest: Mapping[str, Callable[[int], Any]] = {
        "psi": lambda i: -_known(report.main.sizes.debiased[i]),
        "evidence": lambda i: -_known(report.evidence.log10[i]),
        "missing": lambda i: -_known(report.main.shares.missing[i]),
        "name": lambda i: report.verdicts[i].name.casefold(),
    }
    return sorted(columns, key=largest[sort]) if sort in largest else list(columns)


def _known(value: float) -> float:
    return -math.inf if math.isnan(value) else float(value)


def feature_row(report: DriftReport, i: int, query: Query, past: Past | None = None) -> FeatureRow:
    """Return the row of the column at position `i`."""
    verdict, finding, shares = report.verdicts[i], report.verdicts[i].finding, report.main.shares
    missing, unseen, beyond = (float(values[i]) for values in (shares.missing, shares.unseen, shares.out_of_range))
    return FeatureRow(
        name=verdict.name,
        address=query.address(features=(verdict.name,), page=1),
        kind=kind_of(report, i),
        colour=colour(verdict.status, verdict.severity),
        badge=badge(verdict),
        moved=moved(verdict),
        weight=finding.weight(verdict.status) if finding and finding.moved else "",
        limited=sentence(finding.limited) if finding and finding.limited else "",
        since=since(verdict, report.evaluated_at),
        psi=psi_bar(verdict, float(report.main.sizes.debiased[i])),
        evidence=evidence_bar(report, i),
        missing=share(missing),
        unseen=share(unseen),
        out_of_range=share(beyond),
        much_missing=missing >= share_limit(report, i, "missing"),
        much_unseen=unseen >= share_limit(report, i, "unseen"),
        shape=_shape(report, i),
        trend=past.line(report, i) if past else "",
    )


def kind_of(report: DriftReport, i: int) -> str:
    """Return the kind of a column; that of the score says so."""
    column = report.baseline.columns[i]
    if column.name == OUTLIER:
        return "outlier or not"
    if column.name in OUTPUTS:
        return "score of the model" if column.kind == "numeric" else "predicted class"
    return "text" if column.of_text else column.kind


def moved(verdict: ColumnVerdict) -> str:
    """Return the clause about what moved, or why there is none; empty if nothing did."""
    finding = verdict.finding
    if finding is not None and finding.moved:
        return finding.moved
    if finding is not None and not finding.significant and not finding.large and finding.effect is not None:
        return ""
    return verdict.reason.removeprefix(f"{verdict.name}: ")


def since(verdict: ColumnVerdict, now: float) -> Since | None:
    """Return when a column's change began; None without one."""
    if verdict.since is None or verdict.since >= now:
        return None
    return Since(verdict.since, f"{minute(verdict.since)} UTC", f"{ago(now - verdict.since)} ago")


def psi_bar(verdict: ColumnVerdict, debiased: float) -> Bar | None:
    """Return the bar of the PSI, or other statistic, that the verdict rests on; None where it is unknown."""
    effect = verdict.finding.effect if verdict.finding else None
    if effect is None:
        return None if math.isnan(debiased) else Bar(0.0, False, _psi(debiased))
    word = "limit" if effect.usual_up_to is None else "usual up to"
    return Bar(
        _length(effect.value / effect.limit if effect.limit else 0.0),
        effect.value >= effect.limit,
        _psi(effect.value),
        f"{'' if effect.statistic == 'PSI' else effect.statistic + ' '}{word} {two_decimals(effect.limit)}",
    )


def _psi(value: float) -> str:
    return "< 0.01" if 0.0 < value < 0.005 else two_decimals(value)


def evidence_bar(report: DriftReport, i: int) -> Bar | None:
    """Return the bar of a column's evidence; None where there is none."""
    found, threshold = float(report.evidence.log10[i]), report.evidence.threshold_log10
    if math.isnan(found):
        return None
    return Bar(_length(found / threshold if threshold > 0 else 0.0), bool(report.evidence.raised[i]), f"{found:.1f}")


def _length(ratio: float) -> float:
    return round(min(max(ratio * THRESHOLD_AT, 0.0), BAR), 1)


def rows_of(window: WindowReport) -> str:
    """Return the rows of a window in words."""
    return f"last {window.rows:,} rows" if window.slides else f"{window.rows:,} rows of the table"


def verdict_window(report: DriftReport, i: int) -> WindowReport:
    """Return the sliding window on which the verdict on a column rests: that with its largest effect."""
    sliding = [window for window in report.windows.values() if window.capacity is not None]
    effects = [float(window.effect("warning")[i]) for window in sliding]
    known = [(effect, window) for effect, window in zip(effects, sliding, strict=True) if not math.isnan(effect)]
    return max(known, key=lambda pair: pair[0])[1] if known else report.main


def _shape(report: DriftReport, i: int) -> tuple[str, str]:
    """Return the bars of a small chart: the shares of the bins, those of the window beside those of the reference."""
    window, size = verdict_window(report, i), len(report.baseline.columns[i].bins.names)
    sides = window.reference[i, :size].astype(np.float64), window.counts[i, :size].astype(np.float64)
    if not all(side.sum() > 0.0 for side in sides):
        return "", ""
    used = np.flatnonzero((sides[0] > 0.0) | (sides[1] > 0.0))
    if len(used) > MOST_BARS:
        used = used[np.sort(np.argsort(-(sides[0] + sides[1])[used], kind="stable")[:MOST_BARS])]
    shares = [side[used] / side.sum() for side in sides]
    heights = [23.0 * share / max(float(share.max()) for share in shares) for share in shares]
    step = 100.0 / len(used)
    return _bars(heights[0], 0.3 * step, step), _bars(heights[1], 0.65 * step, step)


def _bars(heights: FloatArray, first: float, step: float) -> str:
    return "".join(f"M{first + step * i:.0f} 24v-{height:.0f}" for i, height in enumerate(heights.tolist()))


def share_limit(report: DriftReport, i: int, statistic: Literal["missing", "unseen"]) -> float:
    """Return the share of missing or unseen values that is a warning: its threshold above the reference's share."""
    column = report.baseline.columns[i]
    code = column.bins.special.get(statistic)
    before = 0.0 if code is None else column.counts[code] / max(1.0, sum(column.counts))
    return before + float(report.policy.thresholds(statistic, [column.name])[0, 0])
