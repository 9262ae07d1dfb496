from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from driftgauge.edges.http.origins import OriginPolicy
from driftgauge.errors import Reason
from driftgauge.main import create_app

from tests.edges.http.test_fast_path import Through
from tests.examples import Example, quiet
from tests.served import Served, served
from tests.servers import serving

LOOPBACK = OriginPolicy("127.0.0.1")
BOUND = OriginPolicy("192.0.2.7")
NAMED = OriginPolicy("192.0.2.7", ("api.example.com", "*.Example.org"))


def reason(policy: OriginPolicy, method: str = "POST", **headers: str) -> Reason | None:
    given = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    found = policy.refusal(method, given)
    return None if found is None else found.reason


# ---------------------------------------------------------------- hosts


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8000", "LOCALHOST:8000", "localhost.", "app.localhost:3000"),
        *("127.0.0.1", "127.0.0.1:8000", "127.8.9.1", "[::1]", "[::1]:8000"),
        *("10.1.2.3:8000", "[fd00::7]:8000", "a", "driftgauge:8000"),
    ],
)
@pytest.mark.parametrize("policy", [LOOPBACK, OriginPolicy("localhost"), OriginPolicy("::1"), BOUND])
def test_loopback_names_addresses_and_names_of_no_site_are_let_in(host: str, policy: OriginPolicy) -> None:
    for _ in range(2):  # what was let in once is remembered
        assert reason(policy, host=host) is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "com.", "", ":8000",
     "localhost:8000:1", "a b", "evil.example/", "user@localhost", "[::1", "::1", "l\xf6calhost.de",
     "x" * 10_000 + ".de"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_on_a_loopback_address_no_other_name_is_let_in(host: str, method: str) -> None:
    for _ in range(2):
        assert reason(LOOPBACK, method, host=host) is Reason.HOST_NOT_ALLOWED
    found = LOOPBACK.refusal(method, [(b"host", host.encode("latin-1"))])
    assert found is not None
    assert "allowed_hosts" in found.message
    assert len(found.message) < 250


def test_on_another_address_every_name_is_let_in() -> None:
    assert reason(BOUND, host="api.example.com") is None
    assert reason(OriginPolicy("0.0.0.0"), host="api.example.com") is None  # noqa: S104  # nothing listens


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("api.example.com", True),
        ("API.example.com:443", True),
        ("api.example.com.", True),
        ("a.example.org", True),
        ("a.b.example.org:8000", True),
        ("192.0.2.7:8000", True),
        ("10.0.0.9", True),
        ("localhost", True),
        ("example.org", False),
        ("evilexample.org", False),
        ("example.com", False),
        ("b.api.example.com", False),
        ("driftgauge", False),
    ],
)
def test_where_hosts_are_named_these_and_addresses_are_let_in(host: str, allowed: bool) -> None:
    assert reason(NAMED, host=host) is (None if allowed else Reason.HOST_NOT_ALLOWED)


def test_an_asterisk_is_any_host() -> None:
    assert reason(OriginPolicy("127.0.0.1", ("*",)), host="evil.example") is None


def test_a_request_without_a_host_comes_from_no_browser() -> None:
    assert reason(LOOPBACK) is None


def test_two_hosts_are_none() -> None:
    both = [(b"host", b"evil.example"), (b"host", b"localhost")]
    for _ in range(2):
        found = LOOPBACK.refusal("GET", both)
        assert found is not None
        assert found.reason is Reason.HOST_NOT_ALLOWED


def test_many_hosts_are_not_remembered_for_ever() -> None:
    policy = OriginPolicy("127.0.0.1")
    for place in range(1_000):
        assert reason(policy, host=f"10.0.0.1:{place}") is None
    assert len(policy._known) <= 64


