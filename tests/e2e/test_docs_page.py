from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from driftgauge.edges.http.routes import ROUTES

from tests.e2e.browser import page
from tests.examples import Example
from tests.served import served

pytestmark = pytest.mark.e2e

OPERATIONS = """
[...document.querySelectorAll(".opblock")].map(block => [
    block.querySelector(".opblock-summary-method").textContent,
    block.querySelector(".opblock-summary-path").dataset.path,
])
"""
PREDICT = "document.querySelector('.opblock[id$=predict_predict_post]')"
STATUS = f"{PREDICT}.querySelector('.live-responses-table tbody .response-col_status')"


def test_the_documentation_is_shown_and_tried_out_without_the_internet(binary: Example, tmp_path: Path) -> None:
    with served(binary) as running, page(tmp_path) as tab:
        address = str(running.client.base_url).rstrip("/")
        tab.open(f"{address}/docs")
        tab.until("document.querySelectorAll('.opblock').length")
        shown = {tuple(operation) for operation in tab.value(OPERATIONS)}
        assert shown == {(route.method, route.path) for route in ROUTES if route.is_documented}
        for click in (".opblock-summary-control", ".try-out__btn", ".execute"):
            tab.until(f"{PREDICT}.querySelector('{click}')")
            tab.value(f"{PREDICT}.querySelector('{click}').click()")
        tab.until(STATUS)
        assert tab.value(f"{STATUS}.firstChild.textContent") == "200"
        assert running.metric("model_predictions_total") == 1
        hosts = {urlsplit(asked).netloc for asked in tab.requested if not asked.startswith("data:")}
        assert hosts == {urlsplit(address).netloc}
        assert tab.complaints == []
