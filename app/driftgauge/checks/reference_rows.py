"""Rows of a table of the reference, to show beside those that a model answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from driftgauge.checks.check import restrict
from driftgauge.checks.reference import Reference
from driftgauge.checks.row_sample import sample_of
from driftgauge.checks.rows import RowReader
from driftgauge.checks.scoring import Scorer
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.errors import BundleError
from driftgauge.tables.memory import open_table
from driftgauge.tables.stream import TableSource


@dataclass(frozen=True, eq=False)
class ReferenceRows:
    """Rows of a table of the reference."""

    baseline: Baseline
    """Its columns are those of the rows."""
    values: FloatArray
    """Shape [rows, columns], categories as codes, NaN where missing."""
    remarks: tuple[str, ...] = ()
    """What the reader of a report should know about the columns."""


def reference_rows(table: Any, reference: Reference, most: int, bytes_at_once: int) -> ReferenceRows:
    """Draw rows of a table. The bundle's model predicts scores that the table lacks; else these are left out.

    TableError if the table cannot be read, or lacks a feature.
    """
    stream, baseline = open_table(table, bytes_at_once), reference.baseline
    absent = [name for name in baseline.names if name in RESERVED and name not in stream.column_names]
    scorer, remarks = _scorer(reference.scorer, stream, absent)
    if scorer is None:
        baseline = restrict(baseline, [name for name in baseline.names if name not in absent])
    return ReferenceRows(baseline, sample_of(stream, RowReader(baseline, None, scorer), most), remarks)


def _scorer(scorer: Scorer | None, stream: TableSource, absent: Sequence[str]) -> tuple[Scorer | None, tuple[str, ...]]:
    """Return the scorer with its model loaded if it is needed and can be used, and remarks about it."""
    if not absent:
        return None, ()
    left_out = f"left out, because the reference lacks it: {', '.join(absent)}"
    if scorer is None or not all(name in stream.column_names for name in scorer.features):
        return None, (left_out,)
    try:
        scorer.load_model()
    except BundleError as error:
        return None, (left_out, f"the bundle's model is not used: {error}")
    return scorer, (f"predicted by the bundle's model, because the reference lacks it: {', '.join(absent)}",)
