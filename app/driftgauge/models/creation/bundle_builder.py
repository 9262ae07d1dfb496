"""Building a bundle: the scores of a table, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.diagnosis.importances import Importances
from driftgauge.drift.performance.held_out import HeldOut
from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS, Baseline, joined, varying_as
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.errors import BundleError, ModelFailed, Refused
from driftgauge.models.bundle import Bundle, BundleInfo, Feature, Label, Sample
from driftgauge.models.creation.attributions import reference_attributions
from driftgauge.models.creation.baseline import BaselineOptions, baseline_with, of_scores
from driftgauge.models.creation.column_types import feature_cells
from driftgauge.models.creation.foreign import refuse_wrong_classes
from driftgauge.models.creation.held_out import Scored, held_out
from driftgauge.models.creation.importances import Progress, Shuffled
from driftgauge.models.creation.probe import Probe
from driftgauge.models.creation.sample_rows import measure_timing, shared_samples, synthetic_samples
from driftgauge.models.performance import measure_performance
from driftgauge.models.predictor import Batch, Predictions, Predictor
from driftgauge.tables.cells import texts_of
from driftgauge.tables.table import categories, is_csv

_ROWS_AT_ONCE: Final = 50_000


@dataclass(frozen=True)
class Rows:
    """Rows of a table, and the batch that the model is given."""

    table: pa.Table
    batch: Batch

    @classmethod
    def of(cls, table: pa.Table, features: Sequence[Feature], source: Any) -> Rows:
        """Return the rows of a table that was read from a source."""
        return cls(table, _batch(table, features, as_written=is_csv(source)))


@dataclass(frozen=True)
class BundleBuilder:
    """A bundle without its score columns, samples and performance."""

    info: BundleInfo
    model: Any
    baseline: Baseline
    options: BaselineOptions
    share_samples: bool = False
    progress: Progress | None = None
    """Called while importances and attributions are measured; None to measure none."""

    def build(self, rows: Rows, *, in_sample: bool, fitted: Rows | None) -> Bundle:
        """Return the bundle with the scores of a table's rows.

        `fitted` are the rows of the reference, if they are in the order of their times.
        """
        typical = _typical_row(self.info.features, rows.batch)
        info, model = Probe(self.info, self.model, self.baseline, rows.batch, typical).run()
        predictor = Predictor(Bundle(info, model, self.baseline))
        answers = _predict_or_explain(predictor, rows.batch, "reference" if in_sample else "evaluation table")
        labels, scores = answers.labels, answers.scores
        if info.model.format != "sklearn":
            refuse_wrong_classes(info, labels, scores)
        scored = baseline_with(_score_columns(info, labels, scores), of_scores(self.options, rows.table), rows.table)
        if fitted is not None:
            scored = self._with_dependence(scored, predictor, fitted)
        samples = self._samples(predictor, rows.batch, labels, scores)
        update = {
            "samples": samples,
            "timing": measure_timing(predictor, samples),
            "performance": measure_performance(info, rows.table, info.target or "", labels, scores, in_sample),
        }
        return Bundle(
            info=info.model_copy(update=update),
            model=model,
            baseline=joined(self.baseline, scored, in_sample=in_sample),
            held_out=None if in_sample else self._held_out(info, rows.table, answers),
            importances=self._importances(info, predictor, rows),
            attributions=reference_attributions(predictor, rows.batch, self.progress) if self.progress else None,
        )

    def _importances(self, info: BundleInfo, predictor: Predictor, rows: Rows) -> Importances | None:
        if self.progress is None:
            return None
        return Shuffled(info, predictor, rows.batch, progress=self.progress).importances(rows.table)

    def _held_out(self, info: BundleInfo, table: pa.Table, answers: Predictions) -> HeldOut | None:
        scored = Scored(table, answers.labels, answers.scores, answers.columns)
        return held_out(info, scored, self.baseline.bins, self.options)

    def _samples(
        self, predictor: Predictor, batch: Batch, labels: Sequence[Label], scores: FloatArray
    ) -> tuple[Sample, ...]:
        if not self.share_samples:
            return synthetic_samples(predictor, batch)
        features = predictor.info.features
        return shared_samples(features, batch, _lacking(features, batch), labels, scores)

    def _with_dependence(self, scored: Baseline, predictor: Predictor, fitted: Rows) -> Baseline:
        """Return the scores' baseline with the autocorrelation and expected range of the reference's scores.

        The distribution of scores on rows that the model was fitted on is biased, but their order in time is not,
        and the reference usually spans more time: a season that the held-out rows lack.
        """
        try:
            answers = _predict_all(predictor, fitted.batch)
        except (ModelFailed, Refused):  # the reference may hold rows that the model was not fitted on
            return scored
        columns = _score_columns(self.info, answers.labels, answers.scores)
        options = of_scores(self.options, fitted.table)
        return varying_as(scored, baseline_with(columns, options, fitted.table))


def _predict_or_explain(predictor: Predictor, batch: Batch, what: str) -> Predictions:
    """Predict all rows of a table; BundleError says why the model cannot."""
    try:
        return _predict_all(predictor, batch)
    except (ModelFailed, Refused) as error:
        advice = "; try its predict() on the table, and fill, convert or drop what it does not take"
        hint = advice if isinstance(error, ModelFailed) else ""
        raise BundleError(f"the model cannot answer the {what}: {error}{hint}") from error


def _score_columns(info: BundleInfo, labels: Sequence[Label], scores: FloatArray) -> Table:
    columns: dict[str, FloatArray | Categories] = {PREDICTION: scores}
    if info.task == "multiclass":
        columns[PREDICTION_CLASS] = categories(pa.table({"class": labels}), "class")
    return columns


def _typical_row(features: Sequence[Feature], batch: Batch) -> Batch:
    """Return the first row without a missing value, or else the first row."""
    row = int(np.argmax(~_lacking(features, batch).any(axis=1)))
    return batch.part(slice(row, row + 1))


def _lacking(features: Sequence[Feature], batch: Batch) -> BoolArray:
    """Return which values the model is given as missing, shape [n, features]."""
    lacking = np.isnan(batch.cells)
    for index, names in batch.texts.items():
        known = set(features[index].categories)
        is_text = features[index].kind == "text"
        lacking[:, index] = [name is None if is_text else name not in known for name in names]
    return lacking


def _batch(table: pa.Table, features: Sequence[Feature], *, as_written: bool) -> Batch:
    cells = np.full((table.num_rows, len(features)), np.nan)
    texts: dict[int, list[str | None]] = {}
    for index, feature in enumerate(features):
        if feature.kind == "text":
            texts[index] = texts_of(table[feature.name], feature.name)
        elif isinstance(data := feature_cells(table, feature, as_written=as_written), Categories):
            named = (*data.names, None)
            texts[index] = [named[code] for code in data.codes.tolist()]
        else:
            cells[:, index] = data
    return Batch(cells, texts)


def _predict_all(predictor: Predictor, batch: Batch) -> Predictions:
    parts = [
        predictor.predict(batch.part(slice(first, first + _ROWS_AT_ONCE)))
        for first in range(0, len(batch), _ROWS_AT_ONCE)
    ]
    return Predictions(
        labels=[label for part in parts for label in part.labels],
        scores=np.concatenate([part.scores for part in parts]),
        columns=np.concatenate([part.columns for part in parts]),
    )
