from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from driftgauge.about import About
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.wording import sentence
from driftgauge.edges.web.facts import NO_LINKS, Health, PageFacts, Traffic
from driftgauge.edges.web.query import MOST_FEATURES, Query
from driftgauge.edges.web.render import SCRIPT, STYLE, asset, render_page, render_report
from driftgauge.edges.web.view import mail_address
from driftgauge.edges.web.words import UNKNOWN
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import abouts
from tests.abouts import USUAL
from tests.effort import examples
from tests.full_page import full_page
from tests.html_pages import Tree, empty_report, late_report, many_report, mixed_report, page_of, report_of, tree_of
from tests.monitors import START

REPORT = report_of()
RISEN = Query(features=("risen",))
TRAFFIC = Traffic(1_234.0, 2.0, 3.0, "missing_feature", 0.002, 0.3, 0.25, 0.0)


# ---------------------------------------------------------------- the verdict


def test_the_verdict_comes_first_then_what_moved_since_when_and_what_to_do() -> None:
    words = tree_of(REPORT).words
    order = ["Drift in 2 of 3 columns", REPORT.reason, "What moved, and since when", "What to do", "Features"]
    assert [words.index(part) for part in order] == sorted(words.index(part) for part in order)
    assert "since 2023-11-14 22:13 UTC, 40 s ago" in tree_of(report_of(seconds=40.0)).words
    assert "Drift in 2 of 3 columns" in page_of(REPORT)[: page_of(REPORT).index("</title>")]


def test_a_quiet_model_has_nothing_to_do() -> None:
    words = tree_of(report_of(shift=0.0)).words
    assert "No drift " in words
    assert "Nothing to do." in words
    assert "What moved" not in words


def test_without_rows_there_is_a_page_too() -> None:
    for query in (Query(), Query(features=("x",))):
        words = tree_of(empty_report("x"), query).words
        assert "Not enough data for a verdict yet" in words
        assert UNKNOWN in words
    assert "not enough data: 0 of 200 rows" in words


def test_a_drift_of_the_scores_is_said_and_drawn() -> None:
    words = tree_of(mixed_report()).words
    assert "and the model's scores" in words
    assert "Tell the model's owner." in words
    report = mixed_report()
    now, before = report.main.sample.mean[2], report.baseline.columns[2].mean
    assert f"Mean {now:.3g} in the last {report.main.rows:,} rows (reference: {before:.3g})." in words


def test_shares_of_another_window_than_the_distribution_s_say_so() -> None:
    said = (
        "These shares are those of the last 3,500 rows, the sentence and the distribution those of the last 500 rows."
    )
    assert said in tree_of(late_report(), Query(features=("x",))).words
    assert "These shares" not in tree_of(REPORT, RISEN).words


def test_a_change_without_a_time_of_its_own_has_no_since() -> None:
    assert "Since" not in REPORT.reason
    words = tree_of(REPORT).words
    assert "0 s ago" not in words
    assert "since 2023" not in words


def test_the_reference_has_no_row_of_what_it_never_saw() -> None:
    report = mixed_report()
    expected = report.main.reference.copy()
    expected[1, report.baseline.columns[1].bins.special["unseen"]] = 7.0  # an estimate
    windows = {name: replace(window, reference=expected) for name, window in report.windows.items()}
    words = tree_of(replace(report, windows=windows), Query(features=("letter",))).words
    assert re.search(r"Largest difference: never seen before, \d+ % of rows now and 0 % in the reference\.", words)


def test_a_table_has_a_window_of_its_rows_and_no_latency() -> None:
    table = next(iter(REPORT.windows.values()))
    words = tree_of(replace(REPORT, windows={"table": replace(table, start=None, end=None, slides=False)})).words
    assert "Window 1,000 rows of the table" in words
    assert "nothing measured yet" in tree_of(REPORT, traffic=replace(TRAFFIC, latency_p99=float("nan"))).words


def test_the_baseline_has_a_date_as_other_times_have_it() -> None:
    report = mixed_report()
    date = f"{report.baseline.created[:10]} {report.baseline.created[11:16]} UTC"
    assert f"5,000 rows, hash {report.baseline.hash[:12]}, created {date}" in tree_of(report).words
    assert f"hash {REPORT.baseline.hash[:12]}, undated" in tree_of(REPORT).words


