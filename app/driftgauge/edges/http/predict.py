"""`POST /predict`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from fastapi import Request
from starlette.responses import Response

from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.edges.formats.large.structure import Structure
from driftgauge.edges.formats.predict_json import USUAL, AnswerStyle, PredictRequest, read_request, write_answer
from driftgauge.edges.formats.prediction_ids import time_ordered_ids
from driftgauge.edges.http.context import context_of
from driftgauge.edges.http.errors import error_body
from driftgauge.edges.http.metadata import without_labels
from driftgauge.edges.http.request_metrics import MODEL_PREDICT, MODEL_PREDICT_LABEL
from driftgauge.edges.http.served_models import ServedModel
from driftgauge.errors import Reason
from driftgauge.models.bundle import BundleInfo
from driftgauge.serving.request import Answer


@dataclass(frozen=True)
class PredictJson:
    """Codec of `POST /predict` and `POST /predict/label`."""

    decoder: FeatureDecoder
    info: BundleInfo
    max_rows: int
    style: AnswerStyle = USUAL

    def read(self, body: bytes, structure: Structure | None = None) -> PredictRequest:
        """Decode a body, a large one with its structure; raises Refused."""
        return read_request(body, self.decoder, self.max_rows, structure)

    def ids(self, request: PredictRequest, arrival: float) -> Sequence[str]:
        """Return the ids of the rows' predictions: those of the request, or new ones."""
        return request.ids or time_ordered_ids(arrival, len(request.batch))

    def write(self, request: PredictRequest, answer: Answer, arrival: float, ids: Sequence[str]) -> bytes:
        """Return the answer's body."""
        return write_answer(request, answer, self.info, ids, self.style)

    def error(self, reason: Reason, message: str, detail: Mapping[str, object]) -> bytes:
        """Return an error's body."""
        return orjson.dumps(error_body(reason, message, detail))


async def predict(request: Request) -> Response:
    """Predict one row or many rows: all of them are answered, or none. Where there are several models, name one."""
    return await context_of(request).model(how=f"POST {MODEL_PREDICT}").predict.answer(request)


async def predict_by(request: Request) -> Response:
    """Predict one row or many rows with the live version of a model: all of them are answered, or none."""
    return await context_of(request).model(request.path_params["model_name"]).predict.answer(request)


async def predict_label(request: Request) -> Response:
    """Predict the names of classes of one row or many rows. Where there are several models, name one."""
    return await _labels(context_of(request).model(how=f"POST {MODEL_PREDICT_LABEL}"), request)


async def predict_label_by(request: Request) -> Response:
    """Predict the names of classes with the live version of a model."""
    return await _labels(context_of(request).model(request.path_params["model_name"]), request)


async def _labels(model: ServedModel, request: Request) -> Response:
    if model.predict_label is None:
        raise without_labels(model.info)
    return await model.predict_label.answer(request)
