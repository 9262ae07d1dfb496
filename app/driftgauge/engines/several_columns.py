"""Several columns of PostgreSQL in one query: a row of a wide table is read for many of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.reference.counted import OrderStatistics
from driftgauge.engines.engine import EngineTable

SORTED_AT_ONCE: Final = 16
"""Columns that one query sorts: the server keeps up to `work_mem` of each in memory."""
GROUPED_AT_ONCE: Final = 50
"""Columns whose values one query counts."""
_Value = TypeVar("_Value")


@dataclass(frozen=True, eq=False)
class Ranked:
    """A numeric expression, and which of its sorted values are wanted."""

    values: Any
    ranks: IntArray
    """From 0, ascending."""
    size: int
    """Number of values that are not null."""


def order_statistics(source: EngineTable, wanted: Mapping[str, Ranked]) -> Iterator[tuple[str, OrderStatistics]]:
    """Yield the values at ranks of columns by name."""
    if not reads_several(source):
        for name, own in wanted.items():
            yield name, source.order_statistics(own.values, own.ranks, own.size)
        return
    for part in _parts(wanted, SORTED_AT_ONCE):
        found = _sorted({name: own for name, own in part.items() if own.ranks.size}, source)
        for name, own in part.items():
            yield name, OrderStatistics(own.ranks, found.get(name, np.empty(0)) + 0.0, own.size)


def _sorted(wanted: Mapping[str, Ranked], source: EngineTable) -> dict[str, FloatArray]:
    """Let the database sort each column alone, and return the values at the ranks."""
    import ibis

    if not wanted:
        return {}
    cells = _sql(source, {f"v{i}": own.values for i, own in enumerate(wanted.values())})
    # The share of half a rank more is rounded up to the next one.
    shares = [",".join(map(repr, ((own.ranks + 0.5) / own.size).tolist())) for own in wanted.values()]
    at = ", ".join(
        f"percentile_disc(CAST('{{{own}}}' AS double precision[])) WITHIN GROUP (ORDER BY t.v{i}) AS r{i}"
        for i, own in enumerate(shares)
    )
    schema = ibis.schema({f"r{i}": "array<float64>" for i in range(len(shares))})
    query = f"SELECT {at} FROM ({cells}) AS t"  # noqa: S608  numbers, and what Ibis wrote
    (row,) = source.fetch(source.table.get_backend().sql(query, schema=schema)).to_pylist()
    return {name: np.array(own, dtype=np.float64) for name, own in zip(wanted, row.values(), strict=True)}


def counted_values(
    source: EngineTable, columns: Sequence[Any], keys: Mapping[str, Any] | None = None, *, are_texts: bool = False
) -> Any:
    """Return the expression of the values `v` of columns, each with its column's place `i`, keys, and its rows `n`.

    Texts are told apart by their bytes, whatever the collation of their column. Null is a value, too.
    """
    import ibis

    names = [*(keys or {})]
    own = {f"k{i}": key for i, key in enumerate((keys or {}).values())}
    cells = _sql(source, {f"v{i}": column for i, column in enumerate(columns)} | own)
    values = ", ".join(f"({i}, {_text(i) if are_texts else f't.v{i}'})" for i in range(len(columns)))
    more = "".join(f", t.k{i}" for i in range(len(names)))
    named = "".join(f', t.k{i} AS "{name}"' for i, name in enumerate(names))
    query = (
        f"SELECT u.i AS i, u.v AS v{named}, count(*) AS n FROM ({cells}) AS t "  # noqa: S608  what Ibis wrote
        f"CROSS JOIN LATERAL (VALUES {values}) AS u(i, v) GROUP BY u.i, u.v{more}"
    )
    of = "string" if are_texts else "float64"
    schema = ibis.schema({"i": "int64", "v": of, **dict.fromkeys(names, "int64"), "n": "int64"})
    return source.table.get_backend().sql(query, schema=schema)


def _text(index: int) -> str:
    """Return a cell as text: concat() writes any type, and keeps the blanks of char(n)."""
    return f"(CASE WHEN t.v{index} IS NOT NULL THEN concat('', t.v{index}) END) COLLATE \"C\""


def reads_several(source: EngineTable) -> bool:
    """Return whether the database is one whose rows hold their columns side by side, and that knows these queries."""
    return bool(source.table.get_backend().name == "postgres")


def in_parts(names: Sequence[_Value]) -> Iterator[list[_Value]]:
    """Yield the columns whose values one query counts."""
    for first in range(0, len(names), GROUPED_AT_ONCE):
        yield [*names[first : first + GROUPED_AT_ONCE]]


def _parts(wanted: Mapping[str, _Value], most: int) -> Iterator[dict[str, _Value]]:
    for first in range(0, len(wanted), most):
        yield dict(islice(wanted.items(), first, first + most))


def _sql(source: EngineTable, cells: Mapping[str, Any]) -> str:
    """Return the query of some expressions."""
    return str(source.table.select(**cells).compile())
