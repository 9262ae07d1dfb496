from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from driftgauge.edges.http.routes import ROUTES

from tests.e2e.browser import tab
from tests.examples import Example
from tests.served import served

pytestmark = pytest.mark.e2e

OPERATIONS = """
() => [...document.querySelectorAll(".opblock")].map(block => [
    block.querySelector(".opblock-summary-method").textContent,
    block.querySelector(".opblock-summary-path").dataset.path,
])
"""


def test_the_documentation_is_shown_and_tried_out_without_the_internet(binary: Example) -> None:
    with served(binary) as running, tab() as own:
        address = str(running.client.base_url).rstrip("/")
        own.page.goto(f"{address}/docs")
        own.page.wait_for_selector(".opblock")
        shown = {tuple(operation) for operation in own.page.evaluate(OPERATIONS)}
        assert shown == {(route.method, route.path) for route in ROUTES if route.is_documented}
        predict = own.page.locator(".opblock[id$=predict_predict_post]")
        for click in (".opblock-summary-control", ".try-out__btn", ".execute"):
            predict.locator(click).first.click()
        status = predict.locator(".live-responses-table tbody .response-col_status").first
        assert status.inner_text().split()[0] == "200"
        assert running.metric("model_predictions_total") == 1
        assert own.hosts == {urlsplit(address).netloc}
        assert own.complaints == []
