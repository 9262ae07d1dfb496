from __future__ import annotations

import gzip
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from driftgauge.about import About
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import Status
from driftgauge.edges.http.drift_page import OPEN_ROWS, UNKNOWN, Shown, page
from driftgauge.edges.http.drift_page_style import STYLE
from driftgauge.monitor.monitor import ColumnMonitor
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import abouts
from tests.abouts import USUAL
from tests.effort import examples
from tests.examples import Example
from tests.monitors import START, small_options
from tests.served import Served, served

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
NAMES = ("calm", "risen", "gone")


class Tree(HTMLParser):
    """What a browser makes of a page: its elements with attributes, its text, and whether every tag is closed."""

    VOID = ("meta", "link", "rect")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
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


def watching(baseline: Baseline) -> ColumnMonitor:
    """A monitor of a baseline with one window of 1,000 rows."""
    return ColumnMonitor(baseline, model_name="churn", model_version="3", now=START, options=small_options(1_000))


def report_of(names: Sequence[str] = NAMES, rows: int = 1_000, shift: float = 2.0) -> DriftReport:
    """The report on columns of which the second has moved, and the third is missing."""
    rng = np.random.default_rng(0)
    baseline = build_baseline({name: rng.normal(size=5_000) for name in names}, created="")
    values = rng.normal(size=(rows, len(names)))
    values[:, 1] += shift
    values[:, 2] = math.nan
    monitor = watching(baseline)
    monitor.observe(values, arrival=START)
    monitor.evaluate(START)
    return monitor.last.report


@pytest.fixture(scope="module")
def report() -> DriftReport:
    return report_of()


@pytest.fixture(scope="module")
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        running.predict({"instances": [{**row, "mean area": 3 * row["mean area"]} for row in binary.rows() * 3]})
        yield running


def tree_of(report: DriftReport, **changes: Any) -> Tree:
    shown = Shown("churn", "3", report, [])
    return Tree(page(replace(shown, **changes)))


# ---------------------------------------------------------------- the page


def test_the_verdict_is_at_the_top_with_its_reason(report: DriftReport) -> None:
    words = tree_of(report).words
    assert words.index("churn version 3") < words.index("drift_detected") < words.index(report.reason)
    assert "1,000 of 1,000 rows, " in words
    assert "3, 2 changed" in words


def test_columns_are_listed_worst_first_with_what_moved_and_since_when(report: DriftReport) -> None:
    words = tree_of(report).words
    order = [report.verdicts[i].name for i in report.worst_first]
    assert order[-1] == "calm"
    rows = words[words.index("Significant changes") :]
    places = [rows.index(name) for name in order]
    assert places == sorted(places)
    for verdict in report.verdicts:
        assert verdict.finding is not None
        assert verdict.finding.moved in rows
        assert verdict.severity is None or verdict.finding.weight(verdict.status) in rows
    assert "1 column without a significant change" in rows
    assert "no significant change (PSI " in rows
    assert "2023-11-14 22:13" in rows


def test_without_a_change_all_columns_are_one_table() -> None:
    quiet = report_of(shift=0.0, rows=300)
    words = tree_of(replace(quiet, verdicts=tuple(replace(v, severity=None, since=None) for v in quiet.verdicts))).words
    assert "Significant changes" not in words
    assert "3 columns" in words
    assert "without a significant change" not in words
    assert "Since" not in words


def test_without_rows_there_is_a_page_too() -> None:
    empty = watching(build_baseline({"x": np.arange(500.0)}, created="")).last.report
    tree = tree_of(empty)
    assert "insufficient_data" in tree.words
    assert "not enough data: 0 of 200 rows" in tree.words
    assert UNKNOWN in tree.words


@pytest.mark.parametrize("columns", [OPEN_ROWS, OPEN_ROWS + 1])
def test_many_quiet_columns_are_folded_away(columns: int) -> None:
    empty = watching(build_baseline({f"c{i}": np.arange(500.0) for i in range(columns)}, created="")).last.report
    (folded,) = [attributes for tag, attributes in tree_of(empty).elements if tag == "details"]
    assert ("open" in folded) == (columns <= OPEN_ROWS)


def test_problems_of_monitoring_are_shown(report: DriftReport) -> None:
    assert "Monitoring has a problem" not in tree_of(report).words
    assert "evaluation_failed: <b>" in tree_of(report, problems=["evaluation_failed: <b>"]).words


