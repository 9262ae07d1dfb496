from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from driftgauge.demo import run as demo
from driftgauge.demo.flights import WINTER
from driftgauge.demo.prometheus_stack import Endpoint
from driftgauge.demo.replay import read_status, requests
from driftgauge.demo.year import year_flights
from driftgauge.drift.verdict.numbers import percent
from driftgauge.edges.web.facts import PageFacts
from driftgauge.edges.web.query import Query
from driftgauge.edges.web.render import render_report
from playwright.sync_api import Browser, Locator, Page

from tests.e2e.browser import DESKTOP, PHONE, browser, opened
from tests.e2e.processes import free_port
from tests.edges.web.test_trend import QUIET, REPORT, history_of
from tests.examples import Example
from tests.full_page import full_page
from tests.served import Served, served
from tests.trained_demo import TrainedDemo

pytestmark = pytest.mark.e2e

MOVED = "mean area"
LAYOUT_SHIFT = """
() => new Promise(done => {
    const sum = list => list.getEntries().reduce((total, entry) => total + entry.value, 0);
    new PerformanceObserver(list => done(sum(list))).observe({ type: "layout-shift", buffered: true });
    setTimeout(() => done(0), 500);
})
"""
"""How far the page has moved by itself; 0 if nothing has."""
PAGES = ("/", "/?feature=mean+area", "/?q=mean&sort=psi", "/?feature=nothing", "/drift/report")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        running.predict({"instances": [{**row, MOVED: 3 * row[MOVED]} for row in binary.rows() * 3]})
        yield running


def address_of(server: Served, path: str = "/") -> str:
    return f"{str(server.client.base_url).rstrip('/')}{path}"


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light"), (PHONE, "dark")])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    path: str, size: tuple[int, int], scheme: Literal["light", "dark"], server: Served, chromium: Browser
) -> None:
    with opened(chromium, size, scheme) as own:
        own.page.goto(address_of(server, path))
        own.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        found = Axe().run(own.page)
        assert found.response["violations"] == []
        assert not own.scrolls_sideways
        assert [text for text in own.complaints if "404" not in text] == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_charts_over_time(size: tuple[int, int], theme: str, chromium: Browser) -> None:
    past = history_of(REPORT, [0.1] * 60 + [np.nan] * 20 + [0.9] * 20, [QUIET] * 100)
    facts = PageFacts("churn", "3", REPORT, history=past)
    with opened(chromium, size) as own:
        own.page.set_content(render_report(facts, Query(features=("risen",), theme=theme)))
        own.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert own.page.locator(".over-time").count() == 3
        assert Axe().run(own.page).response["violations"] == []
        assert not own.scrolls_sideways


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_ground_truth_and_releases(theme: str, size: tuple[int, int], chromium: Browser) -> None:
    with opened(chromium, size) as own:
        own.page.set_content(render_report(full_page(), Query(theme=theme)))
        own.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        for section in ("performance", "outcomes", "labels", "estimated", "references", "releases"):
            assert own.page.locator(f"section[aria-labelledby={section}]").is_visible()
        assert own.page.get_by_role("img", name=re.compile("^Accuracy by hour: newest")).is_visible()
        assert Axe().run(own.page).response["violations"] == []
        assert not own.scrolls_sideways


def test_a_theme_is_chosen_without_scripts_and_kept(server: Served, chromium: Browser) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    with opened(chromium, scheme="light", java_script_enabled=False) as own:
        own.page.goto(address_of(server))
        light = own.page.evaluate(background)
        own.page.get_by_role("link", name="Dark", exact=True).click()
        own.page.wait_for_url("**theme=dark*")
        own.page.goto(address_of(server))
        assert own.page.evaluate(background) != light
        own.page.get_by_role("link", name="System", exact=True).click()
        own.page.wait_for_url("**theme=system*")
        assert own.page.evaluate(background) == light


def test_the_page_shows_what_the_status_says_and_loads_nothing_else(server: Served, chromium: Browser) -> None:
    status = server.status()
    with opened(chromium) as own:
        own.page.goto(address_of(server, "/drift/status"))
        assert own.page.url == address_of(server, "/")
        assert status["reason"] in words_of(own.page.locator(".verdict .reason"))
        for name, column in {**status["features"], "prediction": status["prediction"]}.items():
            words = words_of(row_of(own.page, name))
            assert (column["severity"] or "normal") in words
            assert f"{column['evidence_log10']:.1f}" in words
            assert percent(column["missing_ratio"]) in words
        assert own.hosts == {address_of(server).split("/")[2]}
        assert {asked.split("?")[0].rpartition("/")[2] for asked in own.requested} == {
            "status",
            "",
            "page.css",
            "refresh.js",
        }
        assert own.complaints == []


