"""Counts the predictions of a cohort: by score and class, by label, and by segment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import BoolArray, FloatArray, IntArray, category_name
from driftgauge.drift.performance.cohort import Cohort, Segment, count_segments, empty_cohort
from driftgauge.drift.performance.counts import CohortCounts, CountLayout, LabelledRows
from driftgauge.drift.performance.errors import ErrorRows, class_errors, value_errors
from driftgauge.drift.performance.metrics import count
from driftgauge.drift.performance.outcomes import OutcomePart, OutcomeSums, added, sums_of
from driftgauge.drift.reference.baseline import PREDICTION, Baseline
from driftgauge.predictions.rows import ClassLabel, LoggedModel
from driftgauge.predictions.truth_store import OutcomeRows, TruthPage, TruthRows, class_indices


@dataclass(frozen=True)
class SeenRows:
    """What the detectors of evidence are given of a cohort."""

    at: FloatArray
    """When each row was predicted, in order, shape [n]."""
    errors: FloatArray
    """Columns `ERROR_COLUMNS`, shape [n, 2]."""
    labels: FloatArray
    """Labels as cells of the target's column, shape [n]."""

    @property
    def error_rows(self) -> ErrorRows:
        """The rows for the detector of concept drift."""
        return ErrorRows(self.at, self.errors)


@dataclass(frozen=True)
class CohortBuilder:
    """Counts rows of one model version."""

    layout: CountLayout
    baseline: Baseline
    labels: Baseline | None = None
    """The baseline of the target."""
    segments: Sequence[str] = ()
    """Features by whose values performance is split."""
    _codes: dict[tuple[ClassLabel, ...], FloatArray] = field(default_factory=dict)

    @property
    def label_bins(self) -> int:
        """Bins of the target, 0 without its baseline."""
        return 0 if self.labels is None else self.labels.binner.width

    def empty(self, start: float, end: float) -> Cohort:
        """Return a cohort without rows."""
        return empty_cohort(self.layout, self.label_bins, start, end)

    def build(self, pages: Iterable[TruthPage], start: float, end: float) -> tuple[Cohort, SeenRows]:
        """Return the cohort of all predictions of a span, and what detectors are given of them."""
        cohort = self.empty(start, end)
        seen: list[SeenRows] = []
        for page in pages:
            cohort = cohort + self._alone(page.predicted, start, end)
            for rows in page.rows:
                part, own = self.count(rows, start, end)
                cohort = cohort + part
                seen.append(own)
            for outcomes in page.outcomes:
                cohort = replace(cohort, outcomes=added(cohort.outcomes, self._outcomes(outcomes)))
        return cohort.with_largest_segments(), _in_order(seen)

    def _alone(self, predicted: int, start: float, end: float) -> Cohort:
        empty = self.empty(start, end)
        return Cohort(start, end, predicted, 0.0, empty.counts, empty.labels)

    def count(self, rows: TruthRows, start: float, end: float) -> tuple[Cohort, SeenRows]:
        """Return rows with labels as a cohort of no predictions; rows that cannot be compared are left out."""
        taken = np.flatnonzero(self._comparable(rows))
        labelled = self._labelled(rows, taken)
        cells = self._label_cells(rows, taken)
        cohort = Cohort(
            start,
            end,
            0,
            float(np.maximum(rows.lag[taken], 0.0).sum()),
            count(self.layout, labelled),
            self._label_counts(cells),
            self._segments(rows, taken, labelled),
        )
        return cohort, SeenRows(rows.time[taken], self._errors(labelled), cells)

    def _comparable(self, rows: TruthRows) -> BoolArray:
        known: BoolArray = np.isfinite(rows.actual)
        if PREDICTION in self.baseline.names:
            known = known & np.isfinite(rows.scores)
        if self.layout.task == "regression":
            return known
        if len(rows.model.classes) != self.layout.classes:
            return np.zeros(len(rows), dtype=np.bool_)
        comparable: BoolArray = known & (rows.actual >= 0) & (rows.actual < self.layout.classes)
        return comparable

    def _labelled(self, rows: TruthRows, taken: IntArray) -> LabelledRows:
        predicted = None if self.layout.task == "regression" else class_indices(rows.predicted[taken])
        given = None if rows.probabilities is None else rows.probabilities[taken]
        return LabelledRows(rows.scores[taken], rows.actual[taken], predicted, given)

    def _label_cells(self, rows: TruthRows, taken: IntArray) -> FloatArray:
        actual = rows.actual[taken]
        if self.labels is None or self.layout.task == "regression":
            return actual
        codes = self._codes.get(rows.model.classes)
        if codes is None:
            codes = self.labels.bins[0].encode(map(category_name, rows.model.classes))
            self._codes[rows.model.classes] = codes
        cells: FloatArray = codes[actual.astype(np.int64)]
        return cells

    def _label_counts(self, cells: FloatArray) -> FloatArray:
        if self.labels is None:
            return np.zeros(0)
        binner = self.labels.binner
        counts: FloatArray = binner.counts(binner.codes(cells[:, None]))[0].astype(np.float64)
        return counts

    def _errors(self, rows: LabelledRows) -> FloatArray:
        if rows.predicted is None:
            return value_errors(rows.actual, rows.scores)
        correct = rows.predicted == rows.actual
        return class_errors(correct, rows.scores, rows.actual == 1.0 if self.layout.task == "binary" else None)

    def _segments(self, rows: TruthRows, taken: IntArray, labelled: LabelledRows) -> Mapping[Segment, CohortCounts]:
        found: dict[Segment, CohortCounts] = {}
        for name, names, codes in self._split(rows.model, rows.features):
            found |= count_segments(self.layout, labelled, name, names, codes[taken])
        return found

    def _outcomes(self, rows: OutcomeRows) -> dict[OutcomePart, OutcomeSums]:
        """Return the sums of the outcomes of predictions, and those of their segments."""
        splits = list(self._split(rows.model, rows.features))
        found: dict[OutcomePart, OutcomeSums] = {}
        for outcome, values in rows.values.items():
            found[outcome, "", ""] = sums_of(values)
            for feature, names, codes in splits:
                for code in np.unique(codes).tolist():
                    found[outcome, feature, names[code]] = sums_of(values[codes == code])
        return found

    def _split(
        self, model: LoggedModel, features: FloatArray | None
    ) -> Iterator[tuple[str, tuple[str, ...], IntArray]]:
        """Yield each feature of the segments that was logged, the names of its bins, and the bin of each row."""
        logged = [feature.name for feature in model.features]
        for name in self.segments:
            if features is not None and name in logged:
                bins = self.baseline.bins[self.baseline.names.index(name)]
                cells = features[:, logged.index(name)]
                yield name, bins.names, Binner((bins,)).codes(cells[:, None])[:, 0].astype(np.int64)


_NONE: Final = SeenRows(np.zeros(0), np.zeros((0, 2)), np.zeros(0))


def _in_order(parts: Sequence[SeenRows]) -> SeenRows:
    """Return parts as one, in the order of prediction."""
    if not parts:
        return _NONE
    at = np.concatenate([own.at for own in parts])
    order = np.argsort(at, kind="stable")
    errors = np.concatenate([own.errors for own in parts])
    return SeenRows(at[order], errors[order], np.concatenate([own.labels for own in parts])[order])
