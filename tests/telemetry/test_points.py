from __future__ import annotations

import math
from typing import Any

import pytest
from driftgauge.metrics.facts import Exemplar
from driftgauge.metrics.families import read_families
from driftgauge.telemetry.names import otel_name
from driftgauge.telemetry.points import Points, count_points
from driftgauge.telemetry.starts import Starts
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.resources import Resource

from tests.expositions import EXEMPLAR, TEXT, Exposition, drifted, facts_of
from tests.monitors import START
from tests.otlp_receiver import Point, points_of

SINCE = START - 3_600.0
AT = START + 10.0


def sent(page: str, points: Points) -> list[Point]:
    """Return what a collector receives of a page of metrics."""
    data = points.data(read_families(page), Resource({"service.name": "driftgauge"}), "1.0")
    found = list(points_of(encode_metrics(data)))
    assert count_points(data) == len(found)
    return found


@pytest.fixture(scope="module")
def exposition() -> Exposition:
    return Exposition(TEXT, [facts_of(drifted())])


def test_each_series_arrives_with_its_value_and_labels(exposition: Exposition) -> None:
    received = sent(exposition.text, Points(AT, Starts(SINCE)))
    plain = {
        (own.name, tuple(sorted(own.attributes.items()))): own.value for own in received if own.kind != "histogram"
    }
    expected = {
        (otel_name(sample.name, family.type).name, tuple(sorted(sample.labels.items()))): sample.value
        for family in exposition.list
        if family.type != "histogram"
        for sample in family.samples
    }
    assert plain == expected
    histograms = [own for family in exposition.list if family.type == "histogram" for own in family.samples]
    children = [own for own in histograms if own.labels.get("le") == "+Inf"]
    assert sorted(own.value for own in received if own.kind == "histogram") == sorted(own.value for own in children)


def test_counters_are_cumulative_sums_since_their_start_and_gauges_have_none(exposition: Exposition) -> None:
    received = sent(exposition.text, Points(AT, Starts(SINCE)))
    assert {own.kind for own in received} == {"sum", "gauge", "histogram"}
    for own in received:
        assert own.raw.time_unix_nano == round(AT * 1e9)
        assert own.raw.start_time_unix_nano == (0 if own.kind == "gauge" else round(SINCE * 1e9))


HISTOGRAM = """# HELP http_request_duration_seconds Time.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{method="POST",handler="/predict",le="0.5"} 2
http_request_duration_seconds_bucket{method="POST",handler="/predict",le="1.0"} 2
http_request_duration_seconds_bucket{method="POST",handler="/predict",le="+Inf"} 5
http_request_duration_seconds_count{method="POST",handler="/predict"} 5
http_request_duration_seconds_sum{method="POST",handler="/predict"} 7.5
"""


def test_a_histogram_keeps_its_bounds_its_sum_and_the_trace_of_a_request() -> None:
    exemplars: Any = {("POST", "/predict"): {2: EXEMPLAR}}
    (found,) = sent(HISTOGRAM, Points(AT, Starts(SINCE), exemplars))
    assert (found.name, found.unit) == ("http.request.duration", "s")
    assert found.attributes == {"method": "POST", "handler": "/predict"}
    assert list(found.raw.explicit_bounds) == [0.5, 1.0]
    assert list(found.raw.bucket_counts) == [2, 0, 3]
    assert (found.raw.count, found.raw.sum) == (5, 7.5)
    (trace,) = found.raw.exemplars
    assert (trace.trace_id.hex(), trace.span_id.hex()) == (EXEMPLAR.trace_id, EXEMPLAR.span_id)
    assert (trace.as_double, trace.time_unix_nano) == (EXEMPLAR.value, round(EXEMPLAR.at * 1e9))


def test_a_histogram_of_values_below_zero_has_no_sum() -> None:
    page = (
        "# HELP model_prediction_score Score.\n# TYPE model_prediction_score histogram\n"
        'model_prediction_score_bucket{le="-1.0"} 1\nmodel_prediction_score_bucket{le="+Inf"} 3\n'
    )
    (found,) = sent(page, Points(AT, Starts(SINCE)))
    assert list(found.raw.bucket_counts) == [1, 2]
    assert not found.raw.HasField("sum")


def counter(value: float) -> str:
    return (
        f"# HELP model_predictions_total P.\n# TYPE model_predictions_total counter\nmodel_predictions_total {value}\n"
    )


def test_a_counter_that_falls_starts_again_where_it_was_last_sent() -> None:
    starts = Starts(SINCE)
    found = [sent(counter(value), Points(START + at, starts))[0] for at, value in ((0, 5), (10, 7), (20, 2), (30, 3))]
    assert [own.raw.start_time_unix_nano for own in found] == [
        round(SINCE * 1e9),
        round(SINCE * 1e9),
        round((START + 10) * 1e9),
        round((START + 10) * 1e9),
    ]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=6))
def test_counts_of_buckets_add_up_to_the_count(counts: list[int]) -> None:
    bounds = [*(str(float(own)) for own in range(len(counts) - 1)), "+Inf"]
    total = 0
    lines = ["# HELP model_batch_rows B.", "# TYPE model_batch_rows histogram"]
    for bound, count in zip(bounds, counts, strict=True):
        total += count
        lines.append(f'model_batch_rows_bucket{{le="{bound}"}} {total}')
    (found,) = sent("\n".join(lines) + "\n", Points(AT, Starts(SINCE)))
    assert list(found.raw.bucket_counts) == counts
    assert found.raw.count == sum(counts)


def test_an_exemplar_of_a_route_that_is_not_listed_is_left_out() -> None:
    (found,) = sent(HISTOGRAM, Points(AT, Starts(SINCE), {("GET", "/x"): {0: Exemplar("1", "1", math.pi, AT)}}))
    assert list(found.raw.exemplars) == []
