"""Writes batches of the prediction log as JSON lines or Parquet, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Final, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from driftgauge.drift.bins import FloatArray
from driftgauge.predictions.class_probabilities import are_kept
from driftgauge.predictions.joined_labels import NO_TRUTH, JoinedTruth
from driftgauge.predictions.records import class_names, feature_columns, predicted, records, source_name
from driftgauge.predictions.rows import MICROSECONDS, ClassLabel, LoggedFeature, LoggedModel, PredictionBatch

GROUP_ROWS: Final = 65_536
"""Rows of a row group of Parquet; also the most that are held."""
GROUP_BYTES: Final = 64 << 20
"""Size from which a row group is written earlier."""
_TIME: Final = pa.timestamp("us", tz="UTC")
_FIXED: Final = {
    "prediction_id": pa.string(),
    "timestamp": _TIME,
    "arrived_at": _TIME,
    "model_name": pa.string(),
    "model_version": pa.string(),
    "score": pa.float64(),
    "latency_seconds": pa.float64(),
    "source": pa.string(),
    "caller": pa.string(),
}
_TYPES: Final = ((bool, pa.bool_()), (int, pa.int64()), (float, pa.float64()), (str, pa.string()))
"""Column types of the classes of a model, by the type of the classes."""
Truths = Mapping[int, JoinedTruth]


class LogFile(Protocol):
    """A file of predictions that is being written."""

    def write(self, batch: PredictionBatch, truths: Truths | None) -> int:
        """Add predictions, with `truths` also their ground truth; return how many were written."""

    def close(self) -> None:
        """Write the rest."""


class JsonLinesFile:
    """Predictions as JSON, one in each line, as `GET /predictions` answers."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, batch: PredictionBatch, truths: Truths | None) -> int:
        """Add predictions; see `LogFile`."""
        self._out.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in records(batch, truths))
        return len(batch)

    def close(self) -> None:
        """Write the rest."""
        self._out.flush()


