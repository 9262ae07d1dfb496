from __future__ import annotations

import hashlib
import hmac
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from driftgauge.common.webhook import Webhook, WebhookFailed, is_signed, post, retry_after_seconds, signature
from hypothesis import given
from hypothesis import strategies as st

from tests.receivers import Receiver, receiver_of

SECRET = b"the key of the signature"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiver_of() as found:
        yield found


def failed(webhook: Webhook) -> WebhookFailed:
    """Return how a request to a webhook failed."""
    with pytest.raises(WebhookFailed) as found:
        post(webhook, b"{}", at=time.time())
    return found.value


def test_a_request_carries_the_body_the_headers_and_the_key(receiver: Receiver) -> None:
    answer = post(Webhook(f"{receiver.url}/a/b?c=d", {"Authorization": "Bearer x"}), b'{"a":1}', at=1.0, key="k-1")
    (request,) = receiver.requests
    assert (answer.status, answer.text) == (200, "ok")
    assert (request.path, json.loads(request.body)) == ("/a/b?c=d", {"a": 1})
    assert request.headers["authorization"] == "Bearer x"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == "k-1"
    assert "x-driftgauge-signature" not in request.headers


def test_the_signature_is_that_of_the_time_and_the_body(receiver: Receiver) -> None:
    post(Webhook(receiver.url, secret=SECRET), b'{"a":1}', at=1_700_000_000.9)
    (request,) = receiver.requests
    expected = hmac.new(SECRET, b'1700000000.{"a":1}', hashlib.sha256).hexdigest()
    assert request.headers["x-driftgauge-signature"] == f"t=1700000000,v1={expected}"


@given(st.binary(max_size=50), st.floats(0, 4e9))
def test_a_signature_holds_for_its_own_body_key_and_time_alone(body: bytes, at: float) -> None:
    header = signature(SECRET, body, at)
    assert is_signed(header, SECRET, body, at + 299)
    assert not is_signed(header, SECRET, body, at + 302)
    assert not is_signed(header, SECRET, body + b"x", at)
    assert not is_signed(header, b"another", body, at)


@pytest.mark.parametrize("header", ["", "t=,v1=", "t=1", "v1=0", "t=x,v1=0", "t=0,v1=é", "t=" + "9" * 5000])
def test_a_header_that_is_no_signature_is_refused(header: str) -> None:
    assert not is_signed(header, SECRET, b"", 0.0)


def test_a_body_may_have_another_type_and_another_method(receiver: Receiver) -> None:
    form = "application/x-www-form-urlencoded"
    post(Webhook(receiver.url, method="PUT", content_type=form), b"a=1", at=1.0)
    (request,) = receiver.requests
    assert (request.method, request.headers["content-type"], request.body) == ("PUT", form, b"a=1")


def test_headers_of_the_settings_do_not_replace_our_own(receiver: Receiver) -> None:
    post(Webhook(receiver.url, {"idempotency-KEY": "other", "X-Own": "1"}), b"{}", at=1.0, key="k")
    (request,) = receiver.requests
    assert (request.headers.get_all("idempotency-key"), request.headers["x-own"]) == (["k"], "1")


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (404, False), (408, True), (410, False), (425, True), (429, True), (500, True)],
)
def test_a_refusal_says_whether_to_try_again(receiver: Receiver, status: int, *, retryable: bool) -> None:
    receiver.answer(status, headers={"Retry-After": "7"})
    error = failed(Webhook(receiver.url))
    assert (error.status, error.retryable, error.retry_after) == (status, retryable, 7.0 if retryable else None)
    assert str(error) == f"{receiver.url} answered {status}"


def test_a_redirect_is_not_followed_and_its_address_not_shown(receiver: Receiver) -> None:
    receiver.answer(307, headers={"Location": f"{receiver.url}/elsewhere?token=abc"})
    error = failed(Webhook(receiver.url))
    assert not error.retryable
    assert len(receiver.requests) == 1
    assert str(error) == f"{receiver.url} redirects, which is not followed: give the address that it leads to"


def test_a_large_answer_is_read_in_part(receiver: Receiver) -> None:
    receiver.answer(200, body=b"x" * 1_000_000)
    assert len(post(Webhook(receiver.url), b"{}", at=1.0).text) == 65_536


def _serving(answer: Callable[[socket.socket], None]) -> tuple[str, threading.Thread, socket.socket]:
    """Accept one connection in a thread, and let a function answer it."""
    listening = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            answer(connection)

    thread = threading.Thread(target=run)
    thread.start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}", thread, listening


