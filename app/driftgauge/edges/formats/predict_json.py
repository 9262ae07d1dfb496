"""The body of `POST /predict` and its answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson

from driftgauge.common.quoting import named, shortened
from driftgauge.drift.bins import FloatArray
from driftgauge.edges.formats.dataframes import RECORDS, SPLIT, split_in_order, split_rows
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.edges.formats.fields import id_of, read_json, time_of
from driftgauge.edges.formats.large.structure import Structure
from driftgauge.errors import Reason, Refused
from driftgauge.models.bundle import BundleInfo
from driftgauge.models.predictor import Batch
from driftgauge.serving.request import Answer

LISTS: Final = ("instances", "data", RECORDS)
"""Keys that hold a list of rows."""
_SHAPES: Final = ("features", *LISTS, SPLIT)
_SINGLE: Final = frozenset({"features", "prediction_id", "timestamp"})
_MANY: Final = frozenset({*LISTS, SPLIT, "prediction_ids", "timestamps"})
_HINT: Final = (
    'send {"features": {name: value}}, {"features": [value, …]}, {"instances": [row, …]}, {"data": [[value, …], …]}, '
    '{"dataframe_split": {"columns": [name, …], "data": [[value, …], …]}} or [{name: value}, …]'
)


@dataclass(frozen=True)
class PredictRequest:
    """A decoded request."""

    batch: Batch
    many: bool
    ids: Sequence[str] | None
    event: FloatArray | None
    """Event times in seconds since 1970, NaN where a row has none, shape [n]; None if no row has one."""


def read_request(
    body: bytes, decoder: FeatureDecoder, max_rows: int, structure: Structure | None = None
) -> PredictRequest:
    """Decode a body, a large one with its structure; raises Refused."""
    content = read_json(body, structure)
    if type(content) is list:
        content = {RECORDS: content}  # the bare rows, as DataFrame.to_json(orient="records") writes them
    if not isinstance(content, dict):
        raise Refused(Reason.UNKNOWN_SHAPE, f"the body is neither an object nor a list: {_HINT}")
    if len(content) == 1 and "features" in content:  # most requests
        return PredictRequest(decoder.decode([content["features"]]), many=False, ids=None, event=None)
    given = [shape for shape in _SHAPES if shape in content]
    if len(given) != 1:
        what = f"both {' and '.join(given)}" if given else f"none of {', '.join(_SHAPES)}"
        raise Refused(Reason.UNKNOWN_SHAPE, f"the body has {what}: {_HINT}")
    shape = given[0]
    many = shape != "features"
    _refuse_strangers(content, _MANY if many else _SINGLE)
    rows = _rows(content, shape, max_rows)
    ordered = split_in_order(content[SPLIT], rows, decoder) if shape == SPLIT else rows
    return PredictRequest(
        batch=decoder.decode(ordered),
        many=many,
        ids=_ids(*_one_or_many(content, "prediction_id", many, len(rows))),
        event=_times(*_one_or_many(content, "timestamp", many, len(rows))),
    )


def _rows(content: dict[str, Any], shape: str, max_rows: int) -> list[Any]:
    """Return the rows of a body, at least one and at most `max_rows`; raises Refused."""
    if shape == "features":
        return [content[shape]]
    rows = split_rows(content[shape]) if shape == SPLIT else content[shape]
    if not isinstance(rows, list):
        raise Refused(Reason.WRONG_TYPE, f"{shape} is not a list of rows", {"field": shape})
    if not rows:
        raise Refused(Reason.EMPTY_BATCH, f"{shape} is empty: send at least one row", {"field": shape})
    if len(rows) > max_rows:
        raise Refused(
            Reason.TOO_MANY_ROWS,
            f"{shape} has {len(rows)} rows, the limit is {max_rows}: send several requests",
            {"field": shape, "limit": max_rows, "given": len(rows)},
        )
    return rows


def _refuse_strangers(content: dict[str, Any], known: frozenset[str]) -> None:
    strangers = [name for name in content if name not in known]
    if strangers:
        raise Refused(
            Reason.UNKNOWN_SHAPE,
            f"{named(strangers)} {'is not a known key' if len(strangers) == 1 else 'are not known keys'}; "
            f"besides the rows a request may have {', '.join(sorted(known - set(_SHAPES)))}",
            {"field": shortened(strangers[0])},
        )


def _one_or_many(content: dict[str, Any], name: str, many: bool, rows: int) -> tuple[str, list[Any] | None]:
    """Return a field's name and its value for each row; with many rows the name is plural."""
    field = name + "s" * many
    value = content.get(field)
    if value is None or not many:
        return field, None if value is None else [value]
    if not isinstance(value, list) or len(value) != rows:
        reason = Reason.INVALID_TIMESTAMP if name == "timestamp" else Reason.INVALID_PREDICTION_ID
        raise Refused(reason, f"{field} must be a list with one entry for each of the {rows} rows", {"field": field})
    return field, value


def _ids(field: str, values: list[Any] | None) -> Sequence[str] | None:
    return None if values is None else [id_of(field, value, row) for row, value in enumerate(values)]


def _times(field: str, values: list[Any] | None) -> FloatArray | None:
    if values is None:
        return None
    times = [math.nan if value is None else time_of(field, value, row) for row, value in enumerate(values)]
    return np.array(times, dtype=np.float64)


@dataclass(frozen=True)
class AnswerStyle:
    """What an answer says beyond its usual fields."""

    outlier_threshold: float | None = None
    """Rows with a higher outlier score are outliers; None if answers do not say so."""
    jobs: bool = False
    """Whether each row has a `job_id`, and the only row of a list is at the top of the answer too."""
    names: bool = False
    """Whether predictions are the names of classes, as `GET /label` lists them."""


USUAL: Final = AnswerStyle()


def write_answer(
    request: PredictRequest, answer: Answer, info: BundleInfo, ids: Sequence[str], style: AnswerStyle = USUAL
) -> bytes:
    """Return the answer's JSON; `ids` are those of its rows."""
    labels = list(map(str, answer.labels)) if style.names else answer.labels
    rows: list[dict[str, object]] = [
        {"prediction_id": id_, "prediction": label, "score": score}
        for id_, label, score in zip(ids, labels, answer.scores, strict=True)
    ]
    if style.outlier_threshold is not None and answer.outlier_scores is not None:
        for row, score in zip(rows, answer.outlier_scores, strict=True):
            row["is_outlier"] = score > style.outlier_threshold
            row["outlier_score"] = score
    if style.jobs:
        rows = [{"job_id": id_, **row} for id_, row in zip(ids, rows, strict=True)]
    content: dict[str, object] = {"predictions": rows} if request.many else rows[0]
    if style.jobs and request.many and len(rows) == 1:
        content |= rows[0]
    content["model_name"] = info.name
    content["model_version"] = info.version
    content["latency_ms"] = round(answer.latency_seconds * 1000.0, 3)
    return orjson.dumps(content)
