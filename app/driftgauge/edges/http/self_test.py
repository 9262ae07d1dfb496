"""`GET /predict/test`: predicts the bundle's own samples again."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from driftgauge.edges.http.context import model_of
from driftgauge.edges.http.errors import error_response, json_response
from driftgauge.errors import ModelFailed, Reason


async def predict_test(request: Request) -> Response:
    """Predict the bundle's samples again and compare; these predictions are neither counted nor monitored.

    The model does it at most once every few seconds, however many requests there are.
    """
    try:
        answers = await model_of(request).tested.get()
    except ModelFailed as error:
        return error_response(Reason.MODEL_FAILED, str(error))
    rows = [
        {
            "features": sample.features,
            "prediction": prediction,
            "score": score,
            "expected_prediction": sample.prediction,
            "expected_score": sample.score,
        }
        for sample, prediction, score, _ in answers
        if sample.shown
    ]
    return json_response({"ok": all(agrees for *_, agrees in answers), "samples": rows})
