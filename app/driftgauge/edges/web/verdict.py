"""The verdict in words that a visitor reads first: what it is, what moved, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.bins import MISSING, UNSEEN
from driftgauge.drift.novelty.novelty import OUTLIER
from driftgauge.drift.reference.baseline import OUTPUTS, RESERVED
from driftgauge.drift.verdict.column import ColumnVerdict
from driftgauge.drift.verdict.numbers import short
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import Status
from driftgauge.edges.web.facts import Links
from driftgauge.edges.web.query import Query
from driftgauge.edges.web.rows import Since, moved, since, verdict_window
from driftgauge.edges.web.words import badge, colour, count

NAMED: Final = 4
"""Changes that the verdict lists."""
MANY: Final = 3
"""Features that change at once, from which one common source is the likely cause."""
FACTORS: Final = {1000.0: "1,000", 100.0: "100", 10.0: "10", 60.0: "60", 3600.0: "3,600", 1.8: "1.8", 2.54: "2.54"}
"""Ratios of means that a changed unit gives, as they are written."""

TOGETHER: Final = "Compare the columns that tell whole rows apart: they changed together, and none drifted by itself."
COMBINATIONS: Final = "Look for new combinations of values: the share of outliers changed, and no feature drifted."


@dataclass(frozen=True)
class Moved:
    """A change that the verdict lists."""

    name: str
    address: str
    colour: str
    badge: str
    clause: str
    since: Since | None


@dataclass(frozen=True)
class Step:
    """Something to do; with a link to the runbook's page if there is one."""

    text: str
    address: str | None = None
    label: str = ""


@dataclass(frozen=True)
class VerdictView:
    """The top of the page."""

    colour: str
    title: str
    reason: str
    moved: Sequence[Moved]
    more: int
    """Changes beyond those listed."""
    steps: Sequence[Step]


def verdict_view(report: DriftReport, query: Query, links: Links) -> VerdictView:
    """Return the verdict of a report."""
    changed = [verdict for i in report.worst_first if (verdict := report.verdicts[i]).severity is not None]
    return VerdictView(
        colour=colour(report.status, report.severity),
        title=title(report),
        reason=report.reason,
        moved=[
            Moved(
                verdict.name,
                query.address(features=(verdict.name,)),
                colour(verdict.status, verdict.severity),
                badge(verdict),
                moved(verdict),
                since(verdict, report.evaluated_at),
            )
            for verdict in changed[:NAMED]
        ],
        more=max(0, len(changed) - NAMED),
        steps=steps(report, changed, links),
    )


def title(report: DriftReport) -> str:
    """Return the verdict as a headline."""
    if report.status is Status.INSUFFICIENT_DATA:
        return "Not enough data for a verdict yet"
    if report.severity is None:
        return "No drift"
    if report.status is Status.NORMAL:
        return "No drift, only small changes"
    same = [v for v in report.verdicts if v.status is report.status and v.severity is not None]
    where = _where(same, len(report.verdicts))
    return f"Drift in {where}" if report.status is Status.DRIFT_DETECTED else f"Change of unknown size in {where}"


def _where(columns: Sequence[ColumnVerdict], total: int) -> str:
    features, found = [column for column in columns if column.name not in OUTPUTS], []
    if features:
        is_named = len(features) == 1 and len(features[0].name) <= 40
        found.append(features[0].name if is_named else f"{len(features):,} of {count(total, 'column')}")
    if any(column.name == OUTLIER for column in columns):
        found.append("the share of outliers")
    if any(column.name in RESERVED for column in columns):
        found.append("the model's scores")
    if not found:
        return "whole rows"
    return f"{', '.join(found[:-1])} and {found[-1]}" if len(found) > 1 else found[0]


def steps(report: DriftReport, changed: Sequence[ColumnVerdict], links: Links) -> list[Step]:
    """Return what to do next, most urgent first, as the runbooks say it."""
    if report.status is Status.INSUFFICIENT_DATA:
        text = "Nothing yet: the verdict follows once there are enough rows."
        return [Step(text, _runbook(links, "ModelInsufficientData"), "Runbook")]
    drifted = [verdict for verdict in changed if verdict.status is not Status.NORMAL]
    if not drifted and report.status is Status.NORMAL:
        return [Step("Nothing to do.")]
    features = [verdict for verdict in drifted if verdict.name not in OUTPUTS]
    outliers = [verdict for verdict in drifted if verdict.name == OUTLIER]
    found = []
    if not drifted:
        found.append(Step(TOGETHER, _runbook(links, "ModelWholeRowDrift"), "Runbook"))
    if features or outliers:
        text = _cause(report, features) if features else COMBINATIONS
        found.append(Step(text, _runbook(links, "ModelFeatureDrift", features or outliers), "Runbook"))
    scores = [verdict for verdict in report.verdicts if verdict.name in RESERVED]
    if any(verdict in drifted for verdict in scores):
        text = "The model's scores drift too: the change affects its answers. Tell the model's owner."
        found.append(Step(text, _runbook(links, "ModelPredictionDrift"), "Runbook"))
    elif any(verdict.status is not Status.INSUFFICIENT_DATA for verdict in scores):
        found.append(Step("The model's scores have not drifted, so a decision can wait until the cause is known."))
    else:
        found.append(Step("The model's scores are not evaluated, so check whether the change affects its answers."))
    return found


def _runbook(links: Links, alert: str, features: Sequence[ColumnVerdict] = ()) -> str | None:
    if links.runbooks is None:
        return None
    query = Query(features=(features[0].name,)).address() if features else ""
    return f"{links.runbooks}/{alert}{query}"


def _cause(report: DriftReport, features: Sequence[ColumnVerdict]) -> str:
    """Return where to look first."""
    if len(features) >= MANY:
        return (
            f"{len(features):,} features changed. Look first for one broken upstream source that they share, or a new "
            "group of users."
        )
    name, i = features[0].name, report.baseline.names.index(features[0].name)
    share = features[0].finding.share if features[0].finding else None
    special = report.baseline.columns[i].bins.special
    window = verdict_window(report, i)
    terms = report.baseline.psi_terms(window.counts, window.reference)[i]
    if share is not None and int(terms.argmax()) == special.get(MISSING) and share.ratio > share.reference_ratio:
        return f"Check the source of {name}: its values are missing."
    if share is not None and int(terms.argmax()) == special.get(UNSEEN):
        return f"Check the source of {name}: it sends values that the reference does not have."
    factor = _factor(float(window.sample.mean[i]), report.baseline.columns[i].mean)
    if factor:
        return f"Check the unit of {name}: its mean is {factor} the reference's."
    return f"Ask the owner of {name}'s source what changed. Its distribution shows which values moved."


def _factor(now: float, before: float) -> str:
    """Return the round factor between two means, in words; empty if there is none."""
    if not (now > 0.0 and before > 0.0):  # NaN too
        return ""
    for factor, words in FACTORS.items():
        if abs(now / before / factor - 1.0) < 0.02:
            return f"{words} times"
        if abs(before / now / factor - 1.0) < 0.02:
            return f"a {words}th part of" if factor >= 10.0 else f"{short(1.0 / factor)} times"
    return ""
