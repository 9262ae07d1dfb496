"""Answers to connections refused before a request reaches the application: 400, 405, 408, 414, 431, 503."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

import orjson

from driftgauge.edges.formats import infer_v2
from driftgauge.edges.http.connection.connections import ConnectionLimits, Stage
from driftgauge.edges.http.errors import RETRY_AFTER_SECONDS, error_body, status_of
from driftgauge.errors import Reason, Refused

Header = tuple[bytes, bytes]


def malformed() -> Refused:
    """Return the refusal of invalid or ambiguous HTTP."""
    return Refused(
        Reason.MALFORMED_HTTP,
        "this is not valid HTTP/1.1: check the request line, the header fields, Content-Length and the chunks",
    )


def no_proxy() -> Refused:
    """Return the refusal of CONNECT."""
    return Refused(Reason.METHOD_NOT_ALLOWED, "CONNECT is not supported: this server is not a proxy")


def too_late(limits: ConnectionLimits, stage: Stage) -> Refused:
    """Return the refusal of a head or body that does not arrive in time."""
    seconds = limits.seconds(stage)
    return Refused(
        Reason.REQUEST_TIMEOUT,
        f"the {stage.value} of the request did not arrive within {seconds:g} s: send it without pauses",
        {"limit_seconds": seconds},
    )


def too_many(limits: ConnectionLimits) -> Refused:
    """Return the refusal of a connection above the maximum."""
    return Refused(
        Reason.TOO_MANY_CONNECTIONS,
        f"all {limits.max_connections} connections are in use: try again in a moment, "
        "and reuse a connection for several requests",
        {"limit": limits.max_connections},
    )


def excess(limits: ConnectionLimits, url_bytes: int, fields: int, head_bytes: int) -> Refused | None:
    """Return the refusal of a head or trailers that are too large, None if they are not."""
    if url_bytes > limits.max_url_bytes:
        return Refused(
            Reason.URL_TOO_LONG,
            f"the URL has more than {limits.max_url_bytes} bytes: send data in the body",
            {"limit": limits.max_url_bytes},
        )
    if fields > limits.max_header_count:
        return Refused(
            Reason.HEADERS_TOO_LARGE,
            f"the request has more than {limits.max_header_count} header fields: send fewer",
            {"limit": limits.max_header_count},
        )
    if head_bytes > limits.max_header_bytes:
        return Refused(
            Reason.HEADERS_TOO_LARGE,
            f"the header fields have more than {limits.max_header_bytes} bytes: send fewer or shorter ones",
            {"limit": limits.max_header_bytes},
        )
    return None


def encoded(refused: Refused, url: bytes, headers: Iterable[Header]) -> bytes:
    """Return a complete error answer; under `/v2` in the format of the Open Inference Protocol."""
    status = status_of(refused.reason)
    if (url + b"/").startswith(b"/v2/"):
        body = infer_v2.error_body(refused.reason, refused.message)
    else:
        body = orjson.dumps(error_body(refused.reason, refused.message, refused.detail))
    head = [
        b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode()),
        *(b"%s: %s" % header for header in headers),
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        *([b"retry-after: %d" % RETRY_AFTER_SECONDS] if refused.reason is Reason.TOO_MANY_CONNECTIONS else []),
        b"connection: close",
    ]
    return b"\r\n".join([*head, b"", body])
