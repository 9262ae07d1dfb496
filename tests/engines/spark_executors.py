"""Profiles that Spark's executors make, as the page on profiles shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from driftgauge import check, profile
from driftgauge.checks.report import CheckReport
from driftgauge.drift.reference.baseline import dumps
from driftgauge.models.creation.baseline import create_baseline

from tests.pages import blocks, page

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PARTITIONS = 200
ROWS = 20_000
SHARED = '"/shared/baseline.json"'


def orders(rows: int, shift: float, seed: int) -> pa.Table:
    """Return orders with missing amounts; a shift moves the amounts."""
    random = np.random.default_rng(seed)
    gaps = random.random(rows) < 0.05
    return pa.table(
        {
            "amount": pa.array(random.lognormal(3.0 + shift, 1.0, rows), mask=gaps),
            "items": random.poisson(4, rows),
            "country": random.choice(["DE", "FR", "IT"], rows),
        }
    )


def example() -> str:
    """Return the program of the page that makes profiles in executors."""
    _, code = blocks(page("docs", "profiles.md"), "python")
    assert SHARED in code
    return code


def from_executors(session: SparkSession, folder: Path) -> Iterator[str]:
    """Yield a line unless the profiles of 200 partitions have the report of all rows in one profile."""
    baseline, rows = folder / "orders.json", orders(ROWS, 0.5, 2)
    baseline.write_text(dumps(create_baseline(orders(5_000, 0.0, 1))), encoding="utf-8")
    pq.write_table(rows, folder / "orders.parquet")
    frame = session.read.parquet(str(folder / "orders.parquet")).repartition(PARTITIONS)
    names: dict[str, Any] = {"orders": frame}
    exec(example().replace(SHARED, repr(str(baseline))), names)  # noqa: S102  the page's own code
    found = names["report"]
    if len(names["rows"]) != PARTITIONS:
        yield f"executors made {len(names['rows'])} profiles, not {PARTITIONS}"
    whole = check(baseline, [profile(baseline, rows, partition="whole")])
    if content(found) != content(whole):
        yield "the report of the executors' profiles"
    if tuple(found.drifted_features) != ("amount",):
        yield "the shift of the amounts is not told"


def content(report: CheckReport) -> dict[str, Any]:
    """Return what a report says, without the time of the check and the names of the profiles behind it."""
    own = report.to_dict()
    features = {name: {**feature, "since": None} for name, feature in own["features"].items()}
    return {**own, "features": features, "evaluated_at": None, "partitions": None}