def test_a_feature_is_found_and_opened_by_keyboard(server: Served, chromium: Browser) -> None:
    with opened(chromium) as own:
        own.page.goto(address_of(server))
        own.page.keyboard.press("Tab")
        assert own.page.evaluate("document.activeElement.textContent") == "Skip to the verdict"
        own.page.get_by_role("searchbox").focus()
        own.page.keyboard.type("AREA")
        own.page.keyboard.press("Enter")
        own.page.wait_for_url("**q=AREA*")
        assert own.page.locator(".columns tbody tr").count() == 1
        own.page.get_by_role("link", name=MOVED, exact=True).first.press("Enter")
        own.page.wait_for_url("**feature=mean+area*")
        assert own.page.locator("h1").inner_text() == MOVED
        assert own.complaints == []


def test_without_scripts_the_page_is_complete(server: Served, chromium: Browser) -> None:
    with opened(chromium, java_script_enabled=False) as own:
        own.page.goto(address_of(server, "/?feature=mean+area"))
        own.page.locator("summary").first.click()
        assert own.page.get_by_role("table").first.is_visible()
        assert own.page.get_by_role("link", name="All features").count() == 1


def test_an_open_page_refreshes_itself_and_keeps_what_the_visitor_did(binary: Example, chromium: Browser) -> None:
    with served(binary) as running, opened(chromium) as own:
        own.page.clock.install()
        own.page.goto(address_of(running))
        assert "Not enough data" in own.page.locator("h1").inner_text()
        own.page.locator("#terms summary").click()
        own.page.evaluate("scrollTo(0, 200)")
        running.predict({"instances": binary.rows() * 3})
        own.page.clock.fast_forward(601_000)
        own.page.wait_for_selector("main[data-refreshed='1']")
        assert "Not enough data" not in own.page.locator("h1").inner_text()
        assert own.page.locator("#terms").evaluate("one => one.open")
        assert own.page.evaluate("document.activeElement.textContent") == "What the terms mean"
        assert own.page.evaluate("scrollY") == 200
        assert own.complaints == []


def test_a_page_whose_server_is_gone_stays_as_it_is(binary: Example, chromium: Browser) -> None:
    with opened(chromium) as own:
        with served(binary) as running:
            own.page.clock.install()
            own.page.goto(address_of(running))
        own.page.clock.fast_forward(601_000)
        own.page.wait_for_selector("main[data-missed='1']")
        assert "Not enough data" in own.page.locator("h1").inner_text()


def test_a_saved_report_needs_no_server(server: Served, chromium: Browser) -> None:
    text = server.client.get("/drift/report").text
    with opened(chromium) as own:
        own.page.set_content(text)
        assert "Drift" in own.page.locator("h1").inner_text()
        assert own.page.locator(".bar").first.evaluate("bar => getComputedStyle(bar).display") == "block"
        assert own.requested == []
        assert own.complaints == []


def test_a_script_in_that_browser_gets_json(server: Served, chromium: Browser) -> None:
    with opened(chromium) as own:
        own.page.goto(address_of(server, "/docs"))
        status = own.page.evaluate("fetch('drift/status').then(answer => answer.json()).then(report => report.status)")
        assert status == "drift_detected"


def test_the_first_paint_takes_little(server: Served, chromium: Browser) -> None:
    with opened(chromium) as own:
        own.page.goto(address_of(server))
        sizes = own.page.evaluate(
            "performance.getEntries().filter(e => 'decodedBodySize' in e).map(e => e.decodedBodySize)"
        )
        assert len(sizes) == 3
        assert sum(sizes) < 50_000
        assert own.page.evaluate(LAYOUT_SHIFT) == 0


@pytest.mark.long
def test_the_page_shows_what_the_status_says_through_the_months_of_the_demo(
    trained_year: TrainedDemo, flights: pd.DataFrame, tmp_path: Path, chromium: Browser
) -> None:
    with (
        demo.server(trained_year.bundle, Endpoint(free_port()), tmp_path / "server.log") as (address, _),
        httpx.Client(base_url=address, timeout=60.0) as client,
        opened(chromium) as own,
    ):
        severities, sent, due = set(), 0, 0
        for request in requests(year_flights(flights), WINTER.features, 500):
            client.post("/predict", content=request.body).raise_for_status()
            sent += request.rows
            if sent < due:
                continue
            due = sent + 25_000
            status = read_status(client, sent)
            own.page.goto(address)
            assert status["reason"] in words_of(own.page.locator(".verdict .reason"))
            for name, column in {**status["features"], "prediction": status["prediction"]}.items():
                words = words_of(row_of(own.page, name))
                assert (column["severity"] or BADGES[column["status"]]) in words, (name, words)
                assert f"{column['evidence_log10']:.1f}" in words
            severities.add(status["severity"])
            assert not own.scrolls_sideways
        assert {"critical"} < severities
        assert own.complaints == []


BADGES = {"insufficient_data": "not enough data", "normal": "normal"}


def words_of(one: Locator) -> str:
    return one.inner_text().replace("\xa0", " ")


def row_of(page: Page, name: str) -> Locator:
    """The row of a column in the table."""
    return page.locator(".columns tbody tr").filter(has=page.get_by_role("link", name=name, exact=True))
