from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from driftgauge.access.caller import ANYONE, Caller, Scope
from driftgauge.edges.http.access import caller_name
from driftgauge.edges.http.caller_log import CallerLog
from driftgauge.errors import Reason
from structlog.testing import capture_logs

from tests.edges.http.test_access import bearer, eventually
from tests.edges.http.test_overload import Held, infer_body
from tests.examples import Example
from tests.served import Served, served

ONE, OTHER = "token-of-the-one-client", "token-of-the-other-client"
NO_RATE: dict[str, Any] = {"max_requests_per_second": 0.001}
"""A rate at which a second request has to wait for a quarter of an hour."""


@pytest.fixture
def tokens_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"one predict,read token:{ONE}\nother predict,read token:{OTHER}\n", encoding="utf-8")
    return path


def predict(server: Served, example: Example, token: str = ONE, rows: int = 1) -> httpx.Response:
    return server.client.post("/predict", json={"instances": example.rows(rows)}, headers=bearer(token))


def limited(server: Served, reason: Reason) -> float:
    return server.metric("http_requests_limited_total", reason=reason)


def test_a_caller_above_its_rate_gets_429_while_another_is_served(binary: Example, tokens_file: Path) -> None:
    options: dict[str, Any] = {"tokens_file": tokens_file, "metrics_access": "open", "max_request_burst": 3, **NO_RATE}
    with served(binary, **options) as server:
        assert [predict(server, binary).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
        refused = predict(server, binary)
        assert refused.json()["error"]["code"] == "rate_limited"
        assert 900 < int(refused.headers["retry-after"]) <= 1_000
        assert predict(server, binary, OTHER).status_code == 200
        assert limited(server, Reason.RATE_LIMITED) == 3
        assert server.metric("http_requests_total", handler="/predict", code="429") == 3
        assert server.metric("http_caller_requests_per_second_limit") == 0.001
        assert server.metric("model_predictions_rejected_total") == 0, "its rows have no fault"


def test_every_route_but_health_and_metrics_counts_for_the_rate(binary: Example) -> None:
    with served(binary, max_request_burst=1, **NO_RATE) as server:
        assert server.client.get("/metadata").status_code == 200
        for path in ("/drift/status", "/metadata", "/v2", "/openapi.json", "/runbooks"):
            refused = server.client.get(path)
            assert (path, refused.status_code) == (path, 429)
            assert int(refused.headers["retry-after"]) > 0
        other = server.client.post("/v2/models/binary/infer", json=infer_body(binary))
        assert other.json()["error"].startswith("rate_limited: this client sends more than 0.001 requests a second")
        assert int(other.headers["retry-after"]) > 0
        for path in ("/health", "/health/live", "/health/ready", "/v2/health/ready", "/metrics"):
            assert server.client.get(path).status_code == 200


def test_without_tokens_a_caller_is_an_address(binary: Example) -> None:
    with served(binary, max_request_burst=1, **NO_RATE) as server:
        assert [server.client.get("/metadata").status_code for _ in range(2)] == [200, 429]
        transport = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(transport=transport, base_url=server.client.base_url) as other:
            assert [other.get("/metadata").status_code for _ in range(2)] == [200, 429]


def test_a_large_body_of_a_limited_caller_is_not_read(binary: Example) -> None:
    with served(binary, max_request_burst=1, **NO_RATE) as server:
        assert server.client.get("/metadata").status_code == 200
        refused = server.client.post("/predict", content=b" " * 1_000_000)
        assert (refused.status_code, refused.headers["connection"]) == (429, "close")


def test_without_limits_nothing_is_counted_by_caller(binary: Example) -> None:
    with served(binary) as server:
        assert not server.context.access.is_checking
        assert "http_caller" not in server.client.get("/metrics").text


# ---------------------------------------------------------------- requests at the same time


@dataclass(frozen=True)
class Busy:
    """A server whose model answers nobody while it is held."""

    server: Served
    model: Held
    pool: ThreadPoolExecutor
    example: Example

    def later(self, token: str, rows: int = 1) -> Future[httpx.Response]:
        url, body = self.server.client.base_url.join("/predict"), {"instances": self.example.rows(rows)}
        return self.pool.submit(lambda: httpx.post(url, json=body, headers=bearer(token), timeout=60.0))


@contextmanager
def held(example: Example, **options: Any) -> Iterator[Busy]:
    model = Held(example.bundle.model)
    with served(example, model=model, metrics_access="open", **options) as server, ThreadPoolExecutor(8) as pool:
        model.free.clear()
        model.entered.clear()
        try:
            yield Busy(server, model, pool, example)
        finally:
            model.free.set()


def test_a_caller_has_no_more_requests_at_the_same_time_than_it_may(binary: Example, tokens_file: Path) -> None:
    with held(binary, tokens_file=tokens_file, max_concurrent_requests=2) as busy:
        asked = [busy.later(ONE) for _ in range(5)]
        eventually(lambda: limited(busy.server, Reason.TOO_MANY_CONCURRENT_REQUESTS) == 3)
        other = busy.later(OTHER)
        busy.model.free.set()
        assert other.result().status_code == 200
        answers = [one.result() for one in asked]
        assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429]
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["error"]["detail"] == {"limit": 2, "retry_after_seconds": 1}
        assert predict(busy.server, binary).status_code == 200, "answered requests count no longer"
        assert busy.server.metric("http_caller_concurrent_requests_limit") == 2


