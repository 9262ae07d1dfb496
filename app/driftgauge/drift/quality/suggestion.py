"""Constraints that a reference suggests: those that its own rows satisfy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import MISSING, Bins, FloatArray
from driftgauge.drift.quality.constraints import ColumnConstraints, Constraints
from driftgauge.drift.quality.duplicates import duplicate_share
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.reference.columns import Categories, ColumnBaseline, Table

BOOLEANS: Final = frozenset({"true", "false"})
MARGIN: Final = 0.1
"""Suggested margin of a range, as a part of its length."""
DUPLICATES_MARGIN: Final = 0.1
"""How many more rows than in the reference may be duplicates, as a share of the rows."""
MOST_DOMAIN: Final = 200
"""Most categories of a suggested domain: longer lists are not for reading, and rare categories are often new."""


@dataclass(frozen=True)
class ColumnFacts:
    """What a reference table says of a column beyond its baseline."""

    is_integral: bool = False
    """Whether all values are whole numbers."""
    max_length: int | None = None
    """Characters of its longest category."""
    domain: tuple[str, ...] | None = None
    """Its categories, where they are few; None for numbers and for many categories."""
    completeness: float = 1.0
    """Share of rows with a value."""


@dataclass(frozen=True)
class TableFacts:
    """What a reference table says of its columns and rows beyond the baseline."""

    columns: Mapping[str, ColumnFacts]
    duplicates: float | None = None
    """Share of rows that are equal to an earlier one; None where it was not counted."""


def table_facts(table: Table, baseline: Baseline) -> TableFacts:
    """Return what a table says of its columns and rows; its rows are compared as a monitor observes them."""
    facts = {name: _facts(data) for name, data in table.items()}
    features = [column for column in baseline.columns if column.name not in RESERVED]
    return TableFacts(facts, duplicate_share([_observed(table[own.name], own.bins) for own in features]))


def suggest(baseline: Baseline, facts: TableFacts | None = None) -> Constraints:
    """Return the constraints that the reference satisfies; scores have none.

    `facts` are those of the reference table. Without them no column is known to hold whole numbers unless each of
    its values has a bin, and duplicates are not checked.
    """
    known = facts or TableFacts({})
    columns = tuple(
        _suggested(column, known.columns.get(column.name) or _facts_of(column))
        for column in baseline.columns
        if column.name not in RESERVED
    )
    duplicates = 1.0 if known.duplicates is None else min(1.0, _ceil(known.duplicates + DUPLICATES_MARGIN))
    return Constraints(columns, tuple(column.name for column in columns), duplicates=duplicates)


def _suggested(column: ColumnBaseline, facts: ColumnFacts) -> ColumnConstraints:
    completeness = math.floor(facts.completeness * 10_000) / 10_000
    if column.kind == "categorical":
        domain = facts.domain
        boolean = domain is not None and len(domain) > 0 and BOOLEANS.issuperset(domain)
        length = None if boolean or domain is not None else _longer(facts.max_length)
        return ColumnConstraints(
            column.name, "boolean" if boolean else "string", completeness, domain=domain, max_length=length
        )
    if column.of_text:
        longest = int(column.max) if math.isfinite(column.max) else None
        return ColumnConstraints(column.name, "string", completeness, max_length=_longer(longest))
    known = math.isfinite(column.min) and math.isfinite(column.max)
    return ColumnConstraints(
        column.name,
        "integral" if facts.is_integral else "fractional",
        completeness,
        minimum=column.min if known else None,
        maximum=column.max if known else None,
        margin=MARGIN if known else 0.0,
        is_non_negative=known and column.min >= 0.0,
    )


def _facts(data: FloatArray | Categories) -> ColumnFacts:
    if isinstance(data, Categories):
        present = data.codes[data.codes >= 0]
        used = [data.names[code] for code in np.unique(present).tolist()]
        domain = tuple(used) if 0 < len(used) <= MOST_DOMAIN else None
        return ColumnFacts(False, max(map(len, used), default=None), domain, _share(len(present), len(data.codes)))
    finite = data[np.isfinite(data)]
    integral = bool(finite.size) and bool((finite == np.rint(finite)).all())
    return ColumnFacts(is_integral=integral, completeness=_share(int((~np.isnan(data)).sum()), len(data)))


def _facts_of(column: ColumnBaseline) -> ColumnFacts:
    """Return what the baseline alone says of a column."""
    missing = column.counts[column.bins.special[MISSING]]
    completeness = 1.0 - missing / sum(column.counts)
    if column.kind == "categorical":
        complete = column.bins.tail_complete and not column.bins.tail and bool(column.bins.categories)
        domain = tuple(sorted(column.bins.categories)) if complete else None
        return ColumnFacts(domain=domain, completeness=completeness)
    values = column.bins.edges if column.bins.rule == "value" else ()
    integral = bool(values) and all(value == round(value) for value in values if math.isfinite(value))
    return ColumnFacts(is_integral=integral, completeness=completeness)


def _observed(data: FloatArray | Categories, bins: Bins) -> FloatArray:
    """Return the cells of a column as a monitor has them: rare categories are one value."""
    return bins.encode((*data.names, None))[data.codes] if isinstance(data, Categories) else data


def _share(part: int, rows: int) -> float:
    return part / rows if rows else 1.0


def _ceil(share: float) -> float:
    return math.ceil(share * 1_000) / 1_000


def _longer(length: int | None) -> int | None:
    """Return a length with the suggested margin."""
    return None if length is None else max(1, math.ceil(length * (1.0 + MARGIN)))
