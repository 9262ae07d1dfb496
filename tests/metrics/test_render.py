from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.performance.estimated import ESTIMATED_METRICS
from driftgauge.drift.reference.build import build_baseline
from driftgauge.metrics.catalogue import catalogue
from driftgauge.metrics.facts import ReleaseFacts, ServerFacts
from driftgauge.metrics.gpu import GPU_GAUGES, GPU_INFO
from driftgauge.metrics.render import COLUMNS_AT_ONCE, render, render_chunks
from driftgauge.metrics.series import (
    BATCH_SIZES,
    BIN_ROWS,
    INPUT_SIZE,
    INPUT_SIZE_BUCKETS,
    LATENCY,
    LATENCY_BUCKETS,
    OBSERVATIONS,
    PREDICTIONS,
    SCORE,
    SCORE_BUCKETS,
    monitor_series,
)
from driftgauge.metrics.server_series import (
    ACTION_LAST,
    ACTIONS,
    CALLER_LIMITS,
    CONNECTIONS_REFUSED,
    ERROR_BUDGET,
    HTTP_DURATION,
    HTTP_REQUESTS,
    LOG_GAUGES,
    NOTIFICATIONS,
    PRICE,
    PROCESS,
    REQUESTS_DENIED,
    REQUESTS_LIMITED,
    TELEMETRY,
    TELEMETRY_LIMIT,
)
from driftgauge.metrics.text_format import LOT
from driftgauge.monitor.monitor import ColumnMonitor
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics import parser as openmetrics_parser

