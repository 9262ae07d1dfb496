"""Expositions that are parsed back, and monitors to render."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from driftgauge.drift.performance.outcomes import OutcomeLimits, OutcomeRule, OutcomeSums, judge_outcome
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.quality.requests import SentRows, request_report
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.metrics.alias_gauges import ALIAS_GAUGES
from driftgauge.metrics.attribution_gauges import ATTRIBUTION_GAUGES
from driftgauge.metrics.catalogue import catalogue
from driftgauge.metrics.counters import Counters
from driftgauge.metrics.facts import (
    ActionFacts,
    Exemplar,
    IngestFacts,
    LabelFacts,
    Limits,
    MonitorFacts,
    ReleaseFacts,
    ServerFacts,
    TelemetryFacts,
    WorkerFacts,
)
from driftgauge.metrics.gpu import GpuReading
from driftgauge.metrics.gradual_gauges import GRADUAL_GAUGES
from driftgauge.metrics.outlier_gauges import OUTLIER_GAUGES
from driftgauge.metrics.performance_gauges import PERFORMANCE_GAUGES
from driftgauge.metrics.quality_gauges import QUALITY_GAUGES
from driftgauge.metrics.render import EVERYTHING, Exposed, render
from driftgauge.metrics.rolling_gauges import ROLLING_GAUGES
from driftgauge.metrics.series import SHADOW_DIFFERENCE, SHADOW_ROWS, monitor_series
from driftgauge.metrics.server_series import NO_SLOT, server_series
from driftgauge.metrics.size_gauges import SIZE_GAUGES
from driftgauge.metrics.stream_gauges import STREAM_GAUGES
from driftgauge.metrics.two_minute_gauges import TWO_MINUTE_GAUGES
from driftgauge.metrics.whole_row_gauges import WHOLE_ROW_GAUGES
from driftgauge.monitor.monitor import ColumnMonitor, state_shape
from driftgauge.state.snapshot import sum_totals
from driftgauge.state.store import Store
from prometheus_client import parser
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics import parser as openmetrics_parser

from tests.monitors import (
    START,
    counters_of,
    small_baseline,
    small_monitor,
    small_options,
    some_rows,
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
    WorkerFacts("0", np.array([12.5, 4e9, 2e8, START, 31.0, 1024.0]), is_running=True),
    WorkerFacts("1", np.array([3.25, 5e9, 1e8, START - 60.0, 7.0, 1024.0]), is_running=False),
    WorkerFacts(NO_SLOT, np.array([0.5, 0.0, 0.0, 0.0, 0.0, 0.0]), is_running=False),
)
"""One that runs, one that has ended, and the totals of folded slots."""
CALLERS = (50.0, 8.0, 0.25)
"""Limits of callers, in the order of `CALLER_LIMITS`."""

OURS = ("model_", "http_", "prediction_log_", "process_", "server_", "gpu_")

GPUS = (GpuReading(0, "A100", "GPU-1", 0.5, 1e9, 4e10, 5e8, 54.0, 143.25),)
LOGGED = (12.0, 50_000.0, 3e8, 2e9, 5e10, 1e9, 1.0)
"""Numbers of the prediction log, in the order of `LOG_GAUGES`."""
ACTED = (ActionFacts("retrain", {"done": 3, "failed": 0}, {"done": START}),)
"""An action that has been done three times and has never failed."""
PER_SAMPLE = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",), "gauge": ("",)}


Children = dict[tuple[str, ...], float]


NOTIFIED = {("team", "sent"): 3.0, ("team", "failed"): 0.0}

EXEMPLAR = Exemplar("ab" * 16, "cd" * 8, 0.004, START)
TELEMETRY = TelemetryFacts(
    {("metrics", "sent"): 400.0, ("metrics", "failed"): 0.0, ("traces", "dropped"): 2.0},
    0.05,
    {("POST", "/predict"): {3: EXEMPLAR}},
)


def families_of(text: str, *, openmetrics: bool) -> list[Family]:
    """Return the families of an exposition, as prometheus_client reads them."""
    parse: Callable[[str], Iterable[Family]] = (
        openmetrics_parser.text_string_to_metric_families if openmetrics else parser.text_string_to_metric_families
    )
    return list(parse(text))


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
        available = {(own.model_name, own.model_version): True for own in monitors}
        facts = ServerFacts(
            counters.series,
            counters.copy(),
            0.001,
            workers,
            CALLERS,
            LOGGED,
            available,
            ("EUR", 0.5),
            GPUS,
            ACTED,
            NOTIFIED,
            TELEMETRY,
        )
        body, self.content_type = render(accept, monitors, facts, exposed)
        self.text = body.decode()
        self.list = families_of(self.text, openmetrics=self.content_type.startswith("application/openmetrics-text"))
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


CLICKS = judge_outcome(
    OutcomeSums(40, 10.0, 10.0, 50), OutcomeRule("event", 60.0, limits=OutcomeLimits((0.1, 0.05), (0.9, 0.95)))
)


def facts_of(
    monitor: ColumnMonitor,
    *,
    healthy: bool = True,
    persistent: bool = True,
    task: str = "binary",
    release: ReleaseFacts | None = None,
) -> MonitorFacts:
    return MonitorFacts(
        model_name=monitor.model_name,
        model_version=monitor.model_version,
        task=task,
        series=monitor.store.counters.series,
        arrays=sum_totals(monitor.store.counted()),
        baseline=monitor.baseline,
        report=monitor.last.report,
        bin_rows=monitor.bin_rows(),
        evaluated_at=monitor.last.at,
        evaluation_seconds=0.25,
        healthy=healthy,
        persistent=persistent,
        limits=Limits(latency_seconds=(0.5, 1.0), evaluation_age_seconds=120.0, latency_rise=(0.5, 1.0)),
        labels=LabelFacts(waiting=3, last_received=START, missing_seconds=3_600.0, outcomes={"click": CLICKS}),
        clients={"shop": 0.75, "batch": 0.25},
        ingest=IngestFacts(
            last_received=START, stale_seconds=3_600.0, refused_ratio=0.01, seen_records=1_000_000, open_events=12
        ),
        queue=(0.25, 0.125),
        release=release or ReleaseFacts(),
        estimated=monitor.last.estimated.windows,
        requests=request_report(SentRows(START), SentRows(START), Constraints(()), {}),
    )


def live_release() -> ReleaseFacts:
    """Return the facts of a live version after another one."""
    return ReleaseFacts("live", START, (0.25, 1.5), 0.1, (0.5, 1.0))


def shadow() -> MonitorFacts:
    """Return the facts of a shadow that has predicted ten rows."""
    monitor = small_monitor("shadowed")
    with monitor.store.counting() as counters:
        counters.add(SHADOW_ROWS.name, 8, "agreed")
        counters.add(SHADOW_ROWS.name, 2, "differed")
        counters.add(SHADOW_DIFFERENCE.name, 0.5, "above")
        counters.add(SHADOW_DIFFERENCE.name, 1.5, "below")
    return facts_of(monitor, release=ReleaseFacts("shadow"))


def drifted() -> ColumnMonitor:
    """Return a monitor whose `age` has moved, with something in every gauge."""
    monitor = small_monitor()
    monitor.observe(some_rows(3_000, age=65.0), arrival=START + 5)
    monitor.evaluate(START + 10)
    return monitor


def idle() -> ColumnMonitor:
    return small_monitor()


def always_there() -> list[tuple[str, str, tuple[str, ...], str]]:
    """The declared series without those that ground truth, a rolling reference, a consumer or settings give."""
    sometimes = {own.name for own in PERFORMANCE_GAUGES}
    sometimes |= {own.name for own in (*ROLLING_GAUGES, *STREAM_GAUGES, *ALIAS_GAUGES, *SIZE_GAUGES, *OUTLIER_GAUGES)}
    sometimes |= {own.name for own in (*QUALITY_GAUGES, *TWO_MINUTE_GAUGES, *WHOLE_ROW_GAUGES, *ATTRIBUTION_GAUGES)}
    sometimes |= {own.name for own in GRADUAL_GAUGES}
    return [own for own in declared_series() if own[0] not in sometimes]


def declared_series() -> list[tuple[str, str, tuple[str, ...], str]]:
    return [(name, kind, tuple(filter(None, labels.split(", "))), text) for name, kind, labels, text in catalogue()]


def bins_of(baseline: Baseline) -> set[tuple[str, str]]:
    return {(column.name, name) for column in baseline.columns for name in column.bins.names}


def counted(buckets: Sequence[float], values: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return how many values lie at or below each bucket, counted by numpy on the mirrored values."""
    counts, _ = np.histogram(-values, bins=[-np.inf, *(-np.array(buckets[::-1])), np.inf])
    bounds = [*map(str, map(float, buckets)), "+Inf"]
    return dict(zip(bounds, np.cumsum(counts[::-1]).astype(float).tolist(), strict=True))


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


def known(children: Mapping[tuple[str, ...], float]) -> Children:
    return {labels: value for labels, value in children.items() if not math.isnan(value)}


def other_monitor() -> ColumnMonitor:
    """Return a monitor with windows and score buckets of its own."""
    baseline, options, series = small_baseline(), small_options(600), monitor_series((-5.0, 0.0, 1e6))
    store = Store.in_memory(state_shape(baseline, options, series))
    monitor = ColumnMonitor(baseline, model_name="price", model_version="2.0", now=START, options=options, store=store)
    monitor.observe(some_rows(1_000, seed=5), arrival=START)
    monitor.evaluate(START + 1)
    return monitor
