"""What a model of any format answers, and the protocol of the adapters that ask it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray

if TYPE_CHECKING:
    from driftgauge.models.bundle import Label

ROUNDING: Final = 1e-4
"""How far a probability may lie outside 0 to 1, because of single precision."""


@dataclass(frozen=True)
class Answer:
    """A model's answer to a batch, row by row."""

    labels: Sequence[Label]
    """The predicted class, or the value of a regression."""
    scores: FloatArray
    """Binary: probability of the positive class; multiclass: the top probability; regression: the value."""
    indices: IntArray | None = None
    """Each label's index among the classes, -1 for an unknown class; None of a regression."""
    probabilities: FloatArray | None = None
    """Of each class, where there are more than two, shape [n, classes]."""


class Model(Protocol):
    """A model of any format."""

    def predict(self, inputs: Any) -> Answer:
        """Answer a batch; any exception means that the model cannot answer it.

        `inputs` are a float64 matrix [n, features], a DataFrame, a list of texts, or a list with one column for each
        feature: float64 [n], or a list of texts and None.
        """


def values_of(answered: Any, rows: int) -> Answer:
    """Return the answer of a regression: one finite number for each row, else ValueError."""
    values = np.asarray(answered, dtype=np.float64).reshape(rows)
    require_finite(values)
    return Answer(values.tolist(), values)


def scores_of(probabilities: FloatArray) -> FloatArray:
    """Return the score of each row from its probabilities, shape [n, classes]; ValueError if one is not finite."""
    require_finite(probabilities)
    return probabilities[:, 1].copy() if probabilities.shape[1] == 2 else probabilities.max(axis=1)


def of_several(probabilities: FloatArray) -> FloatArray | None:
    """Return the probabilities of more than two classes, shape [n, classes]; of two, the score says them."""
    return probabilities if probabilities.shape[1] > 2 else None


def most_probable(probabilities: FloatArray, classes: Sequence[Label]) -> Answer:
    """Return the classes of the largest probabilities, the first of equal ones; shape [n, classes]."""
    if probabilities.ndim != 2 or probabilities.shape[1] != len(classes):
        raise ValueError(f"it answered probabilities of shape {probabilities.shape} for {len(classes)} classes")
    indices: IntArray = probabilities.argmax(axis=1)
    labels = [classes[index] for index in indices.tolist()]
    return Answer(labels, scores_of(probabilities), indices, of_several(probabilities))


def answer_of(found: Any, classes: Sequence[Label], rows: int) -> Answer:
    """Return the answer of a model that gives numbers alone.

    Without classes, one value for each row. Of two classes, the probability of the positive one for each row; else
    probabilities of shape [n, classes].
    """
    if not classes:
        return values_of(found, rows)
    probabilities = np.asarray(found, dtype=np.float64)
    if len(classes) == 2 and probabilities.size == rows:
        positive = probabilities.reshape(rows)
        probabilities = np.column_stack([1.0 - positive, positive])
    return most_probable(probabilities, classes)


def require_probabilities(values: FloatArray) -> None:
    """Raise ValueError for numbers that lie outside 0 to 1 by more than rounding."""
    if values.size and (values.min() < -ROUNDING or values.max() > 1 + ROUNDING):
        raise ValueError("it answered numbers that are no probabilities; it must end with its sigmoid or softmax")


def require_finite(values: FloatArray) -> None:
    """Raise ValueError for a number that is not finite."""
    if not np.isfinite(values).all():
        raise ValueError("it answered with a number that is not finite")