def test_a_handshake_that_does_not_end_ends_with_the_time() -> None:
    done = threading.Event()
    url, thread, listening = _serving(lambda connection: void(done.wait(30)))
    error = failed(Webhook(url.replace("http:", "https:"), seconds=0.3))
    done.set()
    thread.join()
    listening.close()
    assert (str(error).endswith("did not answer within 0.3 s"), error.retryable) == (True, True)


def void(_: object) -> None:
    """Forget a value."""


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_an_answer_that_comes_byte_by_byte_ends_with_the_time(begun: bytes) -> None:
    done = threading.Event()

    def trickle(connection: socket.socket) -> None:
        connection.sendall(begun)
        while not done.wait(0.05):
            try:
                connection.sendall(b"x")
            except OSError:
                return

    url, thread, listening = _serving(trickle)
    try:
        error = failed(Webhook(f"{url}/secret", seconds=0.5))
    finally:
        done.set()
        thread.join()
        listening.close()
    assert (str(error), error.retryable) == (f"{url} did not answer within 0.5 s", True)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_an_answer_that_is_not_http_can_be_tried_again(answer: bytes) -> None:
    url, thread, listening = _serving(lambda connection: connection.sendall(answer))
    error = failed(Webhook(f"{url}/secret"))
    thread.join()
    listening.close()
    assert error.retryable
    assert str(error).startswith(url)
    assert "secret" not in str(error)


def test_a_receiver_that_is_not_there_can_be_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = failed(Webhook(f"http://127.0.0.1:{port}/secret"))
    assert (str(error), error.retryable) == (f"http://127.0.0.1:{port} cannot be reached: Connection refused", True)


# ---------------------------------------------------------------- TLS


def _tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_a_certificate_of_an_own_authority_is_accepted(tmp_path: Path) -> None:
    authority, ca_file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with receiver_of(_tls(authority, "127.0.0.1")) as receiver:
        assert receiver.url.startswith("https://")
        assert post(Webhook(receiver.url, ca_file=ca_file), b"{}", at=1.0).status == 200
        assert not failed(Webhook(receiver.url)).retryable
        assert len(receiver.requests) == 1
    with receiver_of(_tls(authority, "example.org")) as receiver:
        error = failed(Webhook(receiver.url, ca_file=ca_file))
        assert "cannot be verified" in str(error)
        assert not error.retryable


def test_an_authority_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    error = failed(Webhook("https://127.0.0.1:1", ca_file=ca_file))
    assert (str(error), error.retryable) == (f"there is no ca_file {ca_file}", False)
    ca_file.write_text("nothing")
    error = failed(Webhook("https://127.0.0.1:1", ca_file=ca_file))
    assert (str(error), error.retryable) == (f"the ca_file {ca_file} holds no certificate", False)


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "ftp://a/secret", "http:///secret", "https://a:0/secret", "https://a:x/secret", "https://a/sec ret"),
        *(
            "https://a/secret\r\nX: y",
            "https://user:secret@a/",
            "https://a/#secret",
            "https://[::1/secret",
            "https://é/",
        ),
        "https://a/" + "secret" * 1000,
        "https://" + "a" * 64 + ".example.com/secret",
        "https://a..example.com/secret",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"^the URL") as found:
        Webhook(url)
    assert "secret" not in str(found.value)


@pytest.mark.parametrize(("name", "value"), [("A B", "x"), ("", "x"), ("A", "secret\r\nB: c"), ("A", "secrét")])
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="cannot be sent") as found:
        Webhook("https://a/", {name: value})
    assert "secr" not in str(found.value)


def test_neither_its_text_nor_an_error_of_a_webhook_shows_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    webhook = Webhook("http://127.0.0.1:1/secret", {"Authorization": "secret"}, b"secret")
    assert "secret" not in repr(webhook) + str(failed(webhook)) + caplog.text


@pytest.mark.parametrize("header", [None, "", "-1", "1.5", "soon", "Thu, 99 Jan 1970", "9" * 400])
def test_a_wait_that_cannot_be_read_is_none(header: str | None) -> None:
    assert retry_after_seconds(header, 0.0) is None


def test_a_time_that_is_past_is_no_wait() -> None:
    assert retry_after_seconds("Thu, 01 Jan 1970 00:01:00 GMT", 100.0) == 0.0
