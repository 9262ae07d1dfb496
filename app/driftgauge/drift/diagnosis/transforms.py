"""Changes of the values of one column: another unit, a scaling, and hours of another time zone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.diagnosis.mixture import WHOLE, Fit, LiveValues

Change = Callable[[FloatArray], FloatArray]
MOST_GROWTH: Final = 8.0
"""Factor above which a change of all values is hardly growth."""
HOURS: Final = 24
LEAST_HOURS: Final = 12
"""Different hours in the reference from which a column counts as one of hours."""
LEAST_WHOLE: Final = 0.9
"""Share of whole numbers in a column of whole hours; some quantiles are interpolated."""
FULL_CLOCK: Final = 23.0
"""Width of a column of hours and minutes."""


@dataclass(frozen=True)
class Unit:
    """A change of unit: `factor · value + offset`."""

    factor: float
    offset: float
    words: str
    """From which unit to which."""

    @property
    def back(self) -> Unit:
        """The opposite change."""
        first, second = self.words.split(" to ")
        return Unit(1.0 / self.factor, -self.offset / self.factor, f"{second} to {first}")

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return values in the other unit."""
        return self.factor * values + self.offset


_FACTORS: Final = (
    (1.609344, "miles to kilometres"),
    (1.852, "nautical miles to kilometres"),
    (1.943844, "metres a second to knots"),
    (2.236936, "metres a second to miles an hour"),
    (2.204623, "kilograms to pounds"),
    (2.54, "inches to centimetres"),
    (25.4, "inches to millimetres"),
    (3.28084, "metres to feet"),
    (39.37008, "metres to inches"),
    (3.6, "metres a second to kilometres an hour"),
    (3.785412, "gallons to litres"),
    (4.184, "calories to joules"),
    (6.894757, "psi to kilopascals"),
    (7.0, "weeks to days"),
    (12.0, "years to months"),
    (24.0, "days to hours"),
    (28.349523, "ounces to grams"),
    (33.863886, "inches of mercury to hectopascals"),
    (57.29578, "radians to degrees"),
    (60.0, "hours to minutes"),
    (1_440.0, "days to minutes"),
    (3_600.0, "hours to seconds"),
    (86_400.0, "days to seconds"),
    (1_024.0, "kibibytes to bytes"),
    (1_048_576.0, "mebibytes to bytes"),
    (10.0, "centimetres to millimetres"),
    (100.0, "shares to percentages"),
    (1_000.0, "kilograms to grams"),
    (10_000.0, "shares to basis points"),
    (100_000.0, "bars to pascals"),
    (1e6, "megabytes to bytes"),
    (1e9, "seconds to nanoseconds"),
)
_CELSIUS: Final = (
    Unit(1.8, 32.0, "°C to °F"),
    Unit(1.0, 273.15, "°C to K"),
    Unit(1.0 / 1.8, 459.67 / 1.8, "°F to K"),
)
_FORWARD: Final = (*(Unit(factor, 0.0, words) for factor, words in _FACTORS), *_CELSIUS)
UNITS: Final[tuple[Unit, ...]] = (*_FORWARD, *(unit.back for unit in _FORWARD))
"""Changes of unit that are known."""


@dataclass(frozen=True)
class Scaling:
    """A transformation that belongs inside a model's pipeline."""

    words: str
    change: Change


def scalings(reference: FloatArray, mean: float, std: float, least: float, most: float) -> Iterator[Scaling]:
    """Yield the transformations that a column of these numbers can have."""
    if std > 0.0:
        yield Scaling("standardised: less the mean, divided by the standard deviation", lambda x: (x - mean) / std)
        yield Scaling("centred: less the mean", lambda x: x - mean)
        yield Scaling("divided by the standard deviation", lambda x: x / std)
    if most > least:
        yield Scaling("scaled to the range from 0 to 1", lambda x: (x - least) / (most - least))
        yield Scaling("scaled to the range from -1 to 1", lambda x: 2.0 * (x - least) / (most - least) - 1.0)
    if reference.size and reference.min() > 0.0:
        yield Scaling("natural logarithms", np.log)
        yield Scaling("logarithms to base 10", np.log10)
    if reference.size and reference.min() >= 0.0:
        yield Scaling("natural logarithms of the value plus 1", np.log1p)
        yield Scaling("square roots", np.sqrt)
    yield Scaling("values of the other sign", lambda x: -x)


def best_units(live: LiveValues) -> list[tuple[Unit, Fit]]:
    """Return the changes of unit that explain the values up to chance, the best first."""
    good = [(unit, fit) for unit in UNITS if live.takes(fit := live.fit_of(unit))]
    found = [(unit, fit) for unit, fit in good if not (is_growth(unit, fit) and live.grew_otherwise(fit))]
    return sorted(found, key=lambda own: own[1].misfit)


def is_growth(unit: Unit, fit: Fit) -> bool:
    """Return whether all values became larger or smaller by a factor that they can also grow by."""
    return not unit.offset and fit.share >= WHOLE and 1.0 / MOST_GROWTH <= unit.factor <= MOST_GROWTH


def best_scaling(live: LiveValues, mean: float, std: float, least: float, most: float) -> tuple[Scaling, Fit] | None:
    """Return the transformation that explains the values best; None if none does up to chance."""
    known = scalings(live.reference, mean, std, least, most)
    found = [(own, fit) for own in known if live.takes(fit := live.fit_of(own.change))]
    return min(found, key=lambda own: own[1].misfit, default=None)


def is_of_hours(reference: FloatArray) -> bool:
    """Return whether values are hours of the day: whole ones, or such that fill the clock, as temperatures do not."""
    if not reference.size or reference.min() < 0.0 or reference.max() >= HOURS:
        return False
    width = reference.max() - reference.min()
    if (reference == np.round(reference)).mean() < LEAST_WHOLE and width < FULL_CLOCK:
        return False
    return len(np.unique(np.floor(reference))) >= LEAST_HOURS and bool(width > HOURS / 2)


def best_hours(live: LiveValues) -> tuple[int, Fit] | None:
    """Return the whole hours around the clock that explain the values best, from -11 to 12; None if none do.

    The caller looks whether they are hours: the reference may be that of a few hours of the day.
    """
    found = [(hours, fit) for hours in range(1, HOURS) if (fit := live.fit_of(_turned(hours))).is_good]
    if not found:
        return None
    hours, fit = min(found, key=lambda own: own[1].misfit)
    return (hours if hours <= HOURS // 2 else hours - HOURS), fit


def _turned(hours: int) -> Change:
    return lambda values: np.mod(values + hours, HOURS)
