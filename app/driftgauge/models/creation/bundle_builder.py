"""A bundle as it is being made: what its model answers to rows of a table, and what is learnt of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS, Baseline, joined, varying_as
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.drift.windows.blocks import FEWEST_HOUR_ROWS, rows_by_hour
from driftgauge.errors import BundleError, ModelFailed, Refused
from driftgauge.models.bundle import Bundle, BundleInfo, Feature, Label
from driftgauge.models.creation.baseline import BaselineOptions, baseline_with
from driftgauge.models.creation.column_types import cells_of
from driftgauge.models.creation.probe import Probe
from driftgauge.models.creation.sample_rows import made_up_samples, shared_samples, timing_of
from driftgauge.models.performance import measure_performance
from driftgauge.models.predictor import Batch, Predictor
from driftgauge.tables.cells import texts_of
from driftgauge.tables.table import categories, is_csv, seconds_since_1970

_ROWS_AT_ONCE: Final = 50_000


@dataclass(frozen=True)
class Rows:
    """Rows of a table, and how the model is given them."""

    table: pa.Table
    batch: Batch

    @classmethod
    def of(cls, table: pa.Table, features: Sequence[Feature], source: Any) -> Rows:
        """Take the rows of a table that was read from a source."""
        return cls(table, _batch(table, features, as_written=is_csv(source)))


@dataclass(frozen=True)
class Draft:
    """A bundle whose score columns, samples and performance are still to come."""

    info: BundleInfo
    model: Any
    baseline: Baseline
    share_samples: bool = False

    def with_scores(
        self, held: Rows, target: str, options: BaselineOptions, *, in_sample: bool, fitted: Rows | None
    ) -> Bundle:
        """Return the bundle with the scores of a table; `fitted` are the rows of the reference, if in order of time."""
        table, batch = held.table, held.batch
        usual = _usual_row(self.info.features, batch)
        info, model = Probe(self.info, self.model, self.baseline, batch, usual).found()
        predictor = Predictor(Bundle(info, model, self.baseline))
        try:
            labels, scores = _predict_all(predictor, batch)
        except (ModelFailed, Refused) as error:
            what = "reference" if in_sample else "evaluation table"
            advice = "; try its predict() on the table, and fill, convert or drop what it does not take"
            hint = advice if isinstance(error, ModelFailed) else ""
            raise BundleError(f"the model cannot answer the {what}: {error}{hint}") from error
        own = baseline_with(_score_columns(info, labels, scores), _of_scores(options, table), table)
        if fitted is not None:
            own = self._varying_as(own, predictor, fitted, options)
        watched = joined(self.baseline, own, in_sample=in_sample)
        if self.share_samples:
            samples = shared_samples(info.features, batch, _lacking(info.features, batch), labels, scores)
        else:
            samples = made_up_samples(predictor, batch)
        info = info.model_copy(
            update={
                "samples": samples,
                "timing": timing_of(predictor, samples),
                "performance": measure_performance(info, table, target, labels, scores, in_sample),
            }
        )
        return Bundle(info, model, watched)

    def _varying_as(self, own: Baseline, predictor: Predictor, fitted: Rows, options: BaselineOptions) -> Baseline:
        """Return the scores' baseline with the dependence and variation of those of the rows that it was fitted on.

        How they are distributed is not to be trusted, but how they follow one another is, and as a rule
        the rows span more time than the held-out ones: a season that these do not have.
        """
        try:
            labels, scores = _predict_all(predictor, fitted.batch)
        except (ModelFailed, Refused):  # there may be rows that it was not fitted on
            return own
        return varying_as(
            own,
            baseline_with(_score_columns(self.info, labels, scores), _of_scores(options, fitted.table), fitted.table),
        )


def _of_scores(options: BaselineOptions, table: pa.Table) -> BaselineOptions:
    """Return how the baseline of scores is built: not by hour where the table has too few rows for that."""
    if not options.by_hour or options.time is None:
        return options
    most = rows_by_hour(seconds_since_1970(table, options.time)).max()
    return replace(options, by_hour=bool(most >= FEWEST_HOUR_ROWS))


def _score_columns(info: BundleInfo, labels: Sequence[Label], scores: FloatArray) -> Table:
    columns: dict[str, FloatArray | Categories] = {PREDICTION: scores}
    if info.task == "multiclass":
        columns[PREDICTION_CLASS] = categories(pa.table({"class": labels}), "class")
    return columns


def _usual_row(features: Sequence[Feature], batch: Batch) -> Batch:
    """Return the first row without a missing value, or the first of all."""
    row = int(np.argmax(~_lacking(features, batch).any(axis=1)))
    return batch.part(slice(row, row + 1))


def _lacking(features: Sequence[Feature], batch: Batch) -> BoolArray:
    """Say which values the model is given as missing, shape [n, features]."""
    lacking = np.isnan(batch.cells)
    for place, names in batch.texts.items():
        known = set(features[place].categories)
        is_text = features[place].kind == "text"
        lacking[:, place] = [name is None if is_text else name not in known for name in names]
    return lacking


def _batch(table: pa.Table, features: Sequence[Feature], *, as_written: bool) -> Batch:
    cells = np.full((table.num_rows, len(features)), np.nan)
    texts: dict[int, list[str | None]] = {}
    for place, feature in enumerate(features):
        if feature.kind == "text":
            texts[place] = texts_of(table[feature.name], feature.name)
        elif isinstance(data := cells_of(table, feature, as_written=as_written), Categories):
            named = (*data.names, None)
            texts[place] = [named[code] for code in data.codes.tolist()]
        else:
            cells[:, place] = data
    return Batch(cells, texts)


def _predict_all(predictor: Predictor, batch: Batch) -> tuple[list[Label], FloatArray]:
    labels: list[Label] = []
    scores = []
    for first in range(0, len(batch), _ROWS_AT_ONCE):
        answer = predictor.predict(batch.part(slice(first, first + _ROWS_AT_ONCE)))
        labels.extend(answer.labels)
        scores.append(answer.scores)
    return labels, np.concatenate(scores)