def test_the_end_of_learning_is_shown() -> None:
    assert "learns how live data varies" not in tree_of(REPORT).words
    assert "until 2023-11-28 22:13:20 UTC" in tree_of(replace(REPORT, learning_until=START + 14 * 86_400)).words


def test_a_column_says_why_its_severity_is_limited() -> None:
    findings = [verdict.finding for verdict in REPORT.verdicts]
    learning = [replace(finding, limited="the baseline has no times") for finding in findings if finding]
    limited = [replace(v, finding=finding) for v, finding in zip(REPORT.verdicts, learning, strict=True)]
    assert tree_of(replace(REPORT, verdicts=tuple(limited))).words.count("The baseline has no times.") == 3
    assert "The baseline has no times." not in tree_of(REPORT).words


def test_problems_and_traffic_are_shown() -> None:
    plain = tree_of(REPORT).words
    shown = tree_of(
        REPORT,
        health=Health(["evaluation_failed: <b>"], "files", 2),
        traffic=TRAFFIC,
    )
    for words in ("Monitoring has a problem", "evaluation_failed: <b>", "1,234", "300 ms", "0.16 %"):
        assert words in shown.words
        assert words not in plain


def test_whom_to_ask_is_at_the_top_and_what_the_model_is_below() -> None:
    tree = tree_of(belonging_to(REPORT, USUAL))
    parts = (f"Owner: {USUAL.owner}", f"Contact: {USUAL.contact}", "What moved", "About the model", USUAL.training_data)
    places = [tree.words.index(str(part)) for part in parts]
    assert places == sorted(places)
    assert all(text in tree.words for text in USUAL.stated.values())
    links = [attributes for tag, attributes in tree.elements if tag == "a"]
    assert {"href": "mailto:fraud@example.org"} in links
    assert {"href": USUAL.docs_url, "rel": "noopener noreferrer"} in links
    plain = tree_of(REPORT).words
    assert "About the model" not in plain
    assert "Owner:" not in plain


def test_texts_about_the_model_are_text_and_nothing_else() -> None:
    tree, plain = tree_of(belonging_to(REPORT, abouts.HOSTILE)), tree_of(belonging_to(REPORT, USUAL))
    assert all(" ".join(text.split()) in tree.words for text in abouts.HOSTILE.stated.values())
    # One link less, because the hostile contact is no address.
    assert sorted([tag for tag, _ in tree.elements] + ["a"]) == sorted(tag for tag, _ in plain.elements)
    assert abouts.HOSTILE.docs_url in tree.targets()
    assert not [name for _, attributes in tree.elements for name in attributes if name.startswith("on")]


@pytest.mark.parametrize(
    ("contact", "address"),
    [
        ("fraud@example.org", "mailto:fraud@example.org"),
        ("a&b?subject=x@example.org", "mailto:a%26b%3Fsubject%3Dx@example.org"),
        ("#fraud in the chat", ""),
        ("a@b, c@d", ""),
    ],
)
def test_a_contact_that_is_an_address_is_a_link(contact: str, address: str) -> None:
    assert mail_address(contact) == address


def belonging_to(report: DriftReport, about: About) -> DriftReport:
    return replace(report, baseline=replace(report.baseline, about=about))


def test_what_limits_the_baseline_is_shown() -> None:
    assert "The reference has no times (--time)" in tree_of(REPORT).words


# ---------------------------------------------------------------- the table


def test_columns_are_listed_worst_first_with_what_moved() -> None:
    words = tree_of(REPORT).words
    rows = words[words.index("Out of range") :]
    order = [REPORT.verdicts[i].name for i in REPORT.worst_first]
    assert order[-1] == "calm"
    assert [rows.index(name) for name in order] == sorted(rows.index(name) for name in order)
    for verdict in REPORT.verdicts:
        assert verdict.finding is not None
        assert verdict.finding.moved in rows


def test_a_bar_is_filled_up_to_its_mark_at_the_threshold() -> None:
    bars = re.findall(r'class="bar( over)?" viewBox="0 0 90 8".*?d="M0 4h([\d.]+)"', page_of(REPORT))
    assert {bool(over) for over, _ in bars} == {True, False}
    for over, length in bars:
        assert (float(length) >= 60.0) == bool(over)
        assert float(length) <= 90.0