# ---------------------------------------------------------------- pages


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "localhost:8000", "origin": "http://localhost:8000"},
        {"host": "localhost", "origin": "http://localhost:80"},
        {"host": "api.example.com", "origin": "https://API.example.com"},
        {"host": "api.example.com:443", "origin": "https://api.example.com"},
        {"host": "[::1]:8000", "origin": "http://[::1]:8000"},
        {"host": "localhost:8000", "sec_fetch_site": "same-origin"},
        {"host": "localhost:8000", "sec_fetch_site": "none"},
        # a proxy in front of it, which tells another host, with what a browser says of itself
        {"host": "10.0.0.5:8000", "origin": "https://api.example.com", "sec_fetch_site": "same-origin"},
        # … and from an old browser, by what the proxy says
        {"host": "10.0.0.5:8000", "x_forwarded_host": "api.example.com", "origin": "https://api.example.com"},
        {"host": "10.0.0.5", "x_forwarded_host": "api.example.com, inner", "origin": "https://api.example.com"},
        {"host": "api.example.com", "x_forwarded_for": "203.0.113.9", "origin": "http://api.example.com:8443"},
    ],
)
def test_programs_and_the_servers_own_pages_may_ask(headers: dict[str, str]) -> None:
    assert reason(BOUND, **headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost:8000", "origin": "https://evil.example"},
        {"host": "localhost:8000", "origin": "http://localhost:3000"},
        {"host": "localhost:8000", "origin": "http://localhost"},
        {"host": "localhost:8000", "origin": "null"},
        {"host": "localhost:8000", "origin": ""},
        {"host": "localhost:8000", "origin": "http://localhost:8000.evil.example"},
        {"host": "localhost:8000", "origin": "http://evil.example", "x_forwarded_for": "203.0.113.9"},
        {"host": "localhost:8000", "sec_fetch_site": "cross-site"},
        {"host": "localhost:8000", "sec_fetch_site": "same-site"},
        {"host": "localhost:8000", "sec_fetch_site": "Cross-Site", "origin": "http://localhost:8000"},
        {"host": "localhost:8000", "sec_fetch_site": "same-site", "origin": "http://localhost:3000"},
        {"origin": "http://localhost:8000"},
        {"host": "a/b", "origin": "http://a/b"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_page_of_another_site_may_not_ask(headers: dict[str, str], method: str) -> None:
    assert reason(BOUND, method, **headers) is Reason.CROSS_SITE


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_changes_nothing_may_be_asked_by_a_page_that_cannot_read_the_answer(method: str) -> None:
    assert reason(BOUND, method, host="localhost", origin="https://evil.example") is None


def test_an_allowed_origin_may_ask_and_read() -> None:
    policy = OriginPolicy("127.0.0.1", (), ("https://App.example.com",))
    asked = {"host": "localhost", "origin": "https://app.example.com", "sec_fetch_site": "cross-site"}
    assert reason(policy, **asked) is None
    assert reason(policy, **{**asked, "origin": "https://app.example.com:444"}) is Reason.CROSS_SITE
    assert reason(OriginPolicy("127.0.0.1", (), ("*",)), **{**asked, "origin": "null"}) is None


# ---------------------------------------------------------------- over HTTP

EVIL = {"origin": "https://evil.example", "sec-fetch-site": "cross-site", "content-type": "text/plain"}
APP = "https://app.example.com"


@pytest.fixture(scope="module")
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        yield running


@pytest.mark.parametrize("path", ["/predict", "/v2/models/binary/infer", "/v2/models/binary/versions/1.2/infer"])
def test_a_page_of_another_site_posts_no_rows(path: str, server: Served, binary: Example) -> None:
    rows = server.monitor.store.rows
    counted = server.metric("model_predictions_rejected_total", reason="cross_site")
    answer = server.client.post(path, json={"features": binary.rows(1)[0]}, headers=EVIL)
    assert answer.status_code == 403
    body = answer.json()["error"]
    assert (body["code"] if path == "/predict" else body.partition(":")[0]) == "cross_site"
    assert "allowed_origins" in str(body)
    assert "access-control-allow-origin" not in answer.headers
    assert server.monitor.store.rows == rows
    assert server.metric("model_predictions_rejected_total", reason="cross_site") == counted + 1
    template = "/predict" if path == "/predict" else "/v2/models/{model_name}/infer"
    assert server.metric("http_requests_total", method="POST", handler=template, code="403") >= 1


@pytest.mark.parametrize("path", ["/v2/models/other/infer", "/nothing", "/drift/status"])
def test_nor_to_any_other_route(path: str, server: Served) -> None:
    answer = server.client.post(path, content=b"{}", headers=EVIL)
    assert answer.status_code == 403
    assert "cross_site" in answer.text


def test_curl_without_a_header_and_the_page_of_the_documentation_are_answered(server: Served, binary: Example) -> None:
    row = {"features": binary.rows(1)[0]}
    own = str(server.client.base_url).rstrip("/")
    for headers in (
        {"content-type": "application/x-www-form-urlencoded"},
        {"origin": own, "sec-fetch-site": "same-origin", "referer": f"{own}/docs"},
        {"origin": own},
    ):
        assert server.client.post("/predict", json=row, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/metrics", "/health/live", "/docs", "/nothing", "/v2/health/live"])
def test_a_name_that_leads_here_by_chance_is_answered_nothing(path: str, server: Served) -> None:
    method = "POST" if path == "/predict" else "GET"
    answer = server.client.request(method, path, headers={"host": "evil.example"})
    assert answer.status_code == 421
    assert "host_not_allowed" in answer.text
    assert "DRIFTGAUGE_ALLOWED_HOSTS" in answer.text


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_probes_and_prometheus_ask_by_address(path: str, binary: Example) -> None:
    with served(binary, allowed_hosts=("api.example.com",)) as running:
        for host in ("10.2.3.4:8000", "api.example.com", "[fd00::5]:8000"):
            assert running.client.get(path, headers={"host": host}).status_code == 200
        assert running.client.get(path, headers={"host": "web.example.com"}).status_code == 421


@pytest.mark.parametrize("around", [False, True])
def test_pages_of_an_allowed_origin_ask_and_read(around: bool, binary: Example) -> None:
    app = create_app(quiet(allowed_origins=(APP,)), bundle=binary.bundle)
    if around:
        app.add_middleware(Through)
    with serving(app) as client:
        row: Any = {"features": binary.rows(1)[0]}
        for path, code in (("/predict", 200), ("/predict", 422), ("/drift/status", 200), ("/nothing", 404)):
            method = "POST" if path == "/predict" else "GET"
            answer = client.request(method, path, json=row if code == 200 else {}, headers={"origin": APP})
            assert answer.status_code == code
            assert answer.headers["access-control-allow-origin"] == APP
            assert "Origin" in answer.headers["vary"]
        plain = client.post("/predict", json=row)
        assert (plain.status_code, plain.headers["vary"]) == (200, "Origin")
        assert "access-control-allow-origin" not in plain.headers
        assert client.post("/predict", json=row, headers=EVIL).status_code == 403


def asked_first(client: httpx.Client, origin: str) -> httpx.Response:
    return client.options(
        "/predict",
        headers={
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type,x-request-id",
            "access-control-request-private-network": "true",
        },
    )


def test_a_browser_that_asks_first_is_told_what_it_may(binary: Example) -> None:
    with served(binary, allowed_origins=(APP,)) as running:
        answer = asked_first(running.client, APP)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == APP
        assert answer.headers["access-control-allow-headers"] == "content-type,x-request-id"
        assert "POST" in answer.headers["access-control-allow-methods"].split(", ")
        assert answer.headers["access-control-allow-private-network"] == "true"
        assert "Origin" in answer.headers["vary"]
        assert len(answer.headers.get_list("access-control-allow-origin")) == 1
        other = asked_first(running.client, "https://evil.example")
        assert other.status_code == 405
        assert "access-control-allow-origin" not in other.headers
        assert running.client.options("/predict").status_code == 405


def test_without_allowed_origins_nobody_is_given_leave(server: Served) -> None:
    answer = asked_first(server.client, APP)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
