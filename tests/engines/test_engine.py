"""What is computed of a table in its database, against numpy and Arrow."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from driftgauge.engines import engine
from driftgauge.engines.engine import EngineTable
from driftgauge.errors import TableError

from tests.engines.databases import Hold, in_duckdb

ROWS = 5_000


def gapped(rows: int = ROWS) -> pa.Table:
    """Return numbers with gaps, ties and both zeros, beside the number of their row."""
    random = np.random.default_rng(3)
    values = np.round(random.normal(size=rows), 1)
    return pa.table({"row": np.arange(rows), "x": pa.array(values, mask=random.random(rows) < 0.2)})


def of_row(source: EngineTable) -> Any:
    return source.table.select("row", "x").order_by("row")


def test_a_table_knows_its_columns_and_rows(hold: Hold) -> None:
    source = hold(gapped(7))
    assert (source.column_names, source.count(), set(source.schema)) == (("row", "x"), 7, {"row", "x"})
    assert source.schema["row"].is_integer()


def test_rows_are_fetched_whole_or_in_parts(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_PYTHON_ROWS_AT_ONCE", 2_048)
    table = gapped()
    source = hold(table)
    batches = list(source.batches(of_row(source), 2_048))
    assert len(batches) > 1
    assert pa.Table.from_batches(batches).to_pydict() == table.to_pydict()
    assert source.fetch(of_row(source)).to_pydict() == table.to_pydict()


def test_aggregates_are_of_all_rows_and_none_needs_no_pass(hold: Hold) -> None:
    table = gapped()
    source = hold(table)
    found = source.aggregates({"rows": source.table.count(), "known": source.table.x.count()})
    assert found == {"rows": ROWS, "known": ROWS - table["x"].null_count}
    assert source.aggregates({}) == {}


def test_aggregates_that_are_too_many_for_a_query_are_those_of_several(
    hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MOST_AGGREGATES", 2)
    table = pa.table({"x": [1, 2, 3], "none": pa.nulls(3, pa.int64())})
    source = hold(table)
    found = source.aggregates(
        {f"n{i}": (source.table.x <= i).sum() for i in range(5)} | {"none": source.table.none.sum()}
    )
    assert found == {"n0": 0, "n1": 1, "n2": 2, "n3": 3, "n4": 3, "none": None}


REFUSED: dict[str, Callable[[EngineTable, Any], object]] = {
    "fetch": lambda source, number: source.fetch(source.table.select(n=number)),
    "batches": lambda source, number: list(source.batches(source.table.select(n=number))),
    "aggregates": lambda source, number: source.aggregates({"n": number.sum()}),
}


@pytest.mark.parametrize("how", REFUSED)
def test_what_a_database_refuses_is_said_in_a_line_with_the_tables_name(hold: Hold, how: str) -> None:
    source = hold(pa.table({"x": ["a"]}))
    number = source.table.x.cast("int64")
    with pytest.raises(TableError, match=rf"^{source.label}: \S") as found:
        REFUSED[how](source, number)
    assert "\n" not in str(found.value)


def test_numbers_are_an_array_of_its_own_with_nan_for_null(tmp_path: Path) -> None:
    table = gapped()
    with in_duckdb(tmp_path) as hold:
        source = hold(table)
        found = source.numbers(of_row(source).select("x"))
        np.testing.assert_array_equal(found, table["x"].to_numpy())
        found.sort()  # in place, so that no result of the database may share its memory
        assert source.numbers(of_row(source).select("x"))[:10].tolist() != found[:10].tolist()


@pytest.mark.parametrize("ranks", [[0], [0, 1, 2, 3], [1_999, 2_000, 2_001], None], ids=str)
def test_values_at_ranks_are_those_of_the_sorted_column(hold: Hold, ranks: list[int] | None) -> None:
    table = gapped()
    ordered = np.sort(table["x"].drop_null().to_numpy()) + 0.0
    wanted = np.array(ranks if ranks is not None else range(ordered.size))
    source = hold(table)
    found = source.order_statistics(source.table.x, wanted, ordered.size)
    assert found.size == ordered.size
    np.testing.assert_array_equal(found.values, ordered[wanted])
    assert not (np.signbit(found.values) & (found.values == 0.0)).any()


def test_no_ranks_are_no_values(hold: Hold) -> None:
    source = hold(pa.table({"x": pa.nulls(3, pa.float64())}))
    found = source.order_statistics(source.table.x, np.empty(0, dtype=np.int64), 0)
    assert (found.ranks.size, found.values.size, found.size) == (0, 0, 0)


def test_a_sample_has_rows_of_the_table_drawn_evenly(hold: Hold) -> None:
    table = gapped()
    source = hold(table)
    drawn = source.sample(source.columns(["row"]), 1_000, ROWS)
    rows = drawn["row"].to_numpy()
    assert drawn.column_names == ["row"]
    assert len(np.unique(rows)) == len(rows)
    # Six standard deviations, of the number of rows and of their mean.
    assert abs(len(rows) - 1_000) < 6 * math.sqrt(1_000 * 0.8)
    assert abs(rows.mean() - ROWS / 2) < 6 * ROWS / math.sqrt(12 * len(rows))


def test_a_sample_of_no_more_rows_than_are_wanted_is_the_table(hold: Hold) -> None:
    table = gapped(50)
    source = hold(table)
    found = source.sample(source.columns(["x", "row"]), 50, 50)
    assert found.column_names == ["x", "row"]
    assert sorted(found["row"].to_pylist()) == list(range(50))


def test_a_column_of_no_type_is_fetched_as_numbers(hold: Hold) -> None:
    source = hold(pa.table({"x": [1, 2], "nothing": pa.nulls(2)}))
    found = source.fetch(source.columns(["nothing", "x"]))
    assert (found.column_names, found.schema.field("nothing").type) == (["nothing", "x"], pa.float64())
    assert found["nothing"].null_count == 2
