"""Every route of the server, declared once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from driftgauge.access.caller import Scope
from driftgauge.edges.http import (
    actions,
    docs_page,
    health,
    infer,
    ingest,
    labels,
    metadata,
    models,
    multivariate,
    predict,
    predictions,
    self_test,
    swap,
)
from driftgauge.edges.http.access import Access
from driftgauge.edges.http.monitoring_routes import METRICS, MONITORING_ROUTES, READ, Handler, Route
from driftgauge.edges.http.openapi import (
    bodies,
    schemas,
    schemas_actions,
    schemas_diagnosis,
    schemas_history,
    schemas_ingest,
    schemas_labels,
    schemas_multivariate,
    schemas_performance,
    schemas_predictions,
    schemas_status,
    schemas_v2,
    schemas_versions,
)
from driftgauge.edges.http.openapi.security import REQUIRED
from driftgauge.edges.http.request_metrics import MODEL_PREDICT, MODEL_PREDICT_LABEL, PREDICT, PREDICT_LABEL, handler
from driftgauge.edges.http.served_models import MODEL_PATHS
from driftgauge.models.bundle import BundleInfo

OF_MODEL: Final = (200, 400, 404, 503)
"""Codes of routes that describe the model that a query names."""
PREDICTING: Final = (200, 400, 403, 408, 413, 415, 421, 422, 500, 503)
INFERRING: Final = (*PREDICTING, 404)
VERSIONS: Final = "/models/{model_name}/versions"
CHANGING: Final = (200, 403, 404, 409, 413, 422)
CHANGES: Final[Mapping[Handler, type[BaseModel]]] = {
    swap.load_version: swap.LoadVersion,
    swap.unload_version: swap.UnloadShadow,
    swap.roll_back: swap.Rollback,
}
"""The bodies of the routes that change versions."""
LABELS: Final = "/labels"
PREDICTIONS: Final = "/predictions"
LABELLING: Final = (200, 400, 403, 404, 408, 413, 415, 421, 422, 503)
INGESTING: Final = (200, 400, 403, 404, 408, 413, 415, 421, 422, 503)
INGEST_ERRORS: Final = "/ingest/errors"
INGEST: Final = "/ingest/{model_name}"
INGEST_ROUTES: Final = (
    Route(
        "POST",
        "/ingest/cloudevents",
        ingest.ingest_cloudevents,
        INGESTING,
        "ingest",
        Scope.INGEST,
        schemas_ingest.IngestAnswer,
    ),
    Route("POST", INGEST, ingest.ingest, INGESTING, "ingest", Scope.INGEST, schemas_ingest.IngestAnswer),
    Route(
        "POST",
        f"{INGEST}/sagemaker",
        ingest.ingest_sagemaker,
        INGESTING,
        "ingest",
        Scope.INGEST,
        schemas_ingest.IngestAnswer,
    ),
    Route(
        "POST",
        "/validation",
        ingest.validation,
        INGESTING,
        "ingest",
        Scope.INGEST,
        schemas_ingest.ValidationAnswer,
    ),
    Route(
        "GET",
        INGEST_ERRORS,
        ingest.ingest_errors,
        (200, 400, 404, 422, 503),
        "ingest",
        READ,
        schemas_ingest.IngestErrors,
    ),
)
"""Routes for rows of models that other servers serve."""
ANYWHERE: Final = (408, 414, 421, 431)
"""Codes of every route: answers to requests that are refused before their route is known."""
ROUTES: Final = (
    Route("POST", PREDICT, predict.predict, PREDICTING, "predict", Scope.PREDICT, schemas.PredictAnswer),
    Route("POST", MODEL_PREDICT, predict.predict_by, INFERRING, "predict", Scope.PREDICT, schemas.PredictAnswer),
    Route("POST", PREDICT_LABEL, predict.predict_label, INFERRING, "predict", Scope.PREDICT, schemas.PredictAnswer),
    Route(
        "POST",
        MODEL_PREDICT_LABEL,
        predict.predict_label_by,
        INFERRING,
        "predict",
        Scope.PREDICT,
        schemas.PredictAnswer,
    ),
    Route("GET", "/predict/test", self_test.predict_test, (*OF_MODEL, 500), "predict", READ, schemas.TestAnswer),
    Route(
        "GET",
        "/predict/test/label",
        self_test.predict_test_label,
        (*OF_MODEL, 500),
        "predict",
        READ,
        schemas.TestAnswer,
    ),
    Route("POST", LABELS, labels.labels, LABELLING, "labels", Scope.LABELS, schemas_labels.LabelsAnswer),
    Route(
        "GET",
        PREDICTIONS,
        predictions.predictions,
        (200, 400, 404, 406, 422, 503),
        "predictions",
        READ,
        schemas_predictions.LoggedPredictions,
    ),
    *INGEST_ROUTES,
    *MONITORING_ROUTES,
    Route(
        "POST",
        actions.ALERTS,
        actions.alerts,
        (200, 400, 403, 404, 408, 413, 422, 503),
        "actions",
        Scope.ACTIONS,
        schemas_actions.ReceivedAlerts,
    ),
    Route("GET", actions.PATH, actions.actions, (200, 422, 503), "actions", READ, schemas_actions.ActionHistory),
    Route(
        "POST",
        multivariate.PATH,
        multivariate.compare,
        (*OF_MODEL, 403, 409),
        "monitoring",
        Scope.ADMIN,
        schemas_multivariate.ComparedNow,
    ),
    Route("GET", "/models", models.models, (200,), "model", READ, schemas.ListedModels),
    Route("GET", "/metadata", metadata.metadata, OF_MODEL, "model", READ, schemas.Metadata),
    Route("GET", "/label", metadata.label, OF_MODEL, "model", READ, schemas.ClassNames),
    Route("GET", VERSIONS, swap.list_versions, (200, 404, 409), "versions", READ, schemas_versions.ModelVersions),
    Route("POST", VERSIONS, swap.load_version, CHANGING, "versions", Scope.ADMIN, schemas_versions.VersionChanged),
    Route(
        "DELETE",
        f"{VERSIONS}/{{model_version}}",
        swap.unload_version,
        CHANGING,
        "versions",
        Scope.ADMIN,
        schemas_versions.VersionChanged,
    ),
    Route(
        "POST",
        "/models/{model_name}/rollback",
        swap.roll_back,
        CHANGING,
        "versions",
        Scope.ADMIN,
        schemas_versions.VersionChanged,
    ),
    Route("GET", "/health", health.health, (200,), "health", None, schemas.Health),
    Route("GET", "/health/live", health.live, (200,), "health", None, schemas.Alive),
    Route("GET", "/health/ready", health.ready, (200, 503), "health", None, schemas.Ready),
    *(
        Route("POST", f"{path}/infer", infer.infer, INFERRING, "v2", Scope.PREDICT, schemas_v2.InferAnswer)
        for path in MODEL_PATHS
    ),
    *(Route("GET", path, infer.model, (200, 404, 503), "v2", READ, schemas_v2.V2ModelMetadata) for path in MODEL_PATHS),
    *(
        Route("GET", f"{path}/ready", infer.model_ready, (200, 404, 503), "v2", None, schemas_v2.V2Ready)
        for path in MODEL_PATHS
    ),
    Route("GET", "/v2", infer.server, (200,), "v2", READ, schemas_v2.V2ServerMetadata),
    Route("GET", "/v2/health/live", infer.live, (200,), "v2", None, schemas_v2.V2Live),
    Route("GET", "/v2/health/ready", infer.ready, (200, 503), "v2", None, schemas_v2.V2Ready),
    Route("GET", "/docs", docs_page.docs, (200,), "docs", READ),
    Route("GET", "/docs/{asset}", docs_page.docs_asset, (200, 404), "docs", None),
)
DOCUMENT: Final = ("GET", "/openapi.json", (200, 401, 403, 429))
"""The route that the application itself adds; it needs the scope `read`."""


_INGEST_PARAMETERS: Final = {
    INGEST: schemas_ingest.FORMAT_PARAMETERS,
    "/ingest/cloudevents": schemas_ingest.MODEL_PARAMETERS,
    "/validation": schemas_ingest.MODEL_PARAMETERS,
    INGEST_ERRORS: schemas_ingest.ERROR_PARAMETERS,
}
_RECORDS: Final = {
    "required": True,
    "description": "Records as the other server logs them: a JSON array, JSON lines, or one event. docs/ingest.md.",
    "content": {"application/json": {"schema": {}}, "application/x-ndjson": {"schema": {}}},
}


DocumentedModel = tuple[BundleInfo, int]
"""A model, and the most rows of a request to it."""


def measured() -> Sequence[tuple[str, str, Sequence[int]]]:
    """Return every route as (method, template under which it is counted, codes)."""
    declared = {(method, handler(route.path)): route.all_codes for route in ROUTES for method in route.methods}
    return [*((method, path, codes) for (method, path), codes in declared.items()), DOCUMENT]


def install_routes(
    app: FastAPI, served: Sequence[DocumentedModel], access: Access, *, open_metrics: bool = False
) -> None:
    """Add the routes, documented with the models' own features; each asks for the token that it needs."""
    for route in ROUTES:
        is_open = route.scope is None or (open_metrics and route.path == METRICS)
        app.add_api_route(
            route.path,
            route.handler,
            methods=[route.method],
            tags=[route.tag],
            dependencies=[] if is_open else _dependencies(route, access),
            response_class=Response,
            responses=schemas.responses((*route.all_codes, *ANYWHERE), route.body, route.path, _error(route)),
            include_in_schema=route.is_documented,
            openapi_extra={
                **_extra(route, served),
                **({"security": REQUIRED} if access.is_on and not is_open else {}),
            },
        )


