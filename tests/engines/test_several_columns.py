"""Several columns in one query give what each gives alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from driftgauge.engines.engine import EngineTable
from driftgauge.engines.numbers import few_values, numeric_columns, summaries
from driftgauge.engines.several_columns import Ranked, order_statistics

from tests.engines.databases import Hold, in_postgres
from tests.postgres import Postgres

COLUMNS = 40


def wide(rows: int = 700) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return columns with gaps, some of them with ties, and one without a value."""
    random = np.random.default_rng(5)
    found = {f"c{i}": np.round(random.normal(size=rows), 1 + i % 3) for i in range(COLUMNS)}
    for index, own in enumerate(found.values()):
        own[index : index + rows // 7] = np.nan
    found["nothing"] = np.full(rows, np.nan)
    return found


def held(hold: Hold) -> EngineTable:
    return hold(pa.table({name: pa.array(own, mask=np.isnan(own)) for name, own in wide().items()}))


def test_values_at_ranks_of_many_columns_are_those_of_each(hold: Hold) -> None:
    source, known = held(hold), {name: own[~np.isnan(own)] for name, own in wide().items()}
    ranks = {name: np.arange(0, own.size, 7) for name, own in known.items()}
    wanted = {name: Ranked(source.table[name], ranks[name], own.size) for name, own in known.items()}
    found = dict(order_statistics(source, wanted))
    assert [*found] == [*known]
    for name, own in found.items():
        np.testing.assert_array_equal(own.values, np.sort(known[name])[ranks[name]])


def test_values_of_many_columns_are_counted_apart(hold: Hold) -> None:
    found = dict(few_values(held(hold), [*wide()]))
    for name, own in wide().items():
        values, counts = np.unique(own[~np.isnan(own)], return_counts=True)
        np.testing.assert_array_equal(found[name].values, values + 0.0)
        np.testing.assert_array_equal(found[name].counts, counts)


def test_a_wide_table_of_postgres_takes_a_query_for_several_columns(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries: list[object] = []
    fetch = EngineTable.fetch

    def counted(self: EngineTable, expression: object) -> pa.Table:
        queries.append(expression)
        return fetch(self, expression)

    monkeypatch.setattr(EngineTable, "fetch", counted)
    with in_postgres(postgres.new_database()) as own:
        source = held(own)
        numeric_columns(source, summaries(source, [*wide()]), lambda _: None)
    assert len(queries) < COLUMNS / 4
