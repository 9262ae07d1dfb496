"""The contract on Spark: run by the interpreter of Spark's own environment, it names what differs from memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from driftgauge.checks.engine_profile import EngineProfiler
from driftgauge.checks.engine_profiling import profiles_in_engine
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.profiling import Profiling
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.engines.source import opened
from driftgauge.errors import TableError
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline
from driftgauge.models.creation.engine_baseline import EnginePlan, baseline_in_engine

from tests.checks.test_engine_profile import in_memory, shifted, timed
from tests.engines.awkward import TABLES, mixed
from tests.engines.spark_executors import from_executors
from tests.engines.test_approximate import misplaced
from tests.engines.test_contract import ALL_ROWS, content

EXACT = EnginePlan(fetched_cells=0, sampled_rows=ALL_ROWS)
"""Nothing but a sample of all rows is fetched."""
SMALL = ("only infinities", "two zeros", "nothing", "no category")


def url(folder: Path, name: str, table: pa.Table) -> str:
    """Write a table and return its address in Spark."""
    path = folder / f"{name.replace(' ', '-')}.parquet"
    pq.write_table(table, path)
    return f"spark://local[1]?path={path}"


def counted(baseline: Baseline, table: pa.Table, source: str) -> Iterator[str]:
    """Yield a line if the profile that Spark counts is not that of the same rows in memory."""
    with opened(source) as own:
        (profile,) = EngineProfiler(own, baseline).profiles()
    if profile.named("rows") != in_memory(baseline, table):
        yield f"the profile of {source}"


def differing(name: str, table: pa.Table, folder: Path) -> Iterator[str]:
    """Yield a line for each number of a table that Spark counts otherwise than memory."""
    expected, source = create_baseline(table), url(folder, name, table)
    with opened(source) as own:
        found = baseline_in_engine(own, None, EXACT).built.baseline
        if baseline_in_engine(own).built.baseline.hash != expected.hash:  # which fetches so small a table
            yield f"{name}: fetched"
    for its, other in zip(content(found), content(expected), strict=True):
        yield from (f"{name}: {its['name']}: {key}" for key in its if its[key] != other[key])
    yield from counted(expected, table, source)


def beyond_the_bound(folder: Path) -> Iterator[str]:
    """Yield a line for each quantile of a column that Spark approximates and is farther from its rank than it says."""
    table = mixed(30_000).select(["heavy", "long tail", "endless"])
    with opened(url(folder, "approximate", table)) as source:
        plan = EnginePlan(fetched_cells=0, sampled_rows=1_000, exact=False)
        found = baseline_in_engine(source, None, plan).built.baseline
    for column in found.columns:
        yield from (f"approximate: {line}" for line in misplaced(column, table))
        if not 0.0 < column.quantile_error < 0.001:
            yield f"approximate: {column.name}: {column.quantile_error}"


def by_period(folder: Path, zone: str | None) -> Iterator[str]:
    """Yield a line if the profiles of periods are not those in memory."""
    table = timed(zone)
    baseline, options = create_baseline(table, BaselineOptions(time="at")), CheckOptions(time="at", every="6h")
    with opened(url(folder, f"timed {zone}", table)) as source:
        found = profiles_in_engine(baseline, [("t", source)], options)
    expected = Profiling(baseline, [table], options).profiles()
    if [(own.name, own.profile.named("")) for own in found] != [(own.name, own.profile.named("")) for own in expected]:
        yield f"profiles by period, {zone}"


def named_tables(folder: Path) -> Iterator[str]:
    """Yield a line unless tables have their names in the program's own session, which then goes on."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    session.sql("CREATE DATABASE shop")
    session.range(7).write.mode("overwrite").saveAsTable("shop.orders")
    with opened("spark://local[1]?table=shop.orders") as source:
        if source.count() != 7:
            yield "rows of shop.orders"
    for address, why in (
        ("spark://local[1]?table=shop.absent", "there is no table"),
        (f"spark://local[1]?path={folder}/absent.parquet", "[PATH_NOT_FOUND] Path does not exist"),
        (f"spark://local[1]?path={__file__}", "is not a Parquet file"),
        ("spark://local[1]?path=x&memory=1g", "memory is no parameter"),
    ):
        try:
            with opened(address):
                yield f"{address} was opened"
        except TableError as error:
            if why not in str(error) or "\n" in str(error):
                yield f"{address}: {error}"
    zone = session.conf.get("spark.sql.session.timeZone")
    if (zone, session.range(3).count()) != ("Asia/Tokyo", 3):
        yield "the program's own session"


def without_java() -> Iterator[str]:
    """Yield a line unless a missing Java is named, and what to do."""
    for own, why in (
        ({"PATH": ""}, "there is no java: install it"),
        ({"JAVA_HOME": "/nowhere"}, "JAVA_HOME is /nowhere, where there is no bin/java"),
    ):
        before = os.environ.copy()
        os.environ.pop("JAVA_HOME", None)
        os.environ.update(own)
        try:
            with opened("spark://local[1]?path=x"):
                yield "Spark runs without Java"
        except TableError as error:
            if why not in str(error):
                yield f"without Java: {error}"
        finally:
            os.environ.update(before)
            if "JAVA_HOME" not in before:
                os.environ.pop("JAVA_HOME", None)


def differences(folder: Path) -> Iterator[str]:
    """Yield what differs: first in a session of ours, which ends, then in that of the program."""
    yield from without_java()
    yield from beyond_the_bound(folder)
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    if SparkContext._active_spark_context is not None:
        yield "the session of a table goes on"
    settings = {"spark.sql.warehouse.dir": str(folder / "warehouse"), "spark.ui.enabled": "false"}
    builder = SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("FATAL")
    table = TABLES["mixed"]
    yield from differing("mixed", table, folder)
    yield from counted(create_baseline(table), shifted(table), url(folder, "shifted", shifted(table)))
    for name in SMALL:
        yield from differing(name, TABLES[name], folder)
    for zone in (None, "UTC"):
        yield from by_period(folder, zone)
    yield from named_tables(folder)
    yield from from_executors(session, folder)
    session.stop()


def main(folder: Path) -> None:
    """Print what differs."""
    for line in differences(folder):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
