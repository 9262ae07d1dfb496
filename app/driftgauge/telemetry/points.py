"""The families of `/metrics` as data of OpenTelemetry: sums, gauges and histograms with their attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.sdk.metrics import Exemplar as OtelExemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    DataPointT,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import Metric as Family
from prometheus_client.samples import Sample

from driftgauge.metrics.facts import Exemplar
from driftgauge.metrics.server_series import HTTP_DURATION
from driftgauge.telemetry.names import TOTAL, otel_name
from driftgauge.telemetry.starts import Key, Starts, nanoseconds

SCOPE: Final = "driftgauge"
CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
Exemplars = Mapping[tuple[str, ...], Mapping[int, Exemplar]]


@dataclass(frozen=True)
class Points:
    """Turns families into data; `at` is the time of all values, seconds since 1970."""

    at: float
    starts: Starts
    exemplars: Exemplars = field(default_factory=dict)

    def data(self, families: Iterable[Family], resource: Resource, version: str) -> MetricsData:
        """Return the data of all families of a server that have samples."""
        metrics = [self._metric(own) for own in families if own.samples]
        scope = ScopeMetrics(InstrumentationScope(SCOPE, version), metrics, "")
        self.starts.sent(self.at)
        return MetricsData([ResourceMetrics(resource, [scope], resource.schema_url)])

    def _metric(self, family: Family) -> Metric:
        kind, name = family.type, family.name + (TOTAL if family.type == "counter" else "")
        named = otel_name(name, kind)
        data: Sum | Gauge | Histogram
        if kind == "histogram":
            data = Histogram(list(self._histograms(family)), CUMULATIVE)
        elif kind == "counter":
            points = [self._number(own, self.starts.of(_key(own), own.value)) for own in family.samples]
            data = Sum(points, CUMULATIVE, is_monotonic=True)
        else:
            data = Gauge([self._number(own, None) for own in family.samples])
        return Metric(named.name, family.documentation, named.unit, data)

    def _number(self, sample: Sample, start: int | None) -> NumberDataPoint:
        return NumberDataPoint(sample.labels, start, nanoseconds(self.at), sample.value)  # type: ignore[arg-type]

    def _histograms(self, family: Family) -> Iterator[HistogramDataPoint]:
        """Yield a point of each child; its samples stand together, the buckets first."""
        children: dict[Key, _Child] = {}
        for own in family.samples:
            labels = {name: value for name, value in own.labels.items() if name != "le"}
            child = children.setdefault((family.name, tuple(labels.items())), _Child(labels))
            if own.name.endswith("_bucket"):
                child.bounds.append(float(own.labels["le"]))
                child.cumulative.append(own.value)
            elif own.name.endswith("_sum"):
                child.total = own.value
        for key, child in children.items():
            start = self.starts.of(key, child.cumulative[-1])
            traced = (
                self.exemplars.get((child.labels["method"], child.labels["handler"]), {})
                if (family.name == HTTP_DURATION)
                else {}
            )
            yield child.point(start, nanoseconds(self.at), [_exemplar(own) for own in traced.values()])


@dataclass
class _Child:
    """One histogram, as its samples are read."""

    labels: dict[str, str]
    bounds: list[float] = field(default_factory=list)
    cumulative: list[float] = field(default_factory=list)
    total: float | None = None
    """The sum of values; None where `/metrics` has none, because values may be below zero."""

    def point(self, start: int, at: int, exemplars: Sequence[OtelExemplar]) -> HistogramDataPoint:
        counts = [int(above - below) for below, above in zip([0.0, *self.cumulative], self.cumulative, strict=False)]
        unknown: Any = None  # of these the wire format has none
        total: Any = self.total
        return HistogramDataPoint(
            self.labels, start, at, sum(counts), total, counts, self.bounds[:-1], unknown, unknown, exemplars
        )


def _key(sample: Sample) -> Key:
    return sample.name, tuple(sample.labels.items())


def _exemplar(own: Exemplar) -> OtelExemplar:
    return OtelExemplar({}, own.value, nanoseconds(own.at), int(own.span_id, 16), int(own.trace_id, 16))


def count_points(data: MetricsData) -> int:
    """Return the number of points of all metrics."""
    metrics = [own for resource in data.resource_metrics for scope in resource.scope_metrics for own in scope.metrics]
    points: list[Sequence[DataPointT]] = [own.data.data_points for own in metrics]
    return sum(map(len, points))
