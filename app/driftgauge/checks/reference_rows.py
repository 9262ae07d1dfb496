"""Rows of a table of the reference, to show beside those that a model answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from driftgauge.checks.check import restrict
from driftgauge.checks.reference import Reference
from driftgauge.checks.row_drawer import sample_of
from driftgauge.checks.rows import RowReader
from driftgauge.checks.scoring import Scorer
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.errors import BundleError, CheckError
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


def kept_rows(reference: Reference, bytes_at_once: int) -> ReferenceRows:
    """Return the rows that are kept of the reference; see `reference_rows`. CheckError if none are.

    Scores are left out where a free text is kept by its length, which the model cannot be asked about.
    """
    sample = reference.kept()
    if sample is None:
        raise CheckError(
            "no rows of the reference are kept beside the baseline: name a table of it (--reference TABLE), or build "
            "the baseline again with --keep-rows"
        )
    known = restrict(
        reference.baseline, [name for name in reference.baseline.names if name in sample.columns or name in RESERVED]
    )
    features = restrict(known, [name for name in known.names if name in sample.columns])
    hidden = [name for name in reference.baseline.names if name not in known.names]
    remarks = (f"left out, because the kept rows do not have it: {', '.join(hidden)}",) if hidden else ()
    if any(column.of_text for column in features.columns):
        return ReferenceRows(features, sample.values(features), remarks)
    table = pa.table({name: _cells(sample.columns[name]) for name in features.names})
    found = reference_rows(table, Reference(known, reference.scorer), sample.rows, bytes_at_once)
    return replace(found, remarks=(*remarks, *found.remarks))


def _cells(data: FloatArray | Categories) -> pa.Array:
    if isinstance(data, Categories):
        return pa.array([None if code < 0 else data.names[code] for code in data.codes.tolist()], pa.string())
    return pa.array(data, pa.float64())


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
