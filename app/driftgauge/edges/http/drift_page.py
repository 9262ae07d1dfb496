"""`GET /drift/status` in a browser: the verdict, then the columns, worst first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final
from urllib.parse import urlencode

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.verdict.column_statistics import COLUMN_STATISTICS
from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.numbers import short
from driftgauge.drift.verdict.report import ColumnVerdict, DriftReport
from driftgauge.drift.verdict.wording import notes, sentence
from driftgauge.edges.http.about_html import what_it_is, whom_to_ask
from driftgauge.edges.http.drift_page_style import STYLE
from driftgauge.edges.http.html_page import document

UNKNOWN: Final = "–"
OPEN_ROWS: Final = 40
"""Columns without a change that are listed unasked; more are folded away."""
_BAR: Final = 60.0
"""Width of a bar, of which the threshold is at two thirds."""
_AT_THRESHOLD: Final = _BAR * 2.0 / 3.0


@dataclass(frozen=True)
class Shown:
    """The model and the report that a page shows."""

    model_name: str
    model_version: str
    report: DriftReport
    problems: Sequence[str]
    """Problems of monitoring itself."""
    features: frozenset[str] | None = None
    """Columns to show, with every statistic; None for a summary of all."""
    asked_model: str | None = None
    """The model that the query names, for the links of the page."""


def page(shown: Shown) -> str:
    """Return the page; every name and text in it is escaped."""
    report = shown.report
    columns = [i for i in report.worst_first if shown.features is None or report.verdicts[i].name in shown.features]
    changed = [i for i in columns if report.verdicts[i].severity is not None]
    rest = [i for i in columns if report.verdicts[i].severity is None]
    parts = [
        _header(shown),
        _problems(shown.problems),
        _section("Significant changes", _table(shown, changed), is_open=True) if changed else "",
        _section(_title_of_rest(report, rest), _table(shown, rest), is_open=len(rest) <= OPEN_ROWS) if rest else "",
        *(_every_statistic(report, i) for i in columns if shown.features is not None),
        _about(report),
        _notes(report),
        _footer(shown),
    ]
    return document(f"{report.severity or report.status}: {shown.model_name}", STYLE, "".join(parts))


# ---------------------------------------------------------------- the verdict


def _header(shown: Shown) -> str:
    report = shown.report
    return (
        f'<header class="{report.severity or report.status}">'
        f'<p class="model">{escape(shown.model_name)} <span>version {escape(shown.model_version)}</span></p>'
        f"<h1>{report.status}{_badge(report.severity) if report.severity else ''}</h1>"
        f'<p class="reason">{_text(report.reason)}</p>{_listed(_facts(report))}</header>'
    )


def _listed(facts: Iterable[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<div><dt>{name}</dt><dd>{text}</dd></div>' for name, text in facts)}</dl>"


def _facts(report: DriftReport) -> Iterator[tuple[str, str]]:
    changed = sum(verdict.severity is not None for verdict in report.verdicts)
    yield "evaluated", _moment(report.evaluated_at)
    yield "rows observed", f"{report.rows_observed:,}"
    yield "main window", _main_window(report.main)
    if report.learning_until is not None:
        yield "learning until", _moment(report.learning_until)
    yield "columns", f"{len(report.verdicts):,}, {changed:,} changed"
    yield from whom_to_ask(report.baseline.about)


def _main_window(window: WindowReport) -> str:
    rows = f"{window.rows:,} of {window.capacity:,} rows"
    if window.start is None or window.end is None:
        return rows
    return f"{rows}, {_short_moment(window.start)} to {_short_moment(window.end)} UTC"


def _moment(at: float) -> str:
    text = rfc3339(at)
    return f'<time datetime="{text}">{text[:10]} {text[11:19]} UTC</time>'


def _badge(word: str) -> str:
    return f'<span class="badge {word}">{word}</span>'


def _problems(problems: Sequence[str]) -> str:
    if not problems:
        return ""
    return f'<section class="problems"><h2>Monitoring has a problem</h2>{_list(problems)}</section>'


def _about(report: DriftReport) -> str:
    found = list(what_it_is(report.baseline.about))
    return f'<section class="about"><h2>About the model</h2>{_listed(found)}</section>' if found else ""


def _notes(report: DriftReport) -> str:
    found = list(notes(report.baseline, report.evidence.live))
    return f'<section class="notes"><h2>About the baseline</h2>{_list(found)}</section>' if found else ""


def _list(texts: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"


# ---------------------------------------------------------------- columns


def _section(title: str, table: str, *, is_open: bool) -> str:
    return f"<details{' open' if is_open else ''}><summary><h2>{title}</h2></summary>{table}</details>"


def _title_of_rest(report: DriftReport, rest: Sequence[int]) -> str:
    count = f"{len(rest):,} {'column' if len(rest) == 1 else 'columns'}"
    is_whole = len(rest) == len(report.verdicts)
    return count if is_whole else f"{count} without a significant change"


def _table(shown: Shown, columns: Sequence[int]) -> str:
    report = shown.report
    has_since = any(report.verdicts[i].since is not None for i in columns)
    heads = (
        ("Column", ""),
        ("Verdict", ""),
        ("What moved", ""),
        ("PSI", "large at its limit"),
        ("Evidence", f"significant at {report.evidence.threshold_log10:.1f}"),
        *([("Since", "UTC")] if has_since else []),
    )
    head = "".join(_heading(name, note) for name, note in heads)
    rows = "".join(_row(shown, i, has_since=has_since) for i in columns)
    return f'<table class="columns"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _heading(name: str, note: str) -> str:
    below = f"<small>{note}</small>" if note else ""
    return f'<th scope="col" class="{name.lower().replace(" ", "-")}">{name}{below}</th>'


def _row(shown: Shown, i: int, *, has_since: bool) -> str:
    report = shown.report
    verdict = report.verdicts[i]
    address = escape(_address(shown, verdict.name))
    since = f'<td class="since">{"" if verdict.since is None else _short_moment(verdict.since)}</td>'
    return (
        f'<tr class="{verdict.severity or ""}"><th scope="row"><a href="{address}">{escape(verdict.name)}</a></th>'
        f'<td data-head="Verdict">{_badge(verdict.severity or str(verdict.status))}</td>'
        f'<td class="moved">{_moved(verdict)}</td>'
        f'<td data-head="PSI">{_size(verdict)}</td>'
        f'<td data-head="Evidence">{_evidence(report, i)}</td>'
        f"{since if has_since else ''}</tr>"
    )


def _short_moment(at: float) -> str:
    text = rfc3339(at)
    return f'<time datetime="{text}">{text[:10]} {text[11:16]}</time>'


def _moved(verdict: ColumnVerdict) -> str:
    """Return the clause about what moved, and below it how significant and large that is."""
    finding = verdict.finding
    if finding is None or not finding.moved:
        return _text(verdict.reason.removeprefix(f"{verdict.name}: "))
    limited = f"<small>{escape(sentence(finding.limited))}</small>" if finding.limited else ""
    return f"{_text(finding.moved)}<small>{_text(finding.weight(verdict.status))}</small>{limited}"


def _text(words: str) -> str:
    """Return words of a reason, escaped, that do not break before a percent sign."""
    return escape(words).replace(" %", "&nbsp;%")


def _size(verdict: ColumnVerdict) -> str:
    effect = verdict.finding.effect if verdict.finding else None
    if effect is None:
        return UNKNOWN
    return _bar(effect.psi_debiased, effect.limit, effect.numbers().removeprefix("PSI "))


def _evidence(report: DriftReport, i: int) -> str:
    found = float(report.evidence.log10[i])
    if math.isnan(found):
        return UNKNOWN
    return _bar(found, report.evidence.threshold_log10, f"{found:.1f}")


def _bar(value: float, threshold: float, words: str) -> str:
    """Return a bar with a mark at the threshold, and the number in words below it."""
    width = min(max(value / threshold, 0.0) * _AT_THRESHOLD, _BAR)
    kind = "over" if value >= threshold else "under"
    return (
        f'<svg class="bar {kind}" viewBox="0 0 {_BAR:.0f} 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="track" width="{_BAR:.0f}" height="8"/>'
        f'<rect class="fill" width="{width:.1f}" height="8"/>'
        f'<rect class="mark" x="{_AT_THRESHOLD - 0.5:.1f}" width="1" height="8"/></svg><small>{words}</small>'
    )


# ---------------------------------------------------------------- one column


def _every_statistic(report: DriftReport, i: int) -> str:
    """Return a table of a column's statistics in every window."""
    windows = list(report.windows.values())
    head = "".join(f'<th scope="col">{escape(_window_name(window))}</th>' for window in windows)
    rows = "".join(
        f'<tr><th scope="row"><code>{own.name}</code><small>{escape(own.help)}</small></th>'
        f"{''.join(f'<td>{_number(own.values(window)[i])}</td>' for window in windows)}</tr>"
        for own in COLUMN_STATISTICS
    )
    name = escape(report.verdicts[i].name)
    return (
        f'<section class="statistics"><h2>{name}: statistics by window</h2>'
        f'<p>{_dependence(report, i)}</p><div class="wide"><table>'
        f'<thead><tr><th scope="col">Statistic</th>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>'
    )


