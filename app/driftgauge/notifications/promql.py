"""Evaluates the PromQL of our rules on the samples of one server; promql-parser reads it.

It knows the functions and operators that our rules use, and refuses others when a rule is read. Tests hold it against
the rules' own tests, which promtool runs too.
"""

from __future__ import annotations

import math
import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import promql_parser as syntax

from driftgauge.notifications.functions import OVER_TIME, increase, quantile, total
from driftgauge.notifications.samples import LOOKBACK_SECONDS, Labels, Samples, Series

MOST_KEPT: Final = 4_096
"""Queries and matchers that are kept as they were read."""
Value = tuple[Labels, float]
Vector = list[Value]
Key = tuple[tuple[str, str], ...]

_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda one, other: (
        one / other if other else math.nan if not one or one != one else math.copysign(math.inf, one)
    ),
}
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_SETS: Final = ("and", "or", "unless")
_AGGREGATIONS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "max": max,
    "min": min,
    "sum": total,
    "count": lambda values: float(len(values)),
    "group": lambda values: 1.0,
}
_RATES: Final = ("increase", "rate")
_OF_VALUES: Final[Mapping[str, Callable[..., float]]] = {
    "round": lambda value, to=1.0: math.floor(value / to + 0.5) * to if math.isfinite(value / to) else value,
    "clamp_min": max,
    "ln": lambda value: math.log(value) if value > 0 else -math.inf if value == 0 else math.nan,
}
"""Functions of each value of a vector, and of further numbers."""


class NotSupported(ValueError):
    """PromQL beyond that of our rules."""


@lru_cache(MOST_KEPT)
def parsed(query: str) -> syntax.Expr:
    """Return the tree of a query; the same object for the same text."""
    return syntax.parse(query)


def evaluate(query: str, samples: Samples, at: float) -> Vector:
    """Return the values of a query at a time; a number becomes a value without labels."""
    found = _Evaluation(samples, at).of(parsed(query))
    return [({}, found)] if isinstance(found, float) else found


def ranges_of(query: str) -> dict[str, float]:
    """Return the names that a query reads, and the longest range of each; NotSupported for PromQL beyond ours."""
    found: dict[str, float] = {}
    for node, function in _nodes(parsed(query)):
        if isinstance(node, syntax.VectorSelector):
            found.setdefault(_name(node), 0.0)
        elif isinstance(node, syntax.MatrixSelector) and function != "last_over_time":
            name = _name(node.vector_selector)
            found[name] = max(found.get(name, 0.0), node.range.total_seconds())
    return found


def _nodes(node: Any, function: str = "") -> Iterable[tuple[Any, str]]:
    """Yield every part of a query with the function that it is an argument of."""
    yield node, function
    match node:
        case syntax.BinaryExpr():
            _require(str(node.op), (*_ARITHMETIC, *_COMPARISONS, *_SETS))
            children = [node.lhs, node.rhs]
        case syntax.AggregateExpr():
            _require(str(node.op), (*_AGGREGATIONS, "topk"))
            children = [node.expr]
        case syntax.Call():
            function = node.func.name
            _require(function, (*OVER_TIME, *_RATES, *_OF_VALUES, "histogram_quantile", "time", "absent", "vector"))
            children = list(node.args)
        case syntax.ParenExpr():
            children = [node.expr]
        case syntax.MatrixSelector():
            children = [node.vector_selector]
        case syntax.VectorSelector() | syntax.NumberLiteral():
            children = []
        case _:
            raise NotSupported(f"{node} is not known here")
    for child in children:
        yield from _nodes(child, function)


