from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from driftgauge.drift.reference.baseline import PREDICTION, Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import SEVERITIES, Status
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.errors import DROPS, FAILURES, RECOVERIES, REJECTIONS
from driftgauge.metrics.catalogue import catalogue
from driftgauge.metrics.counters import Counters
from driftgauge.metrics.facts import Limits, MonitorFacts, ServerFacts, WorkerFacts
from driftgauge.metrics.gauges import MONITOR_GAUGES, REPORT_GAUGES
from driftgauge.metrics.process import process_numbers
from driftgauge.metrics.render import COLUMNS_AT_ONCE, EVERYTHING, Exposed, render, render_chunks
from driftgauge.metrics.series import (
    BATCH_SIZES,
    BIN_ROWS,
    CONNECTIONS_REFUSED,
    CPU,
    ERROR_BUDGET,
    HTTP_DURATION,
    HTTP_REQUESTS,
    INPUT_SIZE,
    INPUT_SIZE_BUCKETS,
    LATE,
    LATENCY,
    LATENCY_BUCKETS,
    NO_SLOT,
    OBSERVATIONS,
    PREDICTIONS,
    PROCESS,
    REFERENCE_RATIO,
    SCORE,
    SCORE_BUCKETS,
    CounterSpec,
    monitor_series,
    score_buckets,
    server_series,
)
from driftgauge.metrics.text_format import LOT
from driftgauge.monitor.monitor import Monitor, MonitorOptions, state_shape
from driftgauge.state.store import Store
from prometheus_client import CollectorRegistry, ProcessCollector, parser
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics import parser as openmetrics_parser

from tests.monitors import (
    AWKWARD,
    START,
    counters_of,
    in_sample_baseline,
    small_baseline,
    small_monitor,
    small_options,
    some_rows,
    timed_baseline,
)

TEXT = "text/plain;version=0.0.4"
TEXT_1 = "text/plain;version=1.0.0;escaping=allow-utf-8"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
PROMETHEUS = f"{OPENMETRICS};escaping=underscores,{TEXT_1};q=0.5,{TEXT};q=0.3,*/*;q=0.2"
"""What a Prometheus server asks for."""
FORMATS = (TEXT, TEXT_1, OPENMETRICS)
ROUTES = (("POST", "/predict", (200, 422)), ("GET", "/metrics", (200,)))
SERVER = server_series(ROUTES, [("POST", "/predict")])
WORKERS = (
    WorkerFacts("0", np.array([12.5, 4e9, 2e8, START, 31.0, 1024.0]), lives=True),
    WorkerFacts("1", np.array([3.25, 5e9, 1e8, START - 60.0, 7.0, 1024.0]), lives=False),
    WorkerFacts(NO_SLOT, np.array([0.5, 0.0, 0.0, 0.0, 0.0, 0.0]), lives=False),
)
"""One that runs, one that has ended, and what is left of slots that are no more."""
OURS = ("model_", "http_", "process_")
PER_SAMPLE = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",), "gauge": ("",)}

Children = dict[tuple[str, ...], float]


class Exposition:
    """An exposition, rendered for an `Accept` and parsed back with prometheus_client's own parsers."""

    def __init__(
        self,
        accept: str,
        monitors: Sequence[MonitorFacts],
        server: Counters | None = None,
        exposed: Exposed = EVERYTHING,
        workers: Sequence[WorkerFacts] = WORKERS,
    ) -> None:
        counters = server or counters_of(SERVER)
        facts = ServerFacts(counters.series, counters.copy(), 0.001, workers)
        body, self.content_type = render(accept, monitors, facts, exposed)
        self.text = body.decode()
        parse: Callable[[str], Iterable[Family]] = (
            openmetrics_parser.text_string_to_metric_families
            if self.content_type.startswith("application/openmetrics-text")
            else parser.text_string_to_metric_families
        )
        self.list = list(parse(self.text))
        self.families = {family.name: family for family in self.list}

    def family(self, name: str) -> Family:
        return self.families[name.removesuffix("_total")]

    def children(self, name: str, *labels: str, **where: str) -> Children:
        """Return a sample's values by the values of some labels, where others are as said."""
        family = next(f for f in self.list if name in {f.name, *(s.name for s in f.samples)})
        samples = [s for s in family.samples if s.name == name and where.items() <= s.labels.items()]
        found = {tuple(sample.labels[label] for label in labels): sample.value for sample in samples}
        assert len(found) == len(samples), f"{name}: {labels} do not tell its samples apart"
        return found

    @property
    def ours(self) -> dict[str, Family]:
        return {name: family for name, family in self.families.items() if name.startswith(OURS)}

    def value(self, name: str, **where: str) -> float:
        (value,) = self.children(name, **where).values()
        return value


def _facts(monitor: Monitor, *, healthy: bool = True, persistent: bool = True, task: str = "binary") -> MonitorFacts:
    return MonitorFacts(
        model_name=monitor.model_name,
        model_version=monitor.model_version,
        task=task,
        series=monitor.store.counters.series,
        arrays=monitor.store.counters.copy(),
        baseline=monitor.baseline,
        report=monitor.last.report,
        bin_rows=monitor.bin_rows(),
        evaluated_at=monitor.last.at,
        evaluation_seconds=0.25,
        healthy=healthy,
        persistent=persistent,
        limits=Limits(latency_seconds=(0.5, 1.0), evaluation_age_seconds=120.0),
    )


def _drifted() -> Monitor:
    """Return a monitor whose `age` has moved, with something in every gauge."""
    monitor = small_monitor()
    monitor.observe(some_rows(3_000, age=65.0), arrival=START + 5)
    monitor.evaluate(START + 10)
    return monitor


