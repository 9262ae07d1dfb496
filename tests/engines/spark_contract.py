"""The contract on Spark: run by the interpreter of Spark's own environment, it names what differs from memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from driftgauge.checks.engine_profile import EngineProfiler
from driftgauge.engines.source import opened
from driftgauge.models.creation.baseline import create_baseline
from driftgauge.models.creation.engine_baseline import EnginePlan, baseline_in_engine

from tests.checks.test_engine_profile import in_memory
from tests.engines.awkward import TABLES, mixed
from tests.engines.test_approximate import misplaced
from tests.engines.test_contract import ALL_ROWS, content


def differing(name: str, table: pa.Table, folder: Path) -> Iterator[str]:
    """Yield a line for each number of a table that Spark counts otherwise than memory."""
    path = folder / f"{name.replace(' ', '-')}.parquet"
    pq.write_table(table, path)
    expected = create_baseline(table)
    with opened(f"spark://local[1]?path={path}") as source:
        found = baseline_in_engine(source, None, EnginePlan(fetched_cells=0, sampled_rows=ALL_ROWS)).built.baseline
        for own, other in zip(content(found), content(expected), strict=True):
            yield from (f"{name}: {own['name']}: {key}" for key in own if own[key] != other[key])
        (profile,) = EngineProfiler(source, expected).profiles()
    if profile.named("rows") != in_memory(expected, table):
        yield f"{name}: its profile"


def beyond_the_bound(folder: Path) -> Iterator[str]:
    """Yield a line for each quantile of a column that Spark approximates and is farther from its rank than it says."""
    table = mixed(6_000).select(["heavy"])
    path = folder / "approximate.parquet"
    pq.write_table(table, path)
    with opened(f"spark://local[1]?path={path}") as source:
        plan = EnginePlan(fetched_cells=0, sampled_rows=ALL_ROWS, exact=False)
        (column,) = baseline_in_engine(source, None, plan).built.baseline.columns
    yield from (f"approximate: {line}" for line in misplaced(column, table))


def main(folder: Path) -> None:
    """Print what differs."""
    for name, table in TABLES.items():
        for line in differing(name, table, folder):
            sys.stdout.write(f"{line}\n")
    for line in beyond_the_bound(folder):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