class ParquetFile:
    """Predictions as Parquet: a column for each feature, of all versions that were known at the start."""

    def __init__(
        self, out: BinaryIO, versions: Sequence[LoggedModel], outcomes: Sequence[str], *, with_labels: bool
    ) -> None:
        """`outcomes` are the names of the business outcomes that have a column."""
        self._versions = set(versions)
        self._outcomes = tuple(outcomes) if with_labels else ()
        answer = _answer_type(versions)
        truth = {"label": answer, "observed_at": _TIME} if with_labels else {}
        classes = _probable_classes(versions)
        self._probabilities = {name: f"probability.{name}" for name in classes}
        others = {name: pa.float32() for name in self._probabilities.values()}
        others |= {f"outcome.{own}": pa.float64() for own in self._outcomes}
        fixed = {**_FIXED, "prediction": answer, **truth, **others}
        self._features = _feature_types(versions)
        self._names = {name: f"feature.{name}" if name in fixed else name for name in self._features}
        of_features = {self._names[name]: kind for name, kind in self._features.items()}
        self._schema = pa.schema([*fixed.items(), *of_features.items()])
        self._writer = pq.ParquetWriter(out, self._schema, compression="zstd")
        self._held: list[pa.Table] = []

    def write(self, batch: PredictionBatch, truths: Truths | None) -> int:
        """Add predictions; those of versions that were logged for the first time after the start are left out."""
        known = {number for number, own in batch.models.items() if own in self._versions}
        rows = np.flatnonzero(np.isin(batch.version, list(known)))
        table = self._table(batch, truths).take(rows)
        self._held.append(table)
        rows_held, held_bytes = sum(own.num_rows for own in self._held), sum(own.nbytes for own in self._held)
        if rows_held >= GROUP_ROWS or held_bytes >= GROUP_BYTES:
            self._write_group()
        return len(rows)

    def close(self) -> None:
        """Write the rest, and the end of the file."""
        self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        if self._held:
            self._writer.write_table(pa.concat_tables(self._held), row_group_size=GROUP_ROWS)
            self._held.clear()

    def _table(self, batch: PredictionBatch, truths: Truths | None) -> pa.Table:
        models = [batch.models[version] for version in batch.version.tolist()]
        columns: dict[str, Any] = {
            "prediction_id": batch.ids,
            "timestamp": batch.time,
            "arrived_at": batch.arrival,
            "model_name": [own.name for own in models],
            "model_version": [own.version for own in models],
            "score": [None if score != score else score for score in batch.scores.tolist()],
            "latency_seconds": batch.latency / MICROSECONDS,
            "source": [source_name(source) for source in batch.source.tolist()],
            "caller": batch.callers,
            "prediction": self._answers(predicted(batch)),
            **self._feature_cells(batch),
            **self._probability_cells(batch),
        }
        if truths is not None:
            found = [truths.get(seq, NO_TRUTH) for seq in batch.seq.tolist()]
            columns |= {
                "label": self._answers([own.label for own in found]),
                "observed_at": [own.observed for own in found],
                **{f"outcome.{name}": [own.outcomes.get(name) for own in found] for name in self._outcomes},
            }
        return pa.table({own.name: _array(columns[own.name], own.type) for own in self._schema}, self._schema)

    def _answers(self, answers: Sequence[ClassLabel | None]) -> Sequence[Any]:
        """Return classes as their column takes them: versions with classes of different types have text."""
        is_text = self._schema.field("prediction").type == pa.string()
        return [None if own is None else str(own) for own in answers] if is_text else answers

    def _feature_cells(self, batch: PredictionBatch) -> dict[str, list[Any]]:
        cells: dict[str, list[Any]] = {name: [None] * len(batch) for name in self._features}
        for version, values in batch.features.items():
            rows = batch.rows_of(version).tolist()
            for name, column in feature_columns(batch.models[version], values).items():
                if (own := cells.get(name)) is None:
                    continue
                is_text = self._features[name] == pa.string()
                for row, value in zip(rows, column, strict=True):
                    own[row] = str(value) if is_text and value is not None else value
        return {self._names[name]: column for name, column in cells.items()}

    def _probability_cells(self, batch: PredictionBatch) -> dict[str, FloatArray]:
        """Return the probability of each class; NaN, which Parquet has as null, where it is not known."""
        cells = {name: np.full(len(batch), np.nan) for name in self._probabilities}
        for version, values in batch.probabilities.items():
            for name, column in zip(class_names(batch.models[version]), values.T, strict=True):
                if name in cells:
                    cells[name][batch.rows_of(version)] = column
        return {self._probabilities[name]: column for name, column in cells.items()}


def _probable_classes(versions: Sequence[LoggedModel]) -> list[str]:
    """Return the classes whose probabilities are kept, of all versions."""
    several = (own for own in versions if are_kept(len(own.classes)))
    return list(dict.fromkeys(name for own in several for name in class_names(own)))


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    """Return a column, in which NaN of an array is null."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return pa.array(values, kind, from_pandas=True)
    return pa.array(values, kind)


def _answer_type(versions: Sequence[LoggedModel]) -> pa.DataType:
    """Return the type of the column of answers: that of all classes, or text if there are several."""
    kinds = {type(own) for version in versions for own in version.classes}
    kinds |= {float for version in versions if not version.classes and version.is_readable}
    return next((arrow for kind, arrow in _TYPES if kinds == {kind}), pa.string())


def _feature_types(versions: Sequence[LoggedModel]) -> dict[str, pa.DataType]:
    """Return the column type of each feature: text for one that is a category in any version."""
    found: dict[str, pa.DataType] = {}
    for feature in (own for version in versions for own in version.features):
        found[feature.name] = _wider(found.get(feature.name), _type_of(feature))
    return found


def _type_of(feature: LoggedFeature) -> pa.DataType:
    if feature.kind == "categorical":
        return pa.string()
    return pa.float64() if feature.kind == "numeric" else pa.int64()


def _wider(known: pa.DataType | None, own: pa.DataType) -> pa.DataType:
    """Return the type that holds the values of both."""
    if known is None or known == own:
        return own
    return pa.string() if pa.string() in (known, own) else pa.float64()
