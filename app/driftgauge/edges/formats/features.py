"""Decodes rows of JSON features into the columns of a batch."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from operator import itemgetter
from types import NoneType
from typing import Any, Final

import numpy as np

from driftgauge.common.quoting import NAMED, bounded_name, named, shortened
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.quality.report import EXTRA_COLUMNS, REQUIRED, TYPE
from driftgauge.edges.formats.large.chunks import CHUNK, chunks, joined
from driftgauge.errors import Reason, Refused, count_all_refused, count_refused
from driftgauge.models.bundle import BundleInfo, Feature
from driftgauge.models.categories import CategoryNames
from driftgauge.models.predictor import Batch

_NUMBER_TYPES: Final[frozenset[type]] = frozenset({float, int, bool, NoneType})
_TEXT_TYPES: Final[frozenset[type]] = frozenset({str, NoneType})
_CATEGORY_TYPES: Final[frozenset[type]] = frozenset({str, float, int, bool, NoneType})
_NUMBERS: Final[frozenset[type]] = frozenset({float, int})
_LARGEST: Final = 1e308
"""Whole numbers beyond it count as infinite."""
_TYPES: Final = {"numeric": _NUMBER_TYPES, "categorical": _CATEGORY_TYPES, "text": _TEXT_TYPES}


class FeatureDecoder:
    """Checks and decodes rows for a bundle's features: all rows are accepted, or none."""

    def __init__(self, info: BundleInfo, required: Collection[str] = ()) -> None:
        """Decode the features of a bundle; rows that lack one of the `required` columns are counted."""
        self._required: Final = frozenset(required) & {feature.name for feature in info.features}
        self._features: Final = info.features
        self._names: Final = tuple(feature.name for feature in info.features)
        self._known_names: Final = frozenset(self._names)
        self._values: Final[Callable[[Mapping[str, Any]], Sequence[Any]]] = _getter(self._names)
        self._all_numeric: Final = all(feature.kind == "numeric" for feature in info.features)
        self._called: Final = [CategoryNames(feature) for feature in info.features]

    def decode(self, rows: Sequence[Any]) -> Batch:
        """Return the batch of rows, each a mapping by name or a list in the bundle's order.

        Raises Refused, naming the field and the row.
        """
        lacking: list[str] = []
        try:
            batch = self._decoded([self._in_order(row, index, lacking) for index, row in enumerate(rows)])
        except Refused as error:
            if len(rows) > 1 and error.violations:
                count_refused(error, row_violations(rows, self._features), len(rows))
            raise
        return replace(batch, lacking=len(lacking), lacks=lacking[0]) if lacking else batch

    def _decoded(self, lists: Sequence[Sequence[Any]]) -> Batch:
        if len(lists) == 1 or self._all_numeric:
            flat = lists[0] if len(lists) == 1 else joined(lists, len(self._features))
            return self._matrix(flat, len(lists))
        return self._batch(zip(*lists, strict=True), len(lists))

    def positions(self, columns: Sequence[str]) -> list[int | None]:
        """Return each feature's position among named columns, None if it is absent; raises Refused."""
        found = {name: position for position, name in enumerate(columns)}
        if not found:
            raise self._empty_row(0)
        self._refuse_unknown(found, {})
        return [found.get(name) for name in self._names]

    def decode_columns(self, columns: Mapping[str, Sequence[Any]], rows: int) -> Batch:
        """Return the batch of columns by name, each with `rows` values; absent features are missing in all rows.

        Raises Refused, naming the field and the row.
        """
        if not columns:
            raise self._empty_row(0)
        try:
            self._refuse_unknown(columns, {})
        except Refused as error:
            count_all_refused(error, rows)
            raise
        values = [columns.get(name) or (None,) * rows for name in self._names]
        cells = _finite_cells(joined(values, rows)) if self._all_numeric else None
        if cells is not None:
            return Batch(np.ascontiguousarray(cells.reshape(len(values), rows).T), {})
        try:
            return self._batch(values, rows)
        except Refused as error:
            count_refused(error, row_violations([list(row) for row in zip(*values, strict=True)], self._features), rows)
            raise

    def decode_matrix(self, values: Sequence[Any], rows: int) -> Batch:
        """Return the batch of flat values in row-major order, shape [rows * features].

        Raises Refused, naming the field and the row.
        """
        try:
            return self._matrix(values, rows)
        except Refused as error:
            count = len(self._features)
            cut = [list(values[first : first + count]) for first in range(0, len(values), count)]
            count_refused(error, row_violations(cut, self._features), rows)
            raise

    def _matrix(self, values: Sequence[Any], rows: int) -> Batch:
        """Return the batch of flat values as `decode_matrix` does; of refused rows the first is counted."""
        count = len(self._features)
        cells = _finite_cells(values) if self._all_numeric else None
        if cells is None:
            return self._batch([values[index::count] for index in range(count)], rows)
        return Batch(cells.reshape(rows, count), {})

    def _batch(self, columns: Iterable[Sequence[Any]], rows: int) -> Batch:
        """Return the batch of columns in the features' order."""
        cells = np.empty((rows, len(self._features)))
        texts: dict[int, list[str | None]] = {}
        for index, (feature, called, values) in enumerate(zip(self._features, self._called, columns, strict=True)):
            if not feature.accepts_missing and None in values:
                raise _missing(feature.name, values.index(None))
            if feature.kind == "numeric":
                cells[:, index] = _numbers(feature, values)
            else:
                texts[index] = called.of(_checked(feature, values))
        return Batch(cells, texts)

    def _in_order(self, row: Any, index: int, lacking: list[str]) -> Sequence[Any]:
        """Return a row's values in the features' order; `lacking` gets a required column that it lacks."""
        if isinstance(row, dict):
            return self._from_mapping(row, index, lacking)
        if not isinstance(row, list):
            raise Refused(
                Reason.WRONG_TYPE,
                f"row {index} is {json_type(row)}: send an object of features by name, or a list in the model's order",
                {"row": index},
            )
        if len(row) != len(self._features):
            raise Refused(
                Reason.WRONG_FEATURE_COUNT,
                f"row {index} has {len(row)} values, the model takes {len(self._features)}: {self._known()}",
                {"row": index, "expected": len(self._features), "given": len(row)},
            )
        return row

    def _from_mapping(self, row: Mapping[str, Any], index: int, lacking: list[str]) -> Sequence[Any]:
        if len(row) == len(self._names):
            with suppress(KeyError):
                return self._values(row)
        if not row:
            raise self._empty_row(index)
        self._refuse_unknown(row, {"row": index})
        if not self._required <= row.keys():
            lacking.append(next(name for name in self._names if name in self._required and name not in row))
        return [row.get(name) for name in self._names]

    def _known(self) -> str:
        """Return the names of the first features, and where to find all."""
        more = len(self._names) > NAMED
        return f"{named(self._names)} (GET /metadata lists them)" if more else named(self._names)

    def _empty_row(self, index: int) -> Refused:
        """Return the refusal of a row without any feature, even if the model accepts missing values."""
        return Refused(
            Reason.MISSING_FEATURE,
            f"row {index} has no features: send at least one of {named(self._names)}, with null for missing values",
            {"field": self._names[0], "row": index},
        )

    def _refuse_unknown(self, given: Mapping[str, Any], where: Mapping[str, object]) -> None:
        known = sum(name in given for name in self._names)
        if known < len(given):
            unknown = [name for name in given if name not in self._known_names]
            what = "is not a feature" if len(unknown) == 1 else "are not features"
            raise Refused(
                Reason.UNKNOWN_FEATURE,
                f"{named(unknown)} {what} of the model; it takes {self._known()}",
                {"field": shortened(unknown[0]), **where},
            )


