"""Writes Prometheus text and OpenMetrics: names, types, help, labels and numbers.

A thousand columns share their labels between families (`Axis`). The text comes in pieces, so that no step
holds up other threads. Labels keep the order in which they are given; both formats allow any.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Final

import numpy as np
import orjson

from driftgauge.drift.bins import FloatArray
from driftgauge.metrics.facts import Exemplar
from driftgauge.metrics.series import Kind

NO_EXEMPLARS: Final[Mapping[int, Exemplar]] = {}
LOT: Final = 1_000
"""Samples that are written at once, in a tenth of a millisecond."""
LEAST_PLAIN: Final = 1e-4
"""From here to LEAST_LARGE Python, Go and JSON write a number alike: its shortest digits, without an exponent."""
LEAST_LARGE: Final = 1e6


@dataclass(frozen=True)
class Axis:
    """The values of one or several labels, each as written: `window="1h"`."""

    texts: tuple[str, ...]

    @classmethod
    def of(cls, label: str, values: Iterable[str]) -> Axis:
        """Return the axis of one label."""
        return cls(tuple([f'{label}="{_escaped(value)}"' for value in values]))

    def with_each(self, further: Sequence[Axis]) -> Axis:
        """Return one axis that pairs each value here with its own further axis; ValueError for another number."""
        pairs = zip(self.texts, further, strict=True)
        return Axis(tuple([f"{text},{own}" for text, axis in pairs for own in axis.texts]))

    @cached_property
    def ends(self) -> tuple[str, ...]:
        """The text between a child's other labels and its number."""
        return tuple([f"{text}}} " for text in self.texts])


def labelled(labels: Mapping[str, str]) -> str:
    """Return labels as they are written, without braces: `a="1",b="2"`."""
    return ",".join([f'{label}="{_escaped(value)}"' for label, value in labels.items()])


def head(name: str, kind: Kind, help: str, *, openmetrics: bool) -> str:
    """Return the lines above a family's samples. OpenMetrics names a counter without `_total` there."""
    if openmetrics:
        name = name.removesuffix("_total") if kind == "counter" else name
        return f"# HELP {name} {_escaped(help)}\n# TYPE {name} {kind}\n"
    return f"# HELP {name} {_without_breaks(help)}\n# TYPE {name} {kind}\n"


def number(value: float) -> str:
    """Write a number as Go does: shortest digits, an exponent from a million on; `NaN`, `+Inf`, `-Inf`."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    whole, point, fraction = text.partition(".")
    if value < LEAST_LARGE or not point or "e" in fraction:
        return text
    digits = (whole[1:] + fraction).rstrip("0")
    return f"{whole[0]}{'.' if digits else ''}{digits}e+{len(whole) - 1:02d}"


def sample(name: str, labels: str, value: float) -> str:
    """Return the line of one sample; `labels` as `labelled` writes them."""
    return f"{name}{{{labels}}} {number(value)}\n" if labels else f"{name} {number(value)}\n"


def samples(name: str, labels: str, axes: Sequence[Axis], numbers: FloatArray) -> Iterator[str]:
    """Yield the lines of all children that have a number, in lots.

    `labels` are shared by all children. `numbers` have the shape of the axes, with NaN for an absent child.
    The first axis runs fastest and should be the longest. ValueError for another shape.
    """
    if numbers.shape != tuple(len(axis.texts) for axis in axes):
        raise ValueError(f"{name}: numbers of shape {numbers.shape} for {[len(axis.texts) for axis in axes]} children")
    if not axes:
        if not np.isnan(numbers):
            yield sample(name, labels, float(numbers))
    elif numbers.size:
        texts = _numbers(np.moveaxis(numbers, 0, -1).ravel())
        for index, fixed in enumerate(product(*(axis.texts for axis in axes[1:]))):
            shared = ",".join([text for text in (labels, *fixed) if text])
            row = texts[index * len(numbers) : (index + 1) * len(numbers)]
            yield from _lines(f"{name}{{{shared}{',' if shared else ''}", axes[0].ends, row)


def histogram(
    name: str,
    labels: str,
    bounds: Axis,
    cumulative: Sequence[float],
    total: float | None,
    exemplars: Mapping[int, Exemplar] = NO_EXEMPLARS,
) -> str:
    """Return the lines of one child: a bucket per bound, the count and the sum.

    The last bound of `le` is +Inf. Only OpenMetrics has exemplars, by bucket.
    None for the sum leaves both out, as both formats ask where a bucket's bound is negative.
    """
    start = f"{name}_bucket{{{labels}{',' if labels else ''}"
    ends = {index: exemplar(own) for index, own in exemplars.items()}
    numbered = enumerate(zip(bounds.ends, cumulative, strict=True))
    lines = [f"{start}{end}{number(count)}{ends.get(index, '')}\n" for index, (end, count) in numbered]
    if total is not None:
        lines += [sample(f"{name}_count", labels, cumulative[-1]), sample(f"{name}_sum", labels, total)]
    return "".join(lines)


def exemplar(own: Exemplar) -> str:
    """Return what stands behind a bucket's number: the trace of a request in it, how long it took, and when."""
    labels = labelled({"span_id": own.span_id, "trace_id": own.trace_id})
    return f" # {{{labels}}} {number(own.value)} {round(own.at, 3)}"


def _escaped(text: str) -> str:
    return _without_breaks(text).replace('"', r"\"")


def _without_breaks(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _lines(start: str, ends: Sequence[str], numbers: Sequence[str]) -> Iterator[str]:
    for begin in range(0, len(ends), LOT):
        lot = zip(ends[begin : begin + LOT], numbers[begin : begin + LOT], strict=True)
        yield "".join([f"{start}{end}{text}\n" for end, text in lot if text])


def _numbers(values: FloatArray) -> list[str]:
    """Return each as `number` writes it; empty for NaN.

    orjson writes most of them ten times as fast as `repr`.
    """
    texts: list[str] = []
    for begin in range(0, len(values), LOT):
        lot = np.ascontiguousarray(values[begin : begin + LOT], dtype=np.float64)
        texts += orjson.dumps(lot, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode().split(",")
    size = np.abs(values)
    plain = (values == 0.0) | ((size >= LEAST_PLAIN) & (size < LEAST_LARGE))
    for index in np.flatnonzero(~plain).tolist():
        value = float(values[index])
        texts[index] = "" if math.isnan(value) else number(value)
    return texts
