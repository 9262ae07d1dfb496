"""The routes that read monitoring alone: the server has them, and other applications mount them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel
from starlette.responses import Response

from driftgauge.access.caller import Scope
from driftgauge.edges.http import diagnosis, drift_history, drift_status, metrics_endpoint, page, performance, runbooks
from driftgauge.edges.http.openapi import schemas_diagnosis, schemas_history, schemas_performance, schemas_status

Handler = Callable[..., Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """A route: its handler, its status codes, and its documentation."""

    method: str
    path: str
    handler: Handler
    codes: tuple[int, ...]
    tag: str
    scope: Scope | None
    """What a token must allow; None for a route that needs no token."""
    body: type[BaseModel] | None = None
    """Schema of its answer."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Its method; also HEAD if that is counted separately, for probes of load balancers."""
        return (self.method, "HEAD") if self.tag == "health" else (self.method,)

    @property
    def all_codes(self) -> tuple[int, ...]:
        """Its status codes, with those of requests whose token does not allow it, or whose caller sends too many."""
        return self.codes if self.scope is None else tuple(dict.fromkeys((*self.codes, 401, 403, 429)))

    @property
    def is_documented(self) -> bool:
        """Whether the OpenAPI document lists it."""
        return self.tag != "docs"


READ: Final = Scope.READ
METRICS: Final = "/metrics"
MONITORING_ROUTES: Final = (
    Route("GET", "/", page.root, (200, 307, 400, 404, 406), "docs", READ),
    Route("GET", "/static/{asset}", page.static, (200, 404), "docs", None),
    Route(
        "GET",
        "/drift/status",
        drift_status.status,
        (200, 307, 400, 404, 406, 422),
        "monitoring",
        READ,
        schemas_status.DriftStatus,
    ),
    Route("GET", "/drift/report", page.report, (200, 400, 404, 406, 422), "monitoring", READ),
    Route(
        "GET",
        "/drift/history",
        drift_history.history,
        (200, 404, 422),
        "monitoring",
        READ,
        schemas_history.DriftHistory,
    ),
    Route(
        "GET",
        "/performance",
        performance.performance,
        (200, 404, 422, 503),
        "monitoring",
        READ,
        schemas_performance.PerformanceHistory,
    ),
    Route(
        "GET",
        diagnosis.PATH,
        diagnosis.diagnosis,
        (200, 307, 404, 406, 422, 503),
        "monitoring",
        READ,
        schemas_diagnosis.DiagnosisAnswer,
    ),
    Route("GET", METRICS, metrics_endpoint.metrics, (200, 406), "monitoring", READ),
    Route("GET", "/runbooks", runbooks.contents, (200,), "monitoring", READ),
    Route("GET", "/runbooks/{alert}", runbooks.runbook, (200, 404), "monitoring", READ),
)
"""Their handlers use `monitoring_of(request)`, and nothing else of the application."""
