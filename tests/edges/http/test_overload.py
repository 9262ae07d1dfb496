from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.edges.http.connection.protocol import HALF_CLOSE_SECONDS

from tests.examples import Example
from tests.served import Served, served


class Held:
    """An estimator too slow for the event loop, which answers nobody while it is held."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self.free = threading.Event()
        self.free.set()
        self.entered = threading.Event()
        self.rows: list[int] = []

    def predict_proba(self, x: FloatArray) -> Any:
        time.sleep(0.005)
        self.rows.append(len(x))
        self.entered.set()
        assert self.free.wait(30.0)
        return self._estimator.predict_proba(x)


@dataclass(frozen=True)
class Busy:
    """A server with a model that is held, and requests that wait for it."""

    running: Served
    model: Held
    pool: ThreadPoolExecutor

    def later(self, body: Any) -> Future[httpx.Response]:
        url = self.running.client.base_url.join("/predict")
        return self.pool.submit(lambda: httpx.post(url, json=body, timeout=60.0))


@contextmanager
def busy(example: Example, waiting: int, **settings: Any) -> Iterator[tuple[Busy, list[Future[httpx.Response]]]]:
    """Serve an example whose model is held, with one request that it has and others that wait; freed in the end."""
    model = Held(example.bundle.model)
    with served(example, model=model, **settings) as running, ThreadPoolExecutor(waiting + 1) as pool:
        one = Busy(running, model, pool)
        model.free.clear()
        model.entered.clear()
        try:
            asked = [one.later({"features": example.rows(1)[0]})]
            assert model.entered.wait(30.0)
            asked += [one.later({"features": row}) for row in example.rows(waiting, first=1)]
            _until(lambda: running.context.model().batcher.queued_requests == waiting)
            yield one, asked
        finally:
            model.free.set()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def infer_body(example: Example) -> dict[str, Any]:
    row = list(example.rows(1)[0].values())
    return {"inputs": [{"name": "x", "shape": [1, len(row)], "datatype": "FP64", "data": row}]}


def test_who_finds_too_many_waiting_is_told_to_come_again(binary: Example) -> None:
    with busy(binary, 3, max_queued_requests=3) as (one, asked):
        client = one.running.client
        refused = client.post("/predict", json={"features": binary.rows(1)[0]})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["code"] == "overloaded"
        assert refused.json()["error"]["detail"] == {"queued_requests": 3, "queued_rows": 3}
        other = client.post("/v2/models/binary/infer", json=infer_body(binary))
        assert (other.status_code, other.headers["retry-after"]) == (503, "1")
        assert other.json()["error"].startswith("overloaded: the queue is full: 3 requests with 3 rows wait")
        # Who only looks is answered all the while.
        assert one.running.metric("model_predictions_rejected_total", reason="overloaded") == 2
        assert client.get("/health/ready").status_code == 200
        one.model.free.set()
        assert [answer.result().status_code for answer in asked] == [200] * 4
        assert client.post("/predict", json={"features": binary.rows(1)[0]}).status_code == 200
    assert one.model.rows[-3:] == [1, 3, 1]  # those that waited were one batch


def test_rows_that_wait_are_limited_too(binary: Example) -> None:
    with busy(binary, 3, max_queued_rows=5) as (one, _):
        client = one.running.client
        assert client.post("/predict", json={"instances": binary.rows(3)}).status_code == 503
        assert one.running.context.model().batcher.queued_rows == 3
        fits = one.later({"instances": binary.rows(2)})
        one.model.free.set()
        assert fits.result().status_code == 200


def test_when_to_try_again_is_documented(binary: Example) -> None:
    with served(binary) as running:
        document = running.client.get("/openapi.json").json()
    for path in ("/predict", "/v2/models/{model_name}/infer"):
        assert "Retry-After" in document["paths"][path]["post"]["responses"]["503"]["headers"]
    for path in ("/health/ready", "/v2/health/ready"):
        assert "headers" not in document["paths"][path]["get"]["responses"]["503"]


# ---------------------------------------------------------------- clients that go away


def _raw(running: Served, content: bytes) -> socket.socket:
    base = running.client.base_url
    assert base.port is not None
    connection = socket.create_connection((base.host, base.port), timeout=30.0)
    connection.sendall(content)
    return connection


def _request(example: Example) -> bytes:
    body = orjson.dumps({"features": example.rows(1)[0]})
    head = f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_a_client_that_left_is_not_predicted_and_does_not_hurt_those_who_wait_with_it(binary: Example) -> None:
    with busy(binary, 2) as (one, asked):
        batcher = one.running.context.model().batcher
        gone = [_raw(one.running, _request(binary)) for _ in range(5)]
        _until(lambda: batcher.queued_requests == 7)
        time.sleep(2 * HALF_CLOSE_SECONDS)
        for connection in gone:
            connection.close()
        _until(lambda: one.running.metric("http_requests_total", handler="/predict", code="400") == 5)
        one.model.free.set()
        assert [answer.result().status_code for answer in asked] == [200] * 3
        assert one.running.monitor.store.rows == 3
    assert one.model.rows[-2:] == [1, 2]
    assert (batcher.queued_requests, batcher.queued_rows) == (0, 0)


def test_a_client_that_only_ends_what_it_sends_waits_for_the_model(binary: Example) -> None:
    with busy(binary, 2) as (one, asked):
        connection = _raw(one.running, _request(binary))
        connection.shutdown(socket.SHUT_WR)
        _until(lambda: one.running.context.model().batcher.queued_requests == 3)
        time.sleep(2 * HALF_CLOSE_SECONDS)
        one.model.free.set()
        with connection, connection.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
        assert [answer.result().status_code for answer in asked] == [200] * 3


@pytest.mark.parametrize("sent", [1, 40, 120, -1])
def test_a_client_that_leaves_in_the_middle_of_its_request_hurts_nobody(sent: int, binary: Example) -> None:
    with served(binary) as running:
        _raw(running, _request(binary)[:sent]).close()
        assert running.predict({"features": binary.rows(1)[0]}).status_code == 200
        assert running.monitor.store.rows == 1


# ---------------------------------------------------------------- large bodies


def test_large_bodies_are_read_within_a_budget(binary: Example) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n"
    with served(binary, max_body_bytes=200_000, max_pending_bytes=600_000) as running:
        reader = running.context.model().predict.reader
        slow = [_raw(running, head + b" " * 150_000) for _ in range(3)]
        _until(lambda: reader.pending_bytes == 450_000)
        refused = _raw(running, head)  # the length that it states is enough to know
        assert b"503 Service Unavailable" in refused.recv(1_000)
        assert running.predict({"features": binary.rows(1)[0]}).status_code == 200  # a small one needs none of it
        for connection in [*slow, refused]:
            connection.close()
        _until(lambda: reader.pending_bytes == 0)
        assert running.predict({"instances": binary.rows() * 3}).status_code == 200
        assert running.metric("model_predictions_rejected_total", reason="overloaded") == 1
        assert reader.pending_bytes == 0


def test_a_refused_body_need_not_be_sent_to_its_end(binary: Example) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n"
    with served(binary, max_body_bytes=200_000, max_pending_bytes=200_000) as running:
        with _raw(running, head + b" " * 150_000):
            _until(lambda: running.context.model().predict.reader.pending_bytes == 150_000)
            refused = _raw(running, head + b" " * 100_000)
            answer = b""
            while piece := refused.recv(10_000):  # the server says that there will be no more
                answer += piece
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"connection: close" in answer
            refused.close()
            patient = http.client.HTTPConnection(running.client.base_url.netloc.decode(), timeout=30.0)
            patient.request("POST", "/predict", b" " * 200_000)  # reads nothing before all of it is sent
            assert patient.getresponse().status == 503
            patient.close()
        assert running.predict({"features": binary.rows(1)[0]}).status_code == 200


def test_a_small_request_that_finds_no_room_keeps_its_connection(binary: Example) -> None:
    with busy(binary, 1, max_queued_requests=1) as (one, _), _raw(one.running, _request(binary)) as connection:
        assert b"connection: close" not in connection.recv(10_000)
        connection.sendall(_request(binary))
        assert connection.recv(10_000).startswith(b"HTTP/1.1 503")


def test_a_client_that_waits_for_a_word_before_its_body_is_hung_up_on_when_it_is_refused(binary: Example) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 300\r\n\r\n"
    with busy(binary, 1, max_queued_requests=1) as (one, _), _raw(one.running, head) as connection:
        answer = connection.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"connection: close" in answer


FULL = b"[1,2,3,4,5,6]," * 8_000
HOSTILE: Any = {
    "brackets": (b"[" * 3_000_000, 400, "not_json", "nested more than 1,024 deep"),
    "levels": (b'{"features":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "not_json", "nested more than 1,024"),
    "empty lists": (b'{"data":[' + b",".join([b"[]"] * 900_000) + b"]}", 422, "too_many_rows", "lists and objects"),
    "keys": (
        orjson.dumps({"features": [], **{f"k{k}": 1 for k in range(600_000)}}),
        *(422, "too_many_rows", "values, which is more than 10,000 rows"),
    ),
    "keys within the limit": (
        orjson.dumps({"features": [], **{f"k{k}": 1 for k in range(20_000)}}),
        *(422, "unknown_shape", "k0, k1, k2 and 19997 more are not known keys"),
    ),
    "features": (
        orjson.dumps({"features": {f"k{k}": 1 for k in range(20_000)}}),
        *(422, "unknown_feature", "k0, k1, k2 and 19997 more are not features of the model"),
    ),
    "torn": (b'{"data":[' + FULL + b"]}}", 400, "not_json", "do not match"),
    "no end": (b'{"data":[' + FULL, 400, "not_json", "near byte"),
    "NaN": (b'{"data":[[NaN],' + FULL[:-1] + b"]}", 422, "not_finite", "send null"),
    "not UTF-8": (b'{"data":["\xff",' + FULL[:-1] + b"]}", 400, "not_utf8", "not UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("path", ["/predict", "/v2/models/binary/infer"])
def test_a_hostile_body_is_refused_with_a_short_sentence(name: str, path: str, quiet_server: Served) -> None:
    body, status, code, says = HOSTILE[name]
    answer = quiet_server.client.post(path, content=body)
    told = answer.text if path.startswith("/v2") else answer.json()["error"]["message"]
    if path == "/predict":
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert says in told
    else:  # there, neither shape is known
        assert answer.status_code in {status, 422}
        assert told.startswith('{"error":"' + code) or "unknown_shape" in told
    assert len(told) < 700
    reader = quiet_server.context.model().predict.reader
    assert reader.pending_bytes == reader.pending_rows == 0


@pytest.fixture(scope="module")
def quiet_server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        yield running


def test_rows_that_the_queue_cannot_take_are_refused_before_they_are_parsed(binary: Example) -> None:
    features = len(binary.names)
    no_json = b'{"data":[' + b",".join([b"[" + b",".join([b"1"] * features) + b"]"] * 6_000) + b"oops"
    with busy(binary, 2, max_queued_rows=1_000) as (one, _):
        answer = one.running.client.post("/predict", content=no_json)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        one.model.free.set()
        _until(lambda: one.running.context.model().batcher.queued_requests == 0)
        assert one.running.client.post("/predict", content=no_json).status_code == 400


def test_many_rows_are_answered_like_few(binary: Example) -> None:
    rows = binary.rows(100) * 20
    with served(binary) as running:
        many = running.predict({"instances": rows}).json()["predictions"]
        few = running.predict({"instances": rows[:100]}).json()["predictions"]
    assert [row["score"] for row in many] == pytest.approx([row["score"] for row in few] * 20)
    ids = [row["prediction_id"] for row in many]
    assert ids == sorted(set(ids))
