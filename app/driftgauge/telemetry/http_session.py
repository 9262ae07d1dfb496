"""Requests to a collector over HTTP: bounded in time and size, without redirects, with reasons that hold no secret."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from requests import Response, Session
from requests.exceptions import ConnectionError as Unreachable
from requests.exceptions import ProxyError, RequestException, SSLError, Timeout

from driftgauge.common.webhook import place, retry_after_seconds
from driftgauge.telemetry.delivery import Delivery

MOST_ANSWER_BYTES: Final = 65_536
"""Most bytes of an answer that are read; the rest is left."""
LONGEST_WAIT_SECONDS: Final = 300.0
"""Longest time for which nothing is sent because a collector asks for it."""
SPARE_SECONDS: Final = 0.2
"""Time after the end of a request in which its own error may still come."""
BUSY: Final = frozenset({429, 502, 503, 504})


class NotSent(RequestException):
    """A request that is not made, or whose answer does not count; another attempt at once would not help."""


class CollectorSession(Session):
    """The session of one exporter, which makes one request at a time."""

    def __init__(self, delivery: Delivery, answer: Callable[[], Message], clock: Callable[[], float]) -> None:
        """`answer` makes an empty answer of the signal; `clock` gives seconds since 1970."""
        super().__init__()
        self._delivery: Final = delivery
        self._answer: Final = answer
        self._clock: Final = clock
        self._waits_until = 0.0
        self._running: threading.Thread | None = None

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Response:  # type: ignore[override]
        """Return the answer; RequestException without one, or for a redirect, which is not followed."""
        at = place(str(url))
        try:
            response = self._asked(at, method, str(url), options)
        except RequestException as error:
            self._delivery.fail(str(error) if isinstance(error, NotSent) else _why(error, at))
            if isinstance(error, SSLError):  # the library would try again
                raise NotSent(self._delivery.reason) from error
            raise
        status = response.status_code
        if 300 <= status < 400:
            self._delivery.fail(f"{at} redirects, which is not followed: give the address that it leads to")
            raise NotSent(self._delivery.reason)
        if not 200 <= status < 300:
            self._delivery.fail(f"{at} answered {status}")
        if status in BUSY and (asked := retry_after_seconds(response.headers.get("retry-after"), self._clock())):
            self._waits_until = time.monotonic() + min(asked, LONGEST_WAIT_SECONDS)
        return response

    def _asked(self, at: str, method: str, url: str, options: dict[str, Any]) -> Response:
        """Make a request in a thread: its own limit begins again with each byte, and knows no names of hosts."""
        if (left := self._waits_until - time.monotonic()) > 0:
            raise NotSent(f"{at} asked to wait for {left:.0f} s more")
        if self._running is not None and self._running.is_alive():
            raise NotSent(f"{at} has not ended its last answer")
        found: list[Response | Exception] = []

        def run() -> None:
            try:
                found.append(self._exchange(method, url, options))
            except Exception as error:
                found.append(error)

        self._running = threading.Thread(target=run, name="collector", daemon=True)
        self._running.start()
        seconds = options.get("timeout")
        self._running.join(None if seconds is None else seconds + SPARE_SECONDS)
        if not found:
            raise Timeout
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    def _exchange(self, method: str, url: str, options: dict[str, Any]) -> Response:
        response = super().request(method, url, **{**options, "allow_redirects": False, "stream": True})
        with response:
            body = response.raw.read(MOST_ANSWER_BYTES, decode_content=True)
        if 200 <= response.status_code < 300:
            answer = self._answer()
            try:
                answer.ParseFromString(body)
            except DecodeError:  # JSON, or a page of a proxy: it was accepted
                answer = self._answer()
            self._delivery.answered(answer)
        return response


def _why(error: RequestException, at: str) -> str:
    """Return why a request failed; the library's own texts hold the path of the URL and values of headers."""
    if isinstance(error, SSLError):
        refused = next((own for own in _chain(error) if isinstance(own, ssl.SSLCertVerificationError)), None)
        if refused is None:
            return f"{at} speaks no TLS that can be used"
        advice = "OTEL_EXPORTER_OTLP_CERTIFICATE names the authorities"
        return f"the certificate of {at} cannot be verified ({refused.verify_message}): {advice}"
    if isinstance(error, ProxyError):
        return f"the proxy that the environment names for {at} does not answer"
    if isinstance(error, Timeout):
        return f"{at} did not answer in time"
    if isinstance(error, Unreachable):
        known = (own.strerror for own in _chain(error) if isinstance(own, OSError) and own.strerror)
        return f"{at} cannot be reached: {next(known, 'the connection ended')}"
    return f"{at} cannot be sent to ({type(error).__name__})"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it wraps, the outermost first."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        own = waiting.pop(0)
        if not isinstance(own, BaseException) or id(own) in seen:
            continue
        seen.add(id(own))
        yield own
        waiting += [*own.args, getattr(own, "reason", None), own.__cause__, own.__context__]
