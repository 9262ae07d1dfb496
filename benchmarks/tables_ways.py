"""What other tools do with a table of `benchmarks.tables`; each in a process and an environment of its own.

`PYTHON -m benchmarks.tables_ways WAY FOLDER MEMORY_GIB THREADS`, where PYTHON has what the way needs.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from benchmarks.tables_columns import NUMERIC, TEXT

DECILES: Final = [tenth / 10 for tenth in range(1, 10)]


def duckdb_scan(folder: Path, memory: float, threads: int) -> None:
    """Ask DuckDB for deciles and categories, one column after the other."""
    _duckdb(folder, memory, threads, [[name] for name in NUMERIC])


def duckdb_scan_at_once(folder: Path, memory: float, threads: int) -> None:
    """Ask DuckDB for the deciles of all columns in one query, which holds all their values."""
    _duckdb(folder, memory, threads, [list(NUMERIC)])


def _duckdb(folder: Path, memory: float, threads: int, queries: list[list[str]]) -> None:
    duckdb = _module("duckdb")
    with tempfile.TemporaryDirectory(dir=folder.parent) as spill:
        config = {"threads": threads, "memory_limit": f"{memory}GiB", "temp_directory": spill}
        connection = duckdb.connect(config=config)
        source = f"read_parquet('{folder}/*.parquet')"
        for names in queries:
            deciles = ", ".join(f"quantile_cont({name}, {DECILES})" for name in names)
            connection.sql("SELECT " + deciles + " FROM " + source).fetchall()  # noqa: S608  names of our own
        for name in TEXT:
            connection.sql("SELECT " + name + ", count(*) FROM " + source + " GROUP BY 1").fetchall()  # noqa: S608  names of our own


def spark_scan(folder: Path, memory: float, threads: int) -> None:
    """Ask Spark for approximate deciles (1 in 10,000 ranks) of all columns at once, and for categories."""
    session = (
        _module("pyspark.sql")
        .SparkSession.builder.master(f"local[{threads}]")
        .config("spark.driver.memory", f"{memory:g}g")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.local.dir", str(folder.parent))
        .getOrCreate()
    )
    table = session.read.parquet(str(folder))
    array = ", ".join(map(str, DECILES))
    table.selectExpr(*(f"percentile_approx({name}, array({array}), 10000) AS {name}" for name in NUMERIC)).collect()
    for name in TEXT:
        table.groupBy(name).count().collect()
    session.stop()


def evidently_report(folder: Path, memory: float, threads: int) -> None:
    """Compare the table with itself by evidently's drift preset."""
    frame = _module("pandas").read_parquet(folder, columns=[*NUMERIC, *TEXT])
    preset = _module("evidently.presets").DataDriftPreset()
    _module("evidently").Report([preset]).run(frame, frame).dict()


def whylogs_profile(folder: Path, memory: float, threads: int) -> None:
    """Make one profile of the table by whylogs, part by part."""
    pandas = _module("pandas")
    profile = _module("whylogs.core").DatasetProfile()
    for part in sorted(folder.iterdir()):
        profile.track(pandas.read_parquet(part, columns=[*NUMERIC, *TEXT]))
    profile.view().to_pandas()


def _module(name: str) -> Any:
    """Return a module that this project's own environment need not have."""
    return import_module(name)


WAYS: Final[dict[str, Callable[[Path, float, int], None]]] = {
    way.__name__: way for way in (duckdb_scan, duckdb_scan_at_once, spark_scan, evidently_report, whylogs_profile)
}


if __name__ == "__main__":
    WAYS[sys.argv[1]](Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
