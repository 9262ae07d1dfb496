"""Stored values that mean nothing, because the log is damaged or a newer version wrote them: unknown, and counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.predictions.rows import SOURCES, LoggedModel, PredictionBatch

UNKNOWN_SOURCE: Final = -1


def checked(batch: PredictionBatch) -> PredictionBatch:
    """Return a batch whose classes, categories and sources exist: others are unknown, and their rows are damaged."""
    damaged = batch.damaged.copy()
    predictions = batch.predictions.copy()
    sources = np.where((batch.source < 0) | (batch.source >= len(SOURCES)), UNKNOWN_SOURCE, batch.source)
    damaged |= sources != batch.source
    features = dict(batch.features)
    for version, model in batch.models.items():
        where = batch.rows_of(version)
        wrong = _wrong_classes(model, predictions[where])
        predictions[where[wrong]] = np.nan
        damaged[where] |= wrong
        if version in features:
            features[version], wrong = _checked_features(model, features[version])
            damaged[where] |= wrong
    return replace(batch, predictions=predictions, source=sources, features=features, damaged=damaged)


def known_classes(model: LoggedModel, values: FloatArray) -> FloatArray:
    """Return the indices of classes, NaN for one that the model does not have."""
    return np.where(_wrong_classes(model, values), np.nan, values)


def _wrong_classes(model: LoggedModel, values: FloatArray) -> BoolArray:
    if not model.is_readable:
        return np.ones(len(values), dtype=np.bool_)
    return _outside(values, len(model.classes)) if model.classes else np.zeros(len(values), dtype=np.bool_)


def _checked_features(model: LoggedModel, values: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return features, NaN where a value is no code or no whole number, and which rows have such a value."""
    damaged = np.zeros(len(values), dtype=np.bool_)
    found = values
    for place, feature in enumerate(model.features):
        if feature.kind == "numeric":
            continue
        column = values[:, place]
        wrong = _outside(column, len(feature.categories)) if feature.kind == "categorical" else np.isinf(column)
        if wrong.any():
            found = values.copy() if found is values else found
            found[wrong, place] = np.nan
            damaged |= wrong
    return found, damaged


def _outside(values: FloatArray, count: int) -> BoolArray:
    """Say which values are no whole number from 0 to below `count`; NaN is no value."""
    known = ~np.isnan(values)
    wrong: BoolArray = known & ~((values >= 0.0) & (values < count) & (values == np.floor(values)))
    return wrong
