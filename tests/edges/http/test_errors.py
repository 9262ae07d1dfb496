from __future__ import annotations

import math
from collections.abc import Iterator

import orjson
import pytest
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.edges.http.errors import STATUS, error_response, json_response, status_of
from driftgauge.errors import REJECTIONS, Reason

from tests.examples import Example
from tests.served import Served, served


@pytest.fixture(scope="module")
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        yield running


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_status_and_the_one_shape(reason: Reason) -> None:
    answer = error_response(reason, "what to do", {"field": "a", "row": 1})
    body = orjson.loads(bytes(answer.body))
    assert body == {"error": {"code": reason.value, "message": "what to do", "detail": {"field": "a", "row": 1}}}
    assert answer.status_code == STATUS.get(reason, 422)
    assert 400 <= answer.status_code < 600


def test_no_refusal_is_the_servers_fault_unless_too_many_ask_at_once() -> None:
    faults = {reason for reason in REJECTIONS if not 400 <= status_of(reason) < 500}
    assert faults == {Reason.OVERLOADED}
    assert status_of(Reason.OVERLOADED) == 503


def test_nan_is_written_as_null_and_numbers_may_be_keys() -> None:
    assert bytes(json_response({1: math.nan, "a": [math.inf]}).body) == b'{"1":null,"a":[null]}'


@pytest.mark.parametrize("path", ["/nothing", "/predict/x", "/%ff%00", "/a%0Ab", "/" + "a" * 5000, "/metrics/../x"])
def test_an_unknown_path_is_not_found_with_the_one_shape(path: str, server: Served) -> None:
    answer = server.client.get(path)
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "not_found"
    assert error["detail"] == {}
    assert "see /docs" in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict", "POST"),
        ("DELETE", "/predict", "POST"),
        ("POST", "/drift/status", "GET"),
        ("PUT", "/metrics", "GET"),
        ("POST", "/", "GET"),
        ("POST", "/docs", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(method: str, path: str, allowed: str, server: Served) -> None:
    answer = server.client.request(method, path)
    assert answer.status_code == 405
    assert allowed in answer.headers["allow"].split(", ")
    error = answer.json()["error"]
    assert error["code"] == "method_not_allowed"
    assert method in error["message"]


def test_what_nobody_expected_is_an_internal_error_without_its_text(
    binary: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    def secret(*_: object) -> None:
        raise RuntimeError("a secret")

    with served(binary) as running:
        with monkeypatch.context() as patched:
            patched.setattr(FeatureDecoder, "decode", secret)
            answer = running.predict({"features": binary.rows(1)[0]})
        assert answer.status_code == 500
        assert answer.json() == {
            "error": {
                "code": "internal_error",
                "message": "internal error: see the server's log",
                "detail": {},
            }
        }
        assert running.predict({"features": binary.rows(1)[0]}).status_code == 200
        assert running.metric("http_requests_total", handler="/predict", code="500") == 1
