"""Single constraints on columns, as they are checked: which cells violate each, and how many of the reference do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import numpy as np

from driftgauge.drift.bins import ABOVE, BELOW, MISSING, OTHER, UNSEEN, BoolArray, FloatArray
from driftgauge.drift.quality.constraints import ColumnConstraints, Constraints
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.reference.columns import ColumnBaseline

Kind = Literal["completeness", "domain", "range", "non_negative", "integrality", "max_length"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""Constraints on the values of a column."""


@dataclass(frozen=True)
class Item:
    """One constraint on one column."""

    index: int
    """The column's position in the baseline."""
    name: str
    kind: Kind
    allowed: float
    """Share of rows that may violate it."""
    reference: float
    """Rows of the reference that violate it, as far as its baseline tells."""
    rows: int
    """Rows of the reference."""
    codes: tuple[int, ...] = ()
    """Bins whose rows violate it; empty for a constraint on numbers."""
    lowest: float = -math.inf
    highest: float = math.inf
    suspects: tuple[int, ...] = ()
    """Bins with all of its violations, for a constraint on numbers; empty if any bin may have some."""

    @property
    def is_binned(self) -> bool:
        """Whether bins alone tell how many rows violate it."""
        return bool(self.codes)

    def violated(self, cells: FloatArray) -> BoolArray:
        """Return which cells violate a constraint on numbers, shape [n]; missing ones never do."""
        if self.kind == "integrality":
            with np.errstate(invalid="ignore"):
                off = np.rint(cells)
                np.subtract(cells, off, out=off)
                found: BoolArray = np.abs(off, out=off) > 0.0
            return found
        outside: BoolArray = cells > self.highest
        if self.lowest > -math.inf:
            outside |= cells < self.lowest
        return outside

    def count(self, cells: FloatArray, missing: int) -> int:
        """Return how many cells violate a constraint on numbers; `missing` of them are missing."""
        if self.kind == "integrality":  # in one comparison: a missing cell differs from itself too
            return int(np.count_nonzero(np.rint(cells) != cells)) - missing
        return int(np.count_nonzero(self.violated(cells)))

    def violation_in_words(self, column: ColumnConstraints) -> str:
        """Return what a value is that violates the constraint."""
        lowest, highest = f"{column.lowest:.6g}", f"{column.highest:.6g}"
        outside = f"below {lowest}" if column.maximum is None else f"above {highest}"
        words: dict[Kind, str] = {
            "completeness": "missing",
            "domain": f"not among the {len(column.domain or ())} allowed values",
            "range": outside if None in (column.minimum, column.maximum) else f"outside {lowest} to {highest}",
            "non_negative": "negative",
            "integrality": "not whole numbers",
            "max_length": f"longer than {column.max_length} characters",
        }
        return words[self.kind]


def items_of(constraints: Constraints, baseline: Baseline) -> list[Item]:
    """Return the constraints on the columns of a baseline, column by column."""
    found = []
    for index, column in enumerate(baseline.columns):
        own = None if column.name in RESERVED else constraints.column(column.name)
        if own is not None:
            found += list(_items(index, own, column))
    return found


def unchecked_domains(constraints: Constraints, baseline: Baseline) -> list[str]:
    """Return the columns whose domain names values that the baseline does not know: other new values look the same."""
    return [
        column.name
        for column in baseline.columns
        if (own := constraints.column(column.name)) is not None and _has_unknown(own, column)
    ]


def _items(index: int, own: ColumnConstraints, column: ColumnBaseline) -> Iterator[Item]:
    def binned(kind: Kind, codes: list[int], allowed: float = 0.0) -> Item:
        violated = float(sum(column.counts[code] for code in codes))
        return Item(index, own.name, kind, allowed, violated, column.rows, tuple(codes))

    def measured(kind: Kind, lowest: float, highest: float) -> Item:
        item = Item(index, own.name, kind, 0.0, 0.0, column.rows, lowest=lowest, highest=highest)
        quantiles = np.array(column.quantiles)
        inside = column.min >= lowest and column.max <= highest  # of a column without values neither is
        share = 0.0 if inside or not quantiles.size else float(item.violated(quantiles).mean())
        violated = share * sum(column.counts[column.bins.ordinary])
        violated += column.counts[column.bins.special[ABOVE]] * math.isfinite(highest)
        violated += column.counts[column.bins.special[BELOW]] * math.isfinite(lowest)
        return replace(item, reference=violated, suspects=_suspects(column, lowest, highest))

    if own.completeness > 0.0:
        yield binned("completeness", [column.bins.special[MISSING]], 1.0 - own.completeness)
    if column.kind == "categorical":
        if own.domain is not None and (codes := _outside(own.domain, column)):
            yield binned("domain", codes)
        if own.max_length is not None and (codes := _too_long(own.max_length, column)):
            yield binned("max_length", codes)
        return
    if own.minimum is not None or own.maximum is not None:
        yield measured("range", own.lowest, own.highest)
    if own.is_non_negative:
        yield measured("non_negative", 0.0, math.inf)
    if own.is_integral:
        values = column.bins.edges if column.bins.rule == "value" else ()
        ordinary = column.counts[column.bins.ordinary]
        broken = sum(count for value, count in zip(values, ordinary, strict=False) if value != np.rint(value))
        yield Item(
            index, own.name, "integrality", 0.0, float(broken), column.rows, suspects=_broken(column) if values else ()
        )
    if own.max_length is not None:
        yield measured("max_length", -math.inf, float(own.max_length))


def _suspects(column: ColumnBaseline, lowest: float, highest: float) -> tuple[int, ...]:
    """Return the bins of values outside the limits, if the reference's own range lies within them."""
    special, edges = column.bins.special, column.bins.edges
    if not edges:
        return ()
    first = edges[0] if column.bins.rule == "value" else math.nextafter(edges[0], math.inf)
    if first < lowest or edges[-1] > highest:
        return ()
    ends = ((BELOW, lowest > -math.inf), (ABOVE, highest < math.inf))
    return tuple(special[end] for end, is_limited in ends if is_limited)


def _broken(column: ColumnBaseline) -> tuple[int, ...]:
    """Return the bins that may hold broken numbers, where each value of the reference has a bin."""
    bins = column.bins
    known = zip(range(len(bins.names))[bins.ordinary], bins.edges, strict=True)
    broken = [code for code, value in known if value != np.rint(value)]
    return (*broken, *(bins.special[end] for end in (BELOW, ABOVE, UNSEEN)))


def _outside(domain: tuple[str, ...], column: ColumnBaseline) -> list[int]:
    """Return the bins of categories that are not in the domain."""
    special = column.bins.special
    codes = {column.bins.category_code(category) for category in domain}
    outside = [code for code, name in enumerate(column.bins.categories) if name not in domain]
    if OTHER in special and special[OTHER] not in codes and column.bins.tail_complete:
        outside.append(special[OTHER])
    if UNSEEN in special and not _has_unknown_values(domain, column):
        outside.append(special[UNSEEN])
    return outside


def _too_long(length: int, column: ColumnBaseline) -> list[int]:
    return [code for code, category in enumerate(column.bins.categories) if len(category) > length]


def _has_unknown(own: ColumnConstraints, column: ColumnBaseline) -> bool:
    return column.kind == "categorical" and own.domain is not None and _has_unknown_values(own.domain, column)


def _has_unknown_values(domain: tuple[str, ...], column: ColumnBaseline) -> bool:
    unseen = column.bins.special.get(UNSEEN)
    return any(column.bins.category_code(category) == unseen for category in domain)
