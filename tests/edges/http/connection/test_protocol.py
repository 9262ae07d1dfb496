from __future__ import annotations

import asyncio
import contextlib
import inspect
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
import uvicorn
from driftgauge.edges.http.connection.connections import SLOW_SECONDS
from driftgauge.edges.http.connection.flow import HeldFlow
from driftgauge.edges.http.connection.protocol import SLICE_BYTES, LimitedProtocol
from driftgauge.main import create_app
from structlog.testing import capture_logs
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from tests.examples import Example, quiet
from tests.served import Served, served
from tests.servers import serving

QUICK: dict[str, Any] = {
    "max_body_bytes": 50_000,
    "max_header_bytes": 20_000,
    "max_header_count": 20,
    "max_url_bytes": 500,
    "head_timeout_seconds": 0.4,
    "body_timeout_seconds": 0.8,
    "answer_timeout_seconds": 0.8,
    "idle_timeout_seconds": 2.0,
}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Client:
    """A socket that says exactly what it is told to."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10.0)
        self._file = self.socket.makefile("rb")

    def send(self, *parts: bytes, pause: float = 0.0) -> None:
        for part in parts:
            self.socket.sendall(part)
            time.sleep(pause)

    def answer(self) -> Answer:
        """The next answer, 100 Continue included."""
        status = self._file.readline()
        assert status.startswith(b"HTTP/1.1 "), status
        headers: dict[str, str] = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        body = self._file.read(int(headers.get("content-length", 0)))
        return Answer(int(status.split()[1]), headers, body)

    def is_closed(self) -> bool:
        """Whether the server closes, and says nothing more."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@pytest.fixture(scope="module")
def server(binary: Example) -> Iterator[Served]:
    with served(binary, **QUICK) as running:
        yield running


@pytest.fixture
def client(server: Served) -> Iterator[Client]:
    with connected(server) as own:
        yield own


@contextlib.contextmanager
def connected(server: Served) -> Iterator[Client]:
    own = Client(server.client.base_url.port or 0)
    try:
        yield own
    finally:
        own.close()


@pytest.fixture(scope="module")
def body(binary: Example) -> bytes:
    return orjson.dumps({"features": binary.rows(1)[0]})


@pytest.fixture(scope="module")
def expected(server: Served, body: bytes) -> Any:
    return server.client.post("/predict", content=body).json()["score"]


def post(body: bytes, *lines: str, path: str = "/predict", length: int | None = None) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {len(body) if length is None else length}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


def chunked(body: bytes, *lines: str, size: int = 40, trailer: bytes = b"") -> bytes:
    head = ["POST /predict HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", *lines]
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return (
        "\r\n".join([*head, "", ""]).encode()
        + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        + b"0\r\n%s\r\n" % trailer
    )


H2C = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
WEBSOCKET = ("connection: keep-alive, Upgrade", "upgrade: websocket", "sec-websocket-version: 13")
UNKNOWN = ("Upgrade: foo/2, bar", "Connection: upgrade")


# ---------------------------------------------------------------- an Upgrade is an offer, which is not taken