def _idle() -> Monitor:
    return small_monitor()


def _declared() -> list[tuple[str, str, tuple[str, ...], str]]:
    return [(name, kind, tuple(filter(None, labels.split(", "))), text) for name, kind, labels, text in catalogue()]


# ---------------------------------------------------------------- what is declared


def test_no_series_is_declared_twice() -> None:
    written = []
    for name, kind, _, _ in _declared():
        base = name.removesuffix("_total")
        written += [base, *(base + suffix for suffix in PER_SAMPLE[kind] if suffix)]
    assert len(set(written)) == len(written)


def test_the_catalogue_is_sorted_and_names_every_declared_series() -> None:
    names = [name for name, *_ in catalogue()]
    assert names == sorted(names)
    stored = {spec.name for spec in (*monitor_series(), *SERVER)}
    assert stored | {gauge.name for gauge in REPORT_GAUGES} <= set(names)
    assert {gauge.name for gauge in MONITOR_GAUGES} | {spec.name for spec in PROCESS} <= set(names)


@pytest.mark.parametrize("declared", _declared(), ids=lambda declared: str(declared[0]))
def test_names_labels_and_help_follow_the_house_style(declared: tuple[str, str, tuple[str, ...], str]) -> None:
    name, kind, labels, text = declared
    assert re.fullmatch(r"(model|http|process)_[a-z0-9]+(_[a-z0-9]+)*", name)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", label) and label not in ("le", "quantile") for label in labels)
    assert len(set(labels)) == len(labels)
    assert labels[:2] == ("model_name", "model_version") if name.startswith("model_") else "model_name" not in labels
    assert name.endswith("_total") == (kind == "counter")
    assert not name.endswith(("_count", "_sum", "_bucket", "_created"))
    timed = re.search(r"(?<!utocorrelation )(?<!--)\b[Tt]ime\b|^When\b", text)
    assert name.removesuffix("_total").endswith("_seconds") == bool(timed)
    assert name.endswith("_timestamp_seconds") == bool(re.match(r"When\b|Time of\b", text))
    in_units = text.endswith(("in standard deviations of the reference.", "by its degrees of freedom: 1 by chance."))
    assert name.endswith("_ratio") == (text.startswith("Share of") or in_units)
    assert name.endswith("_z") == ("in standard errors" in text)
    assert name.endswith("_info") == ("always 1" in text)
    assert not re.search(r"_(ms|millis\w*|minutes?|hours?|days?|percent\w*|kb|mb|kilo\w*|mega\w*)(_|$)", name)
    assert not text[0].islower()
    assert text.endswith(".")


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


# ---------------------------------------------------------------- formats


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
    exposition = Exposition(accept, [_facts(_drifted())])
    assert exposition.content_type == content_type
    assert exposition.text.endswith("# EOF\n") == ("openmetrics" in content_type)
    assert exposition.text.count("# EOF") == exposition.text.endswith("# EOF\n")
    assert "process_cpu_seconds" in exposition.families
    assert "model_feature_psi" in exposition.families


def _in_parts(line: str) -> tuple[str, ...]:
    """Return a line's name, its labels as they are written but in order, and its number as it is written."""
    if line.startswith("#"):
        return (line,)
    found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
    assert found, line
    name, labels, number = found.groups(default="")
    each = re.findall(r'\w+="(?:[^"\\]|\\.)*"', labels)
    assert ",".join(each) == labels
    return (name, *sorted(each), number)


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
    timed = Monitor(timed_baseline(), model_name=AWKWARD, model_version="1", now=START)
    exposition = Exposition(accept, [_facts(_drifted()), _facts(_other()), _facts(timed)], counters)
    encode, _ = choose_encoder(accept)
    theirs = encode(Families(exposition.ours.values())).decode()
    ours = exposition.text[exposition.text.index("# HELP process_") :]
    assert [_in_parts(line) for line in ours.split("\n") if line] == [
        _in_parts(line) for line in theirs.split("\n") if line
    ]
    assert "_total{method=" in ours
    assert "} 4e+06\n" in ours


def test_every_format_says_the_same() -> None:
    facts = [_facts(_drifted())]
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
@pytest.mark.parametrize("make", [_idle, _drifted])
def test_every_declared_series_is_there_with_its_type_and_help(accept: str, make: Callable[[], Monitor]) -> None:
    exposition = Exposition(accept, [_facts(make())])
    for name, kind, _, text in _declared():
        family = exposition.family(name)
        assert (family.type, family.documentation) == (kind, text)
        assert exposition.text.count(f"# HELP {name if accept != OPENMETRICS else family.name} ") == 1
    assert all(family.documentation for family in exposition.list)


@pytest.mark.parametrize("accept", FORMATS)
def test_every_family_is_declared(accept: str) -> None:
    exposition = Exposition(accept, [_facts(_drifted())])
    declared = {name.removesuffix("_total") for name, *_ in catalogue()}
    assert "process_cpu_seconds" in declared
    assert {family.name for family in exposition.list} - declared == {"python_info"}


@pytest.mark.parametrize("accept", FORMATS)
def test_samples_have_exactly_the_declared_labels(accept: str) -> None:
    timed = Monitor(timed_baseline(), model_name="timed", model_version="1", now=START)
    exposition = Exposition(accept, [_facts(_drifted()), _facts(timed)])
    for name, kind, labels, _ in _declared():
        family = exposition.family(name)
        assert family.samples, f"{name} has no sample"
        for sample in family.samples:
            assert sample.name.removeprefix(family.name) in PER_SAMPLE[kind]
            le = {"le"} if sample.name.endswith("_bucket") else set()
            assert set(sample.labels) == set(labels) | le, sample


