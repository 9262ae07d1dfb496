"""`POST /ingest/…` and `POST /validation`: rows of models that other servers serve, from their logs.

Records that cannot be read do not fail the others, and the answer is then 200 too: senders such as Fluent Bit drop a
whole chunk at a 4xx. 429 and 503 ask for the same request again, of which nothing is counted twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, runtime_checkable

from fastapi import Request
from starlette.responses import Response

from driftgauge.access.caller import Scope
from driftgauge.common.quoting import shortened
from driftgauge.edges.formats.evidently import drift_verdict
from driftgauge.edges.formats.ingest.decoder import Decoder
from driftgauge.edges.formats.ingest.formats import FORMATS, Format
from driftgauge.edges.formats.ingest.packed import MEDIA_TYPES, packed_names
from driftgauge.edges.formats.ingest.records import MOST_RECORDS
from driftgauge.edges.http.access import caller_of
from driftgauge.edges.http.context import context_of
from driftgauge.edges.http.encodings import Coding, coding_of
from driftgauge.edges.http.errors import error_response, json_response
from driftgauge.edges.http.intakes import Intakes
from driftgauge.edges.http.labels import label_counts
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.edges.http.monitoring import monitoring_of
from driftgauge.errors import Reason, Refused
from driftgauge.ingestion.dead_letters import shown
from driftgauge.ingestion.records import Decoded, PairDecoder
from driftgauge.ingestion.tally import IngestTally
from driftgauge.metrics.series import INGEST_DEFERRED

RETRY_AFTER_SECONDS: Final = 1
AGAIN: Final = (Reason.TOO_MANY_PENDING, Reason.INTAKE_FULL, Reason.OVERLOADED, Reason.MODEL_UNUSABLE)
"""Reasons for which the same request may succeed later."""
GZIP: Final = b"\x1f\x8b"
"""The first bytes of a body that is compressed, whatever its headers say: proxies lose them."""
USUAL_ERRORS: Final = 100
MOST_ERRORS: Final = 1_000
"""Refused records of one answer."""
EVENT_SERVICE: Final = "ce-inferenceservicename"
SERVICE: Final = re.compile(rb'\\*"service_name\\*"\s*:\s*\\*"([^"\\]+)')
"""The name of a service in a record, also where the record is quoted as text in another one."""
EVENT_TYPE: Final = "ce-type"
Decode = Callable[[Decoder, bytes], Decoded]


@runtime_checkable
class EventDecoder(Protocol):
    """A decoder that reads events whose attributes are in headers."""

    def event(self, headers: Mapping[str, str], body: bytes) -> Decoded:
        """Return the half in one event."""


async def ingest(request: Request) -> Response:
    """Take in rows of a model; our own unless `?format=` names another format."""
    kind = request.query_params.get("format", FORMATS[0])
    if kind not in FORMATS:
        message = f"there is no format {shortened(kind)!r}; there is {', '.join(FORMATS)}"
        raise Refused(Reason.INVALID_QUERY, message, {"field": "format"})
    return await _taken(request, lambda _: request.path_params["model_name"], kind, _decode_of(request))


async def ingest_sagemaker(request: Request) -> Response:
    """Take in lines of SageMaker's data capture, and of its ground truth."""
    return await _taken(request, lambda _: request.path_params["model_name"], "sagemaker", _decode_of(request))


async def ingest_cloudevents(request: Request) -> Response:
    """Take in requests and responses of KServe, Seldon and Azure ML, to be joined by their id."""
    headers = dict(request.headers)

    def decode(decoder: Decoder, body: bytes) -> Decoded:
        if EVENT_TYPE in headers and isinstance(decoder, EventDecoder):
            return decoder.event(headers, body)
        return _decode(decoder, body)

    def name(_: bytes) -> str | None:
        service: str | None = request.query_params.get("model") or headers.get(EVENT_SERVICE)
        return service if _names(request, service) else None

    return await _taken(request, name, "kserve", decode)


async def validation(request: Request) -> Response:
    """Take in records of Fluent Bit around BentoML's lines, and answer with the verdict on the model."""

    def name(body: bytes) -> str | None:
        if (given := request.query_params.get("model")) or len(monitoring_of(request).models.names) == 1:
            return given
        named = {found.decode("utf-8", "replace") for found in SERVICE.findall(body)}
        if _is_packed(request):
            named |= packed_names(body)
        return next((own for own in sorted(named) if _names(request, own)), None)

    return await _taken(request, name, "fluent_bit", _decode_of(request), with_verdict=True)


