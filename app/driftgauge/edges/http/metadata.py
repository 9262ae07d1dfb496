"""`GET /metadata` and `GET /label`: what the model takes and answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from starlette.responses import Response

from driftgauge.edges.http.context import model_of
from driftgauge.edges.http.errors import json_response
from driftgauge.errors import Reason, Refused
from driftgauge.models.bundle import BundleInfo, Feature, Sample


async def metadata(request: Request) -> Response:
    """Describe the model's inputs and predictions: types, shapes, samples."""
    model = model_of(request)
    info = model.info
    samples = info.shown_samples[:1]
    return json_response(
        {
            "model_name": info.name,
            "model_version": info.version,
            "task": info.task,
            "created": info.created,
            "about": info.about.as_json(),
            "accepts_missing": info.accepts_missing,
            "features": [_feature(feature) for feature in info.features],
            "data_type": {feature.name: _data_type(feature) for feature in info.features},
            "data_structure": [None, len(info.features)],
            "data_sample": [_values(info, sample) for sample in samples],
            "prediction_type": prediction_type(info),
            "prediction_structure": [None],
            "prediction_sample": [sample.prediction for sample in samples],
            **_outliers(model.outlier_threshold, model.outlier_samples[:1]),
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
    """Return a sample's values in the features' order; booleans stay booleans."""
    values = [(feature, sample.features.get(feature.name)) for feature in info.features]
    return [bool(value) if feature.boolean and value in (0.0, 1.0) else value for feature, value in values]


def _data_type(feature: Feature) -> str:
    return "string" if feature.kind != "numeric" else "boolean" if feature.boolean else "float"


def _outliers(threshold: float | None, scores: Sequence[float]) -> dict[str, Any]:
    """Return what answers say of outliers; null if they say nothing."""
    if threshold is None:
        return dict.fromkeys(("outlier_type", "outlier_structure", "outlier_sample"))
    return {
        "outlier_type": {"is_outlier": "boolean", "outlier_score": "float"},
        "outlier_structure": [None, 2],
        "outlier_sample": [[score > threshold, score] for score in scores],
    }


def prediction_type(info: BundleInfo) -> str:
    """Return the JSON type of a prediction."""
    kinds = {"bool": "boolean", "int": "integer", "float": "float", "str": "string"}
    return kinds[type(info.classes[0]).__name__] if info.classes else "float"


async def label(request: Request) -> Response:
    """Return the name of each class by its index; empty for a regression."""
    return json_response({index: str(name) for index, name in enumerate(model_of(request).info.classes)})


def without_labels(info: BundleInfo) -> Refused:
    """Return the refusal of a request for the names of classes that a regression does not have."""
    message = f"the model {info.name} is a regression and has no class labels: send the rows to /predict"
    return Refused(Reason.NOT_FOUND, message, {"field": "model"})
