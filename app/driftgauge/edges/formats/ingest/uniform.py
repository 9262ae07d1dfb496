"""Records that have the same fields, decoded column by column: several times faster than one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from driftgauge.drift.bins import FloatArray
from driftgauge.edges.formats.ingest.features import FeatureOrder, Outputs

Fields = Mapping[str, Sequence[Any]]
"""The values of each field, one for each record."""
_NUMBERS: Final = frozenset({float, int})


@dataclass(frozen=True)
class UniformRows:
    """What records with one row each hold."""

    features: Sequence[Sequence[Any]] | FloatArray
    """In the baseline's order."""
    scores: Sequence[Any]
    classes: Sequence[Any]
    """None for a row whose class is unknown."""
    times: FloatArray
    ids: Sequence[str]
    """An empty text for a row without one."""


def fields_of(contents: Sequence[Any]) -> Fields | None:
    """Return the fields of records; None unless all are objects with the same fields.

    >>> fields_of([{"a": 1, "b": 2}, {"b": 4, "a": 3}])
    {'a': (1, 3), 'b': (2, 4)}
    """
    if set(map(type, contents)) != {dict} or len(names := tuple(contents[0])) < 2:
        return None
    if set(map(len, contents)) != {len(names)}:
        return None
    try:
        return dict(zip(names, zip(*map(itemgetter(*names), contents), strict=True), strict=True))
    except KeyError:
        return None


def features_of(given: Sequence[Any], order: FeatureOrder) -> Sequence[Sequence[Any]] | None:
    """Return the features of records, None unless all are lists or all are objects."""
    kinds = set(map(type, given))
    if kinds == {list}:
        return given if set(map(len, given)) == {order.width} else None
    return order.all_by_name(given) if kinds == {dict} else None


def scores_of(given: Sequence[Any], outputs: Outputs) -> Sequence[Any] | None:
    """Return the outputs of records as scores, None unless they are numbers of a model without a class."""
    return given if not outputs.has_class and _NUMBERS.issuperset(map(type, given)) else None
