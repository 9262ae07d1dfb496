"""`GET /predict/test` and `GET /predict/test/label`: predict the bundle's own samples again."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request
from starlette.responses import Response

from driftgauge.edges.http.context import model_of
from driftgauge.edges.http.errors import error_response, json_response
from driftgauge.edges.http.metadata import without_labels
from driftgauge.edges.http.served_models import ServedModel
from driftgauge.errors import ModelFailed, Reason
from driftgauge.models.bundle import Label


async def predict_test(request: Request) -> Response:
    """Predict the bundle's samples again and compare; these predictions are neither counted nor monitored.

    The model does it at most once every few seconds, however many requests there are.
    """
    return await _tested(model_of(request))


async def predict_test_label(request: Request) -> Response:
    """Predict the bundle's samples again, as `/predict/test` does, and answer with the names of classes."""
    model = model_of(request)
    if not model.info.classes:
        raise without_labels(model.info)
    return await _tested(model, named=str)


async def _tested(model: ServedModel, named: Callable[[Label], Label] = lambda label: label) -> Response:
    """Return the answer; `named` turns a prediction into what is answered."""
    try:
        answers = await model.tested.get()
    except ModelFailed as error:
        return error_response(Reason.MODEL_FAILED, str(error))
    rows = [
        {
            "features": sample.features,
            "prediction": named(prediction),
            "score": score,
            "expected_prediction": named(sample.prediction),
            "expected_score": sample.score,
        }
        for sample, prediction, score, _ in answers
        if sample.shown
    ]
    first = rows[0]["prediction"] if rows else None
    return json_response({"ok": all(agrees for *_, agrees in answers), "prediction": first, "samples": rows})
