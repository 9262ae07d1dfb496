from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.report import CheckReport
from driftgauge.checks.table import check

from tests.checks.test_check import days, usual_frame
from tests.monitors import START, small_baseline

TAGS = {"div", "p", "strong", "br", "table", "thead", "tbody", "tr", "th", "td", "bdi"}
ATTRIBUTES = {"class", "style", "scope"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></table>",
    "&amp;",
    "$x^2$",
    "\u202eabc",
    "two\nlines",
    "' onmouseover='x",
)


class Reader(HTMLParser):
    """Reads the rows of tables, the texts, and every tag and attribute."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")
        if tag != "br":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


def read(report: CheckReport) -> Reader:
    found = Reader(report._repr_html_())
    assert found.open == []
    return found


def test_a_notebook_shows_the_verdict_and_a_row_per_column_worst_first() -> None:
    report = check(small_baseline(), usual_frame(1_000, age=50.0), now=START)
    found = read(report)
    assert found.text.startswith("drift_detected (critical) · 1,000 rows")
    assert report.reason in found.text
    headings = ["column", "status", "severity", "evidence", "PSI", "limit", "missing", "unseen", "what moved"]
    assert found.rows[0] == headings
    names = [small_baseline().names[i] for i in report.worst.report.worst_first]
    assert [row[0] for row in found.rows[1:]] == names
    age, main = found.rows[1], report.worst.report.main
    assert age[:3] == ["age", "drift_detected", "critical"]
    assert age[4:6] == [f"{main.psi.debiased[0]:.3f}", "0.100"]
    assert age[8] == "mean 49.5 (reference: 39.9)"


def test_a_notebook_shows_the_windows_of_a_history_and_the_worst_one() -> None:
    report = check(small_baseline(), days([40.0, 60.0, 50.0]), CheckOptions(time="at", every="1d"))
    found = read(report)
    assert "3,000 rows in 3 windows" in found.text
    assert found.rows[:3] == [
        ["window", "rows", "verdict", "drifted features"],
        ["2023-11-14", "1,000", "normal", "-"],
        ["2023-11-15", "1,000", "drift_detected (critical)", "age"],
    ]
    assert "Columns in the window 2023-11-15:" in found.text
    assert len(found.rows) == 4 + 5


def test_of_a_long_history_the_last_windows_are_shown() -> None:
    report = check(small_baseline(), days([40.0] * 52, rows=250), CheckOptions(time="at", every="1d"))
    found = read(report)
    assert "2 earlier windows: to_frame() has all of them." in found.text
    assert found.rows[1][0] == report.windows[2].window


def test_remarks_and_notes_stand_below_the_table() -> None:
    report = check(small_baseline(), usual_frame(300).drop(columns="prediction"))
    text = read(report).text
    assert "not compared, because the table lacks it: prediction" in text
    assert "note: the reference has no times" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_shown_as_text(name: str) -> None:
    column = replace(small_baseline().columns[0], name=name)
    baseline = replace(small_baseline(), columns=(column,))
    moved = np.random.default_rng(0).normal(90.0, 10.0, 3_000)
    timed = {name: moved, "at": START + np.arange(3_000.0) * 80}
    for options in (CheckOptions(), CheckOptions(time="at", every="1d")):
        report = check(baseline, timed, options)
        found = read(report)
        assert name in [row[0] for row in found.rows]
        assert found.tags <= TAGS
        assert found.attributes.keys() <= ATTRIBUTES
        assert report.drifted_features == (name,)
        assert report.to_frame().xs(name, level="column" if report.is_history else None).size
        assert "\n" not in repr(report)


def test_categories_in_sentences_are_escaped() -> None:
    report = check(small_baseline(), usual_frame(600).assign(city='back\\slash "quote"\nnew line'))
    assert 'back\\slash "quote"' in read(report).text
    assert 'back\\slash "quote"' not in report._repr_html_()


def test_a_long_name_is_cut_and_dollars_are_no_formulas() -> None:
    column = replace(small_baseline().columns[0], name="x" * 10_000)
    report = check(replace(small_baseline(), columns=(column,)), {column.name: np.full(300, 40.0)})
    found = read(report)
    assert found.rows[1][0] == "x" * 79 + "…"
    assert found.attributes["class"] == {"tex2jax_ignore mathjax_ignore"}


def test_colours_are_those_of_the_notebook() -> None:
    styles = " ".join(read(check(small_baseline(), usual_frame(300))).attributes["style"])
    assert set(re.findall(r"color:(\w+)", styles)) == {"inherit"}
    assert "background" not in styles
