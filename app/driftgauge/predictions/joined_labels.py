"""Reads the ground truth of predictions that were read from the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, Engine, func, select

from driftgauge.predictions.database import reading
from driftgauge.predictions.labels import LABEL, NO_CLASS
from driftgauge.predictions.rows import ClassLabel, LoggedModel, PredictionBatch
from driftgauge.predictions.schema import labels, versions


@dataclass
class JoinedTruth:
    """The ground truth of one prediction."""

    label: ClassLabel | None = None
    """The class or number; None without a label, and for a class that the model version does not have or know."""
    observed: int | None = None
    """When the label became known, microseconds since 1970."""
    outcomes: dict[str, float] = field(default_factory=dict)
    """The values of business outcomes by name."""


NO_TRUTH: Final = JoinedTruth()
_KEYS: Final = 500
"""Ids in one query; SQLite takes a bounded number of parameters."""


def joined_labels(engine: Engine, batch: PredictionBatch) -> Mapping[int, JoinedTruth]:
    """Return the ground truth of the predictions of a batch that have any, by their number in the log."""
    found: dict[int, JoinedTruth] = {}
    own, keys = labels.c, batch.keys
    version_of = dict(zip(batch.seq.tolist(), batch.version.tolist(), strict=True))
    with reading(engine) as connection:
        query = select(versions.c.model).where(versions.c.version == int(batch.version[0]))
        model = connection.execute(query).scalar_one()
        named = select(own.seq, own.outcome, own.value, own.observed).where(
            own.model == model, own.outcome.in_(outcome_names(connection, model)), own.seq.is_not(None)
        )  # by the whole primary key, because SQLite would read all labels otherwise
        for first in range(0, len(keys), _KEYS):
            for seq, outcome, value, observed in connection.execute(
                named.where(own.id.in_(keys[first : first + _KEYS]))
            ):
                truth = found.setdefault(seq, JoinedTruth())
                if outcome == LABEL:
                    truth.label, truth.observed = _label(batch.models[version_of[seq]], value), observed
                else:
                    truth.outcomes[outcome] = value
    return found


def outcome_names(connection: Connection, model: int) -> list[str]:
    """Return the names of the outcomes that a model has values of, `LABEL` among them; each takes one look."""
    names: list[str] = []
    query = select(func.min(labels.c.outcome)).where(labels.c.model == model)
    name = connection.execute(query).scalar()
    while name is not None:
        names.append(name)
        name = connection.execute(query.where(labels.c.outcome > name)).scalar()
    return names


def _label(model: LoggedModel, value: float) -> ClassLabel | None:
    """Return a stored label by its name; it is an index of the classes of the prediction's version."""
    if not model.classes:
        return value
    return model.classes[int(value)] if value != NO_CLASS and 0 <= value < len(model.classes) else None
