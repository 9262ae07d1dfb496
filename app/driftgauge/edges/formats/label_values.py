"""Values of labels and outcomes: what a client may send, as the number that is stored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from driftgauge.common.quoting import named, shortened
from driftgauge.drift.bins import category_name
from driftgauge.errors import Reason, Refused

Label = int | float | bool | str
OutcomeKind = Literal["number", "event"]
LABEL: Final = "label"
LARGEST: Final = 1e100
"""Magnitude up to which numbers are taken; the squares of larger ones overflow in sums of a database."""
_EVENTS: Final = (0.0, 1.0)
_WORDS: Final = {"false": 0.0, "true": 1.0}


class LabelValues:
    """Reads labels of one model: the index of a class, or the number of a regression."""

    def __init__(self, classes: Sequence[Label] = ()) -> None:
        """Take the model's classes in order; without any, labels are numbers."""
        self._classes: Final = tuple(classes)
        self._by_name: Final = {category_name(label): index for index, label in enumerate(classes)}
        self._are_numbers: Final = all(isinstance(label, int | float) and label is not bool(label) for label in classes)

    @property
    def classes(self) -> Sequence[Label]:
        """The classes in order; none for a regression."""
        return self._classes

    def number(self, value: Any) -> float:
        """Return a label as a number; raises Refused.

        A class is named by its value or its text. Where classes are not numbers, its index names it too; of two
        classes, or of 0 and 1, a boolean.

        >>> LabelValues(("in time", "late")).number("late"), LabelValues(("in time", "late")).number(True)
        (1.0, 1.0)
        """
        if not self._classes:
            return _number(LABEL, value, Reason.INVALID_LABEL)
        index = self._index(value)
        if index is None:
            known = named([str(category_name(label)) for label in self._classes])
            message = f"{LABEL}: {shortened(str(value))!r} is not one of the model's classes; there is {known}"
            raise Refused(Reason.INVALID_LABEL, message, {"field": LABEL})
        return float(index)

    def _index(self, value: Any) -> int | None:
        if not isinstance(value, bool | int | float | str):
            return None
        found = self._by_name.get(category_name(value))
        if found is not None:
            return found
        if isinstance(value, bool):
            return (
                int(value) if len(self._classes) == 2 and (not self._are_numbers or self._classes == (0, 1)) else None
            )
        if isinstance(value, str) or self._are_numbers or not 0 <= value < len(self._classes):
            return None
        return int(value) if float(value).is_integer() else None


class OutcomeValues:
    """Reads outcomes by the names and kinds of the settings."""

    def __init__(self, kinds: Mapping[str, OutcomeKind] | None = None) -> None:
        self.kinds: Final[Mapping[str, OutcomeKind]] = dict(kinds or {})

    def number(self, name: str, value: Any) -> float:
        """Return an outcome as a number, an event as 0 or 1; raises Refused."""
        kind = self.kinds.get(name)
        if kind is None:
            there = f"there is {named(list(self.kinds))}" if self.kinds else "the settings have no [[outcomes]]"
            message = f"outcomes: {shortened(name)!r} is not known; {there}"
            raise Refused(Reason.UNKNOWN_OUTCOME, message, {"field": "outcomes"})
        if kind == "event" and isinstance(value, bool | str) and (event := str(value).lower()) in _WORDS:
            return _WORDS[event]
        number = _number(name, value, Reason.INVALID_OUTCOME)
        if kind == "event" and number not in _EVENTS:
            message = f"{name}: {number:g} is not an event: send true or false, or 1 or 0"
            raise Refused(Reason.INVALID_OUTCOME, message, {"field": name})
        return number


def _number(field: str, value: Any, reason: Reason) -> float:
    """Return a number up to `LARGEST`, also one that a text spells, as cells of a csv file are; raises Refused."""
    try:
        number = math.nan if not isinstance(value, bool | int | float | str) or "_" in str(value) else float(value)
    except ValueError:
        number = math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        message = f"{field}: {shortened(str(value))!r} is not a number: send a finite number"
        raise Refused(reason, message, {"field": field})
    if abs(number) > LARGEST:
        message = f"{field}: {number:g} is too large: send a number from {-LARGEST:g} to {LARGEST:g}"
        raise Refused(reason, message, {"field": field})
    return number