@pytest.mark.parametrize("accept", FORMATS)
def test_no_sample_comes_twice(accept: str) -> None:
    exposition = Exposition(accept, [_facts(_drifted()), _facts(small_monitor("fraud"))])
    samples = [(s.name, tuple(sorted(s.labels.items()))) for family in exposition.list for s in family.samples]
    assert len(set(samples)) == len(samples)


def test_a_server_without_monitors_shows_its_own_series() -> None:
    assert set(Exposition(TEXT, []).families) == {
        HTTP_REQUESTS.removesuffix("_total"),
        HTTP_DURATION,
        CONNECTIONS_REFUSED.name.removesuffix("_total"),
        ERROR_BUDGET,
        *(spec.name.removesuffix("_total") for spec in PROCESS),
        "python_info",
    }


@pytest.mark.parametrize("accept", FORMATS)
def test_rendering_again_gives_the_same(accept: str) -> None:
    facts = _facts(_drifted())
    assert Exposition(accept, [facts]).text == Exposition(accept, [facts]).text


# ---------------------------------------------------------------- from the start


@pytest.mark.parametrize("accept", FORMATS)
def test_every_child_that_is_counted_is_zero_from_the_start(accept: str) -> None:
    exposition = Exposition(accept, [_facts(_idle())])
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


def _bins(baseline: Baseline) -> set[tuple[str, str]]:
    return {(column.name, name) for column in baseline.columns for name in column.bins.names}


@pytest.mark.parametrize("accept", FORMATS)
def test_every_bin_is_zero_from_the_start(accept: str) -> None:
    children = Exposition(accept, [_facts(_idle())]).children(BIN_ROWS, "feature_name", "bin")
    assert set(children) == _bins(small_baseline())
    assert AWKWARD in {name for _, name in children}
    assert not any(children.values())


def test_before_the_first_row_there_is_a_verdict_but_no_statistic() -> None:
    exposition = Exposition(TEXT, [_facts(_idle())])
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


# ---------------------------------------------------------------- what was counted


