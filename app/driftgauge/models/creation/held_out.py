"""Keeps of held-out rows what estimates of performance and evidence of concept drift need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from driftgauge.drift.bins import Bins, BoolArray, FloatArray, category_name
from driftgauge.drift.performance.error_model import fit_error_model
from driftgauge.drift.performance.errors import class_errors, error_table, value_errors
from driftgauge.drift.performance.estimated import fit_calibration
from driftgauge.drift.performance.held_out import HeldOut
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.models.bundle import BundleInfo, Label
from driftgauge.models.creation.baseline import BaselineOptions, baseline_with, of_scores
from driftgauge.tables.cells import as_numbers
from driftgauge.tables.table import categories


@dataclass(frozen=True)
class Scored:
    """A table and the model's predictions for its rows."""

    table: pa.Table
    labels: Sequence[Label]
    scores: FloatArray
    columns: FloatArray
    """The monitored columns, the score last, shape [n, columns]."""


def held_out(info: BundleInfo, scored: Scored, bins: Sequence[Bins], options: BaselineOptions) -> HeldOut | None:
    """Return what is kept of rows that the model was not fitted on; None if no truth is known.

    `bins` are those of the features.
    """
    target = info.target or ""
    fit = _of_numbers if info.task == "regression" else _of_classes
    return fit(info, scored, target, bins, options)


def _of_numbers(
    _: BundleInfo, scored: Scored, target: str, bins: Sequence[Bins], options: BaselineOptions
) -> HeldOut | None:
    truth = as_numbers(scored.table[target], target)
    known = np.isfinite(truth) & np.isfinite(scored.scores)
    if not known.any():
        return None
    errors = value_errors(truth[known], scored.scores[known])
    widths = {place: len(own.names) for place, own in enumerate(bins) if own.rule == "category"}
    model = fit_error_model(np.ascontiguousarray(scored.columns[known].T), errors[:, 0], widths)
    return HeldOut(_errors(errors, scored.table, known, options), error_model=model)


def _of_classes(
    info: BundleInfo, scored: Scored, target: str, _: Sequence[Bins], options: BaselineOptions
) -> HeldOut | None:
    classes = [category_name(label) or "" for label in info.classes]
    truth = categories(scored.table, target, classes)
    names = np.array([*truth.names, ""], dtype=object)[truth.codes]
    known: BoolArray = (truth.codes >= 0) & np.isin(names, classes) & np.isfinite(scored.scores)
    if not known.any():
        return None
    answers = np.array([category_name(label) or "" for label in scored.labels], dtype=object)[known]
    actual, scores, binary = names[known], scored.scores[known], info.task == "binary"
    correct = (answers == actual).astype(np.bool_)
    positive = (actual == classes[-1]).astype(np.bool_) if binary else None
    answered = (answers == classes[-1]).astype(np.bool_) if binary else np.ones(len(scores), np.bool_)
    return HeldOut(
        _errors(class_errors(correct, scores, positive), scored.table, known, options),
        calibration=fit_calibration(scores, correct if positive is None else positive, answered, binary=binary),
    )


def _errors(errors: FloatArray, table: pa.Table, known: BoolArray, options: BaselineOptions) -> Baseline:
    """Return the baseline of the errors, in the order of the table."""
    rows = table.filter(pa.array(known))
    return baseline_with(error_table(errors), of_scores(options, rows), rows)
