"""Rows of features as JSON sends them, decoded into the columns of a batch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import Any, Final

import numpy as np

from app.bundles import BundleInfo, Feature
from app.drift.bins import FloatArray, category_name
from app.errors import Reason, Refused
from app.serving import Batch, shortened

_NUMBER_TYPES: Final[frozenset[type]] = frozenset({float, int, bool, NoneType})
_CATEGORY_TYPES: Final[frozenset[type]] = frozenset({str, float, int, bool, NoneType})


class FeatureDecoder:
    """Checks rows against a bundle's features: all of them are accepted, or none."""

    def __init__(self, info: BundleInfo) -> None:
        self._features: Final = info.features
        self._names: Final = tuple(feature.name for feature in info.features)

    def decode(self, rows: Sequence[Any]) -> Batch:
        """Return the batch of rows that are mappings by name or lists in the bundle's order.

        Raises Refused, naming the field and the row.
        """
        lists = [self._in_order(row, place) for place, row in enumerate(rows)]
        cells = np.empty((len(lists), len(self._features)))
        texts: dict[int, list[str | None]] = {}
        for place, (feature, values) in enumerate(zip(self._features, zip(*lists, strict=True), strict=True)):
            if not feature.accepts_missing and None in values:
                raise _missing(feature.name, values.index(None))
            if feature.kind == "numeric":
                cells[:, place] = _numbers(feature, values)
            else:
                texts[place] = _names(feature, values)
        return Batch(cells, texts)

    def _in_order(self, row: Any, place: int) -> Sequence[Any]:
        if isinstance(row, Mapping):
            return self._from_mapping(row, place)
        if not isinstance(row, list):
            raise Refused(
                Reason.WRONG_TYPE,
                f"row {place} is {_json_type(row)}; give an object of features by name, or a list in the model's order",
                {"row": place},
            )
        if len(row) != len(self._features):
            raise Refused(
                Reason.WRONG_FEATURE_COUNT,
                f"row {place} has {len(row)} values, the model takes {len(self._features)}: {', '.join(self._names)}",
                {"row": place, "expected": len(self._features), "given": len(row)},
            )
        return row

    def _from_mapping(self, row: Mapping[str, Any], place: int) -> Sequence[Any]:
        values = [row.get(name) for name in self._names]
        known = sum(name in row for name in self._names)
        if known < len(row):
            unknown = shortened(next(name for name in row if name not in self._names))
            raise Refused(
                Reason.UNKNOWN_FEATURE,
                f"{unknown} is not a feature of the model; it takes {', '.join(self._names)}",
                {"field": unknown, "row": place},
            )
        return values


def _numbers(feature: Feature, values: Sequence[Any]) -> FloatArray:
    strange = set(map(type, values)) - _NUMBER_TYPES
    if strange:
        raise _wrong_type(feature, values, _NUMBER_TYPES, "a number or null")
    try:
        column = np.array(values, dtype=np.float64)  # None becomes NaN
    except OverflowError:
        column = np.array([math.inf if isinstance(v, int) and abs(v) > 1e308 else v for v in values], dtype=np.float64)
    if np.isfinite(column).sum() + values.count(None) < len(values):
        row = next(i for i, v in enumerate(values) if v is not None and not math.isfinite(column[i]))
        raise _not_finite(feature, values, row)
    return column


def _names(feature: Feature, values: Sequence[Any]) -> list[str | None]:
    types = set(map(type, values))
    if types - _CATEGORY_TYPES:
        raise _wrong_type(feature, values, _CATEGORY_TYPES, "a text, a number, a boolean or null")
    if float in types:
        strange = [row for row, v in enumerate(values) if type(v) is float and not math.isfinite(v)]
        if strange:
            raise _not_finite(feature, values, strange[0])
    return [value if type(value) is str else category_name(value) for value in values]


def _wrong_type(feature: Feature, values: Sequence[Any], types: Iterable[type], wanted: str) -> Refused:
    row = next(i for i, value in enumerate(values) if type(value) not in types)
    return Refused(
        Reason.WRONG_TYPE,
        f"{feature.name}: expected {wanted}, got {_json_type(values[row])}",
        {"field": feature.name, "row": row},
    )


def _not_finite(feature: Feature, values: Sequence[Any], row: int) -> Refused:
    return Refused(
        Reason.NOT_FINITE,
        f"{feature.name}: {shortened(str(values[row]))} is not a finite number; send null where the value is missing",
        {"field": feature.name, "row": row},
    )


def _missing(name: str, row: int) -> Refused:
    return Refused(
        Reason.MISSING_FEATURE,
        f"{name} is missing, and the model takes no missing value there: send it",
        {"field": name, "row": row},
    )


def _json_type(value: object) -> str:
    if isinstance(value, str):
        return f"the text {shortened(value)!r}"
    names = {dict: "an object", list: "a list", bool: "a boolean", NoneType: "null"}
    return names.get(type(value), "a number")