def test_a_row_draws_reference_and_window_bin_by_bin() -> None:
    shapes = re.findall(
        r'class="shape".*?class="reference" d="(.*?)"/><path class="current" d="(.*?)"', page_of(REPORT)
    )
    assert len(shapes) == len(REPORT.baseline.columns)
    (before, now) = shapes[[REPORT.verdicts[i].name for i in REPORT.worst_first].index("gone")]
    heights = [[int(height) for height in re.findall(r"v-(\d+)", side)] for side in (before, now)]
    assert heights[1][-1] == 23  # all rows are missing
    assert set(heights[1][:-1]) == {0}
    assert max(heights[0]) <= 3
    assert 'class="shape"' not in page_of(empty_report("x"))


def test_a_thousand_columns_are_paged_and_take_little_room() -> None:
    report = many_report(1_000)
    text = page_of(report)
    assert len(gzip.compress((text + asset(STYLE).text + asset(SCRIPT).text).encode())) < 50_000
    assert "1–50 of 1,000" in Tree(text).words
    assert "951–1,000 of 1,000" in tree_of(report, Query(page=99)).words
    found = tree_of(report, Query(search="COLUMN 099", show="critical")).words
    assert "1–3 of 3" in found
    assert "No feature matches" in tree_of(report, Query(search="nothing")).words


@pytest.mark.parametrize("sort", ["name", "psi", "evidence", "missing"])
def test_the_table_can_be_sorted(sort: str) -> None:
    report = REPORT
    values = {
        "name": ["calm", "gone", "risen"],
        "psi": sorted(report.baseline.names, key=lambda n: -report.main.psi.debiased[report.baseline.names.index(n)]),
        "evidence": sorted(report.baseline.names, key=lambda n: -report.evidence.log10[report.baseline.names.index(n)]),
        "missing": ["gone"],
    }
    tree = tree_of(report, Query(sort=sort))
    listed = [target.removeprefix("?feature=").partition("&")[0] for target in tree.targets() if "&sort" in target]
    rows = [name for name in listed if name in report.baseline.names][-3:]
    assert rows[: len(values[sort])] == values[sort]


# ---------------------------------------------------------------- one feature


def test_a_column_is_shown_bin_by_bin_with_its_part_of_the_psi() -> None:
    words = tree_of(REPORT, RISEN).words
    column = REPORT.baseline.columns[1]
    for name in column.bins.names[1:-2]:
        assert name in words
    terms = REPORT.baseline.psi_terms(REPORT.main.counts, REPORT.main.reference)[1]
    assert terms.sum() == pytest.approx(REPORT.main.psi.psi[1])
    most = int(terms.argmax())
    assert f"{100 * terms[most] / terms.sum():.0f} %" in words
    assert "calm" not in words


def test_a_column_is_shown_with_every_statistic_and_its_settings() -> None:
    words = tree_of(REPORT, RISEN).words
    for name in ("psi_debiased", "ks_statistic", "p95", "1,000 rows", "24h", "median", "0.10 warning, 0.20 critical"):
        assert name in words
    assert f"{REPORT.main.sample.mean[1]:.3g}" in words
    assert "1 row (unknown without times in the reference)" in words
    columns = tuple(replace(column, tau=633.1) for column in REPORT.baseline.columns)
    timed = replace(REPORT.evidence, tau=np.full(3, 633.1))
    shown = replace(REPORT, baseline=replace(REPORT.baseline, columns=columns), evidence=timed)
    assert "633 rows (633 in the reference)" in tree_of(shown, RISEN).words


def test_a_column_of_categories_shows_the_new_one() -> None:
    words = tree_of(mixed_report(), Query(features=("letter",))).words
    assert "never seen before" in words
    assert "standard deviation " not in words[words.index("Distribution") : words.index("Settings")]


def test_an_unknown_feature_is_said_above_the_overview() -> None:
    words = tree_of(REPORT, Query(features=("nothing",))).words
    assert words.index("There is no feature “nothing”") < words.index("What moved")


def test_a_page_shows_a_few_features_at_most() -> None:
    report = many_report(MOST_FEATURES + 3)
    tree = tree_of(report, Query(features=report.baseline.names))
    assert len([tag for tag, _ in tree.elements if tag == "article"]) == MOST_FEATURES


