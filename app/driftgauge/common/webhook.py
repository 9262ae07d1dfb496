"""Bodies that are posted to a URL: bounded, signed, without redirects, with errors that say whether to try again.

Secrets never stand in messages: an error names the scheme, the host and the port of the URL alone. Proxies in the
environment are not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from driftgauge.errors import DriftgaugeError

SIGNATURE_HEADER: Final = "X-Driftgauge-Signature"
KEY_HEADER: Final = "Idempotency-Key"
MOST_ANSWER_BYTES: Final = 65_536
"""Most bytes of an answer that are read; the rest is left."""
LONGEST_URL: Final = 4_096
TEMPORARY: Final = frozenset({408, 425, 429})
"""Statuses below 500 after which the same request may succeed later."""
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2


class WebhookFailed(DriftgaugeError):
    """A request that was not accepted."""

    def __init__(
        self, message: str, *, retryable: bool, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.retryable: Final = retryable
        """Whether the same request may succeed later."""
        self.status: Final = status
        """The status of the answer; None without one."""
        self.retry_after: Final = retry_after
        """Seconds that the receiver asks to wait; None if it does not ask."""


@dataclass(frozen=True)
class Webhook:
    """Where requests go, and how. ValueError for a URL or a header that cannot be used."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers of each request, such as `Authorization`."""
    secret: bytes | None = field(default=None, repr=False)
    """The key of the signature; None for requests without one."""
    seconds: float = 10.0
    """Time that a request may take, from the connection to the end of the answer."""
    ca_file: Path | None = None
    """Authorities (PEM) that may have signed the certificate; None for those of the system."""
    method: str = "POST"
    content_type: str = "application/json"
    """Of the bodies."""

    def __post_init__(self) -> None:
        check_url(self.url)
        for name, value in self.headers.items():
            # The name alone is named: the value may be a token.
            if not _HEADER.fullmatch(name) or not value.isprintable() or not value.isascii():
                raise ValueError(f"the header {name!a} cannot be sent: give a name of letters and a value in one line")

    @property
    def place(self) -> str:
        """The scheme, host and port of the URL; its path may be a secret."""
        return place(self.url)


@dataclass(frozen=True)
class Answer:
    """What the receiver answered."""

    status: int
    text: str
    """Its body, cut off after `MOST_ANSWER_BYTES`."""


def check_url(url: str) -> None:
    """Raise ValueError for a URL that nothing can be posted to; the message does not repeat it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        (parts.hostname or "").encode("idna")  # a part of the name of over 63 characters is an error
    except ValueError:
        usable = False
    if not usable or len(url) > LONGEST_URL or not url.isascii() or re.search(r"[\x00-\x20\x7f]", url):
        raise ValueError("the URL cannot be used: give one like https://host/path, in ASCII and without spaces")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL holds a user or a password: give them in a header instead")
    if parts.fragment:
        raise ValueError("the URL has a part after #, which is never sent: leave it out")


def place(url: str) -> str:
    """Return the scheme, the host and the port of a URL.

    >>> place("https://hooks.example.org/T0/secret?token=1")
    'https://hooks.example.org'
    """
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


# ---------------------------------------------------------------- signature


def signature(secret: bytes, body: bytes, at: float) -> str:
    """Return the value of `X-Driftgauge-Signature`: the time, and the HMAC-SHA256 of `TIME.BODY`.

    >>> signature(b"key", b"{}", 1.0)[:20]
    't=1,v1=1ba6b8171186e'
    """
    stamp = str(int(at))
    return f"t={stamp},v1={_digest(secret, body, stamp)}"


def is_signed(header: str, secret: bytes, body: bytes, at: float, *, tolerance_seconds: float = 300.0) -> bool:
    """Return whether a signature is that of a body, made at most so many seconds ago; receivers may copy this."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    stamp, given = parts.get("t", ""), parts.get("v1", "")
    if not re.fullmatch(r"[0-9]{1,12}", stamp) or abs(at - int(stamp)) > tolerance_seconds:
        return False
    return hmac.compare_digest(_digest(secret, body, stamp).encode(), given.encode())


def _digest(secret: bytes, body: bytes, stamp: str) -> str:
    return hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


# ---------------------------------------------------------------- request


def post(webhook: Webhook, body: bytes, *, at: float, key: str | None = None) -> Answer:
    """Post a body and return the answer; WebhookFailed for anything but a status from 200 to 299.

    `at` is the time of the signature, in seconds since 1970. `key` is sent as `Idempotency-Key`: the same one in every
    attempt, so that the receiver can leave out a repetition.
    """
    with _reported(webhook):
        answer, retry_after = _exchange(webhook, body, _headers(webhook, body, at, key))
    if not 200 <= answer.status < 300:
        raise _refused(webhook, answer.status, retry_after_seconds(retry_after, at))
    return answer


