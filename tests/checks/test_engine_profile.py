"""A profile that a database counts is that of the same rows in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from driftgauge.checks.check import Check
from driftgauge.checks.engine_check import check_in_engine
from driftgauge.checks.engine_profile import EngineProfiler
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.rows import RowReader
from driftgauge.checks.table import check
from driftgauge.drift.profile.build import ProfileBuilder
from driftgauge.drift.profile.profile import Profile
from driftgauge.drift.quality.constraints import ColumnConstraints, Constraints
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.engines.engine import EngineTable
from driftgauge.errors import CheckError, TableError
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline
from driftgauge.tables.memory import open_table

from tests.engines.awkward import TABLES, mixed
from tests.engines.conftest import hold
from tests.engines.databases import Hold

__all__ = ["hold"]
NOW = 1_800_000_000.0


def in_memory(baseline: Baseline, table: pa.Table, time: str | None = None) -> Profile:
    """Return the profile of the rows as a check reads them."""
    stream, reader = open_table(table), RowReader(baseline, time, None)
    builder = ProfileBuilder(baseline, "rows")
    for part in stream.parts(reader.needed(stream)):
        rows = reader.read(stream, part)
        builder.add(rows.values, rows.at)
    return builder.profile()


def shifted(table: pa.Table) -> pa.Table:
    """Return other rows of the same columns: fewer, with values and categories that the reference lacks."""
    other = mixed(900, seed=2).to_pydict()
    other["ties"] = [value * 3 for value in other["ties"]]
    other["few"] = [value + 3 for value in other["few"]]
    other["word"] = ["new" if value == "a" else value for value in other["word"]]
    other["constant"] = [value if i % 2 else -1e9 for i, value in enumerate(other["constant"])]
    return pa.table(other, schema=table.schema)


@pytest.mark.parametrize("name", TABLES)
def test_the_profile_of_the_reference_itself_is_that_of_its_rows(hold: Hold, name: str) -> None:
    baseline = create_baseline(TABLES[name])
    (found,) = EngineProfiler(hold(TABLES[name]), baseline).profiles()
    assert found.named("rows") == in_memory(baseline, TABLES[name])


def test_the_profile_of_other_rows_is_that_in_memory_and_so_is_the_report(hold: Hold) -> None:
    baseline, table = create_baseline(TABLES["mixed"]), shifted(TABLES["mixed"])
    (found,) = EngineProfiler(hold(table), baseline).profiles()
    assert found.named("rows") == in_memory(baseline, table)
    report = check_in_engine(baseline, [hold(table)]).report(NOW)
    expected = Check(baseline, [table]).report(NOW)
    numbers = ["psi", "psi_debiased", "missing_ratio", "unseen_ratio", "out_of_range_ratio", "p_value"]
    frame, other = report.to_frame(), expected.to_frame()
    known = [name for name in numbers if name in frame.columns]
    assert "psi_debiased" in known
    assert frame[known].equals(other[known])
    assert report.status == expected.status


def test_constraints_that_bins_tell_are_checked_in_the_database(hold: Hold) -> None:
    baseline, table = create_baseline(TABLES["mixed"]), shifted(TABLES["mixed"])
    given = Constraints(columns=(ColumnConstraints("word", "string", domain=("a", "b", "c")),))
    found = check_in_engine(baseline, [hold(table)], constraints=given).report(NOW).windows[0].quality
    expected = Check(baseline, [table], constraints=given).report(NOW).windows[0].quality
    assert found is not None
    assert expected is not None
    assert [own.violations for own in found.verdicts] == [own.violations for own in expected.verdicts]
    assert sum(own.violations for own in found.verdicts) > 0


def timed(zone: str | None) -> pa.Table:
    rows = 3_000
    random = np.random.default_rng(3)
    seconds = np.sort(random.integers(1_767_222_000, 1_767_222_000 + 3 * 86_400, rows)) * 1_000_000 + 999_999
    at = pa.array(seconds, pa.int64()).cast(pa.timestamp("us", zone))
    return pa.table({"at": at, "x": random.normal(size=rows), "c": random.choice(["a", "b"], rows)})


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_periods_and_hours_are_told_apart_in_the_database(hold: Hold, zone: str | None) -> None:
    table = timed(zone)
    baseline = create_baseline(table, BaselineOptions(time="at"))
    source, options = hold(table), CheckOptions(time="at", every="1d")
    (found,) = EngineProfiler(source, baseline, time="at").profiles()
    assert found.named("rows") == in_memory(baseline, table, "at")
    days = list(EngineProfiler(source, baseline, time="at").profiles(86_400.0))
    assert len(days) == 4
    assert sum(day.rows for day in days) == table.num_rows
    assert days[0].partitions == (f"{source.label}#2025-12-31",)
    report = check_in_engine(baseline, [source], options).report(NOW)
    expected = Check(baseline, [table], options).report(NOW)
    assert [(own.window, own.rows) for own in report.windows] == [(own.window, own.rows) for own in expected.windows]


def test_a_baseline_by_hour_gets_the_rows_of_each_hour(hold: Hold) -> None:
    table = timed(None)
    baseline = create_baseline(table, BaselineOptions(time="at"))
    by_hour = {hour: column for column in [baseline.columns[0].counts] for hour in range(24)}
    baseline = replace(baseline, columns=(replace(baseline.columns[0], by_hour=by_hour), baseline.columns[1]))
    (found,) = EngineProfiler(hold(table), baseline, time="at").profiles()
    assert found.named("rows") == in_memory(baseline, table, "at")
    with pytest.raises(CheckError, match="by hour of the day: name the column of times"):
        EngineProfiler(hold(table), baseline)


def test_a_table_that_cannot_be_counted_is_refused_with_the_column(hold: Hold) -> None:
    baseline = create_baseline({"x": [1.0, 2.0, 3.0], "t": [1.0, 2.0, 3.0]})
    with pytest.raises(TableError, match="x: it holds text, where the baseline has numbers"):
        EngineProfiler(hold(pa.table({"x": ["1"], "t": [1.0]})), baseline)
    with pytest.raises(TableError, match="has no column x"):
        EngineProfiler(hold(pa.table({"t": [1.0]})), baseline)
    gaps = hold(pa.table({"x": [1.0, 2.0], "t": pa.array([1.0, None])}))
    with pytest.raises(TableError, match="t: 1 rows have no time"):
        list(EngineProfiler(gaps, baseline, time="t").profiles())
    empty = hold(pa.table({"x": pa.array([], pa.float64()), "t": pa.array([], pa.float64())}))
    with pytest.raises(TableError, match="has no rows"):
        list(EngineProfiler(empty, baseline).profiles())


def test_an_expression_of_ibis_is_a_table_of_the_public_functions(hold: Hold) -> None:
    table = mixed(1_000).select(["long tail", "word"])
    baseline = create_baseline(hold(table).table)
    assert baseline.hash == create_baseline(table).hash
    report = check(baseline, hold(table).table, now=NOW)
    assert (report.has_drift, report.windows[0].rows) == (False, 1_000)


@pytest.mark.parametrize("new", ["INSERT INTO t VALUES (1, 'a')", "DELETE FROM t WHERE x = 1"])
def test_a_table_that_changes_while_it_is_counted_is_refused(new: str) -> None:
    import ibis

    connection = ibis.duckdb.connect()
    connection.raw_sql("CREATE TABLE t AS SELECT range % 3 AS x, 'a' AS c FROM range(30)")
    baseline = create_baseline(connection.table("t").to_pyarrow())

    def change(done: str) -> None:
        if done == "numbers":
            connection.raw_sql(new)

    profiler = EngineProfiler(EngineTable(connection.table("t"), "t"), baseline, progress=change)
    with pytest.raises(TableError, match="t changed while its rows were counted: check a copy of the table"):
        list(profiler.profiles())


def test_a_column_may_have_any_name(hold: Hold) -> None:
    names = [
        "driftgauge_period",
        "Driftgauge_Hour",
        "period",
        "hour",
        "rows",
        "v",
        "n",
        "start",
        "index0",
        "per%cent%s",
    ]
    table = pa.table({name: np.arange(30) % (i + 2) for i, name in enumerate(names)} | {"c": ["a", "b", "c"] * 10})
    table = table.append_column("at", pa.array(range(0, 30 * 600, 600), pa.int64()))
    baseline = create_baseline(table, BaselineOptions(ignore=["at"]))
    (found,) = EngineProfiler(hold(table), baseline, time="at").profiles()
    assert found.named("rows") == in_memory(baseline, table, "at")
