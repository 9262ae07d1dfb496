"""Receivers of HTTP requests on 127.0.0.1, which keep what they are sent."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, bytes, Mapping[str, str]]
"""Status, body and headers."""


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: Message
    body: bytes
    method: str = "POST"


class Receiver:
    """A server that keeps its requests and answers each as it is told to."""

    def __init__(self, server: ThreadingHTTPServer, scheme: str) -> None:
        self.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        self.requests: list[Received] = []
        self._came = threading.Condition()
        self._answer: Answer = (200, b"ok", {})
        self._answers: dict[str, Answer] = {}

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Give this answer from now on."""
        self._answer = (status, body, headers or {})

    def answer_at(self, path: str, status: int, body: bytes = b"") -> None:
        """Give this answer to the requests for a path."""
        self._answers[path] = (status, body, {})

    def wait_for(self, count: int, seconds: float = 30.0) -> list[Received]:
        """Return the requests when there are at least so many; an error after some seconds."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.requests) >= count, seconds), self.requests
            return list(self.requests)

    def take(self, request: Received) -> Answer:
        """Keep a request, and return the answer."""
        with self._came:
            self.requests.append(request)
            self._came.notify_all()
        return self._answers.get(request.path, self._answer)


@contextlib.contextmanager
def receiver_of(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that the standard library asks for
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, content, headers = receiver.take(Received(self.path, self.headers, body, self.command))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):  # a client need not read all of it
                self.wfile.write(content)

        def do_PUT(self) -> None:  # as above
            self.do_POST()

        def log_message(self, format: str, *args: object) -> None:
            """Write no log."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
            """Accept a connection; its thread shakes hands."""
            found, address = super().get_request()
            return (tls.wrap_socket(found, server_side=True, do_handshake_on_connect=False) if tls else found), address

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that end a connection are no error here."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver = Receiver(server, "https" if tls else "http")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