def _require(name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise NotSupported(f"{name} is not known here")


def _name(selector: Any) -> str:
    return str(selector.name or "")


# ---------------------------------------------------------------- selectors


@lru_cache(MOST_KEPT)
def _matcher(name: str, operation: str, value: str) -> Callable[[Labels], bool]:
    """Return the test of one label; a label that is missing is an empty one."""
    if operation in ("Re", "NotRe"):
        pattern, wanted = re.compile(value), operation == "Re"
        return lambda labels: bool(pattern.fullmatch(labels.get(name, ""))) is wanted
    wanted = operation == "Equal"
    return lambda labels: (labels.get(name, "") == value) is wanted


def _operation(matcher: Any) -> str:
    return str(matcher.op).partition(".")[2]


def matches(selector: Any, labels: Labels) -> bool:
    """Return whether labels are those that a selector asks for."""
    return all(
        _matcher(own.name, _operation(own), own.value)(labels)
        for own in selector.matchers.matchers
        if own.name != "__name__"
    )


# ---------------------------------------------------------------- evaluation


@dataclass(frozen=True)
class _Evaluation:
    """One evaluation: the samples, and the time."""

    samples: Samples
    at: float

    def of(self, node: Any) -> Vector | float:
        """Return the value of a part of a query."""
        match node:
            case syntax.NumberLiteral():
                return float(node.val)
            case syntax.ParenExpr():
                return self.of(node.expr)
            case syntax.VectorSelector():
                return self._instant(node)
            case syntax.Call():
                return self._call(node)
            case syntax.AggregateExpr():
                return _aggregated(node, self._vector(node.expr), node.param and self.of(node.param))
            case syntax.BinaryExpr():
                return _combined(node, self.of(node.lhs), self.of(node.rhs))
        raise NotSupported(f"{node} is not known here")

    def _vector(self, node: Any) -> Vector:
        found = self.of(node)
        if isinstance(found, float):
            raise NotSupported(f"{node} is a number, not a vector")
        return found

    def _selected(self, selector: Any) -> Iterable[Series]:
        tests = [_matcher(own.name, _operation(own), own.value) for own in selector.matchers.matchers]
        if selector.name:
            names: Iterable[str] = [selector.name]
        else:
            named = [
                test for own, test in zip(selector.matchers.matchers, tests, strict=True) if own.name == "__name__"
            ]
            tests = [test for test in tests if test not in named]
            names = [name for name in self.samples.names() if all(test({"__name__": name}) for test in named)]
        for name in names:
            for series in self.samples.named(name):
                if all(test(series.labels) for test in tests):
                    yield series

    def _instant(self, selector: Any) -> Vector:
        earliest = self.at - LOOKBACK_SECONDS
        return [
            (series.labels, series.last[1])
            for series in self._selected(selector)
            if not series.is_stale and series.last[0] >= earliest
        ]

    def _call(self, node: Any) -> Vector | float:
        name, arguments = node.func.name, node.args
        if name == "time":
            return self.at
        if name == "vector":
            return [({}, float(arguments[0].val))]
        if name in OVER_TIME or name in _RATES:
            return list(self._over_time(name, arguments[0]))
        if name == "absent":
            return [] if self._vector(arguments[0]) else [(_equal_labels(arguments[0]), 1.0)]
        if name == "histogram_quantile":
            return _quantiles(float(arguments[0].val), self._vector(arguments[1]))
        numbers = [float(argument.val) for argument in arguments[1:]]
        return [(labels, float(_OF_VALUES[name](value, *numbers))) for labels, value in self._vector(arguments[0])]

    def _over_time(self, name: str, matrix: Any) -> Iterable[Value]:
        seconds = matrix.range.total_seconds()
        start = self.at - seconds
        for series in self._selected(matrix.vector_selector):
            points = [series.last] if name == "last_over_time" else series.within(start, self.at)
            if not points or points[-1][0] < start:
                continue
            if name in OVER_TIME:
                yield series.labels, OVER_TIME[name]([value for _, value in points])
            elif (rise := increase(points, start, self.at)) is not None:
                yield series.labels, rise / seconds if name == "rate" else rise


def _equal_labels(selector: Any) -> Labels:
    return {own.name: own.value for own in selector.matchers.matchers if _operation(own) == "Equal"}


def _quantiles(share: float, buckets: Vector) -> Vector:
    found: dict[Key, dict[float, float]] = defaultdict(dict)
    for labels, value in buckets:
        found[_key_without(labels, ("le",))][float(labels["le"])] = value
    return [(dict(key), quantile(share, counts)) for key, counts in found.items()]


# ---------------------------------------------------------------- labels


def _key_without(labels: Labels, names: Sequence[str]) -> Key:
    return tuple(sorted((name, value) for name, value in labels.items() if name not in names))


def _key_of(labels: Labels, names: Sequence[str]) -> Key:
    """Return the labels of some names; an empty one is as if it were missing."""
    return tuple((name, labels[name]) for name in names if labels.get(name))


def _key(labels: Labels, modifier: Any, included: Any) -> Key:
    """Return the labels that a modifier keeps: those that it names if its type is `included`, else the others."""
    if modifier is None:
        return () if included is syntax.AggModifierType.By else _key_without(labels, ())
    names = modifier.labels
    return _key_of(labels, sorted(names)) if modifier.type == included else _key_without(labels, names)


def _aggregated(node: Any, values: Vector, parameter: Any) -> Vector:
    groups: dict[Key, Vector] = defaultdict(list)
    for labels, value in values:
        groups[_key(labels, node.modifier, syntax.AggModifierType.By)].append((labels, value))
    if str(node.op) == "topk":
        return [
            best
            for members in groups.values()
            for best in sorted(members, key=lambda member: -member[1])[: int(parameter)]
        ]
    function = _AGGREGATIONS[str(node.op)]
    return [(dict(key), function([value for _, value in members])) for key, members in groups.items()]


# ---------------------------------------------------------------- operators


def _combined(node: Any, left: Vector | float, right: Vector | float) -> Vector | float:
    name = str(node.op)
    if isinstance(left, float) and isinstance(right, float):
        return float(_ARITHMETIC[name](left, right))
    if isinstance(left, list) and isinstance(right, list):
        return _joined(node, name, left, right)
    pairs = (
        [(labels, value, value, right) for labels, value in left]
        if isinstance(left, list) and isinstance(right, float)
        else [(labels, value, left, value) for labels, value in right]
        if isinstance(left, float) and isinstance(right, list)
        else []
    )
    if name in _ARITHMETIC:
        return [(labels, _ARITHMETIC[name](one, other)) for labels, _, one, other in pairs]
    return [(labels, value) for labels, value, one, other in pairs if _COMPARISONS[name](one, other)]


def _joined(node: Any, name: str, left: Vector, right: Vector) -> Vector:
    matching = node.modifier and node.modifier.matching

    def key(labels: Labels) -> Key:
        return _key(labels, matching, syntax.LabelModifierType.Include)

    if name in _SETS:
        keys = {key(labels) for labels, _ in (left if name == "or" else right)}
        if name == "or":
            return [*left, *(own for own in right if key(own[0]) not in keys)]
        return [own for own in left if (key(own[0]) in keys) is (name == "and")]
    others = {key(labels): value for labels, value in right}
    is_many = node.modifier is not None and node.modifier.card == syntax.VectorMatchCardinality.ManyToOne
    found: Vector = []
    for labels, value in left:
        other = others.get(own := key(labels))
        if other is None:
            continue
        kept = labels if is_many or matching is None else dict(own)
        if name in _ARITHMETIC:
            found.append((kept, _ARITHMETIC[name](value, other)))
        elif _COMPARISONS[name](value, other):
            found.append((kept, value))
    return found