def _counted(buckets: Sequence[float], values: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return how many values lie at or below each bucket, counted by numpy on the mirrored values."""
    counts, _ = np.histogram(-values, bins=[-np.inf, *(-np.array(buckets[::-1])), np.inf])
    bounds = [*map(str, map(float, buckets)), "+Inf"]
    return dict(zip(bounds, np.cumsum(counts[::-1]).astype(float).tolist(), strict=True))


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
    monitor = _idle()
    values = np.concatenate([np.random.default_rng(3).exponential(spread, 500), buckets, [0.0, 2 * buckets[-1]]])
    with monitor.store.counting() as counters:
        counters.observe(name, values, *labels.values())
    exposition = Exposition(accept, [_facts(monitor)])
    found = {le: value for (le,), value in exposition.children(f"{name}_bucket", "le", **labels).items()}
    assert found == _counted(buckets, values)
    assert list(found.values()) == sorted(found.values())
    assert exposition.value(f"{name}_count", **labels) == found["+Inf"] == len(values)
    assert exposition.value(f"{name}_sum", **labels) == pytest.approx(values.sum())
    if labels:
        others = set(BATCH_SIZES) - set(labels.values())
        assert all(exposition.value(f"{name}_count", batch_size_bucket=other) == 0 for other in others)


def test_counters_show_what_was_added() -> None:
    monitor = _drifted()
    with monitor.store.counting() as counters:
        counters.add(PREDICTIONS.name, 3_000)
        counters.add("model_predictions_rejected_total", 2, "not_json")
    exposition = Exposition(TEXT, [_facts(monitor)])
    assert exposition.value(PREDICTIONS.name) == 3_000
    assert exposition.value(OBSERVATIONS.name, source="predict") == 3_000
    rejected = exposition.children("model_predictions_rejected_total", "reason")
    assert rejected.pop(("not_json",)) == 2
    assert not any(rejected.values())


@pytest.mark.parametrize("accept", FORMATS)
def test_bin_counters_are_those_of_the_monitor(accept: str) -> None:
    monitor = _drifted()
    monitor.observe(some_rows(777, seed=9), arrival=START)
    children = Exposition(accept, [_facts(monitor)]).children(BIN_ROWS, "feature_name", "bin")
    assert set(children) == _bins(monitor.baseline)
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
    assert {le: value for (le,), value in buckets.items()} == _counted(LATENCY_BUCKETS, np.array([0.05]))


# ---------------------------------------------------------------- what the report says

TIME_WINDOWS = {"2m": 120.0, "1h": 3_600.0, "24h": 86_400.0}
NEW_PER_COLUMN = (
    "model_feature_value_rows",
    "model_feature_ks_statistic",
    "model_feature_wasserstein_ratio",
    "model_feature_js_distance",
    "model_feature_mean_shift_ratio",
    "model_feature_chi_squared_ratio",
    "model_feature_drift_pvalue",
)
PER_COLUMN: dict[str, Callable[[WindowReport], npt.NDArray[np.float64]]] = {
    "model_feature_psi": lambda window: window.psi.psi,
    "model_feature_psi_debiased": lambda window: window.psi.debiased,
    "model_feature_psi_noise": lambda window: window.psi.noise,
    "model_feature_psi_expected_max": lambda window: window.expected_range,
    "model_feature_missing_ratio": lambda window: window.shares.missing,
    "model_feature_unseen_ratio": lambda window: window.shares.unseen,
    "model_feature_out_of_range_ratio": lambda window: window.shares.out_of_range,
    "model_feature_value_rows": lambda window: np.where(window.sample.rows == 0, np.nan, window.sample.rows),
    "model_feature_ks_statistic": lambda window: window.sample.ks_statistic,
    "model_feature_wasserstein_ratio": lambda window: window.sample.wasserstein_ratio,
    "model_feature_js_distance": lambda window: window.js_distance,
    "model_feature_mean_shift_ratio": lambda window: window.sample.mean_shift,
    "model_feature_chi_squared_ratio": lambda window: window.significance.chi_squared / window.significance.degrees,
    "model_feature_drift_pvalue": lambda window: window.significance.p_value,
}


def _known(children: Mapping[tuple[str, ...], float]) -> Children:
    return {labels: value for labels, value in children.items() if not math.isnan(value)}


@pytest.mark.parametrize("accept", FORMATS)
@pytest.mark.parametrize("name", PER_COLUMN)
def test_statistics_of_a_column_are_those_of_the_report(accept: str, name: str) -> None:
    monitor = _drifted()
    report = monitor.last.report
    expected: Children = {
        (column, window.name): float(number)
        for window in report.windows.values()
        for column, number in zip(monitor.baseline.names, PER_COLUMN[name](window), strict=True)
    }
    assert {window for _, window in _known(expected)} == set(_windows_that_know(name))
    assert Exposition(accept, [_facts(monitor)]).children(name, "feature_name", "window") == _known(expected)


def _windows_that_know(name: str) -> list[str]:
    """Return the windows of the drifted monitor that have a number: 2,000 of its 3,000 rows are no longer held."""
    if name == "model_feature_psi_expected_max":  # what a verdict takes into account
        return ["200", "1000"]
    if name in ("model_feature_ks_statistic", "model_feature_wasserstein_ratio"):  # from the rows themselves
        return ["200", "1000"]
    return ["200", "1000", *TIME_WINDOWS]


def test_statistics_of_numbers_leave_categories_out() -> None:
    exposition = Exposition(TEXT, [_facts(_drifted())])
    for name in NEW_PER_COLUMN:
        of_numbers = name in {
            "model_feature_value_rows",
            "model_feature_ks_statistic",
            "model_feature_wasserstein_ratio",
            "model_feature_mean_shift_ratio",
        }
        columns = {column for column, _ in exposition.children(name, "feature_name", "window")}
        assert columns == {"age", "flag", "prediction"} | ({"city"} if not of_numbers else set())


def test_rows_of_a_feature_are_those_with_a_number() -> None:
    sent = some_rows(3_000, age=65.0)
    found = Exposition(TEXT, [_facts(_drifted())]).children("model_feature_value_rows", "feature_name", "window")
    for place, name in ((0, "age"), (1, "flag"), (3, "prediction")):
        for window, rows in (("200", 200), ("1000", 1_000), ("2m", 3_000), ("24h", 3_000)):
            assert found[name, window] == (~np.isnan(sent[-rows:, place])).sum()


def test_the_change_of_a_correlation_is_that_of_the_report() -> None:
    monitor = _drifted()
    change = monitor.last.report.correlation
    assert change is not None
    exposition = Exposition(OPENMETRICS, [_facts(monitor)])
    found = exposition.children("model_feature_correlation_change_z", "feature_name")
    by_column = dict(zip(monitor.baseline.names, change.by_column.tolist(), strict=True))
    assert found == {(name,): by_column[name] for name in ("age", "flag", "prediction")}
    assert exposition.value("model_correlation_change_z") == abs(change.z) == max(found.values())
    top = sorted(found.values())[-2:]
    assert top == [abs(change.z)] * 2


def _of_columns(names: Iterable[str], values: Mapping[str, npt.NDArray[np.float64]]) -> Children:
    names = list(names)
    return {(name, stat): float(v) for stat, row in values.items() for name, v in zip(names, row, strict=True)}


def test_values_of_a_feature_are_those_of_the_newest_rows() -> None:
    monitor = _drifted()
    newest = some_rows(3_000, age=65.0)[-1_000:]
    cells = np.where(np.isfinite(newest), newest, np.nan)
    cells[:, 2] = np.nan  # categories have no mean
    names = [name for name in monitor.baseline.names if name != "city"]
    cells = np.delete(cells, 2, axis=1)
    expected = _of_columns(
        names,
        {
            "mean": np.nanmean(cells, axis=0),
            "std": np.nanstd(cells, axis=0),
            "min": np.nanmin(cells, axis=0),
            "max": np.nanmax(cells, axis=0),
            **dict(zip(("p05", "p50", "p95"), np.nanquantile(cells, (0.05, 0.5, 0.95), axis=0), strict=True)),
        },
    )
    found = Exposition(TEXT, [_facts(monitor)]).children("model_feature_value", "feature_name", "stat")
    assert found == pytest.approx(expected)


def test_the_reference_is_that_of_the_baseline() -> None:
    baseline = small_baseline()
    exposition = Exposition(TEXT, [_facts(_drifted())])
    for moment in ("mean", "std"):
        found = exposition.children(f"model_feature_reference_{moment}", "feature_name")
        assert found == _known({(column.name,): getattr(column, moment) for column in baseline.columns})
        assert set(found) == {("age",), ("flag",), ("prediction",)}
    ratios = exposition.children("model_feature_reference_ratio", "feature_name", "bin")
    assert set(ratios) == _bins(baseline)
    for column in baseline.columns:
        shares = [ratios[column.name, name] for name in column.bins.names]
        assert sum(shares) == pytest.approx(1.0)
        assert shares == pytest.approx([count / sum(column.counts) for count in column.counts])


def test_a_threshold_lies_beside_each_statistic() -> None:
    monitor = _drifted()
    exposition = Exposition(TEXT, [_facts(monitor)])
    found = exposition.children("model_feature_psi_threshold", "feature_name", "window", "severity")
    windows = monitor.last.report.windows
    expected = {
        (column, name, severity): float(number)
        for name in ("200", "1000")
        for severity in SEVERITIES
        for column, number in zip(monitor.baseline.names, windows[name].thresholds[severity], strict=True)
    }
    assert found == expected
    debiased = exposition.children("model_feature_psi_debiased", "feature_name", "window")
    # No verdict rests on a time window: nothing is to be compared with what it says.
    assert {(column, window) for column, window, _ in found} == {
        (column, window) for column, window in debiased if window not in TIME_WINDOWS
    }
    assert set(TIME_WINDOWS) < {window for _, window in debiased}


def test_verdicts_are_those_of_the_report() -> None:
    monitor = _drifted()
    report = monitor.last.report
    exposition = Exposition(OPENMETRICS, [_facts(monitor)])
    assert report.verdicts[0].status is Status.DRIFT_DETECTED
    assert exposition.value("model_feature_drift_severity", feature_name="age") == 2.0
    assert exposition.children("model_feature_drift_since_timestamp_seconds", "feature_name") == {
        (verdict.name,): verdict.since for verdict in report.verdicts if verdict.since is not None
    }
    # When evidence was raised: at the end of the block of rows that did.
    assert exposition.value("model_feature_drift_since_timestamp_seconds", feature_name="age") == START + 5
    assert exposition.value("model_drift_severity") == 2.0
    assert exposition.value("model_drifted_features") == len(report.drifted)
    assert exposition.value("model_evaluated_features") == 4.0
    assert exposition.value("model_evaluation_timestamp_seconds") == START + 10


def test_evidence_is_that_of_the_report_with_its_threshold_and_the_dependence_of_rows() -> None:
    monitor, timed = _drifted(), Monitor(timed_baseline(), model_name="timed", model_version="1", now=START)
    report = monitor.last.report
    exposition = Exposition(OPENMETRICS, [_facts(monitor)])
    names = [(name,) for name in monitor.baseline.names]
    evidence = exposition.children("model_feature_evidence_log10", "feature_name")
    assert evidence == dict(zip(names, report.evidence.log10.tolist(), strict=True))
    threshold = np.log10(1e6 * len(names))
    assert exposition.children("model_feature_evidence_threshold_log10", "feature_name") == pytest.approx(
        dict.fromkeys(names, threshold)
    )
    assert evidence["age",] > threshold > evidence["prediction",] > 0
    assert not exposition.family("model_feature_autocorrelation_rows").samples
    found = Exposition(OPENMETRICS, [_facts(timed)]).children("model_feature_autocorrelation_rows", "feature_name")
    assert found == {(column.name,): column.tau for column in timed.baseline.columns}


def test_a_column_that_is_not_watched_has_no_evidence() -> None:
    monitor = Monitor(in_sample_baseline(), model_name="m", model_version="1", now=START)
    exposition = Exposition(OPENMETRICS, [_facts(monitor)])
    for name in ("model_feature_evidence_log10", "model_feature_evidence_threshold_log10"):
        assert set(exposition.children(name, "feature_name")) == {("age",), ("flag",), ("city",)}
    assert exposition.value("model_feature_evidence_threshold_log10", feature_name="age") == np.log10(3e6)


def test_limits_stand_beside_what_they_limit() -> None:
    monitor = _drifted()
    exposition = Exposition(OPENMETRICS, [_facts(monitor)])
    baseline = monitor.baseline
    missing = {c.name: c.counts[c.bins.names.index("missing")] / c.rows for c in baseline.columns}
    assert exposition.children("model_feature_missing_ratio_threshold", "feature_name", "severity") == pytest.approx(
        {(n, s): own + more for n, own in missing.items() for s, more in (("warning", 0.05), ("critical", 0.1))}
    )
    unseen = {c.name: c.counts[c.bins.names.index("unseen")] / sum(c.counts) for c in baseline.columns[1:3]}
    assert exposition.children("model_feature_unseen_ratio_threshold", "feature_name", "severity") == pytest.approx(
        {(n, s): own + more for n, own in unseen.items() for s, more in (("warning", 0.01), ("critical", 0.05))}
    )
    assert exposition.children("model_prediction_latency_threshold_seconds", "severity") == {
        ("warning",): 0.5,
        ("critical",): 1.0,
    }
    assert exposition.value("model_evaluation_age_threshold_seconds") == 120.0
    assert exposition.children("model_window_required_rows", "window") == {("200",): 500.0, ("1000",): 500.0}
    assert exposition.value("http_requests_error_budget_ratio") == 0.001


def test_the_time_of_an_evaluation_is_the_servers_whatever_clock_the_rows_have() -> None:
    monitor = small_monitor(options=MonitorOptions(policy=Policy(windows=(200,)), clock="event"))
    monitor.observe(some_rows(600), arrival=START + 5, event=np.full(600, START - 1e8))
    monitor.evaluate(START + 10)
    assert monitor.last.report.evaluated_at == START - 1e8
    assert Exposition(TEXT, [_facts(monitor)]).value("model_evaluation_timestamp_seconds") == START + 10


def _with_severity(report: DriftReport, severity: str | None) -> DriftReport:
    known = {None: None, "warning": SEVERITIES[0], "critical": SEVERITIES[1]}[severity]
    return replace(
        report, severity=known, verdicts=tuple(replace(verdict, severity=known) for verdict in report.verdicts)
    )


@pytest.mark.parametrize(("severity", "number"), [(None, 0.0), ("warning", 1.0), ("critical", 2.0)])
def test_severities_are_numbered_from_none_to_critical(severity: str | None, number: float) -> None:
    monitor = _drifted()
    report = _with_severity(monitor.last.report, severity)
    exposition = Exposition(TEXT, [replace(_facts(monitor), report=report)])
    assert exposition.value("model_drift_severity") == number
    assert set(exposition.children("model_feature_drift_severity", "feature_name").values()) == {number}


def test_windows_show_their_rows_beside_their_capacity() -> None:
    monitor = small_monitor(options=small_options(300, 5_000))
    monitor.observe(some_rows(700), arrival=START)
    monitor.evaluate(START)
    exposition = Exposition(TEXT, [_facts(monitor)])
    assert exposition.children("model_window_rows", "window") == {
        ("300",): 300.0,
        ("5000",): 700.0,
        **{(name,): 700.0 for name in TIME_WINDOWS},
    }
    assert exposition.children("model_window_capacity_rows", "window") == {("300",): 300.0, ("5000",): 5_000.0}


def test_time_windows_show_how_far_they_reach_back_and_count_windows_how_old_their_rows_may_be() -> None:
    spans = (TimeSpan("90s", 90), TimeSpan("7d", 604_800))
    options = MonitorOptions(Policy(windows=(200,), time_windows=spans, max_age_seconds=5_400.0))
    monitor = small_monitor(options=options)
    monitor.observe(some_rows(300), arrival=START)
    monitor.evaluate(START + 6_000.0)
    exposition = Exposition(TEXT, [_facts(monitor)])
    assert exposition.children("model_window_span_seconds", "window") == {("90s",): 90.0, ("7d",): 604_800.0}
    assert exposition.value("model_window_max_age_seconds") == 5_400.0
    assert exposition.children("model_window_rows", "window") == {("200",): 0.0, ("90s",): 0.0, ("7d",): 300.0}
    for of_count_windows in ("model_window_capacity_rows", "model_window_required_rows"):
        assert set(exposition.children(of_count_windows, "window")) == {("200",)}


def test_rows_that_came_too_late_for_every_time_window_are_counted() -> None:
    monitor = small_monitor(options=replace(small_options(200, 1_000), clock="event"))
    monitor.observe(some_rows(9), arrival=START, event=np.full(9, START))
    monitor.observe(some_rows(4), arrival=START, event=np.full(4, START - 90_000.0))
    monitor.evaluate(START)
    assert Exposition(TEXT, [_facts(monitor)]).value(LATE.name) == 4.0


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("healthy", [True, False])
def test_the_monitors_own_state_is_shown(healthy: bool, persistent: bool) -> None:
    exposition = Exposition(TEXT, [_facts(_drifted(), healthy=healthy, persistent=persistent)])
    assert exposition.value("model_monitoring_healthy") == float(healthy)
    assert exposition.value("model_state_persistent") == float(persistent)
    assert exposition.value("model_evaluation_duration_seconds") == 0.25
    info = exposition.children("model_info", "model_name", "model_version", "task", "baseline_hash")
    assert info == {("churn", "1", "binary", small_baseline().hash): 1.0}


# ---------------------------------------------------------------- the processes that serve


@pytest.mark.parametrize("accept", FORMATS)
def test_each_worker_that_runs_tells_of_its_process(accept: str) -> None:
    exposition = Exposition(accept, [])
    told = {spec.name: exposition.children(spec.name, "slot") for spec in PROCESS}
    assert told == {
        "process_cpu_seconds_total": {("0",): 12.5, ("1",): 3.25, ("retired",): 0.5},
        "process_virtual_memory_bytes": {("0",): 4e9},
        "process_resident_memory_bytes": {("0",): 2e8},
        "process_start_time_seconds": {("0",): START},
        "process_open_fds": {("0",): 31.0},
        "process_max_fds": {("0",): 1024.0},
    }


def test_cpu_time_stays_when_its_worker_ends() -> None:
    before, after = (
        Exposition(TEXT, [], workers=[replace(WORKERS[0], lives=lives)]).children(PROCESS[CPU].name, "slot")
        for lives in (True, False)
    )
    assert before == after == {("0",): 12.5}


@pytest.mark.parametrize("accept", FORMATS)
def test_what_nobody_knows_of_a_process_is_left_out(accept: str) -> None:
    known = WORKERS[0].process.copy()
    known[1:3] = np.nan
    exposition = Exposition(accept, [], workers=[replace(WORKERS[0], process=known)])
    unknown = {"process_virtual_memory_bytes", "process_resident_memory_bytes"}
    everything = {spec.name.removesuffix("_total") for spec in PROCESS}
    assert {name for name in exposition.families if name.startswith("process_")} == everything - unknown


def test_this_process_is_known_in_the_order_that_is_told() -> None:
    numbers = dict(zip((spec.name for spec in PROCESS), process_numbers().tolist(), strict=True))
    own = {
        sample.name: sample.value for family in ProcessCollector(registry=None).collect() for sample in family.samples
    }
    assert numbers.keys() == own.keys()
    assert numbers["process_start_time_seconds"] == own["process_start_time_seconds"]
    assert numbers["process_max_fds"] == own["process_max_fds"]
    assert 0 < numbers["process_cpu_seconds_total"] <= own["process_cpu_seconds_total"]
    assert numbers["process_resident_memory_bytes"] < numbers["process_virtual_memory_bytes"]


# ---------------------------------------------------------------- less than everything

BY_BIN = {BIN_ROWS.removesuffix("_total"), REFERENCE_RATIO.name}
GAUGES_BY_FEATURE = {gauge.name for gauge in REPORT_GAUGES if "feature_name" in gauge.labels}


def _by_feature(exposition: Exposition) -> dict[str, set[str]]:
    """Return the features that each family lists."""
    return {
        name: {sample.labels["feature_name"] for sample in family.samples}
        for name, family in exposition.ours.items()
        if any("feature_name" in sample.labels for sample in family.samples)
    }


@pytest.mark.parametrize("accept", FORMATS)
def test_without_the_rows_of_bins_all_else_stays(accept: str) -> None:
    facts = [_facts(_drifted()), _facts(_other())]
    everything, less = Exposition(accept, facts), Exposition(accept, facts, exposed=Exposed(bin_rows=False))
    assert less.ours == {name: family for name, family in everything.ours.items() if name not in BY_BIN}
    assert set(everything.ours) - set(less.ours) == BY_BIN


def test_gauges_list_the_worst_features_and_always_the_prediction() -> None:
    facts = _facts(_drifted())
    assert facts.report is not None
    assert facts.baseline.names == ("age", "flag", "city", "prediction")
    report = replace(facts.report, worst_first=(3, 2, 0, 1))
    everything = _by_feature(Exposition(OPENMETRICS, [facts]))
    assert set(everything) == (GAUGES_BY_FEATURE | BY_BIN) - {"model_feature_autocorrelation_rows"}
    for top, kept in enumerate([{PREDICTION}, {"city", PREDICTION}, {"age", "city", PREDICTION}]):
        listed = _by_feature(
            Exposition(OPENMETRICS, [replace(facts, report=report)], exposed=Exposed(top_features=top))
        )
        for name in GAUGES_BY_FEATURE:
            assert listed.get(name, set()) == everything.get(name, set()) & kept, name
        assert {name: listed[name] for name in BY_BIN} == {name: set(facts.baseline.names) for name in BY_BIN}


@pytest.mark.parametrize("accept", FORMATS)
def test_what_is_left_of_a_thinned_family_is_as_it_was(accept: str) -> None:
    facts = _facts(_drifted())
    everything = Exposition(accept, [facts]).ours
    thinned = Exposition(accept, [facts], exposed=Exposed(top_features=1)).ours
    assert list(thinned) == list(everything)
    fewer = 0
    for name, family in everything.items():
        kept = {sample.labels.get("feature_name") for sample in thinned[name].samples}
        assert thinned[name].samples == [s for s in family.samples if s.labels.get("feature_name") in kept]
        fewer += len(family.samples) - len(thinned[name].samples)
    assert fewer > 100


@pytest.mark.parametrize("accept", FORMATS)
@pytest.mark.parametrize("listed", [(), ("200",), ("1000",), ("2m", "200"), ("24h",), ("no such window",)])
def test_gauges_list_the_main_window_and_those_that_are_asked_for(accept: str, listed: Sequence[str]) -> None:
    facts = _facts(_drifted())
    everything = Exposition(accept, [facts]).ours
    less = Exposition(accept, [facts], exposed=Exposed(windows=frozenset(listed))).ours
    kept = {None, "1000", *listed}
    assert list(less) == list(everything)
    for name, family in everything.items():
        assert less[name].samples == [s for s in family.samples if s.labels.get("window") in kept], name
    assert {s.labels["window"] for s in less["model_window_rows"].samples} == kept - {None, "no such window"}


@pytest.mark.parametrize("top", [3, 4, 10_000])
def test_as_many_as_there_are_is_everything(top: int) -> None:
    facts = [_facts(_drifted())]
    assert Exposition(TEXT, facts, exposed=Exposed(top_features=top)).ours == Exposition(TEXT, facts).ours


@pytest.mark.parametrize("accept", FORMATS)
def test_without_features_and_predictions_families_are_empty_but_there(accept: str) -> None:
    timed = Monitor(timed_baseline(), model_name="timed", model_version="1", now=START)
    exposition = Exposition(accept, [_facts(timed)], exposed=Exposed(top_features=0))
    assert not [name for name in GAUGES_BY_FEATURE if exposition.family(name).samples]
    assert _by_feature(exposition) == {name: set(timed.baseline.names) for name in BY_BIN}


def test_each_monitor_lists_its_own_worst_features() -> None:
    pair = [_facts(_drifted()), _facts(small_monitor("fraud"))]
    reports = [facts.report for facts in pair if facts.report is not None]
    orders = [(1, 0, 2, 3), (2, 1, 0, 3)]
    changed = [
        replace(facts, report=replace(report, worst_first=order))
        for facts, report, order in zip(pair, reports, orders, strict=True)
    ]
    exposition = Exposition(TEXT, changed, exposed=Exposed(top_features=1))
    found = exposition.children("model_feature_drift_severity", "model_name", "feature_name")
    assert set(found) == {
        ("churn", "flag"),
        ("churn", PREDICTION),
        ("fraud", "city"),
        ("fraud", PREDICTION),
    }


# ---------------------------------------------------------------- monitoring switched off

STATED_WITHOUT = {"model_prediction_latency_threshold_seconds", "model_state_persistent"}


def _switched_off(facts: MonitorFacts) -> MonitorFacts:
    return replace(facts, report=None, bin_rows=None)


@pytest.mark.parametrize("accept", FORMATS)
@pytest.mark.parametrize("exposed", [EVERYTHING, Exposed(bin_rows=False, top_features=1)])
def test_without_monitoring_there_are_counters_and_the_latencys_threshold(accept: str, exposed: Exposed) -> None:
    facts = _facts(_drifted())
    watched, off = Exposition(accept, [facts]), Exposition(accept, [_switched_off(facts)], exposed=exposed)
    counted = {spec.name.removesuffix("_total") for spec in (*monitor_series(), *SERVER, *PROCESS)}
    assert set(off.ours) == counted | {"model_info", ERROR_BUDGET} | STATED_WITHOUT
    assert {gauge.name for gauge in MONITOR_GAUGES} - set(off.ours) == {
        "model_evaluation_timestamp_seconds",
        "model_evaluation_age_threshold_seconds",
        "model_evaluation_duration_seconds",
        "model_monitoring_healthy",
    }
    assert off.ours == {name: family for name, family in watched.ours.items() if name in off.ours}


def test_one_monitor_may_be_switched_off_beside_another() -> None:
    on, off = _facts(_drifted()), _switched_off(_facts(small_monitor("fraud")))
    together, alone = Exposition(OPENMETRICS, [on, off]), Exposition(OPENMETRICS, [on])
    for name in {gauge.name for gauge in REPORT_GAUGES} | BY_BIN | {"model_monitoring_healthy"}:
        assert together.ours[name] == alone.ours[name]
    assert set(together.children("model_info", "model_name")) == {("churn",), ("fraud",)}
    assert set(together.children(PREDICTIONS.name, "model_name")) == {("churn",), ("fraud",)}


# ---------------------------------------------------------------- several monitors


def _other() -> Monitor:
    """Return a monitor with windows and score buckets of its own."""
    baseline, options, series = small_baseline(), small_options(600), monitor_series((-5.0, 0.0, 1e6))
    store = Store.in_memory(state_shape(baseline, options, series), baseline.detector(options.policy.budget))
    monitor = Monitor(baseline, model_name="price", model_version="2.0", now=START, options=options, store=store)
    monitor.observe(some_rows(1_000, seed=5), arrival=START)
    monitor.evaluate(START + 1)
    return monitor


@pytest.mark.parametrize("accept", FORMATS)
def test_two_monitors_keep_one_family_each(accept: str) -> None:
    pair = [_facts(_drifted()), _facts(_other(), task="regression")]
    exposition = Exposition(accept, pair)
    names = [family.name for family in exposition.list]
    assert len(set(names)) == len(names)
    typed = re.findall(r"^# TYPE (\S+)", exposition.text, re.MULTILINE)
    assert len(set(typed)) == len(typed)
    alone = [Exposition(accept, [facts]) for facts in pair]
    for name, _, labels, _ in _declared():
        if "model_name" in labels:
            separate = [sample for one in alone for sample in one.family(name).samples]
            assert exposition.family(name).samples == separate


def test_each_monitor_has_its_own_windows_and_buckets() -> None:
    exposition = Exposition(OPENMETRICS, [_facts(_drifted()), _facts(_other())])
    windows = exposition.children("model_window_rows", "model_name", "window")
    assert windows == {
        ("churn", "200"): 200.0,
        ("churn", "1000"): 1_000.0,
        ("price", "600"): 600.0,
        **{("churn", name): 3_000.0 for name in TIME_WINDOWS},
        **{("price", name): 1_000.0 for name in TIME_WINDOWS},
    }
    bounds = {le for (le,) in exposition.children(f"{SCORE}_bucket", "le", model_name="price")}
    assert {float(bound) for bound in bounds} == {-5.0, 0.0, 1e6, math.inf}
    assert exposition.value(OBSERVATIONS.name, model_name="churn", model_version="1") == 3_000
    assert exposition.value(OBSERVATIONS.name, model_name="price", model_version="2.0") == 1_000


def test_two_versions_of_one_model_are_told_apart() -> None:
    first, second = small_monitor("churn", "1"), small_monitor("churn", "2")
    second.observe(some_rows(5), arrival=START)
    exposition = Exposition(TEXT, [_facts(first), _facts(second)])
    assert exposition.children(OBSERVATIONS.name, "model_version") == {("1",): 0.0, ("2",): 5.0}


def test_a_stored_series_keeps_numbers_for_its_children() -> None:
    histogram = CounterSpec("a_seconds", "histogram", "A.", buckets=(1.0, 2.0))
    assert (histogram.width, CounterSpec("a_total", "counter", "A.").width) == (4, 1)


def test_pieces_are_small_and_make_the_whole() -> None:
    columns = 3 * COLUMNS_AT_ONCE + 5
    generator = np.random.default_rng(0)
    baseline = build_baseline(
        {f"f{place}": generator.normal(size=300) for place in range(columns)}, created="2026-01-01T00:00:00Z"
    )
    monitor = Monitor(baseline, model_name="wide", model_version="1", now=START, options=small_options(100))
    monitor.observe(generator.normal(size=(200, columns)), arrival=START)
    monitor.evaluate(START)
    counters = counters_of(SERVER)
    server = ServerFacts(counters.series, counters.copy(), 0.001, WORKERS)
    pieces = list(render_chunks(OPENMETRICS, [_facts(monitor)], server)[0])
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
