"""The features of a record in the baseline's order, and what its prediction says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from driftgauge.common.quoting import bounded_name, named
from driftgauge.drift.bins import category_name
from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS, RESERVED, Baseline
from driftgauge.edges.formats.rows.cells import BinName, TextLength
from driftgauge.errors import Reason, Refused
from driftgauge.predictions.rows import ClassLabel

_SCALARS: Final = (bool, int, float, str)


class FeatureOrder:
    """Brings the features of a record into the baseline's order."""

    def __init__(self, baseline: Baseline) -> None:
        self.names: Final = tuple(name for name in baseline.names if name not in RESERVED)
        self.width: Final = len(self.names)
        self._first: Final = self.names[:1]
        self._set: Final = frozenset(self.names)
        columns = {column.name: column for column in baseline.columns}
        self._texts: Final = [i for i, name in enumerate(self.names) if columns[name].of_text]
        self._categories: Final = [i for i, name in enumerate(self.names) if columns[name].kind == "categorical"]
        self._get: Final = itemgetter(*self.names) if self.width > 1 else None

    def are_in(self, record: Mapping[str, Any]) -> bool:
        """Return whether a record has every feature under its name."""
        return self._set <= record.keys()

    def by_name(self, features: Mapping[str, Any]) -> list[Any]:
        """Return features that are given by name, others left out; raises Refused if one is absent."""
        try:
            return list(self._get(features)) if self._get else [features[name] for name in self._first]
        except KeyError:
            absent = [name for name in self.names if name not in features]
        message = f"{named(absent)} {'is' if len(absent) == 1 else 'are'} absent: give null for a missing value"
        raise Refused(Reason.MISSING_FEATURE, message, {"field": bounded_name(absent[0])})

    def all_by_name(self, features: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[Any]] | None:
        """Return the features of many records, None if any of them is absent."""
        if self._get is None:
            return None
        try:
            return list(map(self._get, features))
        except KeyError:
            return None

    def as_logged(self, features: list[Any]) -> list[Any]:
        """Return features as the prediction log has them: bins in place of categories, lengths in place of texts."""
        for place in self._texts:
            if type(features[place]) is int:
                features[place] = TextLength(features[place])
        for place in self._categories:
            if type(features[place]) is str:
                features[place] = BinName(features[place])
        return features

    def in_order(self, features: list[Any]) -> list[Any]:
        """Return a list of features; raises Refused if it has another length."""
        if len(features) != self.width:
            raise Refused(
                Reason.WRONG_FEATURE_COUNT,
                f"the row has {len(features)} values, the baseline has {self.width} features: {named(self.names)}",
                {"expected": self.width, "given": len(features)},
            )
        return features


class Outputs:
    """Turns what a model answered into a score and a class."""

    def __init__(self, baseline: Baseline, classes: Sequence[ClassLabel]) -> None:
        self.has_score: Final = PREDICTION in baseline.names
        self.has_class: Final = PREDICTION_CLASS in baseline.names
        self._classes: Final = tuple(classes)
        self._by_name: Final = {category_name(label): label for label in classes}
        known = [column.bins.categories for column in baseline.columns if column.name == PREDICTION_CLASS]
        self._names: Final = {*self._by_name, *(known[0] if known else ())}

    @property
    def are_needed(self) -> bool:
        """Whether the baseline has a column of predictions."""
        return self.has_score or self.has_class

    def of(self, output: Any) -> tuple[Any, Any]:
        """Return the score and the class that the output for one row tells, each None where it does not."""
        if type(output) is list:
            return self._of_list(output)
        if output is None:
            return None, None
        if not self.has_class:
            return output, None
        if not self.has_score or isinstance(output, bool | str):
            return None, output
        return (None, output) if self._is_class(output) else (output, None)

    def label(self, given: Any) -> ClassLabel | None:
        """Return a predicted class as the model names it."""
        if type(given) not in _SCALARS or given != given:
            return None
        found: ClassLabel = self._by_name.get(category_name(given), given) if self._by_name else given
        return found

    def _of_list(self, output: list[Any]) -> tuple[Any, Any]:
        if len(output) == 1:
            return self.of(output[0])
        are_numbers = bool(output) and {int, float}.issuperset(map(type, output))
        if not are_numbers or not (min(output) >= 0.0 and max(output) <= 1.0):
            message = f"the prediction is a list of {len(output)} values: give a number, a class, or probabilities"
            raise Refused(Reason.UNKNOWN_SHAPE, message, {"field": PREDICTION})
        best = max(range(len(output)), key=output.__getitem__)
        fits = len(output) == len(self._classes)
        return output[1] if len(output) == 2 else output[best], self._classes[best] if fits else best

    def _is_class(self, output: Any) -> bool:
        return type(output) in _SCALARS and output == output and category_name(output) in self._names