def row_violations(rows: Sequence[Any], features: Sequence[Feature]) -> Mapping[str, int]:
    """Return how many rows of a refused request violate each constraint on rows as they are sent."""
    found: Counter[str] = Counter()
    for row in rows:
        found.update(_violated(row, features))
    return found


def _violated(row: Any, features: Sequence[Feature]) -> set[str]:
    """Return the constraints that a row violates."""
    if isinstance(row, dict):
        cells = [row.get(feature.name) for feature in features]
        extra = len(row) > sum(feature.name in row for feature in features)
        found = {EXTRA_COLUMNS} if extra else set()
    elif isinstance(row, list):
        if len(row) != len(features):
            return {REQUIRED}
        cells, found = row, set()
    else:
        return {TYPE}
    for feature, cell in zip(features, cells, strict=True):
        if cell is None:
            found |= set() if feature.accepts_missing else {REQUIRED}
        elif type(cell) not in _TYPES[feature.kind] or (type(cell) in _NUMBERS and not _is_finite(feature, cell)):
            found.add(TYPE)
    return found


def _is_finite(feature: Feature, cell: float) -> bool:
    """Say whether a cell is finite, or a whole number that the feature can hold."""
    if type(cell) is int:
        return feature.kind != "numeric" or abs(cell) <= _LARGEST
    return math.isfinite(cell)


