"""`POST /labels`: ground truth of predictions, stored before it is acknowledged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from driftgauge.edges.formats.label_values import LabelValues, OutcomeValues
from driftgauge.edges.formats.labels import LINES_TYPES, TruthBatch, TruthDecoder, TruthRow, errors_json
from driftgauge.edges.http.body_reader import INLINE_BYTES, BodyReader
from driftgauge.edges.http.body_thread import Urgency
from driftgauge.edges.http.context import context_of
from driftgauge.edges.http.encodings import coding_of
from driftgauge.edges.http.errors import error_response, json_response
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.errors import PredictionLogError, Reason, Refused
from driftgauge.monitor.label_intake import NOT_STORED, LabelIntake
from driftgauge.monitor.problems import Problems
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.labels import LABEL, Fate, GivenLabel, LabelTally
from driftgauge.predictions.rows import MICROSECONDS

RETRY_AFTER_SECONDS: Final = 5


@dataclass(frozen=True)
class LabelEndpoint:
    """Takes in the ground truth of one model."""

    model_name: str
    decoder: TruthDecoder
    intake: LabelIntake
    reader: BodyReader
    problems: Problems
    max_rows: int

    async def answer(self, request: Request) -> Response:
        """Store the rows of a request; those that cannot be read do not fail the others."""
        batch = await self._read(request)
        given = given_labels(batch.rows)
        try:
            tally = await self.intake.add(given, batch.refused)
        except PredictionLogError as error:
            self.problems.record(NOT_STORED, error)
            message = "the labels could not be stored, none of them: send them again in a moment"
            return error_response(Reason.LABELS_NOT_STORED, message, headers={"retry-after": str(RETRY_AFTER_SECONDS)})
        if not batch.rows:
            first = batch.errors[0].error
            message = first.message if batch.refused == 1 else f"all {batch.refused} rows are refused: {first.message}"
            detail = {**first.detail, "refused": batch.refused, "errors": errors_json(batch.errors)}
            return error_response(first.reason, message, detail)
        return json_response(self._answer(batch, tally))

    async def _read(self, request: Request) -> TruthBatch:
        """Read and decode the body; a large one in a thread."""
        reader, scope = self.reader, request.scope
        coding, kind = coding_of(scope["headers"]), request.headers.get("content-type", "").partition(";")[0]
        lines = kind.strip().lower() in LINES_TYPES
        reader.admit(scope)
        with reader.pending() as pending:
            body = await reader.rest(await request.receive(), scope, request.receive, pending)
            if coding is not None:
                body = await reader.inflate(body, coding, pending)
            if len(body) <= INLINE_BYTES:
                return self._decode(body, lines)
            return await reader.thread.run(Urgency.PARSE, self._decode, body, lines)

    def _decode(self, body: bytes, lines: bool) -> TruthBatch:
        return self.decoder.batch(body, self.max_rows, lines=lines)

    def _answer(self, batch: TruthBatch, tally: LabelTally) -> Mapping[str, Any]:
        outcomes = {"outcomes": label_counts(tally.outcome_fates)} if self.decoder.outcomes.kinds else {}
        return {
            "model_name": self.model_name,
            "rows": len(batch.rows) + batch.refused,
            "labels": label_counts(tally.fates),
            **outcomes,
            "errors": errors_json(batch.errors),
        }


def label_counts(fates: Mapping[Fate, int]) -> dict[str, int]:
    """Return how many there are of each fate, none left out."""
    return {str(fate): fates.get(fate, 0) for fate in Fate}


def given_labels(rows: Sequence[TruthRow]) -> list[GivenLabel]:
    """Return decoded rows as they are stored."""
    given: list[GivenLabel] = []
    for row in rows:
        key = key_of(row.prediction_id)
        observed = None if row.observed_at is None else round(row.observed_at * MICROSECONDS)
        if row.label is not None:
            given.append(GivenLabel(key, row.label, observed, LABEL))
        given.extend(GivenLabel(key, value, observed, name) for name, value in row.outcomes)
    return given


async def labels(request: Request) -> Response:
    """Take in ground truth: rows that cannot be read do not fail the others."""
    own, reader = _model_of(request)
    return await endpoint_of(own, reader).answer(request)


def _model_of(request: Request) -> tuple[ModelMonitoring, BodyReader]:
    """Return the model that a request names, or the only one, and what reads its bodies.

    Refused for an unknown name, and for a model that could not be loaded.
    """
    context, name = context_of(request), request.query_params.get("model")
    if name not in context.models.names and (name is not None or not context.models.names):
        elsewhere = context.monitoring.models.live(name) if name is not None else context.monitoring.model()
        if elsewhere is not None:  # another server serves it
            return elsewhere, context.intakes.reader
    served = context.model(name)
    return served.monitoring, served.predict.reader


def endpoint_of(own: ModelMonitoring, reader: BodyReader) -> LabelEndpoint:
    """Return what takes in the ground truth of a model; Refused without a prediction log."""
    settings, intake = own.settings, own.labels
    if intake is None:
        message = (
            "there is no prediction log, so that labels have nothing to join: start the server with "
            "prediction_log=true, and with a state folder or prediction_log_url"
        )
        raise Refused(Reason.PREDICTION_LOG_DISABLED, message)
    outcomes = OutcomeValues(settings.outcome_kinds)
    return LabelEndpoint(
        model_name=own.model_name,
        decoder=TruthDecoder(LabelValues(own.logged.model.classes), outcomes),
        intake=intake,
        reader=reader,
        problems=own.problems,
        max_rows=settings.max_rows,
    )
