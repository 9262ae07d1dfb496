"""Queries to a Prometheus, or to a server with the same API: Thanos, Mimir, VictoriaMetrics."""

from __future__ import annotations

import http.client
import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from driftgauge.common.quoting import shortened
from driftgauge.common.redirects import open_directly, why_not
from driftgauge.errors import PrometheusError

SECONDS: Final = 60.0
"""Longest wait for an answer."""
MOST_BYTES: Final = 256 << 20
"""Largest answer that is read: a million series."""
MOST_ERROR_BYTES: Final = 65_536
LONGEST_TEXT: Final = 500
"""Most characters of a warning or an error of Prometheus."""
_AT_ONCE: Final = 65_536
FORBIDDEN: Final = (401, 403)
REDIRECTS: Final = range(300, 400)
NOT_FOUND: Final = 404
TOO_MUCH: Final = (422, 503)
"""Prometheus answers them to a query that reads too many samples, or takes too long."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A series of an answer, with its value."""

    labels: Mapping[str, str]
    value: float

    def key(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the values of some labels; an absent label is empty."""
        return tuple(self.labels.get(name, "") for name in names)


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus: its address, and the headers of requests."""

    url: str
    """With the prefix of the API, if there is one, such as `/prometheus` of Mimir."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        if "@" in self.url:
            raise PrometheusError("--prometheus: leave the password out of the address, and give it with --header-file")
        try:
            parts = urllib.parse.urlsplit(self.url)
            is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number, for example
            is_one = False
        if not is_one or not self.url.isprintable() or " " in self.url:
            raise PrometheusError(
                f"--prometheus: {_plain(self.url)} is not an address: give e.g. http://localhost:9090"
            )
        if "?" in self.url or "#" in self.url:
            raise PrometheusError("--prometheus: leave out ? and # and all after them; give a token with --token-file")

    def now(self) -> float:
        """Return the time of Prometheus, in seconds since 1970."""
        found, _ = self._series({"query": "vector(time())"})  # a bare time() is one only to some
        if len(found) != 1 or not math.isfinite(found[0].value):
            raise self._foreign()
        return found[0].value

    def ask(self, query: str, at: float) -> tuple[list[Sample], list[str]]:
        """Return the series that a query finds at a time, and the warnings that came with them."""
        found, warnings = self._series({"query": query, "time": f"{at:.3f}"})
        return [each for each in found if not math.isnan(each.value)], warnings

    def _series(self, parameters: Mapping[str, str]) -> tuple[list[Sample], list[str]]:
        """Return the series and warnings of an answer; PrometheusError if no Prometheus sent it."""
        try:
            answer = self._asked(parameters)
            shared: dict[str, str] = {}
            found = [_sample(own, shared) for own in answer["data"]["result"]]
            return found, [*map(_plain, answer.get("warnings") or ())]
        except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise self._foreign() from error

    def _foreign(self) -> PrometheusError:
        return PrometheusError(f"{self.url} does not answer as Prometheus does: {_WHICH_ADDRESS}")

    def _asked(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        address = f"{self.url.rstrip('/')}/api/v1/query?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(address, headers=dict(self.headers))  # noqa: S310  its scheme is checked above
        until = time.monotonic() + self.seconds
        try:
            with open_directly(request, self.seconds) as answer:
                found = json.loads(self._read(answer, MOST_BYTES, until))
        except urllib.error.HTTPError as error:
            with error:
                raise PrometheusError(self._refusal(error, until)) from error
        except (OSError, http.client.HTTPException) as error:
            why = _plain(why_not(error))
            raise PrometheusError(
                f"no answer from {self.url} ({why}): check the address, and that Prometheus runs (--prometheus)"
            ) from error
        except ValueError as error:
            raise PrometheusError(f"{self.url} answers no JSON: {_WHICH_ADDRESS}") from error
        if not isinstance(found, dict) or found.get("status") != "success":
            raise self._foreign()
        return found

    def _read(self, answer: Any, most: int, until: float) -> bytes:
        """Return the content of an answer; PrometheusError if it is too large or comes too slowly."""
        content = bytearray()
        while part := answer.read1(_AT_ONCE):
            content += part
            if len(content) > most:
                raise PrometheusError(
                    f"{self.url} answers with more than {most:,} bytes: choose fewer servers (--match)"
                )
            if time.monotonic() > until:
                raise PrometheusError(
                    f"{self.url} takes more than {self.seconds:g} s for an answer: choose fewer servers (--match), or "
                    "raise --timeout"
                )
        if answer.length:  # what its Content-Length announced and did not come
            raise http.client.IncompleteRead(bytes(content[:0]), answer.length)
        return bytes(content)

    def _refusal(self, error: urllib.error.HTTPError, until: float) -> str:
        if error.code in FORBIDDEN:
            return f"{self.url} answered {error.code}: give its token with --token-file, or a header with --header-file"
        if error.code in REDIRECTS:
            to = _plain(error.headers.get("Location", "nowhere").partition("?")[0].rpartition("@")[2])
            return f"{self.url} answered {error.code} and leads to {to}: give the address that answers itself"
        try:
            why = _plain(json.loads(self._read(error, MOST_ERROR_BYTES, until))["error"])
            if error.code in TOO_MUCH:
                why += ": choose fewer servers (--match), or a shorter time (--since)"
        except (OSError, ValueError, KeyError, TypeError, RecursionError, http.client.HTTPException, PrometheusError):
            why = _plain(error.reason) + (f": {_WHICH_ADDRESS}" if error.code == NOT_FOUND else "")
        return f"{self.url} answered {error.code}: {why}"


def _sample(series: Any, shared: dict[str, str]) -> Sample:
    """Return a series; equal values of labels are one object, because many series have the same ones."""
    labels = {}
    for name, value in series["metric"].items():
        if (known := shared.get(value)) is None:
            known = shared[value] = _plain(value, len(value))
        labels[name] = known
    return Sample(labels, float(series["value"][1]))


def _plain(text: object, most: int = LONGEST_TEXT) -> str:
    """Return a text of Prometheus as a terminal can show it."""
    said = str(text)
    return shortened(said if said.isprintable() else "".join(own if own.isprintable() else " " for own in said), most)


_WHICH_ADDRESS: Final = (
    "give the address that comes before /api/v1/query, such as http://prometheus:9090 or http://mimir:8080/prometheus"
)
