"""Columns of categories that a database counts, against a count in Python."""

from __future__ import annotations

from collections import Counter

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from driftgauge.checks.engine_profile import EngineProfiler
from driftgauge.checks.profile_check import ProfileCheck
from driftgauge.checks.table import check
from driftgauge.drift.bins import MISSING, OTHER, UNSEEN
from driftgauge.drift.quality.suggestion import MOST_DOMAIN
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.engines.categories import categorical_column
from driftgauge.engines.source import opened
from driftgauge.models.creation.baseline import create_baseline
from driftgauge.models.creation.engine_baseline import EnginePlan, baseline_in_engine

from tests.engines.databases import Hold
from tests.postgres import Postgres


def counts_of(column: ColumnBaseline) -> dict[str, float]:
    """Return the rows of each bin with any, by its name; what is unseen has an estimate."""
    return {
        name: float(rows)
        for name, rows in zip(column.bins.names, np.asarray(column.counts).tolist(), strict=True)
        if rows and name != UNSEEN
    }


def test_each_category_has_its_rows(hold: Hold) -> None:
    cells = ["a"] * 30 + ["b"] * 20 + ["ü雪"] * 25 + ["rare"] * 3 + [None] * 5
    column, facts = categorical_column(hold(pa.table({"c": cells})), "c", 83)
    assert counts_of(column) == {"a": 30, "b": 20, "ü雪": 25, OTHER: 3, MISSING: 5}
    assert (facts.domain, facts.max_length, facts.completeness) == (("a", "b", "rare", "ü雪"), 4, 78 / 83)


@pytest.mark.parametrize(
    ("cells", "names"),
    [([True, True, False, None], {"true": 2, "false": 1}), ([3, 3, -1, None], {"3": 2, "-1": 1})],
)
def test_categories_have_the_names_of_requests(hold: Hold, cells: list[object], names: dict[str, int]) -> None:
    column, facts = categorical_column(hold(pa.table({"c": cells * 20})), "c", 80)
    assert counts_of(column) == {**{name: 20.0 * rows for name, rows in names.items()}, MISSING: 20.0}
    assert facts.domain == tuple(sorted(names))


def test_whole_numbers_are_one_category_however_they_are_stored(hold: Hold) -> None:
    column, _ = categorical_column(hold(pa.table({"c": [1.0, 2.5] * 30})), "c", 60)
    assert counts_of(column) == {"1": 30, "2.5": 30}


def test_a_column_without_a_value_is_missing_alone(hold: Hold) -> None:
    column, facts = categorical_column(hold(pa.table({"c": pa.nulls(4, pa.string())})), "c", 4)
    assert counts_of(column) == {MISSING: 4}
    assert (facts.domain, facts.max_length, facts.completeness) == (None, None, 0.0)


@pytest.mark.parametrize("categories", [MOST_DOMAIN, MOST_DOMAIN + 1])
def test_only_few_categories_are_a_domain(hold: Hold, categories: int) -> None:
    cells = [f"c{index:04}" for index in range(categories)] * 3
    _, facts = categorical_column(hold(pa.table({"c": cells})), "c", len(cells))
    assert facts.domain == (tuple(sorted({*cells})) if categories == MOST_DOMAIN else None)
    assert facts.max_length == 5


def test_of_more_categories_than_are_kept_no_row_is_lost(hold: Hold) -> None:
    random = np.random.default_rng(0)
    cells = [f"id-{index}" for index in range(12_000)] + ["often"] * 3_000 + ["seldom"] * 40 + [None] * 60
    random.shuffle(cells)
    rows = len(cells)
    column, facts = categorical_column(hold(pa.table({"c": pa.array(cells, pa.string())})), "c", rows)
    counted = Counter(cells)
    found = counts_of(column)
    assert found["often"] == counted["often"]
    assert found[MISSING] == 60
    assert found["seldom"] == counted["seldom"]
    assert sum(found.values()) == rows
    assert (facts.domain, facts.max_length, facts.completeness) == (None, len("id-11999"), (rows - 60) / rows)


def test_texts_are_told_apart_whatever_the_collation_of_their_column(postgres: Postgres) -> None:
    url = postgres.new_database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE COLLATION same (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        connection.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        connection.execute('CREATE TABLE t (c text COLLATE same, d char(3) COLLATE "C", e mood)')
        connection.execute("INSERT INTO t SELECT (ARRAY['a', 'A'])[1 + i % 2], 'x', 'ok' FROM generate_series(1, 80) i")
    table = pa.table({"c": ["a", "A"] * 40, "d": ["x  "] * 80, "e": ["ok"] * 80})
    expected = create_baseline(table)
    with opened(f"{url}?table=t") as source:
        found = baseline_in_engine(source, None, EnginePlan(fetched_cells=0)).built.baseline
        (profile,) = EngineProfiler(source, expected).profiles()
    assert [own.bins for own in found.columns] == [own.bins for own in expected.columns]
    assert [own.counts for own in found.columns] == [own.counts for own in expected.columns]
    assert check(expected, table).status == ProfileCheck(expected, [profile]).report(0.0).status
    assert [own[own > 0].tolist() for own in profile.counts] == [[40, 40], [80], [80]]
