"""Rows of a database in this process are counted in their groups, in whatever order they come."""

from __future__ import annotations

import ibis
import numpy as np
import pyarrow as pa
from driftgauge.checks.embedded_numbers import profiles_of_numbers
from driftgauge.drift.profile.build import profile_of
from driftgauge.engines.engine import EngineTable
from driftgauge.models.creation.baseline import create_baseline


def test_each_group_has_the_profile_of_its_rows_and_categories_are_left_out() -> None:
    random = np.random.default_rng(4)
    groups = random.integers(0, 3, 500)
    x, y = random.normal(size=500), np.where(random.random(500) < 0.1, np.nan, random.normal(size=500))
    baseline = create_baseline(pa.table({"x": x, "word": ["a", "b"] * 250, "y": y}))
    numeric = create_baseline(pa.table({"x": x, "y": y}))
    connection = ibis.duckdb.connect()
    connection.con.register("held", pa.table({"x": x, "word": ["a", "b"] * 250, "y": y, "g": groups}))
    table = connection.table("held")
    found = profiles_of_numbers(EngineTable(table, "t"), baseline, {"period": table.g, "hour": table.g * 2}, groups=3)
    assert sorted(found) == [(0, 0), (1, 2), (2, 4)]
    for (period, _), own in found.items():
        rows = np.column_stack([x, y])[groups == period]
        expected = profile_of(numeric, rows, partition="")
        assert own.rows == expected.rows
        assert own.counts.tolist() == expected.counts.tolist()
        assert own.sums == expected.sums
        assert own.lowest.tolist() == expected.lowest.tolist()
    connection.disconnect()


def test_rows_of_very_many_groups_in_any_order_are_counted_in_their_groups() -> None:
    groups = np.random.default_rng(5).permutation(np.arange(600) % 200)
    table = pa.table({"x": groups * 1.5, "g": groups})
    baseline = create_baseline(table.select(["x"]))
    connection = ibis.duckdb.connect()
    connection.con.register("held", table)
    held = connection.table("held")
    found = profiles_of_numbers(EngineTable(held, "t"), baseline, {"period": held.g, "hour": held.g * 0}, groups=200)
    assert {period: (own.rows, own.lowest.tolist()) for (period, _), own in found.items()} == {
        group: (3, [group * 1.5]) for group in range(200)
    }
    connection.disconnect()
