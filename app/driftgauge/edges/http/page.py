"""`GET /` and `GET /drift/report`: the page of a model, and the same as one file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from driftgauge.common.quoting import shortened
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.novelty.share import outlier_share
from driftgauge.edges.http.action_section import actions_of
from driftgauge.edges.http.diagnosis_facts import UNDIAGNOSED, diagnosis_of
from driftgauge.edges.http.efficiency_status import efficiency_of
from driftgauge.edges.http.encodings import gzipped, negotiated, wants_gzip
from driftgauge.edges.http.ground_truth import cohorts_of, labels_of, outcome_parts
from driftgauge.edges.http.ingestion_status import ingestion_of
from driftgauge.edges.http.log_status import logged_of
from driftgauge.edges.http.media_types import prefers_html
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.edges.http.monitoring import Monitoring, monitoring_of
from driftgauge.edges.http.release_summary import release_summary, releases_facts
from driftgauge.edges.web.facts import NO_LINKS, Health, Links, PageFacts
from driftgauge.edges.web.overview import ModelFacts, overview
from driftgauge.edges.web.query import RANGES, THEMES, USUAL_RANGE, Query
from driftgauge.edges.web.render import (
    TYPES,
    asset,
    page_headers,
    render_overview,
    render_page,
    render_report,
    report_headers,
)
from driftgauge.edges.web.traffic import traffic_of
from driftgauge.errors import Reason, Refused
from driftgauge.monitor.diagnoses import Diagnosed

DOCS: Final = "/docs"
ASSET_HEADERS: Final = {
    # The page names the digest of their content in their addresses, so new content is another address.
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
}
REFRESH_SECONDS: Final = 10.0
"""How often an open page refreshes itself, at the least."""
THEME_COOKIE: Final = "driftgauge_theme"
THEME_SECONDS: Final = 31_536_000
"""How long a browser keeps the theme that its user chose."""
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


async def root(request: Request) -> Response:
    """Show the page to browsers; send other clients to the documentation."""
    monitoring = monitoring_of(request)
    as_page = prefers_html(request, "application/json") and monitoring.settings.monitoring_enabled
    if not as_page and DOCS in _paths(request):
        return RedirectResponse(f"{request.scope.get('root_path', '')}{DOCS}", 307, {"vary": "Accept"})
    query = Query.parse(request.query_params.multi_items())
    chosen = request.cookies.get(THEME_COOKIE, "")
    theme = chosen if chosen in THEMES else THEMES[0]
    if query.model is None and monitoring.has_several:
        return await _overview(request, monitoring, query, query.theme or theme)
    facts = await _facts(request, monitoring, monitoring.model(query.model), query)
    facts = replace(facts, theme=theme)
    unknown = set(query.features) - set(facts.report.baseline.names)
    headers = {**page_headers(), **_remembered(query.theme)}
    return await _answer(request, monitoring, lambda: render_page(facts, query), headers, 404 if unknown else 200)


async def _overview(request: Request, monitoring: Monitoring, query: Query, theme: str) -> Response:
    """Answer with the overview of the live models; each is evaluated first if rows came."""
    live = monitoring.models.all_live
    await asyncio.gather(*(model.evaluator.current() for model in live if model.evaluator))
    found = [
        *(
            ModelFacts(own.model_name, own.model_version, own.monitor.last.report, own.current_problems())
            for own in live
        ),
        *(ModelFacts(name, "", None, [why]) for name, why in monitoring.unusable.items()),
    ]
    refresh = max(REFRESH_SECONDS, monitoring.settings.evaluation_interval_seconds)
    headers = {**page_headers(), **_remembered(query.theme)}
    return await _answer(request, monitoring, lambda: render_overview(overview(found, query, refresh, theme)), headers)


def _remembered(theme: str) -> dict[str, str]:
    """Return the header by which a browser keeps a theme; without a path it holds where the page is mounted."""
    if not theme:
        return {}
    return {"set-cookie": f"{THEME_COOKIE}={theme}; Max-Age={THEME_SECONDS}; HttpOnly; SameSite=Strict"}


async def report(request: Request) -> Response:
    """Answer with everything that the page shows, as one HTML file without scripts.

    It shows the features that changed most in full, or those that the query names.
    """
    monitoring, asked = monitoring_of(request), request.query_params
    query = Query.parse(asked.multi_items())
    facts = await _facts(request, monitoring, monitoring.model(query.model), query)
    known = facts.report.baseline.names
    for name in set(query.features) - set(known):
        raise Refused(Reason.UNKNOWN_FEATURE, f"there is no column {shortened(name)!r}", {"field": "feature"})
    facts = replace(facts, links=NO_LINKS)  # a file may be read anywhere
    headers = report_headers(file_name(facts) if "download" in asked else None)
    return await _answer(request, monitoring, lambda: render_report(facts, query), headers)


async def static(request: Request) -> Response:
    """Return a file that the page loads."""
    name: str = request.path_params["asset"]
    if name not in TYPES:
        raise Refused(Reason.NOT_FOUND, f"there is no file {shortened(name)!r}; there is {', '.join(TYPES)}")
    return Response(asset(name).text, media_type=TYPES[name], headers=ASSET_HEADERS)


def file_name(facts: PageFacts) -> str:
    """Return the name under which a report is saved."""
    parts = (facts.model_name, facts.model_version, rfc3339(facts.report.evaluated_at).replace(":", ""))
    return _UNSAFE.sub("_", "-".join(["drift", *parts]))[:150] + ".html"


async def _facts(request: Request, monitoring: Monitoring, model: ModelMonitoring, query: Query) -> PageFacts:
    """Return what the page of a model shows; it is evaluated first if rows came."""
    problems, state = await monitoring.state(model)
    facts, monitor = await monitoring.facts_of(model), model.monitor
    running, report = asyncio.get_running_loop(), monitor.last.report
    since, yesterday = (report.evaluated_at - seconds for seconds in (query.past_seconds, RANGES[USUAL_RANGE]))
    history = await running.run_in_executor(model.watching, monitor.history.read, since)
    news = await running.run_in_executor(model.watching, monitor.history.news, report, yesterday)
    release = await release_summary(monitoring, model, facts.arrays)
    diagnosed = None if query.features else await _diagnosis(request, monitoring, model)
    last, limits, paths = monitor.last, model.limits, _paths(request)
    return PageFacts(
        model_name=monitor.model_name,
        model_version=monitor.model_version,
        report=last.report,
        diagnosis=None if diagnosed is None else diagnosed.diagnosis,
        dependence=None if diagnosed is None else diagnosed.dependence,
        health=Health(
            problems=problems,
            kept=state["kept"],
            workers=state["workers"],
            notes=state["notes"],
            evaluation_seconds=last.cpu_seconds,
            evaluation_age=max(0.0, monitoring.clock() - last.at),
            age_limit=limits.evaluation_age_seconds,
            logged=logged_of(await monitoring.log_facts(), facts),
        ),
        estimated=last.estimated,
        quality=last.quality,
        requests=facts.requests,
        outliers=outlier_share(last.report, limits.outlier_ratio),
        performance=model.performance,
        rolling=facts.rolling,
        gradual=facts.gradual,
        whole_rows=facts.whole_rows,
        attributions=facts.attributions,
        cohorts=[] if query.features else await cohorts_of(model),
        releases=releases_facts(release),
        actions=None if query.features else await actions_of(request, model),
        ingestion=ingestion_of(facts),
        labels=labels_of(facts),
        outcomes={} if facts.labels is None else facts.labels.outcomes,
        outcome_parts=outcome_parts(model),
        traffic=traffic_of(facts.arrays, limits.latency_seconds[0]),
        efficiency=efficiency_of(model, facts),
        history=history,
        news=news,
        links=Links(**{name: path if f"/{path}" in paths else None for name, path in _LINKED.items()}),
        refresh_seconds=max(REFRESH_SECONDS, model.settings.evaluation_interval_seconds),
    )


async def _diagnosis(request: Request, monitoring: Monitoring, model: ModelMonitoring) -> Diagnosed | None:
    """Return the diagnosis of a model; None if it is not ready yet, or failed, which is then a problem."""
    server_url, seconds = str(request.base_url).rstrip("/"), monitoring.settings.evaluation_wait_seconds
    with model.problems.apart(UNDIAGNOSED), suppress(TimeoutError):
        return await diagnosis_of(monitoring, model, server_url, seconds)
    return None


_LINKED: Final = {
    "status": "drift/status",
    "report": "drift/report",
    "runbooks": "runbooks",
    "metrics": "metrics",
    "api": "docs",
    "actions": "actions",
}


def _paths(request: Request) -> set[str]:
    """Return the paths of the application that answers, which is ours or one that the library gives."""
    return {getattr(route, "path", "") for route in request.app.routes}


async def _answer(
    request: Request,
    monitoring: Monitoring,
    render: Callable[[], str],
    headers: Mapping[str, str],
    code: int = 200,
) -> Response:
    """Answer with a page, rendered in a thread: predictions do not wait for it."""
    small = wants_gzip(request.headers.get("accept-encoding"))

    def answer() -> Response:
        body = render().encode("utf-8", "replace")
        content = gzipped(body) if small else body
        return Response(content, code, media_type="text/html", headers={**headers, **negotiated(small)})

    return await asyncio.get_running_loop().run_in_executor(monitoring.writing, answer)
