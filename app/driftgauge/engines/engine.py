"""A table that a database computes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

import numpy as np
import pyarrow as pa

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.reference.columns import Kind
from driftgauge.drift.reference.counted import OrderStatistics
from driftgauge.engines.columns import fetchable, is_empty
from driftgauge.errors import TableError

ROWS_AT_ONCE: Final = 1_048_576
MOST_AGGREGATES: Final = 1_000
"""Of one query: PostgreSQL allows 1,664 columns of a result, and Ibis' time to write a query grows faster than it."""
_PYTHON_ROWS_AT_ONCE: Final = 65_536
"""Of databases whose drivers make an object of each cell."""
_DAMAGED: Final = ("don't know what type", "TProtocolException")
"""What DuckDB says of a page of Parquet that it cannot read."""
_SEED: Final = 0
SPELLED: Final = ("number", "boolean")
"""What the texts of a column may spell."""


@dataclass(frozen=True)
class EngineTable:
    """An Ibis table, and the numbers that its database computes."""

    table: Any
    label: str
    """What messages call it; without passwords."""
    is_shared: bool = False
    """Whether others use the connection, too."""
    of_files: bool = False
    """Whether it is that of files which DuckDB reads in the same order each time."""

    spelled: Mapping[str, str] = field(default_factory=dict)
    """What the texts of some columns spell, as in the names of folders: `number` or `boolean`."""

    def of_kinds(self, kinds: Mapping[str, Kind]) -> EngineTable:
        """Return the table with numbers in place of the texts that spell them, except in columns of categories."""
        numbers = {
            name: (self.table[name].try_cast("boolean") if of == "boolean" else self.table[name]).try_cast("float64")
            for name, of in self.spelled.items()
            if kinds.get(name) != "categorical"
        }
        return replace(self, table=self.table.mutate(**numbers), spelled={}) if numbers else self

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.table.columns)

    @property
    def schema(self) -> Mapping[str, Any]:
        """The types of the columns, as Ibis calls them."""
        return dict(self.table.schema())

    @property
    def is_embedded(self) -> bool:
        """Whether the database runs in this process: then moving rows costs nothing."""
        return bool(self.table.get_backend().name == "duckdb")

    def close(self) -> None:
        """End the connection to the database, unless others use it."""
        if self.is_shared:
            return
        self.table.get_backend().disconnect()

    def fetch(self, expression: Any) -> pa.Table:
        """Return the rows of an expression; TableError if the database refuses it."""
        try:
            return self._as_arrow(expression) if self.of_files else expression.to_pyarrow()
        except Exception as error:
            raise self._failed(error) from error

    def _as_arrow(self, expression: Any) -> pa.Table:
        """Return rows as Ibis does, which imports pandas for them."""
        schema = expression.schema()
        if any(is_empty(of) for of in schema.types):
            return expression.to_pyarrow()
        found = self.table.get_backend().con.sql(expression.compile()).to_arrow_table()
        return found.cast(schema.to_pyarrow())

    def aggregates(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return aggregates of the table by name, from one pass for each 1,000 of them; a sum of no rows is None."""
        found: dict[str, Any] = {}
        for first in range(0, len(wanted), MOST_AGGREGATES):
            part = dict(islice(wanted.items(), first, first + MOST_AGGREGATES))
            (row,) = self.fetch(self.table.aggregate(**part)).to_pylist()
            found |= row
        return found

    def batches(self, expression: Any, rows: int | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of an expression in parts; TableError if the database refuses it.

        Only of DuckDB they have `rows` rows at most, by default 1,048,576.
        """
        try:
            if self.is_embedded:  # Ibis' own way makes a copy of all rows first
                connection = self.table.get_backend().con
                yield from connection.sql(expression.compile()).to_arrow_reader(rows or ROWS_AT_ONCE)
            else:
                yield from expression.to_pyarrow_batches(chunk_size=_PYTHON_ROWS_AT_ONCE)
        except Exception as error:
            raise self._failed(error) from error

    def numbers(self, expression: Any) -> FloatArray:
        """Return an expression's only column as an array, NaN where null; only for DuckDB."""
        try:
            (found,) = self.table.get_backend().con.sql(expression.compile()).fetchnumpy().values()
        except Exception as error:
            raise self._failed(error) from error
        is_masked = isinstance(found, np.ma.MaskedArray)
        return np.ma.filled(found, np.nan) if is_masked else np.array(found, dtype=np.float64)

    def columns(self, names: Sequence[str], kinds: Mapping[str, Kind] | None = None) -> Any:
        """Return the expression of some columns as Arrow can hold them; `kinds` are the stated ones."""
        stated = kinds or {}
        return self.table.select(**{name: fetchable(self.table, name, stated.get(name)) for name in names})

    def count(self) -> int:
        """Return the number of rows."""
        return int(self.aggregates({"rows": self.table.count()})["rows"])

    def order_statistics(self, values: Any, ranks: IntArray, size: int) -> OrderStatistics:
        """Return the values at ranks among the `size` that are not null, in ascending order."""
        if ranks.size == 0:
            return OrderStatistics(ranks, np.empty(0), size)
        known = self.table.select(v=values).filter(lambda t: t.v.notnull())
        found = self._streamed(known.order_by("v"), ranks) if self.is_embedded else self._ranked(known, ranks)
        return OrderStatistics(ranks, found + 0.0, size)

    def _streamed(self, ordered: Any, ranks: IntArray) -> FloatArray:
        """Pick values from the sorted ones as they pass: the sort is the database's and may spill to disk."""
        found, first = np.empty(len(ranks)), 0
        for batch in self.batches(ordered):
            begin, end = np.searchsorted(ranks, [first, first + batch.num_rows])
            found[begin:end] = batch.column(0).to_numpy()[ranks[begin:end] - first]
            first += batch.num_rows
        return found

    def _ranked(self, known: Any, ranks: IntArray) -> FloatArray:
        """Let the database number the sorted values, so that only those at the ranks leave it."""
        import ibis

        numbered = known.mutate(r=ibis.row_number().over(order_by=known.v))
        rows = self.fetch(numbered.filter(numbered.r.isin(ranks.tolist())).select("r", "v"))
        order = np.argsort(rows["r"].to_numpy())
        values: FloatArray = rows["v"].to_numpy().astype(np.float64)[order]
        return values

    def sample(self, columns: Any, rows: int, all_rows: int) -> pa.Table:
        """Return about `rows` rows of an expression of columns, drawn by chance; all of them if there are no more."""
        return self.fetch(self._drawn(columns, rows / all_rows) if all_rows > rows else columns)

    def rows_at(self, columns: Any, numbers: IntArray) -> pa.Table:
        """Return the rows of an expression of columns with these numbers, which ascend from 0; of files alone."""
        parts, first = [], 0
        for batch in self.batches(columns):
            begin, end = np.searchsorted(numbers, [first, first + batch.num_rows])
            parts.append(batch.take(pa.array(numbers[begin:end] - first)))
            first += batch.num_rows
        self.require_rows(first, int(numbers[-1]) + 1)
        return pa.Table.from_batches(parts)

    def require_rows(self, found: int, rows: int) -> None:
        """Raise TableError if a column has fewer rows than were counted before."""
        if found < rows:
            raise TableError(f"{self.label} changed while its rows were read: read a copy")

    def _drawn(self, table: Any, share: float) -> Any:
        """Return rows drawn by chance, the same each time where the database can do that."""
        from ibis.common.exceptions import UnsupportedOperationError

        drawn = table.sample(share, seed=_SEED)
        try:
            drawn.compile()
        except UnsupportedOperationError:
            return table.sample(share)
        return drawn

    def _failed(self, error: Exception) -> TableError:
        return TableError(f"{self.label}: {reason_of(error)}")


def reason_of(error: Exception) -> str:
    """Return the line that says why a database refused something; of Spark the first cause, of a traceback its end."""
    if type(error).__name__ == "TableNotFound":  # of Ibis, whose message is the name alone
        return f"there is no table {error}"
    text, cause = str(error), getattr(error, "java_exception", None)
    while cause is not None:
        text, cause = str(cause.getMessage() or cause.toString()), cause.getCause()
    lines = text.strip().splitlines()
    if lines and lines[0].startswith("Traceback"):
        lines = [line for line in lines[1:] if line.strip() and not line.startswith(" ")]
    reason = lines[0].strip() if lines else type(error).__name__
    return f"a file of the table is damaged ({reason})" if reason.startswith(_DAMAGED) else reason
