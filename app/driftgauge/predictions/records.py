"""Predictions of the log as people read them: names in place of codes, and times as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from driftgauge.drift.bins import MISSING, FloatArray, IntArray, category_name
from driftgauge.predictions.joined_labels import NO_TRUTH, JoinedTruth
from driftgauge.predictions.rows import MICROSECONDS, SOURCES, ClassLabel, LoggedFeature, LoggedModel, PredictionBatch

FeatureValue = float | int | str | None


def records(batch: PredictionBatch, truths: Mapping[int, JoinedTruth] | None = None) -> Iterator[dict[str, Any]]:
    """Yield each prediction as JSON shows it; with `truths`, also its label and outcomes.

    Features are left out if the batch was read without them.
    """
    features, probabilities = _features_by_row(batch), _probabilities_by_row(batch)
    names = (batch.ids, time_texts(batch.time), time_texts(batch.arrival), batch.version.tolist(), predicted(batch))
    rest = (batch.scores.tolist(), batch.latency.tolist(), batch.source.tolist(), batch.callers, batch.seq.tolist())
    for row, (id_, time, arrival, version, said, score, latency, source, caller, seq) in enumerate(
        zip(*names, *rest, strict=True)
    ):
        model = batch.models[version]
        record = {
            "prediction_id": id_,
            "timestamp": time,
            "arrived_at": arrival,
            "model_name": model.name,
            "model_version": model.version,
            "prediction": said,
            "score": score,
            "probabilities": probabilities.get(row),
            "latency_seconds": latency / MICROSECONDS,
            "source": source_name(source),
            "caller": caller,
        }
        if batch.features:
            record["features"] = features[row]
        if truths is not None:
            truth = truths.get(seq, NO_TRUTH)
            observed = None if truth.observed is None else time_texts(np.array([truth.observed]))[0]
            record |= {"label": truth.label, "observed_at": observed, "outcomes": truth.outcomes}
        yield record


def source_name(source: int) -> str | None:
    """Return where a prediction comes from; None if that cannot be read."""
    return SOURCES[source] if source >= 0 else None


def time_texts(times: IntArray) -> list[str]:
    """Return microseconds since 1970 as RFC 3339 text in UTC.

    >>> time_texts(np.array([1_250_000]))
    ['1970-01-01T00:00:01.250000Z']
    """
    texts = np.datetime_as_string(times.astype("datetime64[us]"), unit="us")
    return [f"{text}Z" for text in texts.tolist()]


def predicted(batch: PredictionBatch) -> list[ClassLabel | None]:
    """Return what was answered: a class, or the number of a regression; None where it is not known."""
    versions, values = batch.version.tolist(), batch.predictions.tolist()
    return [
        None if value != value else (classes[int(value)] if (classes := batch.models[version].classes) else value)
        for version, value in zip(versions, values, strict=True)
    ]


def feature_columns(model: LoggedModel, features: FloatArray) -> dict[str, list[FeatureValue]]:
    """Return the values of each feature of a version, given its rows: shape [rows, features].

    Categories have their names, other special bins included; texts have their length, hashed values their hash. A
    missing value is None.
    """
    return {own.name: _values(own, features[:, place]) for place, own in enumerate(model.features)}


def _features_by_row(batch: PredictionBatch) -> list[dict[str, FeatureValue]]:
    found: list[dict[str, FeatureValue]] = [{} for _ in range(len(batch))]
    for version, features in batch.features.items():
        named = feature_columns(batch.models[version], features)
        for row, values in zip(batch.rows_of(version).tolist(), zip(*named.values(), strict=True), strict=False):
            found[row] = dict(zip(named, values, strict=True))
    return found


def _probabilities_by_row(batch: PredictionBatch) -> dict[int, dict[str, float]]:
    """Return the probability of each class by the row, without rows of which they are not known."""
    found: dict[int, dict[str, float]] = {}
    for version, values in batch.probabilities.items():
        names = class_names(batch.models[version])
        known = ~np.isnan(values).any(axis=1)
        for row, own in zip(batch.rows_of(version)[known].tolist(), values[known].tolist(), strict=True):
            found[row] = dict(zip(names, own, strict=True))
    return found


def class_names(model: LoggedModel) -> list[str]:
    """Return the classes of a model as text."""
    return [str(category_name(label)) for label in model.classes]


def _values(feature: LoggedFeature, values: FloatArray) -> list[FeatureValue]:
    if feature.kind == "numeric":
        return [None if value != value else value for value in values.tolist()]
    if feature.kind == "categorical":
        names = [None if name == MISSING else name for name in feature.categories]
        return [None if value != value else names[int(value)] for value in values.tolist()]
    return [None if value != value else int(value) for value in values.tolist()]
