"""What a page says, as plain values: the templates compute nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.verdict.numbers import short, two_decimals
from driftgauge.drift.verdict.report import DriftReport, all_notes
from driftgauge.drift.verdict.two_minutes import TwoMinutes
from driftgauge.edges.web.actions import ActionsView, actions_view
from driftgauge.edges.web.attributions import AttributionsView, attributions_view
from driftgauge.edges.web.cohorts import CohortsView, cohorts_view
from driftgauge.edges.web.diagnosis import DiagnosisView, diagnosis_view
from driftgauge.edges.web.estimated import EstimatedView, estimated_view
from driftgauge.edges.web.facts import Links, PageFacts
from driftgauge.edges.web.feature import FeatureView, feature_view
from driftgauge.edges.web.glossary import TERMS
from driftgauge.edges.web.gradual import GradualView, gradual_view
from driftgauge.edges.web.ingestion import ingestion_list
from driftgauge.edges.web.log_line import log_line
from driftgauge.edges.web.outcomes import OutcomeRow, labels_list, outcome_rows
from driftgauge.edges.web.outliers import OutliersView, outliers_view
from driftgauge.edges.web.performance import PerformanceView, performance_view
from driftgauge.edges.web.quality import QualityView, quality_view
from driftgauge.edges.web.query import MOST_FEATURES, RANGES, THEMES, USUAL_RANGE, Query
from driftgauge.edges.web.references import ReferencesView, references_view
from driftgauge.edges.web.releases import ReleasesView, releases_view
from driftgauge.edges.web.rows import Choice, FeatureTable, feature_table
from driftgauge.edges.web.scores import ScoreView, score_views
from driftgauge.edges.web.tiles import Tile, tiles_of
from driftgauge.edges.web.trend import Past, Timeline
from driftgauge.edges.web.verdict import VerdictView, title, verdict_view
from driftgauge.edges.web.whole_rows import WholeRowsView, whole_rows_view
from driftgauge.edges.web.words import ago, colour, count, duration, second

REPORTED_FEATURES: Final = 10
"""Features that a report shows in full: the worst that changed."""
_MAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
"""What a form of HTML takes for an e-mail address."""


@dataclass(frozen=True)
class Moment:
    """A time for people and for programs."""

    iso: str
    text: str


@dataclass(frozen=True)
class PeriodView:
    """One window of a check."""

    name: str
    rows: str
    colour: str
    title: str
    is_shown: bool


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
    diagnosis: DiagnosisView | None
    evaluated: Moment
    learning_until: Moment | None
    timeline: Timeline | None
    ranges: Sequence[Choice]
    """How much of the past can be shown; empty without a past."""
    news: Sequence[str]
    news_since: Moment | None
    """The time of the verdict that the news compare with; None without one."""
    periods: Sequence[PeriodView]
    tiles: Sequence[Tile]
    table: FeatureTable | None
    """None on the page of single features."""
    features: Sequence[FeatureView]
    unknown: Sequence[str]
    """Features that the address names and the model does not have."""
    scores: Sequence[ScoreView]
    correlation: str
    estimated: EstimatedView | None
    performance: PerformanceView | None
    quality: QualityView | None
    outliers: OutliersView | None
    two_minutes: TwoMinutes | None
    references: ReferencesView | None
    gradual: GradualView | None
    whole_rows: WholeRowsView | None
    attributions: AttributionsView | None
    cohorts: CohortsView | None
    """Performance over time."""
    releases: ReleasesView | None
    actions: ActionsView | None
    ingestion: Mapping[str, str]
    labels: Mapping[str, str]
    outcomes: Sequence[OutcomeRow]
    health: Mapping[str, str]
    problems: Sequence[str]
    state_notes: Sequence[str]
    notes: Sequence[str]
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
    is_overview = is_report or not shown
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
        diagnosis=diagnosis_view(facts.diagnosis, facts.dependence, query) if is_overview else None,
        evaluated=_moment(report.evaluated_at),
        learning_until=None if report.learning_until is None else _moment(report.learning_until),
        timeline=past.timeline() if past and is_overview else None,
        ranges=_ranges(query) if not is_report and (past or query.range != USUAL_RANGE) else [],
        news=facts.news.sentences if facts.news else (),
        news_since=_moment(facts.news.since) if facts.news and facts.news.since < report.evaluated_at else None,
        periods=_periods(facts),
        tiles=tiles_of(facts),
        table=feature_table(report, query, past, paged=not is_report) if is_overview else None,
        features=[feature_view(report, i, query, past) for i in shown],
        unknown=[name for name in query.features if name not in known],
        scores=score_views(report, query) if is_overview else [],
        correlation=_correlation(report) if is_overview else "",
        estimated=estimated_view(facts.estimated, report.main.name) if is_overview else None,
        performance=performance_view(facts.performance) if is_overview else None,
        quality=quality_view(facts.quality, facts.requests) if is_overview else None,
        outliers=outliers_view(facts.outliers) if is_overview else None,
        two_minutes=report.two_minutes if is_overview else None,
        references=references_view(facts.rolling) if is_overview else None,
        gradual=gradual_view(facts.gradual) if is_overview else None,
        whole_rows=whole_rows_view(facts.whole_rows) if is_overview else None,
        attributions=attributions_view(facts.attributions) if is_overview else None,
        cohorts=cohorts_view(facts.performance, facts.cohorts) if is_overview else None,
        releases=releases_view(facts.releases, report.evaluated_at) if is_overview else None,
        actions=actions_view(facts.actions, _now(facts)) if is_overview else None,
        ingestion=ingestion_list(facts.ingestion, _now(facts)) if is_overview else {},
        labels=labels_list(facts.labels) if is_overview else {},
        outcomes=outcome_rows(facts.outcomes, facts.outcome_parts) if is_overview else [],
        health=_health(facts),
        problems=facts.health.problems,
        state_notes=facts.health.notes,
        notes=list(all_notes(report)),
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


def _moment(at: float) -> Moment:
    return Moment(rfc3339(at), f"{second(at)} UTC")


def mail_address(contact: str) -> str:
    """Return where a link to a contact leads; empty if it is no e-mail address."""
    return f"mailto:{quote(contact, safe='@')}" if _MAIL.fullmatch(contact) else ""


def _now(facts: PageFacts) -> float:
    """Return when the page is made, seconds since 1970."""
    return facts.report.evaluated_at + (facts.health.evaluation_age or 0.0)


def _periods(facts: PageFacts) -> list[PeriodView]:
    return [
        PeriodView(
            period.name,
            f"{period.report.main.rows:,}",
            colour(period.report.status, period.report.severity),
            title(period.report),
            period.is_shown,
        )
        for period in facts.periods
    ]


# ---------------------------------------------------------------- below the table


def _correlation(report: DriftReport) -> str:
    change = report.correlation
    if change is None:
        return ""
    first, other = (report.baseline.names[index] for index in change.pair)
    now, before = _signed(change.current), _signed(change.reference)
    return (
        f"The correlation that changed most is between {first} and {other}: {now} now, {before} in the reference "
        f"(z {short(change.z)}, over {change.rows:,} rows). It is never part of a verdict."
    )


def _signed(value: float) -> str:
    return f"−{two_decimals(-value)}" if value < 0 else two_decimals(value)


def _health(facts: PageFacts) -> dict[str, str]:
    health, report = facts.health, facts.report
    found = {"Rows observed": f"{report.rows_observed:,}"}
    if health.kept:
        workers = count(health.workers, "worker")
        found["State"] = f"in {health.kept}, {workers}" if health.kept == "files" else "in memory: a restart forgets it"
    if health.evaluation_age is not None:
        limit = "" if health.age_limit is None else f"; stale from {ago(health.age_limit)}"
        found["Last evaluation"] = f"{ago(health.evaluation_age)} ago{limit}"
    if health.evaluation_seconds is not None:
        found["Cost of an evaluation"] = f"{duration(health.evaluation_seconds)} of CPU time"
    if health.logged is not None:
        found["Prediction log"] = log_line(health.logged)
    when = f"created {made[:10]} {made[11:16]} UTC" if (made := report.baseline.created) else "undated"
    found["Baseline"] = f"{report.baseline.rows:,} rows, hash {report.baseline.hash[:12]}, {when}"
    return found