# ---------------------------------------------------------------- the report


def test_a_report_is_one_file_without_scripts_or_addresses() -> None:
    text = render_report(PageFacts("churn", "3", REPORT, links=NO_LINKS))
    tree = Tree(text)
    assert not {"script", "img", "form"} & {tag for tag, _ in tree.elements}
    (icon,) = (attributes["href"] for tag, attributes in tree.elements if tag == "link")
    assert str(icon).startswith("data:")
    assert all(target.startswith("#") for target in tree.targets())
    assert asset(STYLE).text in text
    for name in REPORT.baseline.names:
        assert name in tree.words
    ids = {attributes["id"] for _, attributes in tree.elements if "id" in attributes}
    assert {target[1:] for target in tree.targets()} <= ids
    for finding in (verdict.finding for verdict in REPORT.verdicts):
        assert finding is not None
        assert sentence(finding.in_words(REPORT.status)) or finding.moved in tree.words


def test_a_report_lists_every_column_on_one_page() -> None:
    report = many_report(120)
    words = Tree(render_report(PageFacts("churn", "3", report))).words
    assert "1–120 of 120" in words


# ---------------------------------------------------------------- hostile names

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a&b=c#d?e/../f",
    "'\n\t</table>",
    "ümläut 漢字 🙂",
)


@pytest.mark.parametrize("features", [True, False])
@pytest.mark.parametrize("as_report", [True, False])
def test_names_are_text_and_nothing_else(features: bool, as_report: bool) -> None:
    facts = PageFacts(HOSTILE[0], HOSTILE[1], report_of(HOSTILE), Health([HOSTILE[0]]))
    query = Query(features=HOSTILE if features else (), search="", model=HOSTILE[1])
    text = render_report(facts, query) if as_report else render_page(facts, query)
    tree = Tree(text)
    assert [attributes for tag, attributes in tree.elements if tag == "script" and "src" not in attributes] == []
    assert "img" not in {tag for tag, _ in tree.elements}
    assert not [
        name for _, attributes in tree.elements for name in attributes if name.startswith("on") or name == "style"
    ]
    for name in HOSTILE:
        assert " ".join(name.split()) in tree.words
    links = [target for target in tree.targets() if "feature=" in target]
    assert as_report or len(links) >= len(HOSTILE)
    assert all(re.fullmatch(r"[\w?=.~%&+*/-]+", target) for target in links)


def renamed(report: DriftReport, names: list[str]) -> DriftReport:
    columns = tuple(replace(c, name=name) for c, name in zip(report.baseline.columns, names, strict=True))
    verdicts = tuple(
        replace(v, name=name, reason=f"{name}: {name}") for v, name in zip(report.verdicts, names, strict=True)
    )
    return replace(
        report, baseline=replace(report.baseline, columns=columns), verdicts=verdicts, reason=names[0], correlation=None
    )


@settings(deadline=None, max_examples=examples(30))
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), min_size=3, max_size=3, unique=True))
def test_any_names_leave_the_page_whole(names: list[str]) -> None:
    plain = tree_of(renamed(REPORT, ["x", "y", "z"]))
    text = page_of(renamed(REPORT, names))
    assert [tag for tag, _ in Tree(text).elements] == [tag for tag, _ in plain.elements]
    assert names[2].replace(" %", "\xa0%") in unescape(text)


# ---------------------------------------------------------------- all sections


@pytest.mark.parametrize("render", [render_page, render_report])
def test_each_section_of_a_full_page_stands_once(render: Callable[[PageFacts, Query], str]) -> None:
    tree = Tree(render(full_page(), Query()))
    ids = [str(attributes["id"]) for _, attributes in tree.elements if "id" in attributes]
    assert sorted(ids) == sorted(set(ids))
    assert {
        "performance",
        "cohorts-table",
        "labels",
        "outcomes",
        "estimated",
        "references",
        "releases",
        "about",
    } <= set(ids)


def test_what_a_heading_labels_refers_to_an_element_of_the_page() -> None:
    tree = Tree(render_page(full_page(), Query()))
    ids = {attributes.get("id") for _, attributes in tree.elements}
    named = [str(attributes["aria-labelledby"]) for _, attributes in tree.elements if "aria-labelledby" in attributes]
    assert named
    assert [name for name in named if name not in ids] == []
