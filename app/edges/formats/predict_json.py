"""The body of `POST /predict` and its answer."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import orjson

from app.bundles import BundleInfo
from app.drift.bins import FloatArray
from app.edges.formats.features import FeatureDecoder
from app.errors import Reason, Refused
from app.ids import time_ordered_ids
from app.serving import Batch, Predictions, shortened

ID_LENGTH: Final = 128
READ_AGAIN_BYTES: Final = 65_536
"""Up to which size a body that is not quite JSON is read again, slowly, to say what is wrong where."""
_SHAPES: Final = ("features", "instances", "data")
_SINGLE: Final = frozenset({"features", "prediction_id", "timestamp"})
_MANY: Final = frozenset({"instances", "data", "prediction_ids", "timestamps"})
_HINT: Final = (
    'send {"features": {name: value}}, {"features": [value, …]}, {"instances": [row, …]} or {"data": [[value, …], …]}'
)


@dataclass(frozen=True)
class PredictRequest:
    """A request that was understood."""

    batch: Batch
    many: bool
    ids: Sequence[str] | None
    event: FloatArray | None
    """Event times in seconds since 1970, NaN where a row has none, shape [n]; None if no row has one."""


def read_request(body: bytes, decoder: FeatureDecoder, max_rows: int) -> PredictRequest:
    """Understand a body; raises Refused with the reason, the field and what to do."""
    content = read_json(body)
    if not isinstance(content, dict):
        raise Refused(Reason.UNKNOWN_SHAPE, f"the body is not an object: {_HINT}")
    given = [shape for shape in _SHAPES if shape in content]
    if len(given) != 1:
        what = f"both {' and '.join(given)}" if given else f"none of {', '.join(_SHAPES)}"
        raise Refused(Reason.UNKNOWN_SHAPE, f"the body has {what}: {_HINT}")
    many = given[0] != "features"
    _refuse_strangers(content, _MANY if many else _SINGLE)
    rows = content[given[0]] if many else [content["features"]]
    if not isinstance(rows, list):
        raise Refused(Reason.WRONG_TYPE, f"{given[0]} is not a list of rows", {"field": given[0]})
    if not rows:
        raise Refused(Reason.EMPTY_BATCH, f"{given[0]} is empty: send at least one row", {"field": given[0]})
    if len(rows) > max_rows:
        raise Refused(
            Reason.TOO_MANY_ROWS,
            f"{given[0]} has {len(rows)} rows, at most {max_rows} are taken: send several requests",
            {"field": given[0], "limit": max_rows, "given": len(rows)},
        )
    return PredictRequest(
        batch=decoder.decode(rows),
        many=many,
        ids=_ids(*_one_or_many(content, "prediction_id", many, len(rows))),
        event=_times(*_one_or_many(content, "timestamp", many, len(rows))),
    )


def read_json(body: bytes) -> Any:
    """Return the JSON value of a body; raises Refused.

    NaN and infinite numbers, which JSON does not have but some writers send, are read as numbers in
    a body that is not too large for it, so that the field that holds one can be named.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        problem = str(error)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(Reason.NOT_UTF8, f"the body is not UTF-8: {error.reason} at byte {error.start}") from error
    if len(body) > READ_AGAIN_BYTES:
        if "NaN" in text or "Infinity" in text:
            raise Refused(
                Reason.NOT_FINITE, f"NaN and Infinity are not JSON ({problem}): send null for a missing value"
            )
        raise Refused(Reason.NOT_JSON, f"the body is not JSON: {problem}")
    try:
        content = json.loads(text)
        json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair cannot be written back
    except (ValueError, RecursionError) as error:
        raise Refused(Reason.NOT_JSON, f"the body is not JSON: {problem}") from error
    return content


def _refuse_strangers(content: dict[str, Any], known: frozenset[str]) -> None:
    strangers = sorted(set(content) - known)
    if strangers:
        name = shortened(strangers[0])
        raise Refused(
            Reason.UNKNOWN_SHAPE,
            f"{name} is not known here; beside the rows a request may have {', '.join(sorted(known - set(_SHAPES)))}",
            {"field": name},
        )


def _one_or_many(content: dict[str, Any], name: str, many: bool, rows: int) -> tuple[str, list[Any] | None]:
    """Return a field and its value for each row; in a request of many rows its name is a plural."""
    field = name + "s" * many
    value = content.get(field)
    if value is None or not many:
        return field, None if value is None else [value]
    if not isinstance(value, list) or len(value) != rows:
        reason = Reason.INVALID_TIMESTAMP if name == "timestamp" else Reason.INVALID_PREDICTION_ID
        raise Refused(reason, f"{field} must be a list with one entry for each of the {rows} rows", {"field": field})
    return field, value


def _ids(field: str, values: list[Any] | None) -> Sequence[str] | None:
    for row, value in enumerate(values or ()):
        if not isinstance(value, str) or not 0 < len(value) <= ID_LENGTH or not value.isprintable():
            raise Refused(
                Reason.INVALID_PREDICTION_ID,
                f"{field}: an id is a text of 1 to {ID_LENGTH} printable characters",
                {"field": field, "row": row},
            )
    return values


def _times(field: str, values: list[Any] | None) -> FloatArray | None:
    if values is None:
        return None
    return np.array([_time(field, row, value) for row, value in enumerate(values)], dtype=np.float64)


def _time(field: str, row: int, value: Any) -> float:
    if value is None:
        return math.nan
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            # Through UTC, so that what comes out can be written as a time again.
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).timestamp()
    except (ValueError, OverflowError, OSError):
        pass
    raise Refused(
        Reason.INVALID_TIMESTAMP,
        f"{field}: {str(value)[:40]!r} is not a time; send RFC 3339 text such as 2026-01-31T12:00:00Z, "
        "or seconds since 1970",
        {"field": field, "row": row},
    )


def write_answer(
    request: PredictRequest, predictions: Predictions, info: BundleInfo, arrival: float, latency_seconds: float
) -> bytes:
    """Return the answer's JSON."""
    ids = request.ids or time_ordered_ids(arrival, len(request.batch))
    rows = [
        {"prediction_id": id_, "prediction": label, "score": score}
        for id_, label, score in zip(ids, predictions.labels, predictions.scores.tolist(), strict=True)
    ]
    about = {
        "model_name": info.name,
        "model_version": info.version,
        "latency_ms": round(latency_seconds * 1000.0, 3),
    }
    return orjson.dumps({"predictions": rows, **about} if request.many else {**rows[0], **about})
