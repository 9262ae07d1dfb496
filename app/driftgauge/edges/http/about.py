"""What the server says of itself and its model: health, metadata, labels, a test prediction."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from driftgauge import __version__
from driftgauge.edges.http.context import service_of
from driftgauge.edges.http.errors import error_response, json_response
from driftgauge.errors import ModelFailed, Reason
from driftgauge.models.bundle import BundleInfo, Feature, Sample


async def root(request: Request) -> Response:
    """Lead a browser to the documentation."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/docs", status_code=307)


async def health(request: Request) -> Response:
    """Say which model is served, and whether monitoring works."""
    service = service_of(request)
    problems = service.current_problems()
    return json_response(
        {
            "health": "ok" if service.ready else "starting",
            "version": __version__,
            "model_name": service.info.name,
            "model_version": service.info.version,
            "worker": {"slot": service.store.own.number, "pid": service.store.own.pid},
            "monitoring": {"healthy": not problems, "problems": problems},
        }
    )


async def live() -> Response:
    """Answer 200 while the process runs."""
    return json_response({"health": "ok"})


async def ready(request: Request) -> Response:
    """Answer 200 once predictions are possible, 503 before that and while stopping."""
    if service_of(request).ready:
        return json_response({"health": "ok"})
    return error_response(Reason.NOT_READY, "the server is starting or stopping: try again in a moment")


async def metadata(request: Request) -> Response:
    """Describe what the model takes and what it answers: types, shapes, samples."""
    info = service_of(request).info
    samples = info.shown_samples[:1]
    return json_response(
        {
            "model_name": info.name,
            "model_version": info.version,
            "task": info.task,
            "created": info.created,
            "accepts_missing": info.accepts_missing,
            "features": [_feature(feature) for feature in info.features],
            "data_type": {feature.name: _data_type(feature) for feature in info.features},
            "data_structure": [None, len(info.features)],
            "data_sample": [_values(info, sample) for sample in samples],
            "prediction_type": prediction_type(info),
            "prediction_structure": [None],
            "prediction_sample": [sample.prediction for sample in samples],
            "performance": info.performance.model_dump() if info.performance else None,
            "libraries": info.libraries,
        }
    )


def _feature(feature: Feature) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": feature.name,
        "kind": feature.kind,
        "type": _data_type(feature),
        "accepts_missing": feature.accepts_missing,
    }
    return {**described, "categories": list(feature.categories)} if feature.kind == "categorical" else described


def _values(info: BundleInfo, sample: Sample) -> list[bool | float | str | None]:
    """Return a sample in the features' order, booleans as such."""
    values = [(feature, sample.features.get(feature.name)) for feature in info.features]
    return [bool(value) if feature.boolean and value in (0.0, 1.0) else value for feature, value in values]


def _data_type(feature: Feature) -> str:
    return "string" if feature.kind != "numeric" else "boolean" if feature.boolean else "float"


def prediction_type(info: BundleInfo) -> str:
    """Return the JSON type of a prediction."""
    kinds = {"bool": "boolean", "int": "integer", "float": "float", "str": "string"}
    return kinds[type(info.classes[0]).__name__] if info.classes else "float"


async def label(request: Request) -> Response:
    """Give the name of each class by its place; empty for a regression."""
    return json_response({place: str(name) for place, name in enumerate(service_of(request).info.classes)})


async def predict_test(request: Request) -> Response:
    """Predict the bundle's own samples again, and compare; nothing of it is counted or watched.

    However many ask, the model does it once in some seconds.
    """
    service = service_of(request)
    try:
        answers = await service.tested.get()
    except ModelFailed as error:
        return error_response(Reason.MODEL_FAILED, str(error))
    rows = [
        {
            "features": sample.features,
            "prediction": again,
            "score": score,
            "expected_prediction": sample.prediction,
            "expected_score": sample.score,
        }
        for sample, again, score, _ in answers
        if sample.shown
    ]
    return json_response({"ok": all(agrees for *_, agrees in answers), "samples": rows})
