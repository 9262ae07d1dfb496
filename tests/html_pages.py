"""Reports with every kind of change, their pages, and what a browser makes of a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

import numpy as np
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.edges.web.facts import PageFacts
from driftgauge.edges.web.query import Query
from driftgauge.edges.web.render import render_page
from driftgauge.monitor.monitor import ColumnMonitor

from tests.monitors import CREATED, START, small_options

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
NAMES = ("calm", "risen", "gone")
LETTERS = ("a", "b", "c")


class Tree(HTMLParser):
    """What a browser makes of a page: its elements with attributes, its text, and whether every tag is closed."""

    VOID = ("meta", "link", "input", "path")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []
        self.words = " ".join(self.words.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.words += " "
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.words += data.replace("\xa0", " ")

    def targets(self) -> list[str]:
        return [str(attributes["href"]) for tag, attributes in self.elements if tag == "a"]

    def having(self, name: str, value: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.elements if value in str(attributes.get(name, "")).split()]


def watching(baseline: Baseline) -> ColumnMonitor:
    """A monitor of a baseline with one window of 1,000 rows."""
    return ColumnMonitor(baseline, model_name="churn", model_version="3", now=START, options=small_options(1_000))


def report_of(names: Sequence[str] = NAMES, rows: int = 1_000, shift: float = 2.0, seconds: float = 0.0) -> DriftReport:
    """The report on columns of which the second has moved, and the third is missing."""
    rng = np.random.default_rng(0)
    baseline = build_baseline({name: rng.normal(size=5_000) for name in names}, created="")
    values = rng.normal(size=(rows, len(names)))
    values[:, 1] += shift
    if shift:
        values[:, 2] = math.nan
    return observed(baseline, values, seconds)


def mixed_report(rows: int = 1_000) -> DriftReport:
    """The report on a number, letters of which one is new, and a score that has risen."""
    rng = np.random.default_rng(1)
    letters = Categories(rng.choice(3, 5_000, p=[0.5, 0.3, 0.2]), LETTERS)
    columns: Table = {"number": rng.normal(size=5_000), "letter": letters, "prediction": rng.beta(2, 5, 5_000)}
    baseline = build_baseline(columns, created=CREATED)
    now = rng.choice(["a", "b", "new"], rows)
    cells = [rng.normal(size=rows), baseline.columns[1].bins.encode(now.tolist()), rng.beta(5, 2, rows)]
    return observed(baseline, np.column_stack(cells))


def late_report() -> DriftReport:
    """The report on a column that moved in the last 500 of 3,500 rows, in windows of 500 and 5,000."""
    rng = np.random.default_rng(3)
    baseline = build_baseline({"x": rng.normal(size=5_000)}, created=CREATED)
    options = small_options(500, 5_000)
    monitor = ColumnMonitor(baseline, model_name="churn", model_version="3", now=START, options=options)
    monitor.observe(np.append(rng.normal(size=3_000), rng.normal(2.0, size=500))[:, np.newaxis], arrival=START)
    monitor.evaluate(START)
    return monitor.last.report


def many_report(columns: int, moved: int = 3, rows: int = 600) -> DriftReport:
    """The report on many columns, of which the last have moved."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=2_000)
    baseline = build_baseline({f"column {i:04}": values for i in range(columns)}, created="")
    cells = np.repeat(rng.normal(size=(rows, 1)), columns, axis=1)
    cells[:, columns - moved :] += 3.0
    return observed(baseline, cells)


def observed(baseline: Baseline, values: Any, seconds: float = 0.0) -> DriftReport:
    """The report on rows, some seconds after they came."""
    monitor = watching(baseline)
    monitor.observe(values, arrival=START)
    monitor.evaluate(START + seconds)
    return monitor.last.report


def empty_report(*names: str) -> DriftReport:
    return watching(build_baseline({name: np.arange(500.0) for name in names}, created="")).last.report


def page_of(report: DriftReport, query: Query | None = None, **facts: Any) -> str:
    return render_page(PageFacts("churn", "3", report, **facts), query or Query())


def tree_of(report: DriftReport, query: Query | None = None, **facts: Any) -> Tree:
    return Tree(page_of(report, query, **facts))
