from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.e2e.browser import tab
from tests.examples import Example
from tests.served import served

pytestmark = pytest.mark.e2e

MOVED = "mean area"


def test_a_browser_shows_the_status_on_any_screen_and_loads_nothing_else(binary: Example) -> None:
    with served(binary) as running, tab() as own:
        running.predict({"instances": [{**row, MOVED: 3 * row[MOVED]} for row in binary.rows() * 3]})
        address = str(running.client.base_url).rstrip("/")
        own.page.goto(f"{address}/drift/status")
        assert own.page.locator("h1").inner_text().startswith("drift_detected")
        assert own.page.locator(".bar").first.evaluate("bar => getComputedStyle(bar).display") == "block"  # styled
        for width in (1_200, 375):
            own.page.set_viewport_size({"width": width, "height": 900})
            assert not own.scrolls_sideways
        own.page.get_by_role("link", name=MOVED, exact=True).click()
        own.page.wait_for_selector(".statistics")
        assert not own.scrolls_sideways
        assert own.hosts == {urlsplit(address).netloc}
        assert {urlsplit(asked).path for asked in own.requested if asked.startswith("http")} == {"/drift/status"}
        assert own.complaints == []


def test_a_script_in_that_browser_gets_json(binary: Example) -> None:
    with served(binary) as running, tab() as own:
        address = str(running.client.base_url).rstrip("/")
        own.page.goto(f"{address}/docs")
        status = own.page.evaluate("fetch('drift/status').then(answer => answer.json()).then(report => report.status)")
        assert status == "insufficient_data"
