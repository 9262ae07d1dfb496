"""The report of a check as a table in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from driftgauge.checks.report_columns import SCORES, SHARES, moved, verdict_in_words
from driftgauge.common.quoting import shortened
from driftgauge.drift.quality.report import QualityReport
from driftgauge.drift.verdict.report import all_notes

if TYPE_CHECKING:
    from driftgauge.checks.report import CheckReport, WindowVerdict

MOST_ROWS: Final = 50
"""Most rows of a table; a history has the last ones, a window the worst ones."""
LONGEST_NAME: Final = 80
_TABLE: Final = '<table style="border-collapse:collapse;color:inherit;font:inherit">'
_LINE: Final = '<tr style="border-bottom:1px solid;vertical-align:top">'
_NUMBERS: Final = (*SCORES, *SHARES)


def html_of(report: CheckReport) -> str:
    """Return a fragment without scripts or style sheets, in the colours of its surroundings."""
    # The classes keep a notebook from typesetting dollar signs in names as formulas.
    parts = ['<div class="tex2jax_ignore mathjax_ignore">']
    shown = report.worst
    rows = f"{report.rows:,} rows" + (f" in {len(report.windows):,} windows" if report.is_history else "")
    parts.append(f"<p><strong>{verdict_in_words(shown.report)}</strong> · {rows}<br>{escape(shown.report.reason)}</p>")
    if report.is_history:
        parts += [*_history(report), f"<p>Columns in the window {_name(shown.window)}:</p>"]
    parts += _columns(shown)
    if shown.quality is not None:
        parts += _constraints(shown.quality)
    said = [*report.remarks, *(f"note: {note}" for note in all_notes(shown.report))]
    parts += [f"<p>{escape(sentence)}</p>" for sentence in said]
    return "".join([*parts, "</div>"])


def _columns(verdict: WindowVerdict) -> Iterator[str]:
    report = verdict.report
    headings = ["column", "status", "severity", *(number.heading for number in _NUMBERS), "what moved"]
    rows = ([*_column(verdict, index)] for index in report.worst_first[:MOST_ROWS])
    yield _table(headings, rows, range(3, 3 + len(_NUMBERS)))
    left = len(report.verdicts) - MOST_ROWS
    if left > 0:
        yield f"<p>{left:,} more columns: to_frame() has all of them.</p>"


def _column(verdict: WindowVerdict, index: int) -> Iterator[str]:
    report = verdict.report
    column = report.verdicts[index]
    yield _name(column.name)
    yield str(column.status)
    yield f"<strong>{column.severity}</strong>" if column.severity else "-"
    yield from (number.text(report, index) for number in _NUMBERS)
    yield escape(moved(column))


def _constraints(quality: QualityReport) -> Iterator[str]:
    """Yield how many constraints are violated, and the worst of them."""
    violated = quality.violated
    yield f"<p>{escape(quality.summary)}</p>"
    if violated:
        headings = ["constraint", "severity", "rows", "reason"]
        rows = (
            [escape(own.constraint), escape(own.severity or "-"), f"{own.ratio:.1%}", escape(own.reason)]
            for own in violated[:MOST_ROWS]
        )
        yield _table(headings, rows, range(2, 3))


def _history(report: CheckReport) -> Iterator[str]:
    left = len(report.windows) - MOST_ROWS
    if left > 0:
        yield f"<p>{left:,} earlier windows: to_frame() has all of them.</p>"
    yield _table(
        ["window", "rows", "verdict", "drifted features"],
        (
            [
                _name(one.window),
                f"{one.rows:,}",
                verdict_in_words(one.report),
                ", ".join(map(_name, one.report.drifted)) or "-",
            ]
            for one in report.windows[-MOST_ROWS:]
        ),
        range(1, 2),
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int]) -> str:
    """Return a table of cells that are HTML; the columns in `numbers` are aligned to the right."""
    ends = ["right" if index in numbers else "left" for index in range(len(headings))]
    sides = [f'style="text-align:{end};padding:0.2em 0.7em"' for end in ends]
    head = "".join(f'<th scope="col" {side}>{text}</th>' for side, text in zip(sides, headings, strict=True))
    lines = ("".join(f"<td {side}>{cell}</td>" for side, cell in zip(sides, cells, strict=True)) for cells in rows)
    body = "".join(f"{_LINE}{line}</tr>" for line in lines)
    return f"{_TABLE}<thead>{_LINE}{head}</tr></thead><tbody>{body}</tbody></table>"


def _name(name: str) -> str:
    """Return a name, isolated from the direction of its surroundings."""
    return f"<bdi>{escape(shortened(name, LONGEST_NAME))}</bdi>"
