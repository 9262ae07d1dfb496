"""The Open Inference Protocol, version 2: all that is under `/v2`, with errors of its own shape."""

from __future__ import annotations

from collections.abc import Mapping
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
from driftgauge.edges.http.context import ServerContext, service_of
from driftgauge.edges.http.errors import json_response
from driftgauge.edges.http.prediction_endpoint import Reply, reply_of
from driftgauge.errors import Reason
from driftgauge.models.bundle import BundleInfo
from driftgauge.serving.request import Answer

NOT_READY = "the server is starting or stopping: try again in a moment"


@dataclass(frozen=True)
class InferV2:
    """The wire format of `POST /v2/models/{name}/infer`."""

    decoder: FeatureDecoder
    info: BundleInfo
    max_rows: int

    def read(self, body: bytes, structure: Structure | None = None) -> InferRequest:
        """Understand a body, a large one by its structure; raises Refused."""
        return read_infer(body, self.decoder, self.info, self.max_rows, structure)

    def write(self, asked: InferRequest, answer: Answer, arrival: float) -> bytes:
        """Return the answer's body; `arrival` is in seconds since 1970."""
        return write_infer(asked, answer, self.info, arrival)

    def error(self, reason: Reason, message: str, detail: Mapping[str, object]) -> bytes:
        """Return an error's body; the protocol has no place for the detail, whose field the message names."""
        return error_body(reason, message)


async def infer(request: Request) -> Response:
    """Predict the rows of tensors: all rows are answered, or none."""
    unknown = _unknown(request)
    return unknown or await service_of(request).infer.answer(request)


async def server(request: Request) -> Response:
    """Say which server this is."""
    return json_response(server_metadata(__version__))


async def live(request: Request) -> Response:
    """Answer 200 while the process runs."""
    return json_response({"live": True})


async def ready(request: Request) -> Response:
    """Answer 200 once predictions are possible, 503 before that and while stopping."""
    return _ready(service_of(request), {"ready": True})


async def model(request: Request) -> Response:
    """Describe the tensors that the model takes and answers."""
    return _unknown(request) or json_response(model_metadata(service_of(request).info))


async def model_ready(request: Request) -> Response:
    """Answer 200 once the model predicts, 503 before that and while stopping."""
    service = service_of(request)
    return _unknown(request) or _ready(service, {"name": service.info.name, "ready": True})


def _ready(service: ServerContext, body: Mapping[str, object]) -> Response:
    return json_response(body) if service.ready else _error(503, Reason.NOT_READY, NOT_READY).response()


def _unknown(request: Request) -> Response | None:
    """Return the answer to a request for another model or version than is served; None if it is the one."""
    info = service_of(request).info
    asked = request.path_params.get("model_name"), request.path_params.get("model_version", info.version)
    if asked == (info.name, info.version):
        return None
    message = f"the model {info.name} of version {info.version} is served here, and no other"
    return _error(404, Reason.NOT_FOUND, message).response()


def _error(status: int, reason: Reason, message: str) -> Reply:
    return reply_of(status, error_body(reason, message))
