"""Rows for a model, from the values that a monitor keeps of them."""

from __future__ import annotations

import numpy as np

from driftgauge.drift.bins import OTHER, BoolArray, FloatArray
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.models.bundle import Feature
from driftgauge.models.predictor import Batch, Predictor


def monitored_rows(predictor: Predictor, values: FloatArray) -> Batch | None:
    """Return the rows that can be given to the model again, from monitored values, shape [n, columns].

    None of a model of free text, whose texts are not kept. Rows are left out if they lack a value that the model needs,
    or have a category that the reference does not know and the model does not replace by missing. A rare category
    stands for all rare ones.
    """
    features = predictor.info.features
    if any(feature.kind == "text" for feature in features):
        return None
    cells = np.full((len(values), len(features)), np.nan)
    texts: dict[int, list[str | None]] = {}
    usable = np.ones(len(values), dtype=np.bool_)
    for index, feature in enumerate(features):
        if feature.kind == "categorical":
            texts[index] = _names(feature, predictor.baseline.columns[index], values[:, index])
            lacking: BoolArray = np.array([name is None for name in texts[index]], dtype=np.bool_)
        else:
            cells[:, index] = values[:, index]
            lacking = np.isnan(values[:, index])
        if not feature.accepts_missing:
            usable &= ~lacking
    return Batch(cells, texts).rows(np.flatnonzero(usable))


def _names(feature: Feature, column: ColumnBaseline, codes: FloatArray) -> list[str | None]:
    """Return the categories of codes of bins; None for missing, and for unseen ones."""
    kept = column.bins.categories
    names: list[str | None] = [*kept, *[None] * (len(column.bins.names) - len(kept))]
    if OTHER in column.bins.special:
        names[column.bins.special[OTHER]] = next((name for name in feature.categories if name not in kept), None)
    return [None if np.isnan(code) else names[int(code)] for code in codes.tolist()]
