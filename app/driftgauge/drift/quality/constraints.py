"""Constraints: what the values of columns, and rows as a whole, have to satisfy."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from driftgauge.errors import ConstraintsError

ColumnType = Literal["fractional", "integral", "string", "boolean", "time"]
COLUMN_TYPES: Final[tuple[ColumnType, ...]] = get_args(ColumnType)
NUMBERS: Final[tuple[ColumnType, ...]] = ("fractional", "integral")


@dataclass(frozen=True)
class ColumnConstraints:
    """What the values of one column have to satisfy; a constraint that is None is not checked."""

    name: str
    type: ColumnType
    completeness: float = 0.0
    """Least share of rows in which the column is not missing; 0 is no constraint."""
    domain: tuple[str, ...] | None = None
    """The categories that are allowed."""
    minimum: float | None = None
    maximum: float | None = None
    margin: float = 0.0
    """How far values may lie outside of minimum and maximum, as a part of their distance."""
    is_non_negative: bool = False
    max_length: int | None = None
    """Most characters of a text."""

    def __post_init__(self) -> None:
        """Raise ConstraintsError for a constraint that cannot hold or does not fit the type."""
        for key, problem in _problems(self):
            raise ConstraintsError(f"{self.name}: {key}: {problem}")

    @property
    def is_integral(self) -> bool:
        """Whether numbers have to be whole."""
        return self.type == "integral"

    @property
    def lowest(self) -> float:
        """The smallest value in the range, its margin included; -inf without a minimum."""
        return -math.inf if self.minimum is None else self.minimum - self._slack

    @property
    def highest(self) -> float:
        """The largest value in the range, its margin included; inf without a maximum."""
        return math.inf if self.maximum is None else self.maximum + self._slack

    @property
    def _slack(self) -> float:
        if self.minimum is None or self.maximum is None:
            return 0.0
        return self.margin * (self.maximum - self.minimum)


@dataclass(frozen=True)
class Thresholds:
    """Violation ratios from which a significant violation has a severity: shares of the rows beyond what is allowed."""

    warning: float = 0.01
    critical: float = 0.1

    def __post_init__(self) -> None:
        """Raise ConstraintsError unless both are shares, in order."""
        if not 0.0 <= self.warning <= self.critical <= 1.0:
            raise ConstraintsError(
                f"thresholds: warning {self.warning:g} and critical {self.critical:g} must be shares from 0 to 1, "
                "and warning must not be larger"
            )


@dataclass(frozen=True)
class Constraints:
    """The constraints on a model's rows."""

    columns: tuple[ColumnConstraints, ...] = ()
    required: tuple[str, ...] = ()
    """Columns that each row must have, present or null."""
    extra_columns: bool = True
    """Whether rows may have columns that are not among these."""
    duplicates: float = 1.0
    """Largest share of rows that are equal to an earlier one; 1 is no constraint."""
    thresholds: Thresholds = field(default_factory=Thresholds)

    def __post_init__(self) -> None:
        """Raise ConstraintsError if a column is named twice, or the share of duplicates is none."""
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise ConstraintsError(f"{twice[0]}: there are constraints on this column twice; remove one of them")
        if not 0.0 <= self.duplicates <= 1.0:
            raise ConstraintsError(f"duplicates: {self.duplicates:g} is not a share of rows; give a number from 0 to 1")

    @property
    def names(self) -> tuple[str, ...]:
        """The columns with constraints, in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> ColumnConstraints | None:
        """Return the constraints on a column; None where there are none."""
        return next((column for column in self.columns if column.name == name), None)


def _problems(column: ColumnConstraints) -> list[tuple[str, str]]:
    """Return what is wrong with the constraints on a column, by key."""
    found: list[tuple[str, str]] = []
    numeric = column.type in (*NUMBERS, "time")
    if column.type not in COLUMN_TYPES:
        found.append(("type", f"{column.type!r} is none of {', '.join(COLUMN_TYPES)}"))
    if not 0.0 <= column.completeness <= 1.0:
        found.append(("completeness", f"{column.completeness:g} is not a share of rows; give a number from 0 to 1"))
    if not (math.isfinite(column.margin) and column.margin >= 0.0):
        found.append(("margin", f"{column.margin:g} is not possible; give a number from 0, such as 0.1"))
    if column.minimum is not None and column.maximum is not None and column.minimum > column.maximum:
        found.append(("minimum", f"{column.minimum:g} is larger than the maximum {column.maximum:g}"))
    for key in ("minimum", "maximum"):
        bound = getattr(column, key)
        if bound is not None and not math.isfinite(bound):
            found.append((key, f"{bound:g} is not possible; leave it out for no limit"))
        if bound is not None and not numeric:
            found.append((key, f"a column of type {column.type} has no range; remove it or change the type"))
    if column.is_non_negative and not numeric:
        found.append(("non_negative", f"a column of type {column.type} has no sign; remove it or change the type"))
    if column.domain is not None and column.type in NUMBERS:
        found.append(("domain", "a column of numbers has no domain; give minimum and maximum"))
    if column.max_length is not None and (column.max_length < 0 or column.type != "string"):
        found.append(("max_length", "give a number of characters from 0, for a column of type string"))
    return found
