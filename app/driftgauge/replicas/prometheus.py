"""Queries to a Prometheus, or to what answers as one: Thanos, Mimir, VictoriaMetrics."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from driftgauge.errors import PrometheusError

SECONDS: Final = 60.0
"""Longest wait for an answer."""
FORBIDDEN: Final = (401, 403)
NOT_FOUND: Final = 404


@dataclass(frozen=True)
class Sample:
    """A series of an answer, with its value."""

    labels: Mapping[str, str]
    value: float

    def key(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the values of some labels; an absent label is empty."""
        return tuple(self.labels.get(name, "") for name in names)


@dataclass(frozen=True)
class Prometheus:
    """An address that answers queries, and what is sent along."""

    url: str
    """With the prefix of the API, if there is one, such as `/prometheus` of Mimir."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PrometheusError(f"--prometheus: {self.url} is not an address: give e.g. http://localhost:9090")
        if parts.username or parts.password:
            raise PrometheusError("--prometheus: leave the password out of the address, and give it with --header-file")

    def now(self) -> float:
        """Return its time, in seconds since 1970."""
        series = self._asked({"query": "vector(time())"})["data"]["result"]  # a bare time() is one only to some
        return float(series[0]["value"][1])

    def ask(self, query: str, at: float) -> tuple[list[Sample], list[str]]:
        """Return the series that a query finds at a time, and the warnings that came with them."""
        answer = self._asked({"query": query, "time": f"{at:.3f}"})
        found = [Sample(series["metric"], float(series["value"][1])) for series in answer["data"]["result"]]
        return [each for each in found if not math.isnan(each.value)], [str(own) for own in answer.get("warnings", [])]

    def _asked(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        address = f"{self.url.rstrip('/')}/api/v1/query?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(address, headers=dict(self.headers))  # noqa: S310  its scheme is checked above
        try:
            with urllib.request.urlopen(request, timeout=self.seconds) as answer:  # noqa: S310  see above
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            raise PrometheusError(self._refusal(error)) from error
        except ValueError as error:
            raise PrometheusError(f"{self.url} answers no JSON: {_WHICH_ADDRESS}") from error
        except OSError as error:
            why = getattr(error, "reason", None) or error
            raise PrometheusError(f"no answer from {self.url} ({why}): is Prometheus there? (--prometheus)") from error
        if not isinstance(found, dict) or found.get("status") != "success":
            raise PrometheusError(f"{self.url} does not answer as Prometheus does: {_WHICH_ADDRESS}")
        return found

    def _refusal(self, error: urllib.error.HTTPError) -> str:
        if error.code in FORBIDDEN:
            return f"{self.url} answered {error.code}: give its token with --token-file, or a header with --header-file"
        try:
            why = str(json.load(error)["error"])
        except (OSError, ValueError, KeyError, TypeError):
            why = f"{error.reason}: {_WHICH_ADDRESS}" if error.code == NOT_FOUND else str(error.reason)
        return f"{self.url} answered {error.code}: {why}"


_WHICH_ADDRESS: Final = (
    "give the address below which /api/v1/query is, such as http://prometheus:9090 or http://mimir:8080/prometheus"
)
