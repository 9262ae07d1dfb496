"""The baseline of the target, which live labels are compared with."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.drift.bins import category_name
from driftgauge.drift.reference.baseline import LABEL, Baseline
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.models.bundle import BundleInfo
from driftgauge.models.creation.baseline import BaselineOptions, baseline_with, of_scores
from driftgauge.tables.cells import as_numbers
from driftgauge.tables.table import categories


def label_baseline(info: BundleInfo, table: pa.Table, options: BaselineOptions) -> Baseline | None:
    """Return the baseline of the target's known values, in the order of the table; None without any."""
    if info.target is None or info.target not in table.column_names:
        return None
    known = table.filter(pc.is_valid(table[info.target]))
    if not known.num_rows:
        return None
    return baseline_with(_column(info, info.target, known), of_scores(options, known), known)


def _column(info: BundleInfo, target: str, table: pa.Table) -> Table:
    if info.task == "regression":
        return {LABEL: as_numbers(table[target], target)}
    classes = [category_name(label) or "" for label in info.classes]
    found = categories(table, target, classes)
    return {LABEL: Categories(np.asarray(found.codes), found.names)}
