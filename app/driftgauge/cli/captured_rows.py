"""Draws rows from the prediction log, in the columns of a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from driftgauge.checks.check import restrict
from driftgauge.checks.row_drawer import RowDrawer
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.errors import PredictionLogError
from driftgauge.predictions.learned_baseline import monitored_rows
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import LoggedModel
from driftgauge.predictions.store import PredictionStore


@dataclass(frozen=True, eq=False)
class CapturedRows:
    """Logged predictions of a time, or a sample of them."""

    baseline: Baseline
    """Its columns are those of the rows."""
    values: FloatArray
    """Shape [rows, columns], categories as codes, NaN where missing."""
    rows: int
    """Predictions of that time, of which `values` may be a sample."""
    first: float
    """When the first of them was made, seconds since 1970."""
    last: float
    left_out: int
    """Predictions that were logged with another baseline, or without their features."""
    hidden: tuple[str, ...]
    """Columns that the log does not have as they are."""


def captured_rows(store: PredictionStore, selection: Selection, baseline: Baseline, most: int) -> CapturedRows:
    """Draw at most `most` of the selected predictions that were logged with the baseline.

    PredictionLogError if there are none.
    """
    versions = [own for own in store.versions_of(selection.model) if own.baseline_hash == baseline.hash]
    logged = _logged(versions) if versions else set(baseline.names)
    shown = restrict(baseline, [name for name in baseline.names if name in logged])
    if not shown.columns:
        raise PredictionLogError(
            "the log has no column as it is (prediction_log_drop, prediction_log_hash), so there is nothing to report"
        )
    sample, rows, left_out = RowDrawer(shown, most), 0, 0
    first, last = 0.0, 0.0
    for batch in store.read(selection):
        part, others = monitored_rows(shown, batch, baseline.hash)
        left_out += others
        if len(part.at):
            first, last = (float(part.at[0]) if rows == 0 else first), float(part.at[-1])
            rows += len(part.at)
            sample.add(part.columns)
    if not rows:
        other = ": give another --since, --until or --version"
        if left_out:
            other = f"; {left_out:,} were logged with another baseline or without their features"
        raise PredictionLogError(f"the log has no predictions of {selection.model} in that time{other}")
    hidden = tuple(name for name in baseline.names if name not in logged)
    return CapturedRows(shown, sample.values, rows, first, last, left_out, hidden)


def _logged(versions: Sequence[LoggedModel]) -> set[str]:
    """Return the columns that every version logs as they are."""
    found = [{own.name for own in version.features if own.kind != "hashed"} for version in versions]
    return set(RESERVED).union(set.intersection(*found))
