"""`GET /runbooks`: HTML for browsers, Markdown for other clients."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Final

from fastapi import Request
from markdown_it import MarkdownIt
from starlette.responses import Response

from driftgauge.alerting.runbooks import runbooks

STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.55 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "code,pre{font:14px/1.5 ui-monospace,monospace}"
    "pre{padding:.8rem 1rem;border:1px solid #8886;border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere}"
    "h2{margin-top:2rem;border-bottom:1px solid #8886}"
    "table{border-collapse:collapse}th,td{padding:.3rem .7rem;border:1px solid #8886;text-align:left}"
)
_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS: Final = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "vary": "Accept",
}
MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable("table")


async def contents(request: Request) -> Response:
    """List the alerts that have a runbook."""
    return _answer(request, "Runbooks", runbooks().contents())


async def runbook(request: Request) -> Response:
    """Return an alert's runbook, as HTML or Markdown depending on the `Accept` header."""
    alert: str = request.path_params["alert"]
    return _answer(request, alert.removesuffix(".md"), runbooks().page(alert))


def _answer(request: Request, title: str, text: str) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return Response(page(title, text), media_type="text/html", headers=HEADERS)
    return Response(text, media_type="text/markdown", headers=HEADERS)


def page(title: str, text: str) -> str:
    """Return Markdown as an HTML page without scripts; HTML inside it is shown as text."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} – Driftgauge</title><style>{STYLE}</style></head>"
        f"<body><main>{MARKDOWN.render(text)}</main></body></html>\n"
    )
