"""What becomes of ground truth that comes in: the rules of a join, without a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from driftgauge.predictions.rows import ClassLabel

LABEL: Final = ""
"""Stands for the label itself among the names of outcomes."""
NO_CLASS: Final = -1.0
"""A true class that the version of the prediction does not have."""


class Fate(StrEnum):
    """What became of a label."""

    MATCHED = "matched"
    """It belongs to a logged prediction, and is the first of it."""
    REPEATED = "repeated"
    """The same was known before: nothing changed."""
    CORRECTED = "corrected"
    """Another value was known before, and was replaced."""
    WAITING = "waiting"
    """Its prediction is not logged yet."""
    ORPHAN = "orphan"
    """Its prediction did not come in time."""
    NOT_SAMPLED = "not_sampled"
    """Its prediction belongs to the share that is not logged."""
    REFUSED = "refused"
    """It could not be read."""


FINAL: Final = tuple(fate for fate in Fate if fate is not Fate.WAITING)
"""The fates that are counted; a label that waits is counted when it has waited."""


@dataclass(frozen=True)
class GivenLabel:
    """A label or an outcome as it arrived."""

    key: bytes
    """`ids.key_of` the prediction's id."""
    value: float
    """The index of the true class, a number, or 0 or 1 for an event."""
    observed: int | None = None
    """When it became known, microseconds since 1970; None for when it arrived."""
    outcome: str = LABEL
    """The name of a business outcome, or `LABEL`."""


@dataclass(frozen=True)
class KnownLabel:
    """A label that is stored."""

    value: float
    version: int
    """The model version by whose classes `value` is an index."""
    observed: int
    time: int | None
    """The time of its prediction; None while it waits."""
    seq: int | None
    """The number of its prediction in the log."""
    received: int


@dataclass(frozen=True)
class FoundPrediction:
    """A logged prediction that a label may belong to."""

    time: int
    seq: int
    version: int


@dataclass
class LabelTally:
    """What became of the labels of a batch."""

    fates: Counter[Fate] = field(default_factory=Counter)
    """Of labels."""
    outcome_fates: Counter[Fate] = field(default_factory=Counter)
    """Of business outcomes."""
    lags: list[float] = field(default_factory=list)
    """Of each matched label, seconds from its prediction until it became known."""

    def count(self, fate: Fate, outcome: str, lag_seconds: float | None = None) -> None:
        """Count one."""
        (self.fates if outcome == LABEL else self.outcome_fates)[fate] += 1
        if outcome == LABEL and lag_seconds is not None:
            self.lags.append(lag_seconds)


@dataclass(frozen=True)
class Translation:
    """Turns the index of a class in one version of a model into its index in another."""

    classes: Mapping[int, Sequence[ClassLabel]]
    """By version."""

    def value(self, value: float, outcome: str, source: int, target: int) -> float:
        """Return a label by the classes of another version; `NO_CLASS` if it lacks this one."""
        before, after = self.classes[source], self.classes[target]
        if outcome != LABEL or before == after or not before or value == NO_CLASS:
            return value
        wanted = before[int(value)]
        return next((float(i) for i, name in enumerate(after) if name == wanted), NO_CLASS)


@dataclass(frozen=True)
class Join:
    """Decides what becomes of each label of a batch."""

    version: int
    """The version by whose classes the batch was read."""
    now: int
    """Microseconds since 1970."""
    translation: Translation

    def fate(
        self, given: GivenLabel, known: KnownLabel | None, found: FoundPrediction | None, *, is_sampled: bool
    ) -> tuple[Fate, KnownLabel | None]:
        """Return what becomes of a label, and what is to be stored; None where nothing changes.

        A label that waits is joined with its prediction by `settle` alone, so that it is counted once.
        """
        if known is not None:
            value = self.translation.value(given.value, given.outcome, self.version, known.version)
            if value == known.value:
                return Fate.REPEATED, None
            return Fate.CORRECTED, replace(known, value=value, observed=self._observed(given), received=self.now)
        if found is not None:
            value = self.translation.value(given.value, given.outcome, self.version, found.version)
            return Fate.MATCHED, self._stored(given, value, found.version, found)
        if not is_sampled:
            return Fate.NOT_SAMPLED, None
        return Fate.WAITING, self._stored(given, given.value, self.version, None)

    def _observed(self, given: GivenLabel) -> int:
        return self.now if given.observed is None else given.observed

    def _stored(self, given: GivenLabel, value: float, version: int, found: FoundPrediction | None) -> KnownLabel:
        time, seq = (found.time, found.seq) if found else (None, None)
        return KnownLabel(value, version, self._observed(given), time, seq, self.now)