@pytest.mark.parametrize("offer", [H2C, WEBSOCKET, UNKNOWN])
@pytest.mark.parametrize("write", [post, chunked])
@pytest.mark.parametrize("cut", ["whole", "head and body", "bytes"])
def test_an_upgrade_is_answered_over_http_1_and_so_is_what_follows(
    client: Client,
    body: bytes,
    expected: Any,
    offer: tuple[str, ...],
    write: Any,
    cut: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    request = write(body, *offer)
    head = request.index(b"\r\n\r\n") + 4
    parts = {"whole": [request], "head and body": [request[:head], request[head:]]}
    with capture_logs() as logs:
        for _ in range(2):
            client.send(*parts.get(cut, [request[at : at + 1] for at in range(len(request))]))
            answer = client.answer()
            assert (answer.status, answer.json["score"]) == (200, expected)
            assert "upgrade" not in answer.headers
        client.send(post(body))
        assert client.answer().json["score"] == expected
    assert logs == []
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_upgrades_that_are_pipelined_are_answered_in_their_order(client: Client, body: bytes, expected: Any) -> None:
    live = b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    client.send(post(body, *H2C) + live + chunked(body, *H2C) + post(body) + live)
    answers = [client.answer() for _ in range(5)]
    assert [answer.json.get("score", answer.json.get("health")) for answer in answers] == [
        *(expected, "ok", expected, expected, "ok"),
    ]


def test_an_upgrade_on_a_connection_that_is_to_close_closes_it(client: Client, body: bytes, expected: Any) -> None:
    client.send(post(body, "Connection: Upgrade, close", "Upgrade: h2c"))
    answer = client.answer()
    assert (answer.json["score"], answer.headers["connection"]) == (expected, "close")
    assert client.is_closed()


def test_an_upgrade_that_waits_for_100_gets_it(client: Client, body: bytes, expected: Any) -> None:
    request = post(body, *H2C, "Expect: 100-continue")
    client.send(request[: -len(body)])
    assert client.answer().status == 100
    client.send(body)
    assert client.answer().json["score"] == expected


def test_connect_is_refused(client: Client) -> None:
    client.send(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = client.answer()
    assert (answer.status, answer.json["error"]["code"]) == (405, "method_not_allowed")
    assert client.is_closed()


# ---------------------------------------------------------------- a client that ends what it sends


@pytest.mark.parametrize("count", [1, 3, 60])
@pytest.mark.parametrize("rest", ["", "half a head", "half a body", "no HTTP"])
def test_what_has_come_whole_is_answered_after_the_end(
    client: Client, body: bytes, expected: Any, count: int, rest: str
) -> None:
    more = {"half a head": post(body)[:30], "half a body": post(body)[:-1], "no HTTP": b"no HTTP\r\n\r\n"}
    client.send(post(body) * count + more.get(rest, b""))
    client.socket.shutdown(socket.SHUT_WR)
    assert [client.answer().json["score"] for _ in range(count)] == [expected] * count
    if rest == "no HTTP":
        assert client.answer().status == 400
    assert client.is_closed()


def test_large_bodies_and_routes_of_the_framework_are_answered_after_the_end(server: Served, binary: Example) -> None:
    rows = orjson.dumps({"data": [list(row.values()) for row in binary.rows(250)]})
    get = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
    for request in (post(rows), chunked(rows, *H2C, size=4_000), *(get % path for path in (b"/metrics", b"/health"))):
        with connected(server) as client:
            client.send(request)
            client.socket.shutdown(socket.SHUT_WR)
            assert client.answer().status == 200
            assert client.is_closed()


@pytest.mark.parametrize("sent", [0, 30, -1])
def test_half_a_request_has_no_answer_when_it_ends(client: Client, body: bytes, sent: int) -> None:
    client.send(post(body)[:sent])
    client.socket.shutdown(socket.SHUT_WR)
    assert client.is_closed()


# ---------------------------------------------------------------- the host in a target


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://127.0.0.1/health", 200),
        ("HTTP://localhost:99/health?a=://b", 200),
        ("http://elsewhere.example/health", 421),
        ("http://127.0.0.1@elsewhere.example/health", 421),
        ("http://elsewhere.example?a=/health", 400),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "elsewhere.example"])
def test_a_target_that_names_a_host_is_believed_before_the_header(
    client: Client, target: str, status: int, host: str
) -> None:
    client.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert client.answer().status == status


# ---------------------------------------------------------------- what is no HTTP, or two kinds of it


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /predict HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"POST /predict HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc",
        b"POST /predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    ],
)
def test_what_can_be_understood_in_two_ways_is_refused_and_the_connection_ends(client: Client, request_: bytes) -> None:
    smuggled = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
    client.send(request_ + smuggled)
    answer = client.answer()
    assert (answer.status, answer.json["error"]["code"]) == (400, "malformed_http")
    assert answer.headers["connection"] == "close"
    assert client.is_closed()


def test_under_v2_a_refusal_has_the_shape_of_the_protocol(client: Client) -> None:
    client.send(b"POST /v2/models/x/infer HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n")
    assert client.answer().json["error"].startswith("malformed_http: ")


