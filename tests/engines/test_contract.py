"""Every database gives the baseline that the same table has in memory."""

from __future__ import annotations

import math
import os
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import column_content
from driftgauge.models.creation.baseline import BaselineOptions, BuiltBaseline, baseline_and_beside
from driftgauge.models.creation.engine_baseline import EnginePlan, baseline_in_engine

from tests.e2e.environments import python_of
from tests.engines.awkward import TABLES, mixed
from tests.engines.databases import Hold
from tests.pages import ROOT

ALL_ROWS = 10**9


def counted(hold: Hold, table: pa.Table, options: BaselineOptions | None = None) -> BuiltBaseline:
    """Return the baseline that the database counts; it fetches nothing but a sample of all rows."""
    return baseline_in_engine(hold(table), options, EnginePlan(fetched_cells=0, sampled_rows=ALL_ROWS)).built


def content(baseline: Baseline) -> list[dict[str, Any]]:
    """Return the columns but for moments, which depend on the order of a sum in the last bits."""
    rounded = ("mean", "std")
    return [
        {key: value for key, value in column_content(column).items() if key not in rounded}
        for column in baseline.columns
    ]


def assert_close(found: float, expected: float) -> None:
    assert math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-300) or (math.isnan(found) and math.isnan(expected))


@pytest.mark.long
def test_spark_gives_the_same(tmp_path: Path) -> None:
    python = python_of(".venv-spark")
    command = [python, "-m", "tests.engines.spark_contract", tmp_path]
    # The quick compiler alone, because the JVM's other one costs more for such small tables than it saves.
    java = {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1", "PYSPARK_PYTHON": str(python)}
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'app'}:{ROOT}", **java}
    done = subprocess.run(list(map(str, command)), cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr[-2_000:]


@pytest.mark.parametrize("name", TABLES)
def test_a_baseline_is_that_of_the_table_in_memory(hold: Hold, name: str) -> None:
    found, expected = counted(hold, TABLES[name]), baseline_and_beside(TABLES[name])
    assert content(found.baseline) == content(expected.baseline)
    for own, other in zip(found.baseline.columns, expected.baseline.columns, strict=True):
        assert_close(own.mean, other.mean)
        assert_close(own.std, other.std)
    assert found.constraints.columns == expected.constraints.columns


@pytest.mark.parametrize("name", TABLES)
def test_a_small_table_is_fetched_and_has_the_hash_of_the_one_in_memory(hold: Hold, name: str) -> None:
    found = baseline_in_engine(hold(TABLES[name]))
    assert found.built.baseline.hash == baseline_and_beside(TABLES[name]).baseline.hash
    assert found.remarks == ()


def test_rows_of_a_large_table_are_drawn_by_chance(hold: Hold) -> None:
    table = mixed(3_000).select(["long tail", "heavy", "word"])
    found = baseline_in_engine(hold(table), None, EnginePlan(fetched_cells=0, sampled_rows=1_000))
    (rows,) = found.built.baseline.correlations.rows
    assert 800 < rows < 1_200
    assert found.remarks[0].startswith("correlations and the threshold of outliers are those of ")
    assert found.built.constraints.duplicates == 1.0  # not checked
