"""Requests that follow no redirect: a token would be sent to whatever address an answer names."""

from __future__ import annotations

import ssl
import urllib.request
from typing import Any


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Return None, so that the answer is an error."""


def open_directly(request: urllib.request.Request, seconds: float) -> Any:
    """Return the answer to a request, to be closed; HTTPError for a redirect too.

    Each step of the connection may take that many seconds.
    """
    return urllib.request.build_opener(_NoRedirect).open(request, timeout=seconds)


def why_not(error: BaseException) -> str:
    """Return why a server did not answer, without numbers of the operating system."""
    cause = getattr(error, "reason", None) or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate cannot be verified: {cause.verify_message}"
    return str(getattr(cause, "strerror", None) or cause or type(error).__name__)
