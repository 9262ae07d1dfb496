"""The probabilities of several classes that a program gives with its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from driftgauge.common.quoting import named, shortened
from driftgauge.drift.bins import FloatArray, category_name
from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS
from driftgauge.edges.formats.rows.columns import column_of, labels_of, matrix_of
from driftgauge.errors import Reason, Refused

FIELD: Final = "probabilities"
ClassLabel = str | int | float | bool


@dataclass(frozen=True)
class GivenProbabilities:
    """The probability of each class in each row."""

    names: Sequence[str]
    """The classes by their text."""
    values: FloatArray
    """Shape [n, classes]; NaN where unknown."""
    is_single: bool
    """Whether they are those of a single row."""

    def of(self, classes: Sequence[ClassLabel]) -> FloatArray:
        """Return those of some classes in their order, shape [n, classes]; Refused if one is absent."""
        places = {name: place for place, name in enumerate(self.names)}
        wanted = [str(category_name(label)) for label in classes]
        absent = [name for name in wanted if name not in places]
        if absent:
            raise _refused(Reason.MISSING_FEATURE, f"{named(absent)} is absent: give the probability of each class")
        return self.values[:, [places[name] for name in wanted]]

    @property
    def score(self) -> Any:
        """The largest probability of each row, or of the single one."""
        return self._each(self.values.max(axis=1))

    def positive(self, classes: Sequence[ClassLabel] | None) -> Any:
        """Return the probability of the positive class of each row, or of the single one: the last of two `classes`.

        Refused if they are not known, or one is absent.
        """
        if classes is None:
            message = (
                "the baseline does not say which of two classes is the positive one: "
                "give prediction=… (the probability of the positive class)"
            )
            raise _refused(Reason.MISSING_FEATURE, message)
        return self._each(self.of(classes)[:, -1])

    def _each(self, found: FloatArray) -> Any:
        return float(found[0]) if self.is_single else found

    @property
    def predicted(self) -> Any:
        """The class of the largest probability, the first of equal ones; None where it is unknown."""
        unknown = np.isnan(self.values).any(axis=1)
        best = np.where(unknown, -1, self.values.argmax(axis=1)).tolist()
        found = [None if place < 0 else self.names[place] for place in best]
        return found[0] if self.is_single else found


def score_of(given: GivenProbabilities, columns: Sequence[str], classes: Sequence[ClassLabel] | None) -> Any:
    """Return the score that probabilities say, for a baseline of these columns.

    Of a binary model it is the probability of the positive class, of others the largest one.
    """
    if len(given.names) == 2 and PREDICTION in columns and PREDICTION_CLASS not in columns:
        return given.positive(classes or None)
    return given.score


def probabilities_of(given: Any, order: Sequence[ClassLabel] | None) -> GivenProbabilities:
    """Read probabilities: by class, as a dict, a list of dicts or a DataFrame; or as an array in the order of `order`.

    Refused for others, and for what is no probability. None and NaN are unknown.

    >>> probabilities_of({"cat": 0.75, "dog": 0.25}, None).predicted
    'cat'
    >>> probabilities_of([[0.75, 0.25], [0.5, 0.5]], ("cat", "dog")).score.tolist()
    [0.75, 0.5]
    """
    if isinstance(given, Mapping):
        found = _by_class(given)
    elif hasattr(given, "columns") or hasattr(given, "column_names"):
        found = _of_table(given)
    elif isinstance(given, list | tuple) and given and isinstance(given[0], Mapping):
        found = _of_dicts(given)
    else:
        found = _in_order(given, order)
    known = found.values[~np.isnan(found.values)]
    if ((known < 0.0) | (known > 1.0)).any():
        raise _refused(Reason.WRONG_TYPE, "a value is not between 0 and 1: give probabilities, such as predict_proba")
    return found


def require_rows(given: GivenProbabilities, rows: int) -> None:
    """Raise Refused unless there are probabilities for each row."""
    if len(given.values) != rows:
        message = f"they are of {len(given.values)} rows, but there are {rows} rows: give those of each"
        raise _refused(Reason.WRONG_FEATURE_COUNT, message)


def _by_class(given: Mapping[Any, Any]) -> GivenProbabilities:
    names, columns = _names(given), [column_of(values) for values in given.values()]
    is_single = all(np.ndim(values) == 0 for values in columns)
    lengths = {1 if np.ndim(values) == 0 else len(values) for values in columns}
    if len(lengths) != 1:
        raise _refused(Reason.UNKNOWN_SHAPE, "the classes have values of different lengths: give one for each row")
    (rows,) = lengths
    parts = [_numbers([values] if is_single else values).reshape(rows) for values in columns]
    return GivenProbabilities(names, np.column_stack(parts), is_single)


def _of_table(table: Any) -> GivenProbabilities:
    try:
        labels = labels_of(table)
    except ValueError as error:
        raise _refused(Reason.UNKNOWN_SHAPE, f"several columns are named {shortened(str(error))}") from error
    if not labels:
        raise _refused(Reason.UNKNOWN_SHAPE, "the table has no columns: give one for each class")
    parts = [_numbers(column_of(table[label])) for label in labels.values()]
    return GivenProbabilities(_names(labels.values()), np.column_stack(parts), is_single=False)


def _of_dicts(rows: Sequence[Any]) -> GivenProbabilities:
    first = list(rows[0])
    if any(not isinstance(row, Mapping) or row.keys() != rows[0].keys() for row in rows):
        raise _refused(Reason.UNKNOWN_SHAPE, "the rows have different classes: give the same ones in each row")
    return GivenProbabilities(_names(first), _numbers([[row[label] for label in first] for row in rows]), False)


def _in_order(given: Any, order: Sequence[ClassLabel] | None) -> GivenProbabilities:
    if order is None:
        message = (
            "the baseline does not say the order of the classes: give them by class, such as "
            "dict(zip(model.classes_, model.predict_proba(rows).T))"
        )
        raise _refused(Reason.UNKNOWN_SHAPE, message)
    values = _numbers(matrix_of(column_of(given)))
    if values.ndim not in (1, 2) or values.shape[-1] != len(order):
        message = f"they have shape {values.shape}: give {len(order)} for each row, one for each class of the bundle"
        raise _refused(Reason.UNKNOWN_SHAPE, message)
    return GivenProbabilities(_names(order), values.reshape(-1, len(order)), values.ndim == 1)


def name_of(label: Any) -> str | None:
    """Return the name of a class, also of one that numpy holds; None for a missing one."""
    own = label.item() if isinstance(label, np.generic) else label
    return category_name(own) if isinstance(own, str | int | float) else None


def _names(labels: Any) -> Sequence[str]:
    names = [str(name_of(label)) for label in labels]
    if not names or len(set(names)) != len(names):
        raise _refused(Reason.UNKNOWN_SHAPE, f"the classes are {named(names)}: give each class once")
    return names


def _numbers(values: Any) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)  # None becomes NaN
    except (TypeError, ValueError) as error:
        raise _refused(Reason.WRONG_TYPE, "a value is no number: give a probability for each class") from error


def _refused(reason: Reason, message: str) -> Refused:
    return Refused(reason, f"{FIELD}: {message}", {"field": FIELD})
