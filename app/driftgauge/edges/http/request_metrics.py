"""Counts and times requests: `http_requests_total` and `http_request_duration_seconds`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from driftgauge.errors import Reason
from driftgauge.metrics.counters import Counters
from driftgauge.metrics.series import CounterSpec
from driftgauge.metrics.server_series import (
    CONNECTIONS_REFUSED,
    HTTP_DURATION,
    HTTP_REQUESTS,
    REQUESTS_DENIED,
    REQUESTS_LIMITED,
    Route,
    server_series,
)

PREDICT: Final = "/predict"
MODEL_PREDICT: Final = "/models/{model_name}/predict"
PREDICT_LABEL: Final = f"{PREDICT}/label"
MODEL_PREDICT_LABEL: Final = f"{MODEL_PREDICT}/label"
INFER: Final = "/v2/models/{model_name}/infer"
UNMATCHED = ("other", "unmatched", (400, 404, 405, 408, 414, 431))
"""Method, handler and codes of requests that match no route, or are refused before it is known."""


def handler(path: str) -> str:
    """Return the template under which a route is counted; with and without a version it is the same."""
    return path.replace("/versions/{model_version}", "")


Routes = Sequence[Route]


def http_series(routes: Routes, *, several: bool = False) -> tuple[CounterSpec, ...]:
    """Return the series of some routes, and of requests that fit none.

    Alerts watch the errors of routes that predict, so they are listed from the start; of the two that predict in our
    own format, the one that names a model if there are several, else the short one.
    """
    used = (MODEL_PREDICT if several else PREDICT, INFER)
    predicting = [(method, template) for method, template, _ in routes if method == "POST" and template in used]
    return server_series([*routes, UNMATCHED], predicting)


class HttpCounters:
    """The server's own counters in a state; `changed` is called after each counted answer."""

    def __init__(self, routes: Routes, counters: Counters, changed: Callable[[], None] = lambda: None) -> None:
        """Count in `counters`, which hold the series of these routes."""
        self.series: tuple[CounterSpec, ...] = http_series(routes)
        self.counters = counters
        self._changed = changed
        self._known = {(method, template) for method, template, _ in routes}
        self._children = {
            child: (self.counters.counter(HTTP_REQUESTS, *child), self.counters.histogram(HTTP_DURATION, *child[:2]))
            for child in self.series[0].children
        }

    def count(self, method: str, template: str | None, code: int, seconds: float) -> None:
        """Count one answer."""
        labels = (method, template or "", str(code))
        count, observe = self._children.get(labels) or self._children[self._labels(*labels)]
        count(1.0)
        observe(seconds)
        self._changed()

    def refused(self, reason: Reason, status: int | None) -> None:
        """Count a refused or closed connection, and the answer to its request."""
        self.counters.add(CONNECTIONS_REFUSED.name, 1.0, reason)
        if status is not None:
            self.counters.add(HTTP_REQUESTS, 1.0, *self._labels(*UNMATCHED[:2], str(status)))
        self._changed()

    def denied(self, reason: Reason) -> None:
        """Count a request without a token that allows it; its answer is counted apart."""
        self.counters.add(REQUESTS_DENIED.name, 1.0, reason)

    def limited(self, reason: Reason) -> None:
        """Count a request whose caller has reached a limit; its answer is counted apart."""
        self.counters.add(REQUESTS_LIMITED.name, 1.0, reason)

    def _labels(self, method: str, template: str, code: str) -> tuple[str, str, str]:
        """Return the labels of an answer that has no series of its own."""
        if method == "HEAD" and (method, template) not in self._known:
            method = "GET"  # it is the same work
        known = (method, template) if (method, template) in self._known else UNMATCHED[:2]
        return (*known, code) if (*known, code) in self._children else (*known, "other")
