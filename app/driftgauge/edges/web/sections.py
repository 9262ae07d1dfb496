"""What a page says of a model as a whole, section by section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.verdict.numbers import short, two_decimals
from driftgauge.drift.verdict.report import DriftReport, all_notes
from driftgauge.drift.verdict.two_minutes import TwoMinutes
from driftgauge.edges.web.actions import ActionsView, actions_view
from driftgauge.edges.web.attributions import AttributionsView, attributions_view
from driftgauge.edges.web.cohorts import CohortsView, cohorts_view
from driftgauge.edges.web.diagnosis import DiagnosisView, diagnosis_view
from driftgauge.edges.web.estimated import EstimatedView, estimated_view
from driftgauge.edges.web.facts import PageFacts
from driftgauge.edges.web.gradual import GradualView, gradual_view
from driftgauge.edges.web.ingestion import ingestion_list
from driftgauge.edges.web.log_line import log_line
from driftgauge.edges.web.outcomes import OutcomeRow, labels_list, outcome_rows
from driftgauge.edges.web.outliers import OutliersView, outliers_view
from driftgauge.edges.web.performance import PerformanceView, performance_view
from driftgauge.edges.web.quality import QualityView, quality_view
from driftgauge.edges.web.query import Query
from driftgauge.edges.web.references import ReferencesView, references_view
from driftgauge.edges.web.releases import ReleasesView, releases_view
from driftgauge.edges.web.rows import FeatureTable, feature_table
from driftgauge.edges.web.scores import ScoreView, score_views
from driftgauge.edges.web.tiles import Tile, tiles_of
from driftgauge.edges.web.trend import Past, Timeline
from driftgauge.edges.web.verdict import title
from driftgauge.edges.web.whole_rows import WholeRowsView, whole_rows_view
from driftgauge.edges.web.words import ago, colour, count, duration, second


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
class ModelSections:
    """The sections on a model, in no order; a page of single features has none of them."""

    diagnosis: DiagnosisView | None
    learning_until: Moment | None
    timeline: Timeline | None
    news: Sequence[str]
    news_since: Moment | None
    """The time of the verdict that the news compare with; None without one."""
    periods: Sequence[PeriodView]
    tiles: Sequence[Tile]
    table: FeatureTable
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
    state_notes: Sequence[str]
    notes: Sequence[str]


def model_sections(facts: PageFacts, query: Query, past: Past | None, *, is_report: bool) -> ModelSections:
    """Return the sections on a model; `is_report` shows all features in one table."""
    report, now = facts.report, _now(facts)
    return ModelSections(
        diagnosis=diagnosis_view(facts.diagnosis, facts.dependence, query),
        learning_until=None if report.learning_until is None else moment_of(report.learning_until),
        timeline=past.timeline() if past else None,
        news=facts.news.sentences if facts.news else (),
        news_since=moment_of(facts.news.since) if facts.news and facts.news.since < report.evaluated_at else None,
        periods=_periods(facts),
        tiles=tiles_of(facts),
        table=feature_table(report, query, past, paged=not is_report),
        scores=score_views(report, query),
        correlation=_correlation(report),
        estimated=estimated_view(facts.estimated, report.main.name),
        performance=performance_view(facts.performance),
        quality=quality_view(facts.quality, facts.requests),
        outliers=outliers_view(facts.outliers),
        two_minutes=report.two_minutes,
        references=references_view(facts.rolling),
        gradual=gradual_view(facts.gradual),
        whole_rows=whole_rows_view(facts.whole_rows),
        attributions=attributions_view(facts.attributions),
        cohorts=cohorts_view(facts.performance, facts.cohorts),
        releases=releases_view(facts.releases, report.evaluated_at),
        actions=actions_view(facts.actions, now),
        ingestion=ingestion_list(facts.ingestion, now),
        labels=labels_list(facts.labels),
        outcomes=outcome_rows(facts.outcomes, facts.outcome_parts),
        health=_health(facts),
        state_notes=facts.health.notes,
        notes=list(all_notes(report)),
    )


def moment_of(at: float) -> Moment:
    """Return a time, seconds since 1970, for people and for programs."""
    return Moment(rfc3339(at), f"{second(at)} UTC")


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
