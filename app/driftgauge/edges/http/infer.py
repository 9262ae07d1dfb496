"""The Open Inference Protocol, version 2: all routes under `/v2`, with the protocol's own error format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request
from starlette.responses import Response

from driftgauge import __version__
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.edges.formats.infer_v2 import (
    InferRequest,
    error_body,
    model_metadata,
    read_infer,
    server_metadata,
    write_infer,
)
from driftgauge.edges.formats.large.structure import Structure
from driftgauge.edges.formats.prediction_ids import time_ordered_ids
from driftgauge.edges.http.context import ServerContext, context_of
from driftgauge.edges.http.errors import json_response, status_of
from driftgauge.edges.http.prediction_endpoint import Reply, reply_of
from driftgauge.edges.http.served_models import ServedModel
from driftgauge.errors import Reason, Refused
from driftgauge.models.bundle import BundleInfo
from driftgauge.serving.request import Answer

NOT_READY = "the server is starting or stopping: try again in a moment"


@dataclass(frozen=True)
class InferV2:
    """Codec of `POST /v2/models/{name}/infer`."""

    decoder: FeatureDecoder
    info: BundleInfo
    max_rows: int
    outlier_threshold: float | None = None
    """Rows with a higher score are outliers; None if answers do not say so."""

    def read(self, body: bytes, structure: Structure | None = None) -> InferRequest:
        """Decode a body, a large one with its structure; raises Refused."""
        return read_infer(
            body, self.decoder, self.info, self.max_rows, structure, with_outliers=self.outlier_threshold is not None
        )

    def ids(self, request: InferRequest, arrival: float) -> Sequence[str]:
        """Return the ids of the rows' predictions: that of a request with one row, or new ones."""
        rows = len(request.batch)
        return [request.id] if rows == 1 and request.id else time_ordered_ids(arrival, rows)

    def write(self, request: InferRequest, answer: Answer, arrival: float, ids: Sequence[str]) -> bytes:
        """Return the answer's body; `arrival` is in seconds since 1970."""
        return write_infer(request, answer, self.info, arrival, ids, self.outlier_threshold)

    def error(self, reason: Reason, message: str, detail: Mapping[str, object]) -> bytes:
        """Return an error's body; the protocol has no field for the detail, so the message names it."""
        return error_body(reason, message)


async def infer(request: Request) -> Response:
    """Predict the rows of tensors: all of them are answered, or none."""
    found = _named(request)
    return await found.infer.answer(request) if isinstance(found, ServedModel) else found


async def server(request: Request) -> Response:
    """Return the server's name and version."""
    return json_response(server_metadata(__version__))


async def live(request: Request) -> Response:
    """Return 200 while the process runs."""
    return json_response({"live": True})


async def ready(request: Request) -> Response:
    """Return 200 once the server predicts, 503 while it starts or stops."""
    return _ready(context_of(request), {"ready": True})


async def model(request: Request) -> Response:
    """Describe the model's input and output tensors."""
    found = _named(request)
    if not isinstance(found, ServedModel):
        return found
    return json_response(model_metadata(found.info, with_outliers=found.outlier_threshold is not None))


async def model_ready(request: Request) -> Response:
    """Return 200 once the model predicts, 503 while the server starts or stops."""
    found = _named(request)
    if not isinstance(found, ServedModel):
        return found
    return _ready(context_of(request), {"name": found.model_name, "ready": True})


def _ready(context: ServerContext, body: Mapping[str, object]) -> Response:
    return json_response(body) if context.ready else _error(503, Reason.NOT_READY, NOT_READY).response()


def _named(request: Request) -> ServedModel | Response:
    """Return the model that a request's path names, or the 404 answer to an unknown name or version."""
    parameters = request.path_params
    try:
        return context_of(request).model(parameters["model_name"], parameters.get("model_version"))
    except Refused as error:
        return _error(status_of(error.reason), error.reason, error.message).response()


def _error(status: int, reason: Reason, message: str) -> Reply:
    return reply_of(status, error_body(reason, message))