def test_a_caller_cannot_take_the_whole_queue(binary: Example, tokens_file: Path) -> None:
    options = {"tokens_file": tokens_file, "max_queued_requests": 6, "max_queue_share_ratio": 0.5}
    with held(binary, **options) as busy:
        asked = [busy.later(ONE) for _ in range(6)]
        eventually(lambda: limited(busy.server, Reason.QUEUE_SHARE_USED) == 3)
        others = [busy.later(OTHER) for _ in range(3)]
        busy.model.free.set()
        assert [one.result().status_code for one in others] == [200] * 3, "there is room for others"
        assert sorted(one.result().status_code for one in asked) == [200] * 3 + [429] * 3
        assert busy.server.metric("model_predictions_rejected_total") == 0
        assert busy.server.metric("http_caller_queue_share_limit_ratio") == 0.5
        assert predict(busy.server, binary).status_code == 200


def test_rows_of_a_caller_are_a_share_of_the_queue_too(binary: Example, tokens_file: Path) -> None:
    options = {"tokens_file": tokens_file, "max_queued_rows": 40, "max_queue_share_ratio": 0.25}
    with held(binary, **options) as busy:
        first = busy.later(ONE, rows=30)
        assert busy.model.entered.wait(30.0)
        assert predict(busy.server, binary).json()["error"]["code"] == "queue_share_used"
        busy.model.free.set()
        assert first.result().status_code == 200, "a caller that holds nothing may send any number of rows"


def test_a_client_that_leaves_gives_its_place_back(binary: Example, tokens_file: Path) -> None:
    with held(binary, tokens_file=tokens_file, max_concurrent_requests=1, max_queue_share_ratio=0.01) as busy:
        url, body = busy.server.client.base_url.join("/predict"), {"instances": binary.rows(1)}
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json=body, headers=bearer(ONE), timeout=0.5)
        busy.model.free.set()
        eventually(lambda: predict(busy.server, binary).status_code == 200)


# ---------------------------------------------------------------- who a caller is, and the log


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("not:an:address", "not:an:address"),
        ("x" * 60_000, "x" * 64),
    ],
)
def test_addresses_of_one_network_of_ipv6_are_one_caller(address: str, expected: str) -> None:
    assert caller_name({"client": (address, 5)}, ANYONE) == expected


def test_a_caller_is_its_token_or_its_address_or_has_no_name() -> None:
    assert caller_name({"client": ("192.0.2.7", 5)}, Caller("one", frozenset(Scope))) == "one"
    assert caller_name({"client": None}, ANYONE) == ""


def test_the_log_names_a_limited_caller_once_a_minute() -> None:
    counted: list[Reason] = []
    now = [100.0]
    log = CallerLog(counted.append, lambda: now[0])
    with capture_logs() as lines:
        for _ in range(5):
            log(Reason.RATE_LIMITED, "one")
        log(Reason.RATE_LIMITED, "other")
        now[0] += 61.0
        log(Reason.RATE_LIMITED, "one")
    assert counted == [Reason.RATE_LIMITED] * 7
    assert [(line["caller"], line["count"]) for line in lines] == [("one", 1), ("other", 1), ("one", 5)]
    assert {line["event"] for line in lines} == {"caller_limited"}
