"""The same service for callers with a token: its own routes, and those of the monitor."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from app import app

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

EXPECTED = f"Bearer {os.environ['SERVICE_TOKEN']}".encode()


def protected(application: WSGIApplication) -> WSGIApplication:
    """Refuse requests without the token; a `before_request` of Flask would not see what is mounted."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        given = str(environ.get("HTTP_AUTHORIZATION", "")).encode()
        if hmac.compare_digest(given, EXPECTED):
            return application(environ, start_response)
        start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Type", "text/plain")])
        return [b"a token is needed\n"]

    return answer


app.wsgi_app = protected(app.wsgi_app)
