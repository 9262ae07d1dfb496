"""Reads the ground truth of predictions that were read from the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Engine, select

from driftgauge.predictions.database import reading
from driftgauge.predictions.labels import LABEL, NO_CLASS
from driftgauge.predictions.reader import MOST_KEYS
from driftgauge.predictions.rows import ClassLabel, LoggedModel, PredictionBatch
from driftgauge.predictions.schema import labels, versions


@dataclass
class JoinedTruth:
    """The ground truth of one prediction."""

    label: ClassLabel | None = None
    """The class or number; None without a label, and for a class that the model version does not have."""
    observed: int | None = None
    """When the label became known, microseconds since 1970."""
    outcomes: dict[str, float] = field(default_factory=dict)
    """The values of business outcomes by name."""


NO_TRUTH: Final = JoinedTruth()


def joined_labels(engine: Engine, batch: PredictionBatch) -> Mapping[int, JoinedTruth]:
    """Return the ground truth of the predictions of a batch that have any, by their number in the log."""
    found: dict[int, JoinedTruth] = {}
    own, seqs, times = labels.c, batch.seq.tolist(), batch.time.tolist()
    models = dict(zip(seqs, batch.version.tolist(), strict=True))
    with reading(engine) as connection:
        model = connection.execute(select(versions.c.model).where(versions.c.version == models[seqs[0]])).scalar_one()
        columns = (own.seq, own.outcome, own.value, own.observed)
        for first in range(0, len(seqs), MOST_KEYS):
            part = slice(first, first + MOST_KEYS)
            query = select(*columns).where(own.model == model, own.time.in_(times[part]), own.seq.in_(seqs[part]))
            for seq, outcome, value, observed in connection.execute(query):
                truth = found.setdefault(seq, JoinedTruth())
                if outcome == LABEL:
                    truth.label, truth.observed = _label(batch.models[models[seq]], value), observed
                else:
                    truth.outcomes[outcome] = value
    return found


def _label(model: LoggedModel, value: float) -> ClassLabel | None:
    """Return a stored label by its name; it is an index of the classes of the prediction's version."""
    if not model.classes:
        return value
    return None if value == NO_CLASS else model.classes[int(value)]
