from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from driftgauge.edges.http.request_metrics import HttpCounters, http_series
from driftgauge.metrics.server_series import HTTP_DURATION, HTTP_REQUESTS

from tests.examples import Example
from tests.monitors import counters_of
from tests.served import Served, served, total

ROUTES = [("GET", "/a", (200, 404)), ("POST", "/a/{id}", (200,))]


@pytest.fixture
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        yield running


def counters_of_routes(changed: Callable[[], None] = lambda: None) -> HttpCounters:
    """Counters of `ROUTES` alone."""
    return HttpCounters(ROUTES, counters_of(http_series(ROUTES)), changed)


def requests_of(counters: HttpCounters) -> dict[tuple[str, ...], float]:
    spec = next(spec for spec in counters.series if spec.name == HTTP_REQUESTS)
    rows = counters.counters.copy()[HTTP_REQUESTS]
    return {child: row[0] for child, row in zip(spec.children, rows, strict=True) if row[0]}


@pytest.mark.parametrize(
    ("method", "template", "code", "counted"),
    [
        ("GET", "/a", 200, ("GET", "/a", "200")),
        ("GET", "/a", 404, ("GET", "/a", "404")),
        ("GET", "/a", 418, ("GET", "/a", "other")),
        ("POST", "/a/{id}", 200, ("POST", "/a/{id}", "200")),
        ("POST", "/a", 405, ("other", "unmatched", "405")),
        ("GET", None, 404, ("other", "unmatched", "404")),
        ("BREW", "/pot", 418, ("other", "unmatched", "other")),
    ],
)
def test_a_request_counts_under_its_template_and_only_known_labels(
    method: str, template: str | None, code: int, counted: tuple[str, ...]
) -> None:
    counters = counters_of_routes()
    counters.count(method, template, code, 0.003)
    assert requests_of(counters) == {counted: 1}
    assert counters.counters.copy()[HTTP_DURATION][:, -1].sum() == pytest.approx(0.003)


def test_a_request_that_was_counted_is_made_known_at_once() -> None:
    known: list[dict[tuple[str, ...], float]] = []
    counters = counters_of_routes(lambda: known.append(requests_of(counters)))
    for code in (200, 404):
        counters.count("GET", "/a", code, 0.003)
    assert known == [{("GET", "/a", "200"): 1}, {("GET", "/a", "200"): 1, ("GET", "/a", "404"): 1}]


def test_requests_are_counted_by_route_template_and_code(server: Served, binary: Example) -> None:
    row = binary.rows(1)[0]
    for _ in range(3):
        server.predict({"features": row})
    server.predict({})
    server.client.get("/drift/status?model=nobody")
    for path in ("/docs", "/openapi.json", "/"):
        server.client.get(path)
    series = server.metrics()
    assert total(series, "http_requests_total", method="POST", handler="/predict", code="200") == 3
    assert total(series, "http_requests_total", method="POST", handler="/predict", code="422") == 1
    assert total(series, "http_requests_total", method="GET", handler="/drift/status", code="404") == 1
    assert total(series, "http_requests_total", method="GET", handler="/", code="307") == 1
    for handler in ("/docs", "/openapi.json"):
        assert total(series, "http_requests_total", method="GET", handler=handler, code="200") == 1
    assert total(series, "http_requests_total") == 8
    assert total(series, "http_request_duration_seconds_count") == 8
    assert total(server.metrics(), "http_requests_total", handler="/metrics", code="200") == 1


def test_unmatched_paths_and_methods_make_no_new_series(server: Served) -> None:
    assert server.client.get("/nowhere").status_code == 404
    server.metrics()  # which lists itself from now on
    before = server.metrics()
    for i in range(4):
        assert server.client.get(f"/nowhere/{i}").status_code == 404
    assert server.client.delete("/predict").status_code == 405
    after = server.metrics()

    def counted(series: Any) -> set[Any]:
        return {key for key in series if key[0].startswith("http_")}

    assert counted(after) == counted(before)
    assert total(after, "http_requests_total", method="other", handler="unmatched", code="404") == 5
    assert total(after, "http_requests_total", method="other", handler="unmatched", code="405") == 1
