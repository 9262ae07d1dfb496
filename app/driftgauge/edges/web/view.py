"""What a page says, as plain values: the templates compute nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from driftgauge.drift.verdict.report import DriftReport
from driftgauge.edges.web.facts import Links, PageFacts
from driftgauge.edges.web.feature import FeatureView, feature_view
from driftgauge.edges.web.glossary import TERMS
from driftgauge.edges.web.query import MOST_FEATURES, RANGES, THEMES, USUAL_RANGE, Query
from driftgauge.edges.web.rows import Choice
from driftgauge.edges.web.sections import ModelSections, Moment, model_sections, moment_of
from driftgauge.edges.web.trend import Past
from driftgauge.edges.web.verdict import VerdictView, verdict_view

REPORTED_FEATURES: Final = 10
"""Features that a report shows in full: the worst that changed."""
_MAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
"""What a form of HTML takes for an e-mail address."""


@dataclass(frozen=True)
class PageView:
    """Everything that a page shows."""

    title: str
    model_name: str
    model_version: str
    about: Mapping[str, str]
    mail_address: str
    """Where a link to the contact leads; empty if it is no e-mail address."""
    verdict: VerdictView
    evaluated: Moment
    ranges: Sequence[Choice]
    """How much of the past can be shown; empty without a past."""
    sections: ModelSections | None
    """What it says of the model as a whole; None on a page of single features."""
    features: Sequence[FeatureView]
    unknown: Sequence[str]
    """Features that the address names and the model does not have."""
    problems: Sequence[str]
    terms: Mapping[str, tuple[str, str]]
    query: Query
    links: Links
    json_address: str | None
    report_address: str | None
    home: str
    refresh_seconds: float
    is_report: bool
    theme: str
    themes: Sequence[Choice]


def page_view(facts: PageFacts, query: Query, *, is_report: bool = False) -> PageView:
    """Return the page that a query asks for, or with `is_report` everything in one page."""
    report, known = facts.report, facts.report.baseline.names
    shown = _shown(report, query, is_report=is_report)
    verdict = verdict_view(report, query, facts.links)
    past = Past.of(facts.history, report.evaluated_at, query.past_seconds)
    word = f"{report.severity}: " if report.severity else ""
    return PageView(
        title=f"{word}{verdict.title} – {facts.model_name}",
        model_name=facts.model_name,
        model_version=facts.model_version,
        about=(about := report.baseline.about.stated),
        mail_address=mail_address(about.get("contact", "")),
        verdict=verdict,
        evaluated=moment_of(report.evaluated_at),
        ranges=_ranges(query) if not is_report and (past or query.range != USUAL_RANGE) else [],
        sections=model_sections(facts, query, past, is_report=is_report) if is_report or not shown else None,
        features=[feature_view(report, i, query, past) for i in shown],
        unknown=[name for name in query.features if name not in known],
        problems=facts.health.problems,
        terms=TERMS,
        query=query,
        links=facts.links,
        json_address=_with(facts.links.status, query, ("format", "json")),
        report_address=_with(facts.links.report, query, *_chosen(query)),
        home=query.elsewhere().address(),
        refresh_seconds=facts.refresh_seconds,
        is_report=is_report,
        theme=(theme := query.theme or facts.theme),
        themes=[Choice(name, query.address(theme=name), name == theme) for name in THEMES],
    )


def _shown(report: DriftReport, query: Query, *, is_report: bool) -> list[int]:
    """Return the columns to show in full: those that are asked for, or in a report the worst that changed."""
    known = report.baseline.names
    asked = [known.index(name) for name in query.features if name in known]
    if is_report and not asked:
        asked = [i for i in report.worst_first if report.verdicts[i].severity is not None][:REPORTED_FEATURES]
    return asked[:MOST_FEATURES]


def _ranges(query: Query) -> list[Choice]:
    words = {"2h": "2 h", "24h": "24 h", "7d": "7 days", "60d": "60 days"}
    return [Choice(words[name], query.address(range=name), name == query.range) for name in RANGES]


def _chosen(query: Query) -> list[tuple[str, str]]:
    """Return the range and the theme of an address, as far as it names them."""
    chosen = {"range": query.range if query.range != USUAL_RANGE else "", "theme": query.theme}
    return [(name, value) for name, value in chosen.items() if value]


def _with(address: str | None, query: Query, *pairs: tuple[str, str]) -> str | None:
    """Return the address of another view of the same model and features."""
    if address is None:
        return None
    own = Query(features=query.features, model=query.model).address()
    text = "&".join([*([own[1:]] if own.startswith("?") else []), *(f"{name}={value}" for name, value in pairs)])
    return f"{address}?{text}" if text else address


def mail_address(contact: str) -> str:
    """Return where a link to a contact leads; empty if it is no e-mail address."""
    return f"mailto:{quote(contact, safe='@')}" if _MAIL.fullmatch(contact) else ""
