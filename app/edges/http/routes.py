"""Every route of the server, declared once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.responses import Response

from app.bundles import BundleInfo
from app.edges.http import about, predict, runbooks, schemas, watch

Handler = Callable[..., Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """A route: what answers it, with which status codes, and how the documentation describes it."""

    method: str
    path: str
    answers: Handler
    codes: tuple[int, ...]
    tag: str
    body: type[BaseModel] | None = None
    """The shape of its answer."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Its method, and for the probes that some load balancers send, HEAD."""
        return (self.method, "HEAD") if self.tag == "health" else (self.method,)


ROUTES: Final = (
    Route("POST", "/predict", predict.predict, (200, 400, 413, 422, 500), "predict", schemas.PredictAnswer),
    Route("GET", "/predict/test", about.predict_test, (200, 500), "predict", schemas.TestAnswer),
    Route("GET", "/drift/status", watch.status, (200, 404), "watch", schemas.DriftStatus),
    Route("GET", "/metrics", watch.metrics, (200,), "watch"),
    Route("GET", "/runbooks", runbooks.contents, (200,), "watch"),
    Route("GET", "/runbooks/{alert}", runbooks.runbook, (200, 404), "watch"),
    Route("GET", "/metadata", about.metadata, (200,), "model", schemas.Metadata),
    Route("GET", "/label", about.label, (200,), "model", schemas.ClassNames),
    Route("GET", "/health", about.health, (200,), "health", schemas.Health),
    Route("GET", "/health/live", about.live, (200,), "health", schemas.Alive),
    Route("GET", "/health/ready", about.ready, (200, 503), "health", schemas.Alive),
    Route("GET", "/", about.root, (307,), "docs"),
)
DOCUMENTATION: Final = (("GET", "/docs", (200,)), ("GET", "/openapi.json", (200,)))
"""The routes that FastAPI itself answers."""


def measured() -> Sequence[tuple[str, str, Sequence[int]]]:
    """Return every route as (method, template, codes)."""
    declared = [(method, route.path, route.codes) for route in ROUTES for method in route.methods]
    return [*declared, *DOCUMENTATION]


def install_routes(app: FastAPI, info: BundleInfo) -> None:
    """Add the routes, with the model's own features in their documentation."""
    for route in ROUTES:
        extra: dict[str, Any] = {}
        if route.path == "/predict":
            extra["openapi_extra"] = {"requestBody": schemas.predict_body(info)}
        elif route.path == "/drift/status":
            extra["openapi_extra"] = {"parameters": [schemas.MODEL_PARAMETER]}
        elif route.path == "/runbooks/{alert}":
            extra["openapi_extra"] = {"parameters": [schemas.ALERT_PARAMETER]}
        app.add_api_route(
            route.path,
            route.answers,
            methods=[route.method],
            tags=[route.tag],
            response_class=Response,
            responses=schemas.responses(route.codes, route.body, route.path),
            include_in_schema=route.path != "/",
            **extra,
        )
        for method in route.methods[1:]:
            app.add_api_route(route.path, route.answers, methods=[method], include_in_schema=False)