async def ingest_errors(request: Request) -> Response:
    """Answer with the last records that could not be read; their values only for the scope `admin`."""
    own, query = monitoring_of(request).model(request.query_params.get("model")), request.query_params
    text = query.get("limit", str(USUAL_ERRORS))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST_ERRORS)) and 1 <= int(text) <= MOST_ERRORS):
        message = f"limit: {shortened(text)!r} is not a whole number from 1 to {MOST_ERRORS}"
        raise Refused(Reason.INVALID_QUERY, message, {"field": "limit"})
    with_record, intakes = caller_of(request.scope).may(Scope.ADMIN), context_of(request).intakes
    letters = await intakes.run(lambda: intakes.of(own).parts.letters.last(int(text)))
    errors = [shown(letter, with_record=with_record) for letter in letters]
    return json_response({"model_name": own.model_name, "errors": errors})


# ---------------------------------------------------------------- one way for all


def _decode_of(request: Request) -> Decode:
    """Return what decodes the body: as MessagePack if its media type says so, otherwise as JSON."""
    return Decoder.decode_packed if _is_packed(request) else _decode


def _decode(decoder: Decoder, body: bytes) -> Decoded:
    return decoder.decode(body, most=MOST_RECORDS)


def _is_packed(request: Request) -> bool:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type in MEDIA_TYPES


def _names(request: Request, name: str | None) -> bool:
    """Say whether a name is that of a model, usable or not."""
    monitoring = monitoring_of(request)
    return name is not None and (name in monitoring.models.names or name in monitoring.unusable)


async def _taken(
    request: Request,
    name: Callable[[bytes], str | None],
    kind: Format,
    decode: Decode,
    *,
    with_verdict: bool = False,
) -> Response:
    """Take in a request; `name` returns the model's name, given the body, None for the only one."""
    intakes, own = context_of(request).intakes, None
    try:
        body = await _body(request, intakes)
        own = model = monitoring_of(request).model(name(body))
        tally = await intakes.run(lambda: _take(intakes, model, kind, decode, body))
    except Refused as error:
        if error.reason not in AGAIN:
            raise
        if own is not None:
            _deferred(own, error.reason)
        return error_response(
            error.reason, error.message, error.detail, headers={"retry-after": str(RETRY_AFTER_SECONDS)}
        )
    answer = {"model_name": own.model_name, **_answer(tally)}
    if with_verdict:
        report = own.monitor.last.report if own.evaluator is None else (await own.evaluator.current()).report
        answer = {**drift_verdict(report), **answer}
    return json_response(answer)


def _deferred(own: ModelMonitoring, reason: Reason) -> None:
    """Count a request that is asked to come again."""
    if (reason,) in INGEST_DEFERRED.children:
        with own.store.counting() as counters:
            counters.add(INGEST_DEFERRED.name, 1, reason)
        own.publisher.soon()


def _take(intakes: Intakes, own: ModelMonitoring, kind: Format, decode: Decode, body: bytes) -> IngestTally:
    decoder = intakes.decoder(own, kind)
    return intakes.of(own).take(decode(decoder, body), decoder if isinstance(decoder, PairDecoder) else None)


async def _body(request: Request, intakes: Intakes) -> bytes:
    """Return the inflated body."""
    reader, scope = intakes.reader, request.scope
    reader.admit(scope)
    coding: Coding | None = coding_of(scope["headers"])
    with reader.pending() as pending:
        body = await reader.rest(await request.receive(), scope, request.receive, pending)
        if coding is None and body.startswith(GZIP):
            coding = "gzip"
        if coding == "gzip" and not body.startswith(GZIP):  # a proxy has inflated it and kept the header
            coding = None
        return body if coding is None else await reader.inflate(body, coding, pending)


def _answer(tally: IngestTally) -> dict[str, Any]:
    return {
        "rows": {"taken": tally.taken, "duplicate": tally.duplicates},
        "refused": {"records": sum(tally.refused.values()), "reasons": dict(tally.refused)},
        "events": {"joined": tally.joined, "waiting": tally.waiting},
        "labels": label_counts(tally.labels),
    }