from tests.expositions import (
    FORMATS,
    NEW_PER_COLUMN,
    OPENMETRICS,
    OURS,
    PER_SAMPLE,
    PROMETHEUS,
    SERVER,
    TEXT,
    TEXT_1,
    TIME_WINDOWS,
    WORKERS,
    Exposition,
    always_there,
    bins_of,
    counted,
    drifted,
    facts_of,
    idle,
    live_release,
    other_monitor,
    shadow,
)
from tests.monitors import (
    AWKWARD,
    START,
    counters_of,
    small_baseline,
    small_monitor,
    small_options,
    some_rows,
    timed_baseline,
)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        (TEXT, "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=abc", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=new", "text/plain; version=0.0.4; charset=utf-8"),
        (TEXT_1, "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
        ("text/plain;version=1.0.0;escaping=dots", "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"),
        ("text/plain;version=1.0.0;escaping=values", "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"),
        (PROMETHEUS, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"),
        *(
            (f"{OPENMETRICS};escaping={scheme}", f"application/openmetrics-text; version=1.0.0; charset=utf-8; {told}")
            for scheme, told in (
                ("dots", "escaping=underscores"),
                ("values", "escaping=underscores"),
                ("allow-utf-8", "escaping=allow-utf-8"),
            )
        ),
        ("application/json", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
def test_the_format_is_the_one_that_is_accepted(accept: str, content_type: str) -> None:
    exposition = Exposition(accept, [facts_of(drifted())])
    assert exposition.content_type == content_type
    assert exposition.text.endswith("# EOF\n") == ("openmetrics" in content_type)
    assert exposition.text.count("# EOF") == exposition.text.endswith("# EOF\n")
    assert "process_cpu_seconds" in exposition.families
    assert "model_feature_psi" in exposition.families


def _in_parts(line: str) -> tuple[str, ...]:
    """Return a line's name, its labels as they are written but in order, its number and its exemplar as written."""
    if line.startswith("#"):
        return (line,)
    line, _, exemplar = line.partition(" # ")
    found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
    assert found, line
    name, labels, number = found.groups(default="")
    each = re.findall(r'\w+="(?:[^"\\]|\\.)*"', labels)
    assert ",".join(each) == labels
    return (name, *sorted(each), number, exemplar.rstrip("0"))


class Families(CollectorRegistry):
    """What prometheus_client's encoders write."""

    def __init__(self, families: Iterable[Family]) -> None:
        super().__init__()
        self.families = families

    def collect(self) -> Iterable[Family]:
        return self.families


@pytest.mark.parametrize("accept", FORMATS)
def test_prometheus_client_reads_the_text_and_writes_the_same(accept: str) -> None:
    counters = counters_of(SERVER)
    counters.add(HTTP_REQUESTS, 4e6, "POST", "/predict", "200")
    counters.observe(HTTP_DURATION, np.array([0.05, 1e9]), "POST", "/predict")
    timed = ColumnMonitor(timed_baseline(), model_name=AWKWARD, model_version="1", now=START)
    exposition = Exposition(accept, [facts_of(drifted()), facts_of(other_monitor()), facts_of(timed)], counters)
    encode, _ = choose_encoder(accept)
    theirs = encode(Families(exposition.ours.values())).decode()
    ours = exposition.text[exposition.text.index("# HELP process_") :]
    assert [_in_parts(line) for line in ours.split("\n") if line] == [
        _in_parts(line) for line in theirs.split("\n") if line
    ]
    assert "_total{method=" in ours
    assert "} 4e+06\n" in ours


def test_every_format_says_the_same() -> None:
    facts = [facts_of(drifted())]
    ours = [
        [
            (sample.name, sorted(sample.labels.items()), sample.value)
            for family in Exposition(accept, facts).list
            if family.name.startswith(OURS)
            for sample in family.samples
        ]
        for accept in FORMATS
    ]
    assert ours[0] == ours[1] == ours[2]
    assert len(ours[0]) > 300


@pytest.mark.parametrize("accept", FORMATS)
@pytest.mark.parametrize("make", [idle, drifted])
def test_every_always_there_is_there_with_its_type_and_help(accept: str, make: Callable[[], ColumnMonitor]) -> None:
    exposition = Exposition(accept, [facts_of(make())])
    for name, kind, _, text in always_there():
        family = exposition.family(name)
        assert (family.type, family.documentation) == (kind, text)
        assert exposition.text.count(f"# HELP {name if accept != OPENMETRICS else family.name} ") == 1
    assert all(family.documentation for family in exposition.list)


@pytest.mark.parametrize("accept", FORMATS)
def test_every_family_is_declared(accept: str) -> None:
    exposition = Exposition(accept, [facts_of(drifted())])
    declared = {name.removesuffix("_total") for name, *_ in catalogue()}
    assert "process_cpu_seconds" in declared
    assert {family.name for family in exposition.list} - declared == {"python_info"}


@pytest.mark.parametrize("accept", FORMATS)
def test_samples_have_exactly_the_declared_labels(accept: str) -> None:
    timed = ColumnMonitor(timed_baseline(), model_name="timed", model_version="1", now=START)
    window = next(iter(drifted().last.report.windows))
    estimated = {window: {metric.name: 0.5 for metric in ESTIMATED_METRICS}}
    moved = replace(facts_of(drifted(), release=live_release()), estimated=estimated)
    exposition = Exposition(accept, [moved, facts_of(timed), shadow()])
    for name, kind, labels, _ in always_there():
        family = exposition.family(name)
        assert family.samples, f"{name} has no sample"
        for sample in family.samples:
            assert sample.name.removeprefix(family.name) in PER_SAMPLE[kind]
            le = {"le"} if sample.name.endswith("_bucket") else set()
            assert set(sample.labels) == set(labels) | le, sample


@pytest.mark.parametrize("accept", FORMATS)
def test_no_sample_comes_twice(accept: str) -> None:
    exposition = Exposition(accept, [facts_of(drifted()), facts_of(small_monitor("fraud"))])
    samples = [(s.name, tuple(sorted(s.labels.items()))) for family in exposition.list for s in family.samples]
    assert len(set(samples)) == len(samples)


def test_a_server_without_monitors_shows_its_own_series() -> None:
    assert set(Exposition(TEXT, []).families) == {
        HTTP_REQUESTS.removesuffix("_total"),
        HTTP_DURATION,
        CONNECTIONS_REFUSED.name.removesuffix("_total"),
        REQUESTS_DENIED.name.removesuffix("_total"),
        ERROR_BUDGET,
        PRICE.name,
        NOTIFICATIONS.name.removesuffix("_total"),
        TELEMETRY.name.removesuffix("_total"),
        TELEMETRY_LIMIT.name,
        GPU_INFO.name,
        *(gauge.name for gauge, _ in GPU_GAUGES),
        REQUESTS_LIMITED.name.removesuffix("_total"),
        *(limit.name for limit in CALLER_LIMITS),
        *(gauge.name for gauge in LOG_GAUGES),
        *(spec.name.removesuffix("_total") for spec in PROCESS),
        ACTIONS.name.removesuffix("_total"),
        ACTION_LAST.name,
        "python_info",
    }


def test_actions_are_listed_by_name_and_result_where_there_are_any() -> None:
    text = Exposition(TEXT, []).text
    assert 'server_actions_total{action="retrain",result="done"} 3' in text
    assert 'server_actions_total{action="retrain",result="failed"} 0' in text
    assert text.count("server_action_last_result_timestamp_seconds{") == 1
    assert "server_action" not in render(TEXT, [], ServerFacts((), {}, 0.001))[0].decode()


def test_notifications_are_counted_by_receiver_and_result_where_there_are_receivers() -> None:
    assert 'server_notifications_total{name="team",result="sent"} 3' in Exposition(TEXT, []).text
    assert "server_notifications" not in render(TEXT, [], ServerFacts((), {}, 0.001))[0].decode()


def test_items_for_a_collector_are_counted_by_signal_and_result_where_there_is_one() -> None:
    text = Exposition(TEXT, []).text
    assert 'server_telemetry_items_total{signal="metrics",result="sent"} 400' in text
    assert "server_telemetry_lost_threshold_ratio 0.05" in text
    assert "server_telemetry" not in render(TEXT, [], ServerFacts((), {}, 0.001))[0].decode()


def test_openmetrics_alone_names_the_trace_of_a_request_in_a_bucket() -> None:
    samples = Exposition(OPENMETRICS, []).family(HTTP_DURATION).samples
    ((labels, found),) = [(own.labels, own.exemplar) for own in samples if own.exemplar is not None]
    assert labels == {"method": "POST", "handler": "/predict", "le": repr(LATENCY_BUCKETS[3])}
    assert found.labels == {"trace_id": "ab" * 16, "span_id": "cd" * 8}
    assert (found.value, str(found.timestamp).rstrip("0")) == (0.004, f"{START}".rstrip("0"))
    assert "trace_id" not in Exposition(TEXT, []).text


def test_a_caller_without_limits_has_no_series_of_them() -> None:
    text = render(TEXT, [], ServerFacts((), {}, 0.001))[0].decode()
    assert "http_caller" not in text
    assert "http_caller_concurrent_requests_limit 8" in Exposition(TEXT, []).text


def test_the_price_of_the_server_is_listed_with_its_currency_if_it_is_known() -> None:
    assert 'server_price_per_second{currency="EUR"} 0.5' in Exposition(TEXT, []).text
    assert "server_price" not in render(TEXT, [], ServerFacts((), {}, 0.001))[0].decode()


@pytest.mark.parametrize("accept", FORMATS)
def test_rendering_again_gives_the_same(accept: str) -> None:
    facts = facts_of(drifted())
    assert Exposition(accept, [facts]).text == Exposition(accept, [facts]).text


@pytest.mark.parametrize("accept", FORMATS)
def test_every_child_that_is_counted_is_zero_from_the_start(accept: str) -> None:
    exposition = Exposition(accept, [facts_of(idle(), release=ReleaseFacts("shadow"))])
    for spec in (*monitor_series(), *SERVER):
        family = exposition.family(spec.name)
        children = {child for child in spec.children if "/metrics" not in child}
        assert {tuple(s.labels[label] for label in spec.labels) for s in family.samples} == children
        assert not any(sample.value for sample in family.samples)
        per_child = len(spec.buckets) + 3 if spec.type == "histogram" else 1
        assert len(family.samples) == per_child * len(children)


@pytest.mark.parametrize("accept", FORMATS)
def test_a_route_that_predicts_is_listed_at_zero_and_another_from_its_first_request(accept: str) -> None:
    counters = counters_of(SERVER)
    predicting = {("POST", "/predict", code) for code in ("200", "422", "other")}
    watching = {("GET", "/metrics", code) for code in ("200", "other")}
    before = Exposition(accept, [], counters)
    assert set(before.children(HTTP_REQUESTS, "method", "handler", "code")) == predicting
    assert set(before.children(f"{HTTP_DURATION}_count", "method", "handler")) == {("POST", "/predict")}
    counters.add(HTTP_REQUESTS, 1.0, "GET", "/metrics", "200")
    counters.observe(HTTP_DURATION, 0.01, "GET", "/metrics")
    after = Exposition(accept, [], counters)
    requests = after.children(HTTP_REQUESTS, "method", "handler", "code")
    assert requests == dict.fromkeys(predicting | watching, 0.0) | {("GET", "/metrics", "200"): 1.0}
    assert after.children(f"{HTTP_DURATION}_count", "method", "handler") == {
        ("POST", "/predict"): 0.0,
        ("GET", "/metrics"): 1.0,
    }


@pytest.mark.parametrize("accept", FORMATS)
def test_every_bin_is_zero_from_the_start(accept: str) -> None:
    children = Exposition(accept, [facts_of(idle())]).children(BIN_ROWS, "feature_name", "bin")
    assert set(children) == bins_of(small_baseline())
    assert AWKWARD in {name for _, name in children}
    assert not any(children.values())


def test_before_the_first_row_there_is_a_verdict_but_no_statistic() -> None:
    exposition = Exposition(TEXT, [facts_of(idle())])
    assert exposition.value("model_drift_severity") == exposition.value("model_drifted_features") == 0.0
    assert exposition.value("model_evaluated_features") == 0.0
    assert exposition.children("model_feature_psi", "feature_name", "window") == {}
    for name in NEW_PER_COLUMN:
        assert exposition.children(name, "feature_name", "window") == {}
    assert exposition.children("model_feature_correlation_change_z", "feature_name") == {}
    assert exposition.children("model_correlation_change_z", "model_name") == {}
    names = ("200", "1000", *TIME_WINDOWS)
    assert exposition.children("model_window_rows", "window") == {(name,): 0.0 for name in names}
    assert set(exposition.children("model_feature_drift_severity", "feature_name").values()) == {0.0}
    assert len(exposition.children("model_feature_psi_threshold", "feature_name", "window", "severity")) == 4 * 2 * 2


@pytest.mark.parametrize("accept", FORMATS)
@pytest.mark.parametrize(
    ("name", "labels", "buckets", "spread"),
    [
        (LATENCY.name, {"batch_size_bucket": "medium"}, LATENCY_BUCKETS, 1.0),
        (SCORE, {}, SCORE_BUCKETS, 0.5),
        (INPUT_SIZE.name, {}, INPUT_SIZE_BUCKETS, 4_000.0),
    ],
)
def test_histograms_are_cumulative_and_count_like_numpy(
    accept: str, name: str, labels: Mapping[str, str], buckets: tuple[float, ...], spread: float
) -> None:
    monitor = idle()
    values = np.concatenate([np.random.default_rng(3).exponential(spread, 500), buckets, [0.0, 2 * buckets[-1]]])
    with monitor.store.counting() as counters:
        counters.observe(name, values, *labels.values())
    exposition = Exposition(accept, [facts_of(monitor)])
    found = {le: value for (le,), value in exposition.children(f"{name}_bucket", "le", **labels).items()}
    assert found == counted(buckets, values)
    assert list(found.values()) == sorted(found.values())
    assert exposition.value(f"{name}_count", **labels) == found["+Inf"] == len(values)
    assert exposition.value(f"{name}_sum", **labels) == pytest.approx(values.sum())
    if labels:
        others = set(BATCH_SIZES) - set(labels.values())
        assert all(exposition.value(f"{name}_count", batch_size_bucket=other) == 0 for other in others)


def test_counters_show_what_was_added() -> None:
    monitor = drifted()
    with monitor.store.counting() as counters:
        counters.add(PREDICTIONS.name, 3_000)
        counters.add("model_predictions_rejected_total", 2, "not_json")
    exposition = Exposition(TEXT, [facts_of(monitor)])
    assert exposition.value(PREDICTIONS.name) == 3_000
    assert exposition.value(OBSERVATIONS.name, source="predict") == 3_000
    rejected = exposition.children("model_predictions_rejected_total", "reason")
    assert rejected.pop(("not_json",)) == 2
    assert not any(rejected.values())


@pytest.mark.parametrize("accept", FORMATS)
def test_bin_counters_are_those_of_the_monitor(accept: str) -> None:
    monitor = drifted()
    monitor.observe(some_rows(777, seed=9), arrival=START)
    monitor.catch_up(START)
    children = Exposition(accept, [facts_of(monitor)]).children(BIN_ROWS, "feature_name", "bin")
    assert set(children) == bins_of(monitor.baseline)
    for column, row in zip(monitor.baseline.columns, monitor.bin_rows().tolist(), strict=True):
        assert [children[column.name, name] for name in column.bins.names] == row[: len(column.bins.names)]
        assert sum(row) == sum(children[column.name, name] for name in column.bins.names) == 3_777


def test_the_servers_own_counters_have_no_model() -> None:
    counters = counters_of(SERVER)
    counters.add(HTTP_REQUESTS, 4, "POST", "/predict", "200")
    counters.observe(HTTP_DURATION, 0.05, "POST", "/predict")
    exposition = Exposition(OPENMETRICS, [], counters)
    assert exposition.value(HTTP_REQUESTS, method="POST", handler="/predict", code="200") == 4
    buckets = exposition.children(f"{HTTP_DURATION}_bucket", "le", method="POST", handler="/predict")
    assert {le: value for (le,), value in buckets.items()} == counted(LATENCY_BUCKETS, np.array([0.05]))


def test_pieces_are_small_and_make_the_whole() -> None:
    columns = 3 * COLUMNS_AT_ONCE + 5
    generator = np.random.default_rng(0)
    baseline = build_baseline(
        {f"f{place}": generator.normal(size=300) for place in range(columns)}, created="2026-01-01T00:00:00Z"
    )
    monitor = ColumnMonitor(baseline, model_name="wide", model_version="1", now=START, options=small_options(100))
    monitor.observe(generator.normal(size=(200, columns)), arrival=START)
    monitor.evaluate(START)
    counters = counters_of(SERVER)
    server = ServerFacts(counters.series, counters.copy(), 0.001, WORKERS)
    pieces = list(render_chunks(OPENMETRICS, [facts_of(monitor)], server)[0])
    assert max(piece.count(b"\n") for piece in pieces) <= LOT
    text = b"".join(pieces).decode()
    parse: Callable[[str], Iterable[Family]] = openmetrics_parser.text_string_to_metric_families
    families = {family.name: family for family in parse(text)}
    bin_rows = families[BIN_ROWS.removesuffix("_total")].samples
    counted = {(s.labels["feature_name"], s.labels["bin"]): s.value for s in bin_rows}
    expected = {
        (name, own): rows
        for name, bins, row in zip(baseline.names, baseline.bins, monitor.bin_rows().tolist(), strict=True)
        for own, rows in zip(bins.names, row, strict=False)
    }
    assert counted == expected


def test_only_a_shadow_lists_how_often_it_agrees() -> None:
    live = Exposition(TEXT, [facts_of(drifted(), release=live_release())])
    assert not [name for name in live.families if "shadow" in name and live.families[name].samples]
    own = Exposition(TEXT, [shadow()])
    assert own.value("model_shadow_rows_total", outcome="agreed") == 8.0
    assert own.value("model_shadow_rows_dropped_total", reason="shadow_queue_full") == 0.0
    assert own.value("model_shadow_agreement_ratio") == 0.8
    assert own.value("model_shadow_mean_score_difference") == pytest.approx(-0.1)
    assert own.value("model_live") == 0.0


def test_only_a_model_with_constraints_lists_the_rows_of_requests_that_violate_them() -> None:
    constrained = facts_of(idle())
    counted = {name for name in Exposition(TEXT, [constrained]).families if name.startswith("model_request_")}
    assert counted == {"model_request_constraint_violations", "model_request_rows_refused"}
    free = Exposition(TEXT, [replace(constrained, requests=None)])
    assert not [name for name in counted if free.families[name].samples]


def test_the_live_version_says_since_when_and_how_it_compares() -> None:
    own = Exposition(TEXT, [facts_of(drifted(), release=live_release())])
    assert own.value("model_live") == 1.0
    assert own.value("model_live_since_timestamp_seconds") == START
    assert own.value("model_release_latency_change_ratio", percentile="99") == 1.5
    assert own.value("model_release_error_change_ratio") == 0.1
    assert own.value("model_release_change_threshold_ratio", severity="critical") == 1.0
    retired = Exposition(TEXT, [facts_of(drifted(), release=replace(live_release(), role="retired"))])
    assert not retired.families["model_live_since_timestamp_seconds"].samples
