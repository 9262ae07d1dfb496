from __future__ import annotations

from driftgauge.errors import DENIALS, HANG_UPS, LIMITED
from driftgauge.metrics.server_series import CPU, HTTP_DURATION, HTTP_REQUESTS, PROCESS, server_series

ROUTES = [("POST", "/predict", (200, 422)), ("GET", "/metrics", (200,))]


def test_a_request_is_counted_by_the_codes_of_its_route_or_as_another() -> None:
    (requests,) = (spec for spec in server_series(ROUTES) if spec.name == HTTP_REQUESTS)
    assert requests.children == (
        ("POST", "/predict", "200"),
        ("POST", "/predict", "422"),
        ("POST", "/predict", "other"),
        ("GET", "/metrics", "200"),
        ("GET", "/metrics", "other"),
    )


def test_only_the_routes_that_are_named_are_listed_before_their_first_request() -> None:
    of_routes = [
        spec for spec in server_series(ROUTES, [("POST", "/predict")]) if spec.name in (HTTP_REQUESTS, HTTP_DURATION)
    ]
    assert [(spec.group_by, set(spec.from_start)) for spec in of_routes] == [(2, {("POST", "/predict")})] * 2


def test_reasons_of_refusals_are_the_closed_sets_of_the_errors() -> None:
    children = {spec.name: [child[0] for child in spec.children] for spec in server_series(ROUTES)}
    assert children["http_connections_refused_total"] == [str(reason) for reason in HANG_UPS]
    assert children["http_requests_denied_total"] == [str(reason) for reason in DENIALS]
    assert children["http_requests_limited_total"] == [str(reason) for reason in LIMITED]


def test_cpu_time_has_the_position_that_is_named_for_it() -> None:
    assert PROCESS[CPU].name == "process_cpu_seconds_total"
    assert [series.type for series in PROCESS] == ["counter"] + ["gauge"] * 5
