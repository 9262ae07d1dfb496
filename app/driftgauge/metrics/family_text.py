"""Writes whole families of `/metrics`: the head, and the samples of counters and histograms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.metrics.facts import Arrays, Exemplar
from driftgauge.metrics.gauges import ReportGauge, ShareGauge
from driftgauge.metrics.monitor_gauge import MonitorGauge
from driftgauge.metrics.performance_gauges import PerformanceGauge
from driftgauge.metrics.quality_gauges import QualityGauge
from driftgauge.metrics.series import CounterSpec, Declared, Labels
from driftgauge.metrics.text_format import NO_EXEMPLARS, Axis, head, histogram, labelled, sample

Spec = Declared | ReportGauge | ShareGauge | MonitorGauge | PerformanceGauge | QualityGauge
NO_CHILDREN: Final[Mapping[Labels, Mapping[int, Exemplar]]] = {}


def family(spec: Spec, openmetrics: bool, parts: Sequence[Iterable[str]]) -> Iterator[str]:
    """Yield a family with the part of each monitor; nothing without parts."""
    if parts:
        yield head(spec.name, spec.type, spec.help, openmetrics=openmetrics)
        yield from chain.from_iterable(parts)


def stored(
    spec: CounterSpec,
    base: Mapping[str, str],
    arrays: Arrays,
    exemplars: Mapping[Labels, Mapping[int, Exemplar]] = NO_CHILDREN,
) -> Iterator[str]:
    """Yield the samples of a counter or a histogram; exemplars are by child and by bucket."""
    listed = _listed(spec, arrays[spec.name])
    children = [labelled({**base, **dict(zip(spec.labels, spec.children[i], strict=True))}) for i in listed]
    numbers = arrays[spec.name][listed]
    if spec.type == "counter":
        counts = numbers[:, 0].tolist()
        yield from (sample(spec.name, labels, count) for labels, count in zip(children, counts, strict=True))
        return
    bounds = Axis.of("le", [*(repr(float(bound)) for bound in spec.buckets), "+Inf"])
    for index, labels, row in zip(listed, children, numbers, strict=True):
        # With a bound below zero the sum could fall, which a counter must not.
        total = float(row[-1]) if spec.buckets[0] >= 0 else None
        own = exemplars.get(spec.children[index], NO_EXEMPLARS)
        yield histogram(spec.name, labels, bounds, np.cumsum(row[:-1]).tolist(), total, own)


def _listed(spec: CounterSpec, numbers: FloatArray) -> list[int]:
    """Return the children that are listed: of groups that were counted, or are listed from the start."""
    if not spec.group_by:
        return list(range(len(spec.children)))
    groups = [child[: spec.group_by] for child in spec.children]
    known = spec.from_start | {groups[i] for i in np.flatnonzero(numbers.any(axis=1)).tolist()}
    return [i for i, group in enumerate(groups) if group in known]
