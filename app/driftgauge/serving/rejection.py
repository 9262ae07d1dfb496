"""Whose fault it is that a model raised: a row's and a field's, where others are answered, or the model's own."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from typing import Any, Final

import numpy as np

from driftgauge.common.quoting import shortened, told
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.errors import ModelFailed, Reason, Refused
from driftgauge.models.bundle import BundleInfo, Feature
from driftgauge.models.predictor import Batch, Predictor, batch_of

OF_A_ROW: Final = (ValueError, TypeError, LookupError, FloatingPointError, OverflowError, ZeroDivisionError)
"""What a model raises for a row that it cannot answer; anything else is a failure of its own."""
SECONDS: Final = 1.0
"""Seconds that the search for fields may take at once."""
SHARE: Final = 0.1
"""The part of the time that it may take for long: a client that sends nothing but bad rows must not stop the others."""


class Explainer:
    """Finds out why a model failed on the rows of one request."""

    def __init__(
        self,
        predictor: Predictor,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Take what predicts; `clock` in seconds says how long a search takes."""
        self._predictor = predictor
        self._usual = usual_row(predictor.info, predictor.baseline)
        self._clock = clock
        self._left, self._at = SECONDS, clock()

    def explained(self, batch: Batch, error: Exception) -> Exception:
        """Return Refused, naming the row and where it can be found the field, or the error if no row is at fault.

        A row is at fault if the model fails on it again, and answers a usual one.
        """
        if not isinstance(error, ModelFailed) or not isinstance(error.__cause__, OF_A_ROW):
            return error
        if not self._answers(self._usual):
            return error
        row = self._failing(batch)
        one = batch.part(slice(row, row + 1))
        again = self._failure(one)
        if again is None:
            return error  # it was not the row
        if isinstance(again, Refused):
            return Refused(again.reason, again.message, {**again.detail, "row": row})
        return self._refused(one, row, self._field(one) if self._may_search() else None)

    def _answers(self, rows: Batch) -> bool:
        return self._failure(rows) is None

    def _failure(self, rows: Batch) -> Exception | None:
        try:
            self._predictor.predict_admitted(rows)
        except (ModelFailed, Refused) as error:
            return error
        return None

    def _failing(self, batch: Batch) -> int:
        """Return a row that the model fails on, by halving."""
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

    def _field(self, row: Batch) -> int | None:
        """Return the place of a feature whose usual value lets the model answer the row, by halving."""
        started = self._clock()
        places = list(range(len(self._predictor.info.features)))
        while len(places) > 1:
            half = len(places) // 2
            halves = (places[:half], places[half:])
            places = next((some for some in halves if self._answers(self._with_usual(row, some))), [])
        self._left -= self._clock() - started
        return places[0] if places else None

    def _with_usual(self, row: Batch, places: Collection[int]) -> Batch:
        """Return a row with the usual values in some places."""
        cells = row.cells.copy()
        chosen = list(places)
        cells[:, chosen] = self._usual.cells[:, chosen]
        return Batch(cells, {at: self._usual.texts[at] if at in places else texts for at, texts in row.texts.items()})

    def _refused(self, row: Batch, place: int, field: int | None) -> Refused:
        if field is None:
            return Refused(
                Reason.MODEL_REJECTED_ROW,
                f"the model cannot answer row {place}, though it answers others: check its values",
                {"row": place},
            )
        feature = self._predictor.info.features[field]
        value = row.texts[field][0] if field in row.texts else float(row.cells[0, field])
        reason, message = _why(feature, value)
        return Refused(reason, f"{told(feature.name)}: {message}", {"field": feature.name, "row": place})


def _why(feature: Feature, value: str | float | None) -> tuple[Reason, str]:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Reason.MISSING_FEATURE, "the model takes no missing value in this row: send it"
    if feature.kind == "categorical" and value not in feature.categories:
        return Reason.UNSEEN_CATEGORY, f"the model does not take the category {shortened(str(value))!r}: send another"
    shown = f"{value:g}" if isinstance(value, float) else repr(shortened(value))
    return (
        Reason.MODEL_REJECTED_ROW,
        f"the model cannot answer with {shown} in this row, but can with a usual value: check it",
    )


def usual_row(info: BundleInfo, baseline: Baseline) -> Batch:
    """Return a row that the model answers: a sample of its bundle, or medians and most frequent categories."""
    if info.samples:
        return batch_of(info.features, [info.samples[0].features])
    values = {f.name: _usual(f, column) for f, column in zip(info.features, baseline.columns, strict=False)}
    return batch_of(info.features, [values])


def _usual(feature: Feature, column: ColumnBaseline) -> Any:
    if feature.kind == "categorical":
        return next(iter(column.bins.categories or feature.categories), None)
    if feature.kind == "text":
        return "a text"
    return float(np.median(column.quantiles)) if column.quantiles else None
