"""Why a model raised: one row or field, or a failure of its own."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from typing import Any, Final

import numpy as np

from driftgauge.common.quoting import bounded_name, shortened
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.errors import ModelFailed, Reason, Refused
from driftgauge.models.bundle import BundleInfo, Feature
from driftgauge.models.predictor import Batch, Predictor, batch_of

ROW_ERRORS: Final = (ValueError, TypeError, LookupError, FloatingPointError, OverflowError, ZeroDivisionError)
"""Exceptions that a model raises for a row it cannot answer; any other is a failure of the model."""
SECONDS: Final = 1.0
"""Seconds that one search for a field may take."""
SHARE: Final = 0.1
"""Share of time for searches: a client that sends nothing but bad rows must not stop the others."""


class Explainer:
    """Finds the row and the field on which a model failed."""

    def __init__(
        self,
        predictor: Predictor,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Take the predictor; `clock` in seconds limits the searches."""
        self._predictor = predictor
        self._typical = typical_row(predictor.info, predictor.baseline)
        self._clock = clock
        self._left, self._at = SECONDS, clock()

    def explained(self, batch: Batch, error: Exception) -> Exception:
        """Return Refused with row and field; the error itself if no row is at fault.

        A row is at fault if the model fails on it again, but answers a typical row.
        """
        if not isinstance(error, ModelFailed) or not isinstance(error.__cause__, ROW_ERRORS):
            return error
        if not self._answers(self._typical):
            return error
        index = self._failing_row(batch)
        row = batch.part(slice(index, index + 1))
        again = self._failure(row)
        if again is None:
            return error  # the row was not the cause
        if isinstance(again, Refused):
            return Refused(again.reason, again.message, {**again.detail, "row": index})
        return self._refused(row, index, self._failing_field(row) if self._may_search() else None)

    def _answers(self, rows: Batch) -> bool:
        return self._failure(rows) is None

    def _failure(self, rows: Batch) -> Exception | None:
        try:
            self._predictor.predict_admitted(rows)
        except (ModelFailed, Refused) as error:
            return error
        return None

    def _failing_row(self, batch: Batch) -> int:
        """Return a row on which the model fails, by bisection."""
        first, last = 0, len(batch)
        while last - first > 1:
            middle = (first + last) // 2
            if self._answers(batch.part(slice(first, middle))):
                first = middle
            else:
                last = middle
        return first

    def _may_search(self) -> bool:
        now = self._clock()
        self._left, self._at = min(SECONDS, self._left + SHARE * (now - self._at)), now
        return self._left > 0.0

    def _failing_field(self, row: Batch) -> int | None:
        """Return a feature whose typical value lets the model answer the row, by bisection."""
        started = self._clock()
        fields = list(range(len(self._predictor.info.features)))
        while len(fields) > 1:
            half = len(fields) // 2
            halves = (fields[:half], fields[half:])
            fields = next((some for some in halves if self._answers(self._with_typical(row, some))), [])
        self._left -= self._clock() - started
        return fields[0] if fields else None

    def _with_typical(self, row: Batch, fields: Collection[int]) -> Batch:
        """Return a row with typical values in some fields."""
        cells = row.cells.copy()
        chosen = list(fields)
        cells[:, chosen] = self._typical.cells[:, chosen]
        texts = {at: self._typical.texts[at] if at in fields else texts for at, texts in row.texts.items()}
        return Batch(cells, texts)

    def _refused(self, row: Batch, index: int, field: int | None) -> Refused:
        if field is None:
            return Refused(
                Reason.MODEL_REJECTED_ROW,
                f"the model fails on row {index} but answers other rows: check the values of this row",
                {"row": index},
            )
        feature = self._predictor.info.features[field]
        value = row.texts[field][0] if field in row.texts else float(row.cells[0, field])
        reason, message = _why(feature, value)
        return Refused(reason, f"{bounded_name(feature.name)}: {message}", {"field": feature.name, "row": index})


def _why(feature: Feature, value: str | float | None) -> tuple[Reason, str]:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Reason.MISSING_FEATURE, "the model does not accept a missing value in this row: send a value"
    if feature.kind == "categorical" and value not in feature.categories:
        shown = repr(shortened(str(value)))
        return Reason.UNSEEN_CATEGORY, f"the model does not accept the category {shown}: send a known one"
    shown = f"{value:g}" if isinstance(value, float) else repr(shortened(value))
    return (
        Reason.MODEL_REJECTED_ROW,
        f"the model fails on the value {shown} in this row but answers with a typical one: check the value",
    )


def typical_row(info: BundleInfo, baseline: Baseline) -> Batch:
    """Return a row that the model answers: a sample, or medians and frequent categories."""
    if info.samples:
        return batch_of(info.features, [info.samples[0].features])
    values = {f.name: _typical(f, column) for f, column in zip(info.features, baseline.columns, strict=False)}
    return batch_of(info.features, [values])


def _typical(feature: Feature, column: ColumnBaseline) -> Any:
    if feature.kind == "categorical":
        return next(iter(column.bins.categories or feature.categories), None)
    if feature.kind == "text":
        return "a text"
    return float(np.median(column.quantiles)) if column.quantiles else None