def test_a_refusal_comes_after_the_answers_before_it(client: Client, body: bytes, expected: Any) -> None:
    client.send(post(body) + post(body) + b"\x00\r\n\r\n")
    assert [client.answer().json["score"] for _ in range(2)] == [expected] * 2
    assert client.answer().status == 400
    assert client.is_closed()


def test_a_request_whose_body_is_at_fault_is_refused_in_its_place(client: Client, body: bytes, expected: Any) -> None:
    bad = b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    client.send(post(body) + bad + post(body))
    assert client.answer().json["score"] == expected
    assert client.answer().status == 400
    assert client.is_closed()


def test_trailers_are_no_header_fields(client: Client, body: bytes, expected: Any) -> None:
    client.send(chunked(body, trailer=b"Expect: 100-continue\r\nX: 5\r\n") + post(body))
    assert [client.answer().json["score"] for _ in range(2)] == [expected] * 2


# ---------------------------------------------------------------- how large a head may be


def head_of(size: int, path: str = "/health/live") -> bytes:
    """A request whose fields, as they count, have so many bytes."""
    fixed = len(path) + len("host") + len("a") + 4 + len("x") + 4
    return f"GET {path} HTTP/1.1\r\nHost: a\r\nX: {'y' * (size - fixed)}\r\n\r\n".encode()


@pytest.mark.parametrize("piece", [100_000, 4_096, 1_000])
@pytest.mark.parametrize(("more", "status"), [(-SLICE_BYTES, 200), (0, 200), (1, 431), (SLICE_BYTES, 431)])
def test_a_head_has_a_largest_size(client: Client, piece: int, more: int, status: int) -> None:
    request = head_of(QUICK["max_header_bytes"] + more)
    client.send(*(request[at : at + piece] for at in range(0, len(request), piece)))
    answer = client.answer()
    assert answer.status == status
    if status != 200:
        assert answer.json["error"]["code"] == "headers_too_large"
        assert client.is_closed()


@pytest.mark.parametrize(("fields", "status"), [(20, 200), (21, 431)])
def test_a_head_has_a_largest_number_of_fields(client: Client, fields: int, status: int) -> None:
    client.send(b"GET /health/live HTTP/1.1\r\n" + b"a: b\r\n" * fields + b"\r\n")
    assert client.answer().status == status


@pytest.mark.parametrize(("length", "status"), [(500, 404), (501, 414)])
def test_a_url_has_a_largest_length(client: Client, length: int, status: int) -> None:
    client.send(b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"u" * (length - 1)))
    answer = client.answer()
    assert (answer.status, answer.json["error"]["code"]) == (status, "not_found" if status == 404 else "url_too_long")


