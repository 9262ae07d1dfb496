"""Answers of a Prometheus, and of what is none."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from driftgauge.errors import PrometheusError
from driftgauge.replicas.prometheus import Prometheus, Sample


@contextmanager
def answering(status: int, body: str) -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """Give the address of a server that answers everything alike, and what it was asked: paths and headers."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, dict(self.headers)))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def success(*result: object, **beside: object) -> str:
    return json.dumps({"status": "success", "data": {"result": list(result)}, **beside})


def test_series_are_returned_without_those_that_are_not_a_number_and_warnings_with_them() -> None:
    series = [{"metric": {"a": value}, "value": [1.5, value]} for value in ("2.5", "NaN", "+Inf")]
    with answering(200, success(*series, warnings=["a store is away"])) as (url, asked):
        found = Prometheus(f"{url}/prefix/", {"X-Scope-OrgID": "team"}).ask("up{a='b'}", 1.5)
    assert found == ([Sample({"a": "2.5"}, 2.5), Sample({"a": "+Inf"}, float("inf"))], ["a store is away"])
    ((path, headers),) = asked
    assert path == "/prefix/api/v1/query?query=up%7Ba%3D%27b%27%7D&time=1.500"
    assert headers["X-Scope-Orgid"] == "team"


def test_the_time_is_its_own() -> None:
    with answering(200, success({"metric": {}, "value": [1.5, "1.5"]})) as (url, _):
        assert Prometheus(url).now() == 1.5


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (422, '{"status": "error", "error": "too many samples"}', "answered 422: too many samples"),
        (401, "no", "answered 401: give its token with --token-file, or a header with --header-file"),
        (404, "no", "answered 404: Not Found: give the address below which /api/v1/query is"),
        (502, "no", "answered 502: Bad Gateway"),
        (200, "<html>", "answers no JSON: give the address below which"),
        (200, "[]", "does not answer as Prometheus does"),
    ],
)
def test_an_answer_that_is_none_is_said_with_what_to_do(status: int, body: str, message: str) -> None:
    with answering(status, body) as (url, _), pytest.raises(PrometheusError, match=message):
        Prometheus(url).now()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:9090", "--prometheus: localhost:9090 is not an address"),
        ("file:///etc/passwd", "is not an address"),
        ("http://me:secret@host", "leave the password out of the address"),
    ],
)
def test_an_address_that_cannot_be_asked_is_refused(url: str, message: str) -> None:
    with pytest.raises(PrometheusError, match=message) as found:
        Prometheus(url)
    assert "secret" not in str(found.value)


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(PrometheusError, match=r"no answer from http://127\.0\.0\.1:9 .*is Prometheus there"):
        Prometheus("http://127.0.0.1:9").now()