def describe_models(app: FastAPI, served: Sequence[DocumentedModel]) -> None:
    """Document the routes with the features of the models that are live now."""
    declared = {(route.path, route.handler): route for route in ROUTES}
    for own in app.routes:
        if isinstance(own, APIRoute) and (route := declared.get((own.path, own.endpoint))):
            own.openapi_extra = {**(own.openapi_extra or {}), **_extra(route, served)}


def _dependencies(route: Route, access: Access) -> list[Any]:
    """Return what checks the caller of a route."""
    if route.scope is None or not access.is_checking:
        return []
    return [Depends(access.requires(route.scope, is_limited=route.path != METRICS))]


def _error(route: Route) -> type[BaseModel]:
    return schemas_v2.V2Error if route.tag == "v2" else schemas.ErrorAnswer


def _extra(route: Route, served: Sequence[DocumentedModel]) -> dict[str, Any]:
    """Return the documented parameters and body of a route."""
    parameters = [parameter for name, parameter in schemas.PARAMETERS.items() if f"{{{name}}}" in route.path]
    if route.path == "/drift/status":
        parameters += schemas_status.PARAMETERS
    elif route.path == "/drift/report":
        parameters += schemas_status.REPORT_PARAMETERS
    elif route.path == "/drift/history":
        parameters += schemas_history.PARAMETERS
    elif route.path == "/diagnosis":
        parameters += schemas_diagnosis.PARAMETERS
    elif route.path == "/performance":
        parameters += schemas_performance.PARAMETERS
    elif route.codes[: len(OF_MODEL)] == OF_MODEL:
        parameters += schemas.OF_MODEL
    elif route.path == LABELS:
        parameters += schemas_labels.PARAMETERS
    elif route.path == actions.PATH:
        parameters += schemas_actions.PARAMETERS
    elif route.path == PREDICTIONS:
        parameters += schemas_predictions.PARAMETERS
    elif route.tag == "ingest":
        parameters += _INGEST_PARAMETERS.get(route.path, [])
    extra: dict[str, Any] = {"parameters": parameters} if parameters else {}
    if served and route.tag == "predict" and route.method == "POST":
        named = [own for own in served if own[0].classes] if route.path.endswith("/label") else served
        extra["requestBody"] = bodies.any_of([bodies.predict_body(info, most) for info, most in named or served])
    elif served and route.path.endswith("/infer"):
        extra["requestBody"] = bodies.any_of([schemas_v2.infer_schema(info, most) for info, most in served])
    elif route.handler in CHANGES:
        extra["requestBody"] = swap.body_schema(CHANGES[route.handler])
    elif route.tag == "ingest" and route.method == "POST":
        extra["requestBody"] = _RECORDS
    elif route.path == actions.ALERTS:
        extra["requestBody"] = schemas_actions.ALERTS_BODY
    elif route.path == LABELS:
        extra["requestBody"] = schemas_labels.labels_body(served)
    return extra