@pytest.mark.parametrize(
    ("start", "more", "status"),
    [
        (b"GET /", b"u", 414),
        (b"GET / HTTP/1.1\r\nA: ", b"v", 431),
        (b"GET / HTTP/1.1\r\n", b"a: b\r\n", 431),
        (b"GET / HTTP/1.1\r\n", b"n", 431),
        (b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n", b"a: b\r\n", 431),
        (b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nt: ", b"v", 431),
        (b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"e", 431),
    ],
)
def test_what_never_ends_is_refused_long_before(client: Client, start: bytes, more: bytes, status: int) -> None:
    client.send(start)
    with contextlib.suppress(OSError):
        for _ in range(100):
            client.send(more * 1_000)
    assert client.answer().status == status
    assert client.is_closed()


def test_a_flood_of_line_breaks_is_refused(client: Client) -> None:
    with contextlib.suppress(OSError):
        client.send(*[b"\r\n" * 4_000] * 10)
    assert client.answer().status in (400, 431)


def test_byte_by_byte_is_as_good_as_at_once(client: Client, body: bytes, expected: Any) -> None:
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = post(body, "X: " + "v" * 500)
    client.send(*(request[at : at + 1] for at in range(len(request))))
    assert client.answer().json["score"] == expected


# ---------------------------------------------------------------- deadlines


@pytest.mark.parametrize(
    ("request_", "what", "least"),
    [
        (b"G", "head", 0.4),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", "head", 0.4),
        (b"POST /predict HTTP/1.1\r\nContent-Length: 9\r\n\r\n{", "body", 0.8),
        (b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", "body", 0.8),
    ],
)
def test_a_request_that_does_not_come_is_408(client: Client, request_: bytes, what: str, least: float) -> None:
    began = time.monotonic()
    client.send(request_)
    answer = client.answer()
    assert (answer.status, answer.json["error"]["code"]) == (408, "request_timeout")
    assert f"the {what} of the request" in answer.json["error"]["message"]
    assert least <= time.monotonic() - began
    assert client.is_closed()


@pytest.mark.parametrize(
    ("path", "handler"), [("/predict", "/predict"), ("/v2/models/{}/infer", "/v2/models/{model_name}/infer")]
)
@pytest.mark.parametrize("by_framework", [False, True])
def test_a_body_that_does_not_come_counts_as_408_of_its_route(
    binary: Example, path: str, handler: str, by_framework: bool
) -> None:
    app = create_app(quiet(**QUICK), bundle=binary.bundle)
    if by_framework:
        app.add_middleware(Untouched)
    with serving(app) as http:
        server = Served(http, app)
        with connected(server) as client:
            client.send(post(b"{", path=path.format(binary.bundle.info.name), length=9))
            assert client.answer().status == 408
            assert client.is_closed()
        assert server.metric("http_requests_total", handler=handler, code="408") == 1
        assert server.metric("http_requests_total", handler="unmatched", code="408") == 0


@pytest.mark.long
@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\nX: ", b"POST /predict HTTP/1.1\r\nContent-Length: 4000\r\n\r\n"])
def test_a_trickle_does_not_help(client: Client, start: bytes) -> None:
    client.send(start)
    with contextlib.suppress(OSError):  # the server has closed the connection
        for _ in range(3_000):
            client.send(b"1", pause=0.05)
        pytest.fail("the server waits on")
    assert client.answer().status == 408


def test_idle_connections_are_closed_without_a_word(client: Client, server: Served, body: bytes) -> None:
    began = time.monotonic()
    with connected(server) as used:
        used.send(post(body))
        assert used.answer().status == 200
        assert used.is_closed()
    assert client.is_closed()
    assert time.monotonic() - began >= 2.0


def test_a_client_that_does_not_read_is_cut_off(binary: Example) -> None:
    with served(binary, **{**QUICK, "max_body_bytes": 8_000_000}) as server, connected(server) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        rows = post(orjson.dumps({"instances": binary.rows(100) * 50}))
        with contextlib.suppress(OSError):
            client.socket.settimeout(1.0)
            for _ in range(20):
                client.send(rows)
        deadline = time.monotonic() + 10
        while server.metric("http_connections_refused_total", reason="answer_not_read") == 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert len(server.context.connections) == 1


# ---------------------------------------------------------------- 413 comes before 100


@pytest.mark.parametrize("path", ["/predict", "/v2/models/binary/infer", "/v2/models/binary/versions/1.2/infer"])
@pytest.mark.parametrize("by_framework", [False, True])
def test_a_body_that_is_too_large_is_not_asked_for(binary: Example, path: str, by_framework: bool) -> None:
    app = create_app(quiet(**QUICK), bundle=binary.bundle)
    if by_framework:
        app.add_middleware(Untouched)
    with serving(app) as http:
        server = Served(http, app)
        with connected(server) as client:
            client.send(post(b"", "Expect: 100-continue", path=path, length=50_001))
            answer = client.answer()
            assert (answer.status, answer.headers["connection"]) == (413, "close")
            assert client.is_closed()
        assert server.metric("model_predictions_rejected_total", reason="body_too_large") == 1


class Untouched:
    """Middleware that does nothing, and so closes the short way."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


def test_a_body_of_the_largest_size_is_asked_for(client: Client) -> None:
    client.send(post(b"", "Expect: 100-continue", length=50_000))
    assert client.answer().status == 100
    client.send(b"[" + b" " * 49_998 + b"]")
    assert client.answer().status == 422


@pytest.mark.parametrize("write", [post, chunked])
def test_a_client_that_sends_too_much_gets_to_see_its_answer(client: Client, write: Any) -> None:
    client.send(write(b"[" * 3_000_000, **({"size": 100_000} if write is chunked else {})))
    answer = client.answer()
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert client.is_closed()


# ---------------------------------------------------------------- floods


def test_a_flood_of_pipelined_requests_is_answered_and_bounded(server: Served, client: Client) -> None:
    count = 5_000
    request = b"GET /health/live HTTP/1.1\r\n\r\n"
    client.socket.setblocking(False)
    sent, got, most = memoryview(request * count), 0, 0
    deadline = time.monotonic() + 60
    tail = b""
    while got < count:
        assert time.monotonic() < deadline
        with contextlib.suppress(BlockingIOError):
            sent = sent[client.socket.send(sent) :]
        with contextlib.suppress(BlockingIOError):
            data = tail + client.socket.recv(1 << 16)
            got += data.count(b"HTTP/1.1 200 OK")
            tail = data[-14:] if not data.endswith(b"}") else b""
        for one in server.context.connections.all():
            assert isinstance(one, LimitedProtocol)
            most = max(most, len(one.pipeline))
    assert most <= SLICE_BYTES / len(request) + 1


@pytest.mark.long
def test_more_connections_than_there_may_be(binary: Example, body: bytes) -> None:
    with served(binary, max_connections=10, head_timeout_seconds=30.0) as server, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connected(server)) for _ in range(30)]
        assert httpx.post(server.client.base_url.join("/predict"), content=body).status_code == 200
        assert len(server.context.connections) <= 10
        assert silent[0].is_closed()
        for _ in range(20):
            stack.enter_context(connected(server)).send(b"GET / HTTP/1.1\r\nX")
        refused = stack.enter_context(connected(server)).answer()
        assert (refused.status, refused.json["error"]["code"]) == (503, "too_many_connections")
        assert refused.headers["retry-after"] == "1"
        time.sleep(SLOW_SECONDS + 2)
        assert httpx.post(server.client.base_url.join("/predict"), content=body).status_code == 200
        assert server.metric("http_connections_refused_total", reason="slow_evicted") >= 1
        assert server.metric("http_connections_refused_total", reason="idle_evicted") >= 20


# ---------------------------------------------------------------- what is used of uvicorn's inside


def test_uvicorn_has_inside_what_the_protocol_uses() -> None:
    async def go() -> None:
        config = uvicorn.Config(_nothing, http=HttpToolsProtocol, lifespan="off", log_config=None)
        config.load()
        plain = HttpToolsProtocol(config, ServerState(), {})
        for name in (
            "parser",
            "flow",
            "pipeline",
            "cycle",
            "scope",
            "headers",
            "expect_100_continue",
            "server_state",
            "scheme",
        ):
            assert hasattr(plain, name), name
        taken = re.findall(r"self\.(\w+)", _source(HttpToolsProtocol, "on_message_begin", "on_header", "on_url"))
        assert set(taken) >= {"url", "headers", "scope", "expect_100_continue"}
        started = _source(HttpToolsProtocol, "on_headers_complete")
        for name in ("_start_asgi_task", "appendleft((self.cycle, app))", "self.flow.pause_reading()"):
            assert name in started
        cycle = _source(HttpToolsProtocol, "on_body", "on_message_complete", "shutdown")
        for name in ("body", "more_body", "message_event", "response_complete", "keep_alive"):
            assert f"cycle.{name}" in cycle
        begun = re.findall(r"self\.(\w+)", _source(RequestResponseCycle, "__init__"))
        assert set(begun) >= {"scope", "disconnected", "response_started"}
        assert '"state": self.app_state.copy()' in _source(HttpToolsProtocol, "on_message_begin")
        assert "return" not in _source(HttpToolsProtocol, "eof_received"), "it closes at the end"

    asyncio.run(go())


def _source(kind: type, *names: str) -> str:
    return "".join(inspect.getsource(getattr(kind, name)) for name in names)


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    return None


def test_the_flow_is_uvicorns() -> None:
    assert {"pause_reading", "resume_reading", "read_paused", "drain"} <= {*dir(FlowControl), "read_paused"}
    assert issubclass(HeldFlow, FlowControl)
    assert issubclass(LimitedProtocol, HttpToolsProtocol)