def test_what_limits_the_baseline_is_shown(report: DriftReport) -> None:
    assert "the reference has no times (--time)" in tree_of(report).words


def test_the_end_of_learning_is_shown(report: DriftReport) -> None:
    assert "learning until" not in tree_of(report).words
    assert "learning until2023-11-28 22:13:20 UTC" in tree_of(replace(report, learning_until=START + 14 * 86_400)).words


def test_a_column_says_why_its_severity_is_limited(report: DriftReport) -> None:
    findings = [verdict.finding for verdict in report.verdicts]
    assert all(findings)
    learning = [replace(finding, limited="the baseline has no times") for finding in findings if finding]
    limited = [replace(v, finding=finding) for v, finding in zip(report.verdicts, learning, strict=True)]
    assert tree_of(replace(report, verdicts=tuple(limited))).words.count("The baseline has no times.") == 2
    assert "The baseline has no times." not in tree_of(report).words


def test_a_column_is_shown_with_its_dependence(report: DriftReport) -> None:
    words = tree_of(report, features=frozenset({"risen"})).words
    assert "Autocorrelation time: 1, unknown without times in the reference." in words
    columns = tuple(replace(column, tau=633.1) for column in report.baseline.columns)
    timed = replace(
        report,
        baseline=replace(report.baseline, columns=columns),
        evidence=replace(report.evidence, tau=np.full(3, 633.1)),
    )
    assert "Autocorrelation time: 633, 633 in the reference." in tree_of(timed, features=frozenset({"risen"})).words


def test_a_column_is_shown_with_every_statistic(report: DriftReport) -> None:
    words = tree_of(report, features=frozenset({"risen"})).words
    assert "risen: statistics by window" in words
    for name in ("psi_debiased", "ks_statistic", "p95", "1,000 rows", "24h"):
        assert name in words
    assert f"{report.main.sample.mean[1]:.3g}" in words
    assert "calm" not in words


def test_a_bar_is_filled_up_to_its_mark_at_the_threshold(report: DriftReport) -> None:
    text = page(Shown("churn", "3", report, []))
    bars = re.findall(r'class="bar (over|under)".*?class="fill" width="([\d.]+)".*?class="mark" x="([\d.]+)"', text)
    assert {kind for kind, _, _ in bars} == {"over", "under"}
    for kind, width, mark in bars:
        assert (float(width) >= float(mark)) == (kind == "over")
        assert float(width) <= 60.0


def test_whom_to_ask_is_at_the_top_and_what_the_model_is_below(report: DriftReport) -> None:
    tree = tree_of(belonging_to(report, USUAL))
    parts = (f"owner{USUAL.owner}", f"contact{USUAL.contact}", "Significant changes", "About the model")
    places = [tree.words.index(part) for part in parts]
    assert places == sorted(places)
    assert all(text in tree.words for text in USUAL.stated.values())
    links = [attributes for tag, attributes in tree.elements if tag == "a"]
    assert {"href": "mailto:fraud@example.org"} in links
    assert {"href": USUAL.docs_url, "rel": "noopener noreferrer"} in links


def test_nothing_is_said_of_a_model_of_which_nothing_is_known(report: DriftReport) -> None:
    words = tree_of(report).words
    assert "About the model" not in words
    assert "owner" not in words


def belonging_to(report: DriftReport, about: About) -> DriftReport:
    return replace(report, baseline=replace(report.baseline, about=about))


# ---------------------------------------------------------------- hostile names


def test_texts_about_the_model_are_text_and_nothing_else(report: DriftReport) -> None:
    tree, plain = tree_of(belonging_to(report, abouts.HOSTILE)), tree_of(belonging_to(report, USUAL))
    assert all(text in tree.words for text in abouts.HOSTILE.stated.values())
    # One link less, because the hostile contact is no address.
    assert sorted([tag for tag, _ in tree.elements] + ["a"]) == sorted(tag for tag, _ in plain.elements)
    assert abouts.HOSTILE.docs_url in tree.targets()
    assert not [name for _, attributes in tree.elements for name in attributes if name.startswith("on")]


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a&b=c#d?e/../f",
    "'\n\t</table>",
    "ümläut 漢字 🙂",
)


