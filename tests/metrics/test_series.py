from __future__ import annotations

import math
import re

import pytest
from driftgauge.errors import DROPS, FAILURES, RECOVERIES, REJECTIONS
from driftgauge.metrics.catalogue import catalogue
from driftgauge.metrics.gauges import REPORT_GAUGES
from driftgauge.metrics.monitor_gauges import MONITOR_GAUGES
from driftgauge.metrics.series import LATENCY_BUCKETS, SCORE, SCORE_BUCKETS, CounterSpec, monitor_series, score_buckets
from driftgauge.metrics.server_series import PROCESS

from tests.expositions import PER_SAMPLE, SERVER, declared_series


def test_no_series_is_declared_twice() -> None:
    written = []
    for name, kind, _, _ in declared_series():
        base = name.removesuffix("_total")
        written += [base, *(base + suffix for suffix in PER_SAMPLE[kind] if suffix)]
    assert len(set(written)) == len(written)


def test_the_catalogue_is_sorted_and_names_every_declared_series() -> None:
    names = [name for name, *_ in catalogue()]
    assert names == sorted(names)
    stored = {spec.name for spec in (*monitor_series(), *SERVER)}
    assert stored | {gauge.name for gauge in REPORT_GAUGES} <= set(names)
    assert {gauge.name for gauge in MONITOR_GAUGES} | {spec.name for spec in PROCESS} <= set(names)


@pytest.mark.parametrize("declared", declared_series(), ids=lambda declared: str(declared[0]))
def test_names_labels_and_help_follow_the_house_style(declared: tuple[str, str, tuple[str, ...], str]) -> None:
    name, kind, labels, text = declared
    assert re.fullmatch(r"(model|http|process|server|gpu|prediction_log)_[a-z0-9]+(_[a-z0-9]+)*", name)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", label) and label not in ("le", "quantile") for label in labels)
    assert len(set(labels)) == len(labels)
    assert labels[:2] == ("model_name", "model_version") if name.startswith("model_") else "model_name" not in labels
    assert name.endswith("_total") == (kind == "counter")
    assert not name.endswith(("_count", "_sum", "_bucket", "_created"))
    timed = re.search(r"(?<!utocorrelation )(?<!--)\b[Tt]ime\b(?! window)|^When\b", text)
    assert name.removesuffix("_total").endswith("_seconds") == bool(timed)
    assert name.endswith("_timestamp_seconds") == bool(re.match(r"When\b|Time of\b", text))
    in_units = text.endswith(("in standard deviations of the reference.", "by its degrees of freedom: 1 by chance."))
    assert name.endswith("_ratio") == (text.startswith(("Share of", "Increase ")) or in_units)
    assert name.endswith("_z") == ("in standard errors" in text)
    assert name.endswith("_info") == ("always 1" in text)
    assert not re.search(r"_(ms|millis\w*|minutes?|hours?|days?|percent\w*|kb|mb|kilo\w*|mega\w*)(_|$)", name)
    assert not text[0].islower()
    assert text.endswith(".")
    assert "- " not in text


REQUIRED = {
    "model_predictions_total": "counter",
    "model_prediction_latency_seconds": "histogram",
    "model_prediction_score": "histogram",
    "model_input_size": "histogram",
    "model_feature_value": "gauge",
    "model_feature_reference_mean": "gauge",
    "model_feature_reference_std": "gauge",
}


def test_names_of_common_practice_are_kept_exactly() -> None:
    kinds = {name: kind for name, kind, *_ in catalogue()}
    assert {name: kinds.get(name) for name in REQUIRED} == REQUIRED


def test_buckets_hold_the_edges_that_dashboards_ask_for() -> None:
    assert {0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5} <= set(LATENCY_BUCKETS)
    assert min(LATENCY_BUCKETS) == 0.0005
    assert SCORE_BUCKETS == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    for spec in (*monitor_series(), *SERVER):
        assert list(spec.buckets) == sorted(set(spec.buckets))
        assert bool(spec.buckets) == (spec.type == "histogram")
        assert all(map(math.isfinite, spec.buckets))


def test_reasons_are_the_closed_sets_of_the_errors() -> None:
    children = {spec.name: spec.children for spec in monitor_series()}
    assert children["model_predictions_rejected_total"] == tuple((str(reason),) for reason in REJECTIONS)
    assert children["model_prediction_failures_total"] == tuple((str(reason),) for reason in FAILURES)
    assert children["model_observations_dropped_total"] == tuple((str(reason),) for reason in DROPS)
    assert children["model_state_recoveries_total"] == tuple((str(reason),) for reason in RECOVERIES)


def test_children_have_a_value_for_each_label_and_are_distinct() -> None:
    for spec in (*monitor_series(), *SERVER):
        assert all(len(child) == len(spec.labels) for child in spec.children)
        assert len(set(spec.children)) == len(spec.children)


@pytest.mark.parametrize(
    ("edges", "buckets"),
    [
        ((0.0, 1.5, 3.0), (0.0, 1.5, 3.0)),
        ((-math.inf, 2.0, 1.0, 2.0, math.inf), (1.0, 2.0)),
        ((), SCORE_BUCKETS),
        ((-math.inf, math.inf), SCORE_BUCKETS),
    ],
)
def test_a_regression_takes_its_score_buckets_from_the_bins(
    edges: tuple[float, ...], buckets: tuple[float, ...]
) -> None:
    assert score_buckets(edges) == buckets
    scored = next(spec for spec in monitor_series(score_buckets(edges)) if spec.name == SCORE)
    assert scored.buckets == buckets


def test_a_stored_series_keeps_numbers_for_its_children() -> None:
    histogram = CounterSpec("a_seconds", "histogram", "A.", buckets=(1.0, 2.0))
    assert (histogram.width, CounterSpec("a_total", "counter", "A.").width) == (4, 1)
