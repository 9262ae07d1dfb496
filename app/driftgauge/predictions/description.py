"""Which columns of a model are logged, and how the log describes it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from driftgauge.drift.bins import category_name
from driftgauge.drift.reference.baseline import PREDICTION_CLASS, RESERVED, Baseline
from driftgauge.predictions.recorder import Kept
from driftgauge.predictions.rows import ClassLabel, LoggedFeature, LoggedModel


@dataclass(frozen=True)
class Privacy:
    """Columns that are not logged as they are; see the settings `prediction_log_drop` and `_hash`."""

    dropped: Collection[str] = ()
    hashed: Collection[str] = ()
    secret: bytes = b""
    """Key of the hash."""


@dataclass(frozen=True)
class Described:
    """A model version as the log knows it."""

    model: LoggedModel
    kept: Kept


def described(
    baseline: Baseline,
    name: str,
    version: str,
    task: str,
    *,
    classes: Sequence[ClassLabel] | None = None,
    privacy: Privacy | None = None,
) -> Described:
    """Return the description of a model and its columns; without `classes` they are those of the baseline."""
    privacy = privacy or Privacy()
    columns, features = [], []
    for position, column in enumerate(baseline.columns):
        if column.name in RESERVED or column.name in privacy.dropped:
            continue
        is_hashed = column.name in privacy.hashed
        names = column.bins.names if column.kind == "categorical" and not is_hashed else ()
        columns.append(position)
        features.append(LoggedFeature(column.name, "hashed" if is_hashed else column.kind, tuple(names)))
    of_class = baseline.names.index(PREDICTION_CLASS) if PREDICTION_CLASS in baseline.names else None
    predicted = () if of_class is None else baseline.columns[of_class].bins.categories
    classes = predicted if classes is None else classes
    places = {category_name(label): float(place) for place, label in enumerate(classes)}
    kept = Kept(
        columns=tuple(columns),
        hashed=tuple(index for index, feature in enumerate(features) if feature.kind == "hashed"),
        secret=privacy.secret,
        class_column=of_class,
        class_places=tuple(places.get(name, np.nan) for name in predicted),
    )
    return Described(LoggedModel(name, version, task, tuple(classes), tuple(features), baseline.hash), kept)
