from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.browser import page
from tests.examples import Example
from tests.served import served

pytestmark = pytest.mark.e2e

MOVED = "mean area"
SHOWN = "document.querySelector('h1')"


def test_a_browser_shows_the_status_on_any_screen_and_loads_nothing_else(binary: Example, tmp_path: Path) -> None:
    with served(binary) as running, page(tmp_path) as tab:
        running.predict({"instances": [{**row, MOVED: 3 * row[MOVED]} for row in binary.rows() * 3]})
        address = str(running.client.base_url).rstrip("/")
        tab.open(f"{address}/drift/status")
        tab.until(SHOWN)
        assert tab.value(f"{SHOWN}.firstChild.textContent") == "drift_detected"
        assert tab.value("getComputedStyle(document.querySelector('.bar')).display") == "block"  # the style is applied
        for width in (1_200, 400):
            tab.resize(width)
            assert tab.value("innerWidth") == width
            assert tab.value("document.documentElement.scrollWidth") <= width
        tab.value(f"[...document.links].find(link => link.textContent === '{MOVED}').click()")
        tab.until("document.querySelector('.statistics')")
        assert tab.value("document.documentElement.scrollWidth") <= 400
        assert {urlsplit(asked).netloc for asked in tab.requested if not asked.startswith("data:")} == {
            urlsplit(address).netloc
        }
        assert {urlsplit(asked).path for asked in tab.requested if asked.startswith("http")} == {"/drift/status"}
        assert tab.complaints == []


def test_a_script_in_that_browser_gets_json(binary: Example, tmp_path: Path) -> None:
    with served(binary) as running, page(tmp_path) as tab:
        address = str(running.client.base_url).rstrip("/")
        tab.open(f"{address}/docs")
        tab.value(
            "fetch('drift/status').then(answer => answer.json()).then(report => { document.title = report.status })"
        )
        tab.until("document.title === 'insufficient_data'")
