"""`GET /runbooks`: HTML for browsers, Markdown for other clients."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from fastapi import Request
from markdown_it import MarkdownIt
from starlette.responses import Response

from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.runbooks import Runbooks, runbooks
from driftgauge.edges.http.about_markdown import below_heading, whom_to_ask
from driftgauge.edges.http.html_page import document, page_headers
from driftgauge.edges.http.media_types import prefers_html
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.edges.http.monitoring import monitoring_of

STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.55 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "code,pre{font:14px/1.5 ui-monospace,monospace}"
    "pre{padding:.8rem 1rem;border:1px solid #8886;border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere}"
    "h2{margin-top:2rem;border-bottom:1px solid #8886}"
    "table{border-collapse:collapse}th,td{padding:.3rem .7rem;border:1px solid #8886;text-align:left}"
)
HEADERS: Final = {**page_headers(STYLE), "vary": "Accept"}
MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable("table")


HOST: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?")
"""Hosts that a shell takes literally."""


async def contents(request: Request) -> Response:
    """List the alerts that have a runbook."""
    return _answer(request, "Runbooks", runbooks().contents())


async def runbook(request: Request) -> Response:
    """Return an alert's runbook, as HTML or Markdown depending on the `Accept` header.

    Its commands name this server and its settings, and with `?feature=NAME` that column of the model. Its first line
    names the model's owner.
    """
    alert: str = request.path_params["alert"]
    model = _asked(request)
    text = _runbooks_of(request, model).page(alert)
    if model is not None:
        name = f"{model.model_name} {model.model_version}"
        text = below_heading(text, whom_to_ask(name, model.monitor.baseline.about))
    return _answer(request, alert.removesuffix(".md"), text)


def _asked(request: Request) -> ModelMonitoring | None:
    """Return the model that a request names, or the only one; None where there are several and it names none."""
    monitoring, name = monitoring_of(request), request.query_params.get("model")
    return None if name is None and monitoring.has_several else monitoring.model(name)


def _runbooks_of(request: Request, model: ModelMonitoring | None) -> Runbooks:
    """Return the runbooks of this server. They hold commands, so no text of a request goes in unchecked."""
    monitoring = monitoring_of(request)
    options = MonitoringOptions() if model is None else MonitoringOptions(model=model.model_name)
    if HOST.fullmatch(request.url.netloc):
        address = f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '').rstrip('/')}"
        options = replace(options, base_url=address)
    asked = request.query_params.get("feature")
    models = monitoring.models if model is None else [model]
    known = [name for own in models for name in own.monitor.watched.names]
    settings = monitoring.settings if model is None else model.settings
    return runbooks(options, settings.model_dump(), asked if asked in known else None)


def _answer(request: Request, title: str, text: str) -> Response:
    if prefers_html(request, "text/markdown"):
        return Response(page(title, text), media_type="text/html", headers=HEADERS)
    return Response(text, media_type="text/markdown", headers=HEADERS)


def page(title: str, text: str) -> str:
    """Return Markdown as an HTML page without scripts; HTML inside it is shown as text."""
    return document(title, STYLE, MARKDOWN.render(text))
