"""The endpoints of a monitor as a WSGI application, for Flask, Django and other servers of threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.types import Scope

from driftgauge.library.endpoints import Endpoints

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


class WsgiEndpoints:
    """An application for any WSGI server, or to be mounted under a path."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        answer = self._endpoints.waited(scope_of(environ))
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers]
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("content-type", "text/plain; charset=utf-8"))  # wsgiref.validate wants it on redirects too
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.body]


def scope_of(environ: WSGIEnvironment) -> Scope:
    """Return the ASGI scope of a WSGI request."""
    root = _text(environ.get("SCRIPT_NAME", "")).rstrip("/")
    return {
        "method": environ["REQUEST_METHOD"],
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "path": root + _text(environ.get("PATH_INFO", "")) or "/",
        "root_path": root,
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "headers": list(_headers(environ)),
        "server": (environ.get("SERVER_NAME", ""), int(environ.get("SERVER_PORT") or 80)),
    }


def _headers(environ: WSGIEnvironment) -> Iterator[tuple[bytes, bytes]]:
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            yield key.removeprefix("HTTP_").replace("_", "-").lower().encode("latin-1"), value.encode("latin-1")


def _text(encoded: str) -> str:
    """Return a text of UTF-8, whose bytes WSGI gives as characters."""
    return encoded.encode("latin-1").decode("utf-8", "replace")
