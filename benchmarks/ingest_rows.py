"""Rows of a model that another server serves, written in the formats of their logs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import PREDICTION, dumps
from driftgauge.drift.reference.build import build_baseline

FEATURES: Final = 30
BATCH_ROWS: Final = 500
DISTINCT_ROWS: Final = 2_000
"""Different features; their times and ids differ in all rows. numpy takes long to print an array."""
REFERENCE_ROWS: Final = 10_000
NAMES: Final = tuple(f"feature_{place:02}" for place in range(FEATURES))
JSON: Final = {"content-type": "application/json"}


@dataclass(frozen=True)
class Row:
    """One prediction of the other server."""

    number: int
    features: FloatArray
    """Shape [features]."""
    printed: str
    """The features as numpy prints them."""
    score: float
    at: datetime

    @property
    def stamp(self) -> str:
        return self.at.isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Sent:
    """One request to the monitor."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


def write_baseline(path: Path, seed: int) -> None:
    """Write a baseline of independent standard normal features and a score."""
    generator = np.random.default_rng([seed, 0])
    features = dict(zip(NAMES, generator.normal(size=(FEATURES, REFERENCE_ROWS)), strict=True))
    table = {**features, PREDICTION: generator.random(REFERENCE_ROWS)}
    path.write_text(dumps(build_baseline(table, created="2026-01-01T00:00:00Z")))


def rows_of(count: int, seed: int) -> list[Row]:
    """Return rows like those of the reference, a millisecond apart, the last of them now."""
    generator = np.random.default_rng([seed, 1])
    features, scores = generator.normal(size=(DISTINCT_ROWS, FEATURES)), generator.random(count).tolist()
    printed = [str(own[None]) for own in features[:count]]
    first = datetime.now(UTC) - timedelta(milliseconds=count)
    return [
        Row(number, features[own], printed[own], score, first + timedelta(milliseconds=number))
        for number, (own, score) in enumerate(zip(itertools.cycle(range(DISTINCT_ROWS)), scores, strict=False))
    ]


# ---------------------------------------------------------------- records, one for each row


def own_list(row: Row) -> bytes:
    """Return our own record, its features a list."""
    return orjson.dumps({"features": row.features.tolist(), "prediction": row.score, "timestamp": row.stamp})


def own_object(row: Row) -> bytes:
    """Return our own record, its features by name."""
    features = dict(zip(NAMES, row.features.tolist(), strict=True))
    return orjson.dumps({"features": features, "prediction": row.score, "timestamp": row.stamp})


def flat_object(row: Row) -> bytes:
    """Return a row of a table, its columns by name."""
    return orjson.dumps({**dict(zip(NAMES, row.features.tolist(), strict=True)), PREDICTION: row.score})


def bentoml_text(row: Row) -> bytes:
    """Return a line of BentoML's monitor with what numpy prints of the arrays."""
    return _bentoml(row, row.printed, f"[{row.score:.8f}]")


def bentoml_list(row: Row) -> bytes:
    """Return a line of BentoML's monitor with lists in place of arrays."""
    return _bentoml(row, row.features.tolist(), row.score)


def _bentoml(row: Row, features: Any, output: Any) -> bytes:
    return orjson.dumps(
        {
            "service_name": "model",
            "input_array": features,
            "output_array": output,
            "timestamp": row.stamp.rstrip("Z"),
            "request_id": str(244_692_801_256_766_908 + row.number),
            "trace_id": str(212_665_111_323_222_312_432_347_544_871_195_894_115 + row.number),
        }
    )


def sagemaker_csv(row: Row) -> bytes:
    """Return a line of SageMaker's data capture."""
    given = {"observedContentType": "text/csv", "mode": "INPUT", "encoding": "CSV"}
    answer = {"observedContentType": "text/csv; charset=utf-8", "mode": "OUTPUT", "encoding": "CSV"}
    return orjson.dumps(
        {
            "captureData": {
                "endpointInput": {**given, "data": ",".join(map(repr, row.features.tolist()))},
                "endpointOutput": {**answer, "data": repr(row.score)},
            },
            "eventMetadata": {"eventId": f"d71cf80c-81ec-4a36-a8b0-{row.number:012}", "inferenceTime": row.stamp},
            "eventVersion": "0",
        }
    )


# ---------------------------------------------------------------- requests with many rows


def as_array(record: Callable[[Row], bytes]) -> Callable[[Sequence[Row]], Iterator[Sent]]:
    """Return what makes one request of rows: a JSON array of their records."""
    return lambda rows: iter([Sent(b"[" + b",".join(map(record, rows)) + b"]")])


def as_lines(record: Callable[[Row], bytes]) -> Callable[[Sequence[Row]], Iterator[Sent]]:
    """Return what makes one request of rows: JSON lines."""
    return lambda rows: iter([Sent(b"\n".join(map(record, rows)) + b"\n", {"content-type": "application/x-ndjson"})])


def fluent_bit(record: Callable[[Row], bytes]) -> Callable[[Sequence[Row]], Iterator[Sent]]:
    """Return what makes one request of rows: the array of Fluent Bit's `out_http` around parsed lines."""

    def wrapped(row: Row) -> bytes:
        content = orjson.loads(record(row))
        del content["timestamp"]  # its parser takes the time from it
        return orjson.dumps({"date": row.at.timestamp(), **content})

    return as_array(wrapped)


def kserve(rows: Sequence[Row]) -> Iterator[Sent]:
    """Return the two CloudEvents of one batch request: protocol v2, in binary mode."""
    features = np.array([row.features for row in rows])
    tensors = {
        "inputs": _tensor("features", list(features.shape), features.ravel().tolist()),
        "outputs": _tensor("scores", [len(rows)], [row.score for row in rows]),
    }
    for kind, (name, tensor) in zip(("request", "response"), tensors.items(), strict=True):
        headers = {
            **JSON,
            "ce-id": f"5f7c1a4e-{rows[0].number:08}",
            "ce-specversion": "1.0",
            "ce-source": "http://localhost:9081/",
            "ce-type": f"org.kubeflow.serving.inference.{kind}",
            "ce-time": rows[0].stamp,
            "ce-inferenceservicename": "model",
        }
        yield Sent(orjson.dumps({"model_name": "model", name: [tensor]}), headers)


def _tensor(name: str, shape: list[int], data: list[float]) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": "FP64", "data": data}


def requests_of(rows: Sequence[Row], batch_rows: int, make: Callable[[Sequence[Row]], Iterator[Sent]]) -> list[Sent]:
    """Return the requests of all rows, in batches."""
    batches = (rows[first : first + batch_rows] for first in range(0, len(rows), batch_rows))
    return list(itertools.chain.from_iterable(map(make, batches)))
