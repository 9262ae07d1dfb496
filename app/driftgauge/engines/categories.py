"""Baselines of a table's columns of categories, from counts of its database."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from driftgauge.drift.bins import IntArray
from driftgauge.drift.quality.suggestion import MOST_DOMAIN, ColumnFacts
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.reference.counted import CategoryCounts, category_column, is_tail_incomplete, least_kept
from driftgauge.engines.columns import as_category
from driftgauge.engines.engine import EngineTable
from driftgauge.tables.cells import named


def categorical_column(source: EngineTable, name: str, rows: int) -> tuple[ColumnBaseline, ColumnFacts]:
    """Return the baseline of a column of categories, and the facts that constraints need."""
    groups = _groups(source, name)
    total = source.fetch(groups.aggregate(n=groups.count(), present=groups.n.sum())).to_pylist()[0]
    if is_tail_incomplete(int(total["n"])):
        found = _frequent(source, groups, rows, rows - int(total["present"]))
        length = source.fetch(groups.aggregate(most=groups.v.cast("string").length().max())).to_pylist()[0]["most"]
        facts = ColumnFacts(max_length=int(length), completeness=int(total["present"]) / rows)
    else:
        found = _all(source.fetch(groups), rows)
        domain = tuple(sorted(found.names)) if 0 < len(found.names) <= MOST_DOMAIN else None
        longest = max(map(len, found.names), default=None)
        facts = ColumnFacts(max_length=longest, domain=domain, completeness=(rows - found.missing) / rows)
    return category_column(name, rows, found), facts


def _groups(source: EngineTable, name: str) -> Any:
    """Return the expression of the column's values, each with its rows."""
    cells = source.table.select(v=as_category(source.table, name)).filter(lambda t: t.v.notnull())
    return cells.group_by("v").aggregate(n=lambda t: t.count())


def _all(groups: pa.Table, rows: int) -> CategoryCounts:
    counts = _by_name(groups)
    return CategoryCounts(list(counts.values()), list(counts), rows - sum(counts.values()))


def _by_name(groups: pa.Table) -> Counter[str]:
    """Return the rows of each category by its name in requests; a value without a name is missing."""
    counts: Counter[str] = Counter()
    for value, rows in zip(groups["v"].to_pylist(), groups["n"].to_pylist(), strict=True):
        category = named(value)
        if category is not None:
            counts[category] += int(rows)
    return counts


def _frequent(source: EngineTable, groups: Any, rows: int, missing: int) -> CategoryCounts:
    """Return the frequent categories by name, and only the numbers of rows of all others."""
    least = least_kept(rows)
    frequent = _by_name(source.fetch(groups.filter(groups.n >= least)))
    others = groups.filter(groups.n < least)
    sizes = source.fetch(others.group_by("n").aggregate(times=others.count()))
    more: IntArray = np.repeat(sizes["n"].to_numpy().astype(np.int64), sizes["times"].to_numpy().astype(np.int64))
    return CategoryCounts(list(frequent.values()), list(frequent), missing, more)
