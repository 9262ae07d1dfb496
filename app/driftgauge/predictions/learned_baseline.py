"""A baseline from logged predictions, for a model whose training table lacks times or is out of date."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray, category_name
from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS, Baseline, measuring_length
from driftgauge.drift.reference.build import WINDOW_SIZES, build_baseline
from driftgauge.drift.windows.blocks import hours_of
from driftgauge.errors import BaselineError
from driftgauge.predictions.rows import MICROSECONDS, PredictionBatch

MOST_ROWS: Final = 2_000_000
"""Rows that a baseline is learned from: the newest ones."""
TIME_COLUMN: Final = "time of prediction"
"""What the baseline names as the column that orders it."""


@dataclass(frozen=True)
class LearningOptions:
    """How a baseline is learned."""

    by_hour: bool = False
    """Whether rows are compared by the hour of the day (UTC)."""
    window_sizes: Sequence[int] = WINDOW_SIZES
    """Window sizes in rows for which the expected range is measured."""
    most_rows: int = MOST_ROWS


@dataclass(frozen=True)
class LearnedBaseline:
    """A baseline, and which predictions it is of."""

    baseline: Baseline
    first: float
    """When the first of them was made, seconds since 1970."""
    last: float
    left_out: int
    """Predictions that were logged with another baseline, and so with other categories, or without their features."""


def learn_baseline(
    known: Baseline, batches: Iterable[PredictionBatch], created: str, options: LearningOptions | None = None
) -> LearnedBaseline:
    """Build a baseline with the columns of `known` from predictions in the order of their time.

    Categorical columns keep their categories, because the log keeps no others; numbers get new bins. Predictions that
    were logged with another baseline are left out. BaselineError if none is left, or columns are not logged.
    """
    options = options or LearningOptions()
    rows, left_out = _newest(known, batches, options.most_rows)
    if not len(rows.at):
        other = f"; {left_out:,} were logged with another baseline" if left_out else ""
        raise BaselineError(f"the log has no predictions of this model and baseline in that time{other}")
    fixed = {column.name: column.bins for column in known.columns if column.kind == "categorical"}
    built = build_baseline(
        {name: np.ascontiguousarray(rows.columns[:, index]) for index, name in enumerate(known.names)},
        created=created,
        ordered_by=TIME_COLUMN,
        window_sizes=options.window_sizes,
        zero_bin=known.zero_bin,
        hours=hours_of(rows.at) if options.by_hour else None,
        fixed_bins=fixed,
    )
    texts = [column.name for column in known.columns if column.of_text]
    learned = replace(measuring_length(built, texts), about=known.about)
    return LearnedBaseline(learned, float(rows.at[0]), float(rows.at[-1]), left_out)


@dataclass(frozen=True)
class MonitoredRows:
    """Rows of the monitored columns."""

    columns: FloatArray
    """In the order of the baseline, shape [n, columns]."""
    at: FloatArray
    """Seconds since 1970, shape [n]."""


def _newest(known: Baseline, batches: Iterable[PredictionBatch], most: int) -> tuple[MonitoredRows, int]:
    """Return the newest rows that were logged with the baseline, and how many were not."""
    held: deque[MonitoredRows] = deque()
    count = left_out = 0
    for batch in batches:
        rows, others = monitored_rows(known, batch)
        left_out += others
        held.append(rows)
        count += len(rows.at)
        while count - len(held[0].at) >= most:
            count -= len(held.popleft().at)
    if not held:
        return MonitoredRows(np.empty((0, len(known.columns))), np.empty(0)), left_out
    columns, at = np.concatenate([rows.columns for rows in held]), np.concatenate([rows.at for rows in held])
    return MonitoredRows(columns[-most:], at[-most:]), left_out


def monitored_rows(
    known: Baseline, batch: PredictionBatch, logged_with: str | None = None
) -> tuple[MonitoredRows, int]:
    """Return a batch's rows that were logged with the baseline and can be read, and how many others there are.

    `logged_with` is the hash of the whole baseline if `known` has only some of its columns. BaselineError if columns
    are not logged.
    """
    hashed = logged_with or known.hash
    own = [number for number, model in batch.models.items() if model.baseline_hash == hashed]
    taken = np.isin(batch.version, own) & ~batch.damaged
    columns = np.full((len(batch), len(known.columns)), np.nan)
    for number in own:
        where = np.flatnonzero(batch.version == number)
        if where.size:
            columns[where] = _columns(known, batch, number, where)
            lost = np.isnan(batch.features[number]).all(axis=1)
            taken[where[lost]] &= batch.features[number].shape[1] == 0
    return MonitoredRows(columns[taken], batch.time[taken] / MICROSECONDS), int((~taken).sum())


def _columns(known: Baseline, batch: PredictionBatch, number: int, where: IntArray) -> FloatArray:
    """Return the monitored columns of the rows of one version, shape [rows, columns]."""
    model = batch.models[number]
    logged = {feature.name: place for place, feature in enumerate(model.features) if feature.kind != "hashed"}
    missing = [name for name in known.names if name not in logged and name not in (PREDICTION, PREDICTION_CLASS)]
    if missing:
        raise BaselineError(
            f"{', '.join(missing[:5])}: not logged as it is (prediction_log_drop, prediction_log_hash), so a baseline "
            "cannot be learned from the log"
        )
    columns = np.empty((len(where), len(known.columns)))
    for index, column in enumerate(known.columns):
        if column.name == PREDICTION:
            columns[:, index] = batch.scores[where]
        elif column.name == PREDICTION_CLASS:
            codes = np.append(column.bins.encode(category_name(label) for label in model.classes), np.nan)
            answered = np.nan_to_num(batch.predictions[where], nan=len(model.classes)).astype(np.int64)
            columns[:, index] = codes[answered]
        else:
            columns[:, index] = batch.features[number][:, logged[column.name]]
    return columns