def _getter(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """Return a getter of these names' values in order; it raises KeyError."""
    if len(names) == 1:
        return lambda row: (row[names[0]],)
    return itemgetter(*names)


def _finite_cells(values: Sequence[Any]) -> FloatArray | None:
    """Return values as one array if all are finite numbers, else None."""
    if len(values) > CHUNK:
        parts = [_finite_cells(part) for part in chunks(values)]
        finite = [part for part in parts if part is not None]
        return np.concatenate(finite) if len(finite) == len(parts) else None
    try:
        numbers = array("d", values)  # unlike numpy, it does not parse text as a number
    except (TypeError, OverflowError):
        return None
    cells = np.frombuffer(numbers, dtype=np.float64)
    # For a single row a sum is faster than numpy; it may overflow, so numpy decides then.
    return cells if math.isfinite(sum(numbers)) or np.isfinite(cells).all() else None


def _numbers(feature: Feature, values: Sequence[Any]) -> FloatArray:
    strange = set(map(type, values)) - _NUMBER_TYPES
    if strange:
        raise _wrong_type(feature, values, _NUMBER_TYPES, "a number or null")
    try:
        column = np.array(values, dtype=np.float64)  # None becomes NaN
    except OverflowError:
        held = [math.inf if isinstance(v, int) and abs(v) > _LARGEST else v for v in values]
        column = np.array(held, dtype=np.float64)
    if np.isfinite(column).sum() + values.count(None) < len(values):
        row = next(i for i, v in enumerate(values) if v is not None and not math.isfinite(column[i]))
        raise _not_finite(feature, values, row)
    return column


def _checked(feature: Feature, values: Sequence[Any]) -> Sequence[Any]:
    """Return values if all can be categories or free text; raises Refused."""
    types = set(map(type, values))
    wanted = _TEXT_TYPES if feature.kind == "text" else _CATEGORY_TYPES
    if types - wanted:
        what = "a text or null" if feature.kind == "text" else "a text, a number, a boolean or null"
        raise _wrong_type(feature, values, wanted, what)
    if float in types:
        strange = [row for row, v in enumerate(values) if type(v) is float and not math.isfinite(v)]
        if strange:
            raise _not_finite(feature, values, strange[0])
    return values


def _wrong_type(feature: Feature, values: Sequence[Any], types: Iterable[type], wanted: str) -> Refused:
    row = next(i for i, value in enumerate(values) if type(value) not in types)
    return Refused(
        Reason.WRONG_TYPE,
        f"{bounded_name(feature.name)}: expected {wanted}, got {json_type(values[row])}",
        {"field": feature.name, "row": row},
    )


def _not_finite(feature: Feature, values: Sequence[Any], row: int) -> Refused:
    return Refused(
        Reason.NOT_FINITE,
        f"{bounded_name(feature.name)}: {shortened(str(values[row]))} is not a finite number; "
        "send null for a missing value",
        {"field": feature.name, "row": row},
    )


def _missing(name: str, row: int) -> Refused:
    return Refused(
        Reason.MISSING_FEATURE,
        f"{bounded_name(name)} is missing, but the model needs a value: send it",
        {"field": name, "row": row},
    )


def json_type(value: object) -> str:
    """Describe the type of a JSON value, for a message."""
    if isinstance(value, str):
        return f"the text {shortened(value)!r}"
    names = {dict: "an object", list: "a list", bool: "a boolean", NoneType: "null"}
    return names.get(type(value), "a number")
