"""What the types of PostgreSQL are to a monitor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import psycopg
import pytest
from driftgauge.checks.engine_profile import EngineProfiler
from driftgauge.engines.engine import EngineTable
from driftgauge.engines.source import opened
from driftgauge.errors import TableError
from driftgauge.models.bundle import FeatureKind
from driftgauge.models.creation.baseline import BaselineOptions
from driftgauge.models.creation.engine_baseline import EnginePlan, baseline_in_engine

from tests.postgres import Postgres

ROWS = 60
COLUMNS = {
    "fraction": ("numeric", "i / 3.0"),
    "unknown": ("numeric(12, 2)", "CASE WHEN i % 4 = 0 THEN 'NaN' ELSE i::numeric END"),
    "endless": ("numeric", "CASE WHEN i % 4 = 0 THEN 'Infinity' ELSE i::numeric END"),
    "long": ("numeric(100, 50)", "i / 3.0"),
    "price": ("money", "(i % 3)::numeric::money"),
    "domain": ("positive", "i % 3 + 1"),
    "id": ("uuid", "md5((i % 3)::text)::uuid"),
    "address": ("inet", "('10.0.0.' || i % 3)::inet"),
    "span": ("int4range", "int4range(1, 5 + i % 3)"),
    "period": ("interval", "((i % 3) || ' hours')::interval"),
    "hour": ("timetz", "time '00:00' + ((i % 3) || ' minutes')::interval"),
    "day": ("date", "date '2026-01-01' + i % 3"),
    "moment": ("timestamptz", "timestamptz '2026-01-01' + ((i % 3) || ' hours')::interval"),
    "mood": ("mood", "(ARRAY['sad', 'ok'])[1 + i % 2]::mood"),
    "padded": ("char(4)", "'a' || i % 3"),
    "object": ("jsonb", """'{"a": 1}'"""),
    "lists": ("int[]", "ARRAY[i]"),
}


@pytest.fixture(scope="module")
def table(postgres: Postgres) -> Iterator[EngineTable]:
    url = postgres.new_database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE DOMAIN positive AS int CHECK (value > 0)")
        connection.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        cells = ", ".join(f"({cell})::{of} AS {name}" for name, (of, cell) in COLUMNS.items())
        rows = f"generate_series(1, {ROWS}) i"
        connection.execute(f"CREATE TABLE t AS SELECT {cells} FROM {rows}")  # noqa: S608 - of this file alone
    with opened(f"{url}?table=t") as found:
        yield found


def options(name: str, kind: FeatureKind | None) -> BaselineOptions:
    return BaselineOptions(ignore=[own for own in COLUMNS if own != name], kinds={} if kind is None else {name: kind})


@pytest.mark.parametrize(
    ("name", "kind", "missing", "categories"),
    [
        ("fraction", None, 0, 0),
        ("unknown", None, ROWS // 4, 0),
        ("endless", None, 0, 0),
        ("long", None, 0, 0),
        ("price", None, 0, 0),
        ("domain", "numeric", 0, 0),
        ("price", "categorical", 0, 3),
        ("domain", "categorical", 0, 3),
        ("id", "categorical", 0, 3),
        ("address", "categorical", 0, 3),
        ("span", "categorical", 0, 3),
        ("period", "categorical", 0, 3),
        ("hour", "categorical", 0, 3),
        ("day", "categorical", 0, 3),
        ("moment", "categorical", 0, 3),
        ("mood", None, 0, 2),
        ("padded", None, 0, 3),
    ],
)
def test_a_type_is_the_same_whether_it_is_fetched_or_counted(
    table: EngineTable, name: str, kind: FeatureKind | None, missing: int, categories: int
) -> None:
    own = options(name, kind)
    fetched = baseline_in_engine(table, own).built.baseline
    counted = baseline_in_engine(table, own, EnginePlan(fetched_cells=0)).built.baseline
    (profile,) = EngineProfiler(table, fetched).profiles()
    (column,) = fetched.columns
    assert counted.columns[0].bins == column.bins
    assert counted.columns[0].counts == column.counts
    assert column.counts[column.bins.special["missing"]] == missing
    assert len(column.bins.categories) == categories
    np.testing.assert_array_equal(profile.counts[0], np.trunc(column.counts))


@pytest.mark.parametrize("name", ["object", "lists", "id", "domain", "span", "day"])
@pytest.mark.parametrize("fetched_cells", [0, 10**6])
def test_a_type_of_neither_numbers_nor_text_is_refused_with_what_to_do(
    table: EngineTable, name: str, fetched_cells: int
) -> None:
    with pytest.raises(TableError, match=rf"neither numbers nor text: .*\(--ignore {name}\)") as caught:
        baseline_in_engine(table, options(name, None), EnginePlan(fetched_cells=fetched_cells))
    assert "\n" not in str(caught.value)
