"""Answers of a Prometheus, and of what is none."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from driftgauge.errors import PrometheusError
from driftgauge.replicas import prometheus
from driftgauge.replicas.prometheus import Prometheus, Sample


@contextmanager
def answering(
    status: int, body: str | Callable[[Callable[[bytes], object]], object], headers: Mapping[str, str] | None = None
) -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """Give the address of a server that answers everything alike, and what it was asked: paths and headers."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, dict(self.headers)))
            self.send_response(status)
            for header in (headers or {}).items():
                self.send_header(*header)
            self.end_headers()
            with suppress(ConnectionError):
                body(self.wfile.write) if callable(body) else self.wfile.write(body.encode())

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
        (
            422,
            '{"status": "error", "error": "too many samples"}',
            "answered 422: too many samples: choose fewer servers [(]--match[)], or a shorter time",
        ),
        (401, "no", "answered 401: give its token with --token-file, or a header with --header-file"),
        (404, "no", "answered 404: Not Found: give the address that comes before /api/v1/query"),
        (502, "no", "answered 502: Bad Gateway"),
        (200, "<html>", "answers no JSON: give the address that comes before"),
        (200, "[]", "does not answer as Prometheus does"),
        (200, '{"status": "success"}', "does not answer as Prometheus does"),
        (200, success(), "does not answer as Prometheus does"),
        (200, success({"metric": {}, "value": [1, "x"]}), "does not answer as Prometheus does"),
        (200, success({"metric": [], "value": [1, "1"]}), "does not answer as Prometheus does"),
        (200, success({"metric": {}, "value": [1, "NaN"]}), "does not answer as Prometheus does"),
        (200, "[" * 100_000, "does not answer as Prometheus does"),
        (503, "[" * 50_000, "answered 503: Service Unavailable"),
        (500, '{"error": "a\\u001b[31mb' + "c" * 9_000 + '"}', r"answered 500: a \[31mbc+…$"),
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
        ("htp://me:secret@host", "leave the password out of the address"),
        ("http://host/?token=secret", "leave out [?] and #"),
        ("http://host:port", "is not an address"),
        ("http://[::1", "is not an address"),
    ],
)
def test_an_address_that_cannot_be_asked_is_refused(url: str, message: str) -> None:
    with pytest.raises(PrometheusError, match=message) as found:
        Prometheus(url)
    assert "secret" not in str(found.value)


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(
        PrometheusError, match=r"no answer from http://127\.0\.0\.1:9 \(Connection refused\): check the"
    ):
        Prometheus("http://127.0.0.1:9").now()


def test_a_token_is_not_sent_to_the_address_of_a_redirect() -> None:
    with answering(200, success({"metric": {}, "value": [1.5, "1.5"]})) as (other, asked):
        location = {"Location": f"{other}/there?token=secret"}
        with (
            answering(302, "", location) as (url, _),
            pytest.raises(PrometheusError, match=r"answered 302 and leads to .*/there: give the address") as found,
        ):
            Prometheus(url, {"Authorization": "Bearer secret"}).now()
    assert asked == []
    assert "secret" not in str(found.value)


def test_labels_and_warnings_hold_nothing_that_changes_a_terminal() -> None:
    body = success({"metric": {"a": "x\x1b[2J"}, "value": [1, "1"]}, warnings=["w\x07\n"])
    with answering(200, body) as (url, _):
        assert Prometheus(url).ask("up", 1.0) == ([Sample({"a": "x [2J"}, 1.0)], ["w  "])


def test_an_answer_that_breaks_off_is_none() -> None:
    with (
        answering(200, "{", {"Content-Length": "1000"}) as (url, _),
        pytest.raises(PrometheusError, match=r"no answer from .*999 more expected"),
    ):
        Prometheus(url).now()


def test_an_answer_is_not_read_beyond_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MOST_BYTES", 100)
    with (
        answering(200, success(*range(100))) as (url, _),
        pytest.raises(PrometheusError, match="answers with more than 100 bytes: choose fewer servers"),
    ):
        Prometheus(url).now()


def test_an_answer_that_never_ends_is_not_waited_for() -> None:
    asked = threading.Event()

    def drip(write: Callable[[bytes], object]) -> None:
        with suppress(ConnectionError):
            while not asked.wait(0.01):
                write(b" ")

    with (
        answering(200, drip) as (url, _),
        ending(asked),
        pytest.raises(PrometheusError, match=r"more than 0\.1 s for an answer"),
    ):
        Prometheus(url, seconds=0.1).now()


@contextmanager
def ending(what: threading.Event) -> Iterator[None]:
    try:
        yield
    finally:
        what.set()
