"""`GET /predictions`: what is in the prediction log, a page at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from fastapi import Request
from starlette.datastructures import QueryParams
from starlette.responses import Response

from driftgauge.common.quoting import shortened
from driftgauge.edges.formats.fields import id_of
from driftgauge.edges.http.encodings import gzipped, negotiated, wants_gzip
from driftgauge.edges.http.errors import error_response
from driftgauge.edges.http.media_types import prefers
from driftgauge.edges.http.monitoring import monitoring_of
from driftgauge.edges.http.queries import since_of
from driftgauge.errors import PredictionLogError, Reason, Refused
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.pages import PredictionPage, cursor_of, cursor_text, read_page
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import Cursor

USUAL_ROWS: Final = 100
MOST_ROWS: Final = 1_000
"""Predictions of one page."""
MOST_IDS: Final = 100
JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"
RETRY_AFTER_SECONDS: Final = 5
NOT_READ: Final = "predictions_not_read"
DAMAGED: Final = "predictions_damaged"
PARAMETERS: Final = ("model", "version", "id", "since", "until", "limit", "cursor", "features", "labels")


async def predictions(request: Request) -> Response:
    """Answer with a page of predictions in the order of their time, as JSON lines or as JSON by the Accept header."""
    monitoring, query = monitoring_of(request), request.query_params
    small, as_json = wants_gzip(request.headers.get("accept-encoding")), prefers(request, JSON, LINES)
    _refuse_unknown(query)
    name = monitoring.model(query.get("model")).model_name
    selection, rows = _selection(query, name, monitoring.clock()), _rows(query)
    with_labels = _flag(query, "labels", usual=False)
    log = monitoring.predictions
    if log is None:
        message = (
            "there is no prediction log: start the server with prediction_log=true, and with a state folder or "
            "prediction_log_url"
        )
        raise Refused(Reason.PREDICTION_LOG_DISABLED, message)

    def answer() -> Response:
        page = read_page(log.store(), selection, rows, with_labels=with_labels)
        if page.damaged:
            damage = page.damage or "the prediction log is damaged, or a newer version has written it"
            message = f"{page.damaged} predictions have values that cannot be read: {damage}"
            monitoring.service.problems.record(DAMAGED, PredictionLogError(message))
        return _response(page, name, query, as_json=as_json, small=small)

    if not log.reads.acquire(blocking=False):
        raise Refused(Reason.OVERLOADED, "too many requests wait for the prediction log: try again in a moment")
    try:
        return await asyncio.get_running_loop().run_in_executor(log.reading, answer)
    except PredictionLogError as error:
        monitoring.service.problems.record(NOT_READ, error)
        message = "the prediction log could not be read: try again in a moment, and see the server's log"
        return error_response(
            Reason.PREDICTION_LOG_NOT_READ, message, headers={"retry-after": str(RETRY_AFTER_SECONDS)}
        )
    finally:
        log.reads.release()


def _refuse_unknown(query: QueryParams) -> None:
    for name in query:
        if name not in PARAMETERS:
            known = ", ".join(PARAMETERS)
            raise _invalid(name, f"there is no parameter {shortened(name)!r}; there is {known}")


def _selection(query: QueryParams, model: str, now: float) -> Selection:
    keys = _keys(query)
    return Selection(
        model,
        version=query.get("version"),
        since=since_of(query, now),
        until=since_of(query, now, "until"),
        keys=keys,
        after=None if (text := query.get("cursor")) is None else _cursor(text),
        with_features=_flag(query, "features", usual=True),
    )


def _cursor(text: str) -> Cursor:
    try:
        return cursor_of(text)
    except ValueError as error:
        message = f"cursor: {shortened(text)!r} is none; send the one of the page before, or leave it out"
        raise _invalid("cursor", message) from error


def _keys(query: QueryParams) -> Sequence[bytes] | None:
    """Return the ids of a query, each once; None if it names none."""
    ids = query.getlist("id")
    if not ids:
        return None
    if len(ids) > MOST_IDS:
        raise _invalid("id", f"id: {len(ids)} ids; one request has at most {MOST_IDS}, so send several")
    return [key_of(id_of("id", id_)) for id_ in dict.fromkeys(ids)]


def _rows(query: QueryParams) -> int:
    text = query.get("limit", str(USUAL_ROWS))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST_ROWS)) and 1 <= int(text) <= MOST_ROWS):
        raise _invalid("limit", f"limit: {shortened(text)!r} is not a whole number from 1 to {MOST_ROWS}")
    return int(text)


def _flag(query: QueryParams, name: str, *, usual: bool) -> bool:
    text = query.get(name, str(usual).lower())
    if text not in ("true", "false"):
        raise _invalid(name, f"{name}: send true or false, not {shortened(text)!r}")
    return text == "true"


def _invalid(field: str, message: str) -> Refused:
    return Refused(Reason.INVALID_QUERY, message, {"field": shortened(field)})


def _response(page: PredictionPage, model: str, query: QueryParams, *, as_json: bool, small: bool) -> Response:
    after = None if page.after is None else cursor_text(page.after)
    if as_json:
        content = orjson.dumps({"model_name": model, "predictions": page.predictions, "next_cursor": after})
    else:
        content = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in page.predictions)
    headers: Mapping[str, str] = {} if after is None else {"link": f'<?{_next(query, after)}>; rel="next"'}
    return Response(
        gzipped(content) if small else content,
        media_type=JSON if as_json else LINES,
        headers={**headers, **negotiated(is_gzip=small)},
    )


def _next(query: QueryParams, cursor: str) -> str:
    """Return the query of the next page."""
    kept = [(name, value) for name, value in query.multi_items() if name != "cursor"]
    return str(QueryParams([*kept, ("cursor", cursor)]))
