"""Baselines of a table's columns of categories, from counts of its database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from driftgauge.drift.bins import IntArray
from driftgauge.drift.quality.suggestion import MOST_DOMAIN, ColumnFacts
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.reference.counted import CategoryCounts, category_column, is_tail_incomplete, least_kept
from driftgauge.engines.columns import as_category
from driftgauge.engines.engine import EngineTable
from driftgauge.engines.several_columns import counted_values, in_parts, reads_several
from driftgauge.tables.cells import named


@dataclass(frozen=True, eq=False)
class _Groups:
    """A column's values with their rows, in its database."""

    name: str
    groups: Any
    """The expression of the values `v` and their rows `n`."""
    categories: int
    present: int
    """Rows with a value."""
    fetched: pa.Table | None = None
    """The groups, if they were fetched with those of other columns."""


def categorical_columns(
    source: EngineTable, names: Sequence[str], rows: int
) -> Iterator[tuple[str, ColumnBaseline, ColumnFacts]]:
    """Yield the baselines of columns of categories, and the facts that constraints need."""
    for own in _counted(source, names):
        yield own.name, *_column(source, own, rows)


def categorical_column(source: EngineTable, name: str, rows: int) -> tuple[ColumnBaseline, ColumnFacts]:
    """Return the baseline of one column of categories, and the facts that constraints need."""
    ((_, column, facts),) = categorical_columns(source, [name], rows)
    return column, facts


def _column(source: EngineTable, own: _Groups, rows: int) -> tuple[ColumnBaseline, ColumnFacts]:
    groups = own.groups
    if is_tail_incomplete(own.categories):
        found = _frequent(source, groups, rows, rows - own.present)
        length = source.fetch(groups.aggregate(most=groups.v.cast("string").length().max())).to_pylist()[0]["most"]
        facts = ColumnFacts(max_length=int(length), completeness=own.present / rows)
    else:
        found = _all(source.fetch(groups) if own.fetched is None else own.fetched, rows)
        domain = tuple(sorted(found.names)) if 0 < len(found.names) <= MOST_DOMAIN else None
        longest = max(map(len, found.names), default=None)
        facts = ColumnFacts(max_length=longest, domain=domain, completeness=(rows - found.missing) / rows)
    return category_column(own.name, rows, found), facts


def _counted(source: EngineTable, names: Sequence[str]) -> Iterator[_Groups]:
    """Yield the numbers of categories of columns: of texts together where one query can count several."""
    cells = {name: as_category(source.table, name) for name in names}
    together = [name for name, own in cells.items() if reads_several(source) and own.type().is_string()]
    for part in in_parts(together):
        every = counted_values(source, [cells[name] for name in part], are_texts=True)
        yield from _together(source, part, every.filter(every.v.notnull()))
    for name, own in cells.items():
        if name not in together:
            table = source.table.select(v=own).filter(lambda t: t.v.notnull())
            groups = table.group_by("v").aggregate(n=lambda t: t.count())
            total = source.fetch(groups.aggregate(n=groups.count(), present=groups.n.sum())).to_pylist()[0]
            yield _Groups(name, groups, int(total["n"]), int(total["present"] or 0))


def _together(source: EngineTable, names: Sequence[str], every: Any) -> Iterator[_Groups]:
    """Yield the groups of columns that one query counts; those of few categories are fetched."""
    totals = source.fetch(every.group_by("i").aggregate(n=every.count(), present=every.n.sum())).to_pylist()
    known = {int(own["i"]): (int(own["n"]), int(own["present"])) for own in totals}
    few = [place for place, (categories, _) in known.items() if not is_tail_incomplete(categories)]
    fetched = source.fetch(every.filter(every.i.isin(few))) if few else None
    places = None if fetched is None else fetched["i"].to_numpy()
    for place, name in enumerate(names):
        own = None if fetched is None or places is None else fetched.filter(places == place)
        yield _Groups(name, every.filter(every.i == place), *known.get(place, (0, 0)), own)


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
