"""Renders pages from their templates, with the files and headers that go with them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from driftgauge import __version__
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.verdict.wording import sentence
from driftgauge.edges.web.facts import PageFacts
from driftgauge.edges.web.overview import Overview
from driftgauge.edges.web.query import Query
from driftgauge.edges.web.view import PageView, page_view

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER: Final = Path(__file__).parent
STYLES: Final = ("tokens.css", "page.css")
"""Files of the style, in their order."""
SCRIPT: Final = "refresh.js"
STYLE: Final = "page.css"
TYPES: Final = {STYLE: "text/css", SCRIPT: "text/javascript"}
"""Content types of the files that a page loads."""
PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'"
)


_SAFE: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-cache",
}


@dataclass(frozen=True)
class Asset:
    """A file that a page loads."""

    text: str
    digest: str
    """The beginning of its SHA-256, which its address names."""


@cache
def asset(name: str) -> Asset:
    """Return a file of the page; the style is one file of all its parts."""
    parts = STYLES if name == STYLE else (name,)
    text = "".join((FOLDER / "static" / part).read_text("utf-8") for part in parts)
    return Asset(text, hashlib.sha256(text.encode()).hexdigest()[:12])


def render_page(facts: PageFacts, query: Query) -> str:
    """Return the page of a service, which loads its style and its script."""
    return _rendered("page.html", page_view(facts, query))


def render_overview(view: Overview) -> str:
    """Return the page of several models."""
    return _rendered("overview.html", view)


def render_report(facts: PageFacts, query: Query | None = None) -> str:
    """Return everything as one file, which loads and runs nothing."""
    return _rendered("report.html", page_view(facts, query or Query(), is_report=True))


def page_headers() -> dict[str, str]:
    """Return the headers of a page: a browser runs our script alone, and loads nothing from elsewhere."""
    return {"content-security-policy": PAGE_POLICY, **_SAFE}


def report_headers(file_name: str | None = None) -> Mapping[str, str]:
    """Return the headers of a report; with a file name a browser saves it."""
    digest = base64.b64encode(hashlib.sha256(asset(STYLE).text.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    named = {} if file_name is None else {"content-disposition": f'attachment; filename="{file_name}"'}
    return {
        "content-security-policy": f"{policy}; frame-ancestors 'self'",
        **_SAFE,
        **named,
    }


def _rendered(template: str, view: PageView | Overview) -> str:
    text: str = environment().get_template(template).render(view=view, style=asset(STYLE), script=asset(SCRIPT))
    return text


@cache
def environment() -> Environment:
    """Return the templates, which escape every value."""
    # Imported with the first page, so that a program that shows none starts without it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["version"] = __version__
    made.filters |= {"nb": unbroken, "iso": rfc3339, "sentence": sentence}
    return made


def unbroken(words: str) -> str:
    """Return words that do not break before a percent sign."""
    return words.replace(" %", "\N{NO-BREAK SPACE}%")