def _dependence(report: DriftReport, i: int) -> str:
    reference = report.baseline.columns[i].tau
    of_reference = (
        "unknown without times in the reference" if reference is None else f"{short(reference)} in the reference"
    )
    return (
        f"Autocorrelation time: {short(float(report.evidence.tau[i]))}, {of_reference}. "
        "Number of consecutive rows that carry the information of one independent row."
    )


def _window_name(window: WindowReport) -> str:
    return window.name if window.capacity is None else f"{window.capacity:,} rows"


def _number(value: float) -> str:
    if math.isnan(value):
        return UNKNOWN
    return short(float(value))


# ---------------------------------------------------------------- links


def _footer(shown: Shown) -> str:
    named = sorted(shown.features) if shown.features is not None else []
    links = [
        *([(_address(shown), "All columns")] if named else []),
        (_address(shown, *named, as_json=True), "This report as JSON"),
        *((f"../runbooks/ModelFeatureDrift?{urlencode({'feature': name})}", f"Runbook for {name}") for name in named),
        ("../runbooks", "Runbooks"),
        ("../metrics", "Metrics"),
        ("../docs", "API"),
    ]
    anchors = "".join(f'<a href="{escape(address)}">{escape(text)}</a>' for address, text in links)
    return f"<footer><nav>{anchors}</nav></footer>"


def _address(shown: Shown, *features: str, as_json: bool = False) -> str:
    """Return the address of some columns, relative to this page: it then works under any path of a proxy."""
    model = [("model", shown.asked_model)] if shown.asked_model is not None else []
    query = [*model, *(("feature", name) for name in features), *([("format", "json")] if as_json else [])]
    return f"?{urlencode(query, errors='replace')}"
