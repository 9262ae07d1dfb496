"""`GET /drift/status`: the verdict, and the statistics that it rests on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import Request
from starlette.datastructures import QueryParams
from starlette.responses import RedirectResponse, Response

from driftgauge.common.quoting import shortened
from driftgauge.drift.attribution.known import KnownAttributions
from driftgauge.drift.gradual.report import GradualReport
from driftgauge.drift.multivariate.compared import ComparedRows
from driftgauge.drift.novelty.share import OutlierShare, outlier_share
from driftgauge.drift.performance.report import PerformanceReport
from driftgauge.drift.quality.requests import RequestReport
from driftgauge.drift.rolling.report import RollingReport
from driftgauge.drift.verdict.news import News
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.edges.formats.attributions import attributions_json
from driftgauge.edges.formats.drift_history import news_json
from driftgauge.edges.formats.drift_status import SUMMARY, Selection, report_json
from driftgauge.edges.formats.estimated_performance import estimated_json
from driftgauge.edges.formats.gradual_drift import gradual_json
from driftgauge.edges.formats.multivariate import compared_json
from driftgauge.edges.formats.outliers import outliers_json
from driftgauge.edges.formats.performance import performance_json
from driftgauge.edges.formats.quality import quality_json
from driftgauge.edges.formats.references import references_json
from driftgauge.edges.http.efficiency_status import efficiency_json, efficiency_of
from driftgauge.edges.http.encodings import negotiated, wants_gzip
from driftgauge.edges.http.ground_truth import labels_json, labels_of, outcomes_of
from driftgauge.edges.http.ingestion_status import ingestion_json, ingestion_of
from driftgauge.edges.http.log_status import log_json
from driftgauge.edges.http.media_types import prefers_html
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.edges.http.monitoring import monitoring_of
from driftgauge.edges.http.queries import columns_in, large_json, names_in, since_of
from driftgauge.edges.http.release_summary import ReleaseSummary, release_json, release_summary
from driftgauge.edges.web.facts import Efficiency
from driftgauge.edges.web.query import Query
from driftgauge.errors import Reason, Refused
from driftgauge.monitor.monitor import ColumnMonitor

ALL_WINDOWS: Final = "all"
MAIN_WINDOW: Final = "main"
MORE: Final = (
    "This is a summary of the main window. For every statistic add ?feature=NAME,... (some columns) or ?windows=all "
    "(all columns, all windows; or a list of windows)."
)
"""What a summary says of the rest."""


@dataclass(frozen=True)
class Sections:
    """What a status shows beside the report; each is None or empty where there is none."""

    news: News | None = None
    release: ReleaseSummary | None = None
    rolling: RollingReport | None = None
    gradual: GradualReport | None = None
    whole_rows: ComparedRows | None = None
    attributions: KnownAttributions | None = None
    performance: PerformanceReport | None = None
    ingestion: Mapping[str, Any] | None = None
    labels: Mapping[str, Any] | None = None
    outcomes: Mapping[str, Any] = field(default_factory=dict)
    log: Mapping[str, Any] | None = None
    """How predictions are logged."""
    outliers: OutlierShare | None = None
    requests: RequestReport | None = None
    efficiency: Efficiency | None = None
    telemetry: Mapping[str, Any] | None = None
    """What is sent to a collector."""


NOTHING: Final = Sections()


HTML: Final = "html"
JSON: Final = "json"


async def status(request: Request) -> Response:
    """Answer with the verdict and a summary of each column, or with the part that the query selects.

    Browsers are sent to the page, other clients get JSON.
    """
    monitoring = monitoring_of(request)
    asked = request.query_params.get("model")
    model = monitoring.model(asked)
    monitor = model.monitor
    if wants_page(request):
        _ = model.evaluations  # Refused if monitoring is off
        features = selected(request.query_params, monitor.last.report).features or ()
        return RedirectResponse(f"../{page_address(features, asked)}", 307, negotiated(is_gzip=False))
    small = wants_gzip(request.headers.get("accept-encoding"))
    # At once: each waits for a state that cannot be read.
    (problems, state), facts, log = await asyncio.gather(
        monitoring.state(model), monitoring.facts_of(model), monitoring.log_facts()
    )
    selection = selected(request.query_params, monitor.last.report)
    news = await _news(model, since_of(request.query_params, monitor.last.report.evaluated_at))
    release = await release_summary(monitoring, model)
    efficiency = efficiency_of(model, facts)
    telemetry = await monitoring.telemetry_status()

    def answer() -> Response:
        sections = Sections(
            news=news,
            release=release,
            rolling=model.against_rolling,
            gradual=facts.gradual,
            whole_rows=facts.whole_rows,
            attributions=facts.attributions,
            performance=model.performance,
            requests=facts.requests,
            efficiency=efficiency,
            telemetry=telemetry,
            ingestion=ingestion_json(ingestion_of(facts)),
            labels=labels_json(labels_of(facts)),
            outcomes=outcomes_of(model),
            log=log_json(log, facts),
            outliers=outlier_share(monitor.last.report, model.limits.outlier_ratio),
        )
        return large_json(drift_status(monitor, problems, state, monitoring.clock(), selection, sections), small=small)

    # In a thread: with a thousand columns it takes longer than predictions should wait.
    return await asyncio.get_running_loop().run_in_executor(monitoring.writing, answer)


def page_address(features: Collection[str], model: str | None) -> str:
    """Return the address of the page that shows these features of a model, relative to the page."""
    return Query(features=tuple(sorted(features)), model=model).address().removeprefix("./")


async def _news(model: ModelMonitoring, since: float | None) -> News | None:
    """Return what changed since a time, seconds since 1970; None without one."""
    if since is None:
        return None
    running, monitor = asyncio.get_running_loop(), model.monitor
    return await running.run_in_executor(model.watching, monitor.history.news, monitor.last.report, since)


def wants_page(request: Request) -> bool:
    """Say whether to answer with a page: by `?format=`, else by `Accept`; Refused for an unknown format."""
    wanted = request.query_params.get("format")
    if wanted not in (None, HTML, JSON):
        message = f"there is no format {shortened(wanted)!r}; there is {HTML}, {JSON}"
        raise Refused(Reason.UNKNOWN_FORMAT, message, {"field": "format"})
    return wanted == HTML or (wanted is None and prefers_html(request, "application/json"))


def selected(query: QueryParams, report: DriftReport) -> Selection:
    """Return what a query selects; Refused for a column or window that the report does not have."""
    if "feature" not in query and "windows" not in query:
        return SUMMARY
    features = columns_in(query, report.baseline.names)
    words = [MAIN_WINDOW, ALL_WINDOWS, *report.windows]
    windows = names_in(query.getlist("windows"), words)
    for name in windows - set(words):
        message = f"there is no window {shortened(name)!r}; there is {', '.join(words)}"
        raise Refused(Reason.UNKNOWN_WINDOW, message, {"field": "windows"})
    return Selection(features or None, None if ALL_WINDOWS in windows else windows - {MAIN_WINDOW})


def drift_status(
    monitor: ColumnMonitor,
    problems: list[str],
    state: Mapping[str, Any],
    now: float,
    selection: Selection = SUMMARY,
    beside: Sections = NOTHING,
) -> dict[str, Any]:
    """Return a monitor's last report, what is shown beside it, and the problems of monitoring itself."""
    return {
        "model_name": monitor.model_name,
        "model_version": monitor.model_version,
        "about": monitor.baseline.about.as_json(),
        "report_age_seconds": max(0.0, now - monitor.last.at),
        **report_json(monitor.last.report, selection),
        "estimated_performance": estimated_json(monitor.last.estimated),
        "quality": quality_json(monitor.last.quality, beside.requests),
        **({} if beside.outliers is None else {"outliers": outliers_json(beside.outliers)}),
        "release": release_json(beside.release),
        "performance": performance_json(beside.performance),
        "ingestion": beside.ingestion,
        "labels": beside.labels,
        "outcomes": beside.outcomes,
        "references": references_json(beside.rolling),
        **({} if beside.gradual is None else {"gradual_drift": gradual_json(beside.gradual)}),
        "multivariate": compared_json(beside.whole_rows),
        **({} if beside.attributions is None else {"attributions": attributions_json(beside.attributions)}),
        **({} if beside.efficiency is None else {"efficiency": efficiency_json(beside.efficiency)}),
        "more": MORE if selection.is_summary else None,
        "news": news_json(beside.news),
        "monitoring": {
            "healthy": not problems,
            "problems": problems,
            "state": state,
            "prediction_log": beside.log,
            **({} if beside.telemetry is None else {"telemetry": beside.telemetry}),
        },
    }
