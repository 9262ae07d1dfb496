"""How the score depends on a feature, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from driftgauge.drift.attribution.partial_dependence import PartialDependence
from driftgauge.drift.verdict.numbers import short


def dependence_in_words(found: PartialDependence) -> str:
    """Return how the mean score goes over the values of the reference, and over those that are new."""
    known = _range(found, [i for i, own in enumerate(found.points) if not own.is_new])
    new = _range(found, [i for i, own in enumerate(found.points) if own.is_new])
    name, rows = found.feature, f"({found.rows:,} rows, all else as it is)"
    if not new:
        return f"Over the values of {name} the mean score is {known} {rows}."
    if not known:
        return f"All values of {name} are new; over them the mean score is {new} {rows}."
    return f"Over the reference's values of {name} the mean score is {known}; over the new ones it is {new} {rows}."


def _range(found: PartialDependence, places: Sequence[int]) -> str:
    """Return the scores of some points and their values; empty without points."""
    if not places:
        return ""
    means = [found.means[i] for i in places]
    low, high = short(min(means)), short(max(means))
    score = low if low == high else f"{low} to {high}"
    points = [found.points[i] for i in places]
    numbers = [own.value for own in points if own.name is None and not math.isnan(own.value)]
    words = [own.name for own in points if own.name is not None]
    if any(own.name is None and math.isnan(own.value) for own in points):
        words.append("missing")
    if numbers:
        words.insert(0, f"{short(min(numbers))} to {short(max(numbers))}" if len(numbers) > 1 else short(numbers[0]))
    shown = ", ".join(words[:4]) + (" and others" if len(words) > 4 else "")
    return f"{score} ({shown})"
