"""What the status and the page say of throughput, failures, latency and the queue."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.examples import Example
from tests.html_pages import BROWSER, Tree
from tests.ingesting import watching
from tests.json_schema import problems
from tests.served import served


class Watch:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def test_the_status_and_the_page_say_what_was_answered_lately(binary: Example) -> None:
    watch = Watch()
    with served(binary, now=watch) as own:
        deadline = time.monotonic() + 30.0
        while not own.status()["efficiency"]["seconds"]:  # the first count is kept
            assert time.monotonic() < deadline
            time.sleep(0.02)
        for _ in range(4):
            own.predict({"instances": binary.rows(25)})
        watch.ahead = 100.0
        body = own.status()
        found = body["efficiency"]
        assert 100.0 <= found["seconds"] < 200.0
        assert found["rows_per_second"] == pytest.approx(100.0 / found["seconds"])
        assert found["requests_per_second"] == pytest.approx(4.0 / found["seconds"])
        assert (found["failed_ratio"], found["overloaded_ratio"]) == (0.0, 0.0)
        assert 0.0 < found["latency_seconds"]["p50"] <= found["latency_seconds"]["p99"]
        assert found["queue_used"] == {"requests": 0.0, "rows": 0.0}
        document = own.client.get("/openapi.json").json()
        answer = document["paths"]["/drift/status"]["get"]["responses"]["200"]
        assert problems(body, answer["content"]["application/json"]["schema"], document) == []
        words = Tree(own.client.get("/", headers=BROWSER).text).words
        assert "queue 0 % full, in the last 10" in words


def test_a_model_that_another_server_serves_has_no_throughput(binary: Example, tmp_path: Path) -> None:
    with watching(binary, tmp_path) as own:
        assert "efficiency" not in own.status(model="elsewhere")
        assert "rows/s" not in Tree(own.client.get("/?model=elsewhere", headers=BROWSER).text).words
