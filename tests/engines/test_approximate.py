"""Quantiles without a sort: each is as near to its rank as the baseline says, and rows in bins are exact."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from driftgauge.cli.bundle_report import show_baseline
from driftgauge.drift.binner import Binner
from driftgauge.drift.reference.baseline import dumps
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.engines import approximate
from driftgauge.models.baseline_file import loads
from driftgauge.models.creation.baseline import create_baseline
from driftgauge.models.creation.engine_baseline import EnginePlan, baseline_in_engine
from rich.console import Console

from tests.engines.awkward import mixed
from tests.engines.databases import Hold

ROWS = 6_000
CAPACITY = 256


def misplaced(column: ColumnBaseline, table: pa.Table) -> Iterator[str]:
    """Yield a line for each quantile beyond its bound, and for counts that are not those of the rows."""
    cells = table[column.name].to_numpy().astype(np.float64)
    ordered = np.sort(cells[np.isfinite(cells)])
    error = column.quantile_error * ordered.size + 1.0  # a quantile lies between two values
    positions = ordered.size * (np.arange(512) + 0.5) / 512 - 0.5
    first, last = (np.searchsorted(ordered, column.quantiles, side=side) for side in ("left", "right"))
    if (first > positions + error).any() or (last - 1 < positions - error).any():
        yield f"{column.name}: quantiles are farther from their rank than {error} rows"
    binner = Binner([column.bins])
    if not np.array_equal(binner.counts(binner.codes(cells[:, None]))[0], column.counts):
        yield f"{column.name}: counts of bins"
    if (column.min, column.max) != (ordered[0], ordered[-1]):
        yield f"{column.name}: its ends"


def test_quantiles_are_as_near_to_their_rank_as_the_baseline_says(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approximate, "CAPACITY", CAPACITY)
    table = mixed(ROWS).select(["long tail", "heavy", "endless", "NaN", "huge", "few", "word"])
    plan = EnginePlan(fetched_cells=0, sampled_rows=ROWS, exact=False)
    found, exact = baseline_in_engine(hold(table), None, plan).built.baseline, create_baseline(table)
    sorts = any(column.quantile_error for column in found.columns)
    for own, its in zip(found.columns, exact.columns, strict=True):
        if own.bins.rule != "interval" or not sorts:  # nothing of it is approximate, or DuckDB's rows are sorted here
            assert (own.bins, own.counts, own.quantile_error) == (its.bins, its.counts, 0.0)
            continue
        assert 0.0 < own.quantile_error < 0.02
        assert list(misplaced(own, table)) == []
        assert len(own.bins.edges) == len(its.bins.edges)
    assert {0.0, 1.5} <= {*found.columns[1].bins.edges}  # heavy values keep bins of their own
    assert loads(dumps(found)).columns == found.columns
    console = Console(record=True, width=200)
    show_baseline(found, console)
    assert ("approximate: at most 0.0" in console.export_text()) == sorts