def _headers(webhook: Webhook, body: bytes, at: float, key: str | None) -> dict[str, str]:
    own = {"Content-Type": webhook.content_type, "User-Agent": "driftgauge", "Connection": "close"}
    if key is not None:
        own[KEY_HEADER] = key
    if webhook.secret is not None:
        own[SIGNATURE_HEADER] = signature(webhook.secret, body, at)
    taken = {name.lower() for name in own}
    return own | {name: value for name, value in webhook.headers.items() if name.lower() not in taken}


def _exchange(webhook: Webhook, body: bytes, headers: Mapping[str, str]) -> tuple[Answer, str | None]:
    parts = urlsplit(webhook.url)
    with contextlib.closing(_connection(webhook, parts)) as connection:
        with _ended_after(webhook.seconds, connection.sock) as is_late:
            if isinstance(connection.sock, ssl.SSLSocket):
                connection.sock.do_handshake()
            connection.request(webhook.method, _target(parts), body, dict(headers))
            with connection.getresponse() as response:
                content = response.read(MOST_ANSWER_BYTES)
            # A socket that is shut down looks like the end of an answer that states no length.
            if is_late.is_set():
                raise TimeoutError
        return Answer(response.status, content.decode("utf-8", "replace")), response.headers.get("Retry-After")


def _connection(webhook: Webhook, parts: SplitResult) -> http.client.HTTPConnection:
    """Return a connection whose handshake, if it has TLS, is still to come."""
    host = parts.hostname or ""
    if parts.scheme == "http":
        connection = http.client.HTTPConnection(host, parts.port, timeout=webhook.seconds)
        connection.connect()
        return connection
    context = ssl.create_default_context(cafile=webhook.ca_file)
    secure = http.client.HTTPSConnection(host, parts.port, context=context)
    plain = socket.create_connection((host, secure.port), webhook.seconds)
    secure.sock = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
    return secure


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


@contextlib.contextmanager
def _ended_after(seconds: float, sock: socket.socket) -> Iterator[threading.Event]:
    """Shut a socket down when time is up: its own timeout begins again with each byte."""
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not SSLSocket's own, which would take its state away

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield is_late
    except (OSError, http.client.HTTPException) as error:
        raise TimeoutError if is_late.is_set() else error from error
    finally:
        timer.cancel()


# ---------------------------------------------------------------- errors


@contextlib.contextmanager
def _reported(webhook: Webhook) -> Iterator[None]:
    """Turn every error of a connection into a WebhookFailed that names the place."""
    at = webhook.place
    try:
        yield
    except TimeoutError as error:
        raise WebhookFailed(f"{at} did not answer within {webhook.seconds:g} s", retryable=True) from error
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message
        advice = "give the authority that signed it as ca_file, or the name that it is for"
        raise WebhookFailed(f"the certificate of {at} cannot be verified ({why}): {advice}", retryable=False) from error
    except FileNotFoundError as error:
        raise WebhookFailed(f"there is no ca_file {webhook.ca_file}", retryable=False) from error
    except ssl.SSLError as error:
        named = webhook.ca_file is not None and error.reason in (None, "NO_CERTIFICATE_OR_CRL_FOUND")
        if named:
            raise WebhookFailed(f"the ca_file {webhook.ca_file} holds no certificate", retryable=False) from error
        raise WebhookFailed(f"{at} speaks no TLS that can be used ({error.reason})", retryable=False) from error
    except socket.gaierror as error:
        raise WebhookFailed(f"{at}: the name of the host is not known", retryable=True) from error
    except OSError as error:
        raise WebhookFailed(f"{at} cannot be reached: {error.strerror or error}", retryable=True) from error
    except http.client.HTTPException as error:
        raise WebhookFailed(f"{at} gave no answer of HTTP ({type(error).__name__})", retryable=True) from error


def _refused(webhook: Webhook, status: int, retry_after: float | None) -> WebhookFailed:
    if 300 <= status < 400:
        why = "redirects, which is not followed: give the address that it leads to"
        return WebhookFailed(f"{webhook.place} {why}", retryable=False, status=status)
    retryable = status >= 500 or status in TEMPORARY
    said = f"{webhook.place} answered {status}"
    return WebhookFailed(said, retryable=retryable, status=status, retry_after=retry_after if retryable else None)


def retry_after_seconds(header: str | None, at: float) -> float | None:
    """Return the seconds that a `Retry-After` header asks to wait; None for one that cannot be read.

    >>> retry_after_seconds("120", 0.0), retry_after_seconds("Thu, 01 Jan 1970 00:01:00 GMT", 30.0)
    (120.0, 30.0)
    """
    text = (header or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(moment.timestamp() - at, 0.0)