@pytest.mark.parametrize("features", [True, False])
def test_names_are_text_and_nothing_else(features: bool) -> None:
    report = report_of(HOSTILE)
    tree = tree_of(
        report,
        model_name=HOSTILE[0],
        model_version=HOSTILE[1],
        problems=[HOSTILE[0]],
        features=frozenset(HOSTILE) if features else None,
    )
    assert not {"script", "img"} & {tag for tag, _ in tree.elements}
    assert not [
        name for _, attributes in tree.elements for name in attributes if name.startswith("on") or name == "style"
    ]
    for name in HOSTILE:
        assert name in tree.words
    links = [target for target in tree.targets() if target.startswith("?feature=")]
    assert len(links) >= len(HOSTILE)
    assert all(re.fullmatch(r"[\w?=.~%&+*-]+", target) for target in links)


@settings(deadline=None, max_examples=examples(30))
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), min_size=3, max_size=3, unique=True))
def test_any_names_leave_the_page_whole(names: list[str]) -> None:
    plain = page(Shown("churn", "3", REPORT, []))
    renamed = replace(
        REPORT,
        verdicts=tuple(
            replace(v, name=name, reason=f"{name}: {name}") for v, name in zip(REPORT.verdicts, names, strict=True)
        ),
        reason=names[0],
    )
    text = page(Shown(names[0], names[1], renamed, []))
    assert [tag for tag, _ in Tree(text).elements] == [tag for tag, _ in Tree(plain).elements]
    assert names[2] in unescape(text)


REPORT = report_of()


# ---------------------------------------------------------------- over HTTP


@pytest.mark.parametrize("accept", ["*/*", "application/json", "", "text/html;q=0.2, application/json"])
def test_programs_get_json(accept: str, server: Served) -> None:
    answer = server.client.get("/drift/status", headers={"accept": accept})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert answer.json()["status"] == "drift_detected"


def test_browsers_get_a_page(server: Served) -> None:
    answer = server.client.get("/drift/status", headers=BROWSER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert server.monitor.last.report.reason in Tree(answer.text).words


def test_the_format_can_be_asked_for(server: Served) -> None:
    told = server.client.get("/drift/status", params={"format": "json"}, headers=BROWSER)
    assert told.json()["status"] == "drift_detected"
    shown = server.client.get("/drift/status", params={"format": "html"})
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    wrong = server.client.get("/drift/status", params={"format": "xml"}, headers=BROWSER)
    assert wrong.status_code == 422
    assert wrong.json()["error"]["code"] == "unknown_format"
    assert wrong.json()["error"]["detail"] == {"field": "format"}
    assert wrong.json()["error"]["message"] == "there is no format 'xml'; there is html, json"


def test_the_page_shows_the_columns_that_the_query_names(server: Served) -> None:
    words = Tree(server.client.get("/drift/status", params={"feature": "mean area"}, headers=BROWSER).text).words
    assert "mean area: statistics by window" in words
    unknown = server.client.get("/drift/status", params={"feature": "nothing"}, headers=BROWSER)
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (422, "unknown_feature")


def test_the_policy_lets_the_pages_style_through_and_no_script(server: Served) -> None:
    answer = server.client.get("/drift/status", headers=BROWSER)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert f"<style>{STYLE}</style>" in answer.text
    assert "<script" not in answer.text
    assert " style=" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_has_a_head_and_is_compressed(server: Served) -> None:
    got = server.client.get("/drift/status", headers=BROWSER)
    head = server.client.head("/drift/status", headers=BROWSER)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    with server.client.stream("GET", "/drift/status", headers={**BROWSER, "accept-encoding": "gzip"}) as answer:
        sent = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert Tree(gzip.decompress(sent).decode()).words == Tree(got.text).words


@pytest.mark.parametrize("query", ["", "?feature=mean%20area", "?model=binary&feature=mean%20area"])
def test_every_link_of_the_page_leads_somewhere(query: str, server: Served) -> None:
    answer = server.client.get(f"/drift/status{query}", headers=BROWSER)
    targets = set(Tree(answer.text).targets())
    assert len(targets) > 4
    for target in targets:
        found = server.client.get(str(answer.url.join(target)), headers=BROWSER)
        assert found.status_code == 200, target
    (json,) = [target for target in targets if "format=json" in target]
    report = server.client.get(str(answer.url.join(json)), headers=BROWSER).json()
    assert list(report["features"])[:1] == (["mean area"] if query else ["mean radius"])
    assert ("model=binary" in json) == ("model" in query)


def test_the_status_of_every_column_is_on_the_page(server: Served) -> None:
    words = Tree(server.client.get("/drift/status", headers=BROWSER).text).words
    for name, column in server.status()["features"].items():
        assert name in words
        assert Status(column["status"]) in words or column["severity"] in words
